"""Who asked: the source type and the source of a run."""

from typing import Any, Final

from modeltraces.ingest.otlp.dialects.reading import Reading
from modeltraces.ingest.recordings import SourceDefaults

_NO_NAME: Final = "unknown_service"
"""What OpenTelemetry's SDKs call a service that was given no name (also with `:python` behind it)."""


def source_of(reading: Reading, resource: dict[str, Any], defaults: SourceDefaults) -> tuple[str, str]:
    """(source type, source).

    What the sender says explicitly comes first, on the span or on the resource; then what the key says; then the
    agent, the workflow, and last the service that the span came from.
    """
    source_type = reading.text("source_type") or _text(resource, "modeltraces.source_type") or defaults.source_type
    source = reading.text("source") or _text(resource, "modeltraces.source") or defaults.source
    if source_type and source:
        return source_type, source
    derived_type, derived = _derived(reading, resource, defaults)
    return source_type or derived_type, source or derived


def _derived(reading: Reading, resource: dict[str, Any], defaults: SourceDefaults) -> tuple[str, str]:
    agent = reading.text("agent")
    if agent:
        return "Agent", agent
    workflow = reading.text("workflow")
    if workflow:
        return "Workflow", workflow
    service = _text(resource, "service.name")
    if not service or service.startswith(_NO_NAME):
        service = defaults.key_name or service
    return "Application", service


def _text(attributes: dict[str, Any], name: str) -> str:
    value = attributes.get(name)
    return value if type(value) is str else ""
