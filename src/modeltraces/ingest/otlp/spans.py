"""Spans → runs. One span that cannot be read is refused with a reason; the others are not touched by it."""

from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from modeltraces.catalog.text import UNPRINTABLE
from modeltraces.ingest.otlp.attributes import attributes_of, text_of
from modeltraces.ingest.otlp.contents import add_to_payloads, parts_of_events
from modeltraces.ingest.otlp.dialects.kinds import operation_of
from modeltraces.ingest.otlp.dialects.reading import Reading, read
from modeltraces.ingest.otlp.dialects.requests import Payload, request_of
from modeltraces.ingest.otlp.dialects.responses import answer_of, finish_reasons_in
from modeltraces.ingest.otlp.dialects.usage import duration_ms, instant_us, set_tokens, truth
from modeltraces.ingest.otlp.errors import failure_of
from modeltraces.ingest.otlp.filling import set_request, set_response
from modeltraces.ingest.otlp.json import MALFORMED
from modeltraces.ingest.otlp.payloads import REPLACEMENT, clean, cut_text, structure
from modeltraces.ingest.otlp.source import source_of
from modeltraces.ingest.recordings import Decoded, Limits, Rejection, SourceDefaults
from modeltraces.run import LONGEST_MS, UNKNOWN_MODEL, Run, request_id_of_span

EARLIEST_US: Final = 946_684_800_000_000
"""2000-01-01: what lies before it is a clock that was never set."""
LATEST_AHEAD_US: Final = 24 * 3600 * 1_000_000
"""How far ahead of ours a sender's clock may be."""
DROPPED: Final = "modeltraces.dropped_attributes"
MAX_ATTRIBUTE_BYTES: Final = 64 * 1024
MAX_ERROR_BYTES: Final = 16 * 1024
MAX_NAME: Final = 512
"""Characters of what is a name or an id: lists carry them, and the catalog keeps no longer ones."""
_NAMES: Final = (
    "model", "base_model", "provider", "deployment_version", "connection_name", "operation", "source_type", "source",
    "error_type", "error_code", "response_id", "session_id", "user_id", "instrumentation",
)  # fmt: skip
_names_of: Final = attrgetter(*_NAMES)
_FIRST_TOKEN_EVENTS: Final = frozenset(
    {"First Token Stream Event", "llm.content.completion.chunk", "gen_ai.content.completion.chunk"}
)
_INTERFACES: Final = frozenset(
    {"chat", "responses", "completion", "embedding", "messages", "image", "speech", "transcription"}
)
_CONTENT_WORDS: Final = ("input", "output", "prompt", "completion", "message", "content", "text", "query", "document")
_USAGE_FIELDS: Final = (
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_input_tokens",
    "reasoning_tokens",
)


class Refused(ValueError):
    """The span is no run that could be kept; the text says why."""


@dataclass(slots=True)
class _Origin:
    """What all spans of one scope share."""

    account_id: str
    defaults: SourceDefaults
    limits: Limits
    received_on_us: int
    resource: dict[str, Any]
    scope_name: str
    attributes: dict[str, str]
    """Of the resource and of the scope, as text."""
    deployment_version: str = ""
    """What the resource says for all its spans; `connection_name` likewise."""
    connection_name: str = ""


def runs_of_traces(
    request: ExportTraceServiceRequest,
    *,
    account_id: str,
    defaults: SourceDefaults,
    limits: Limits,
    received_on_us: int,
) -> Decoded:
    """The runs of the request's model-call spans, in their order, and what was refused and why."""
    decoded = Decoded()
    for resource_spans in request.resource_spans:
        resource = attributes_of(resource_spans.resource.attributes)
        resource_texts = _texts(resource)
        for scope_spans in resource_spans.scope_spans:
            scope = scope_spans.scope
            attributes = resource_texts
            if scope.attributes:
                attributes = attributes | _texts(attributes_of(scope.attributes))
            if scope.version:
                attributes = attributes | {"otel.scope.version": clean(scope.version[:MAX_NAME])}
            origin = _Origin(
                account_id,
                defaults,
                limits,
                received_on_us,
                resource,
                clean(scope.name),
                attributes,
                resource_texts.get("modeltraces.deployment_version", ""),
                resource_texts.get("modeltraces.connection_name", ""),
            )
            for span in scope_spans.spans:
                try:
                    run = _run_of(span, origin)
                except Refused as refusal:
                    decoded.rejected.append(Rejection(str(refusal), subject_of(span.name, span.trace_id, span.span_id)))
                except Exception as error:  # One span must never take the others with it.
                    reason = f"The span could not be read ({type(error).__name__})."
                    decoded.rejected.append(Rejection(reason, subject_of(span.name, span.trace_id, span.span_id)))
                else:
                    if run is None:
                        decoded.ignored += 1
                    else:
                        decoded.runs.append(run)
    return decoded


def subject_of(name: str, trace_id: bytes, span_id: bytes) -> str:
    return f"{clean(name)[:200]} (trace {trace_id[:16].hex() or '-'}, span {span_id[:8].hex() or '-'})"


def _run_of(span: Span, origin: _Origin) -> Run | None:
    attributes = attributes_of(span.attributes)
    operation = operation_of(attributes, span.name)
    if not operation:
        if MALFORMED in attributes and not span.trace_id:
            raise Refused(str(attributes[MALFORMED]))
        return None
    trace_id, span_id = _ids(span)
    start_us = _start_us(span, origin)
    reading = read(attributes)
    limits = origin.limits
    text = reading.text

    request = request_of(reading, text("model"))
    answer = answer_of(reading)
    response = answer.payload
    if span.events:
        add_to_payloads(request, response, parts_of_events(span.events))
    asked = request.get("model")
    served = text("base_model")
    model = text("model") or (asked if type(asked) is str else "") or served
    run = Run(
        account_id=origin.account_id,
        request_id=request_id_of_span(trace_id, span_id, start_us),
        executed_on_us=start_us,
        model=_catalog_name(clean(model)) or UNKNOWN_MODEL,
        base_model=_catalog_name(served),
        provider=_provider(_catalog_name(text("provider"))),
        deployment_version=_catalog_name(text("deployment_version") or origin.deployment_version),
        connection_name=_catalog_name(text("connection_name") or origin.connection_name),
        operation=operation,
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=span.parent_span_id.hex() if len(span.parent_span_id) == 8 else "",
        response_id=text("response_id") or clean(answer.response_id),
        session_id=text("session_id"),
        user_id=text("user_id"),
        instrumentation=origin.scope_name,
        received_on_us=origin.received_on_us,
    )
    run.source_type, run.source = source_of(reading, origin.resource, origin.defaults)
    _set_times(run, span, reading)
    run.streaming = _is_streaming(run, span, reading, truth(request.get("stream")) or answer.was_streamed)
    set_tokens(run, reading)
    run.finish_reasons = _finish_reasons(reading, response)
    failure = failure_of(span, reading, run.finish_reasons)
    if failure is not None:
        run.status = "failed"
        run.error_type, run.error_code = failure.type, failure.code
        message = failure.message if limits.redact is None else limits.redact(failure.message)
        run.error_message = cut_text(message, MAX_ERROR_BYTES)
    _complete_response(response, run)
    set_request(run, request, limits)
    set_response(run, response, limits)
    run.attributes = _attributes(reading, span, origin)
    if max(map(len, _names_of(run))) > MAX_NAME:
        for name in _NAMES:
            setattr(run, name, getattr(run, name)[:MAX_NAME])
    return run


def _catalog_name(text: str) -> str:
    """The gateway takes no control characters in names, which nobody could type; a span is kept, and tells where they stood."""
    text = text.strip()
    return text if text.isprintable() else UNPRINTABLE.sub(REPLACEMENT, text)


def _provider(name: str) -> str:
    """The Vercel SDK names the provider's interface too: `openai.chat`, `anthropic.messages`."""
    provider, _, interface = name.rpartition(".")
    return provider if interface in _INTERFACES and provider else name


def _ids(span: Span) -> tuple[str, str]:
    trace_id, span_id = span.trace_id, span.span_id
    if len(trace_id) != 16 or not any(trace_id):
        raise Refused("The trace id must be 16 bytes (32 hex digits) and not all zero.")
    if len(span_id) != 8 or not any(span_id):
        raise Refused("The span id must be 8 bytes (16 hex digits) and not all zero.")
    return trace_id.hex(), span_id.hex()


def _start_us(span: Span, origin: _Origin) -> int:
    start_us = span.start_time_unix_nano // 1000
    if not span.start_time_unix_nano:
        raise Refused("The span has no start time (start_time_unix_nano).")
    if not span.end_time_unix_nano:
        raise Refused("The span has no end time (end_time_unix_nano): it was sent before it ended.")
    if start_us < EARLIEST_US:
        raise Refused("The span starts before the year 2000: start_time_unix_nano is in nanoseconds since 1970.")
    if start_us > origin.received_on_us + LATEST_AHEAD_US:
        raise Refused("The span starts more than a day ahead of this server's clock: check the sender's.")
    return start_us


def _set_times(run: Run, span: Span, reading: Reading) -> None:
    elapsed = span.end_time_unix_nano - span.start_time_unix_nano
    run.response_time_ms = min(max(elapsed, 0) / 1e6, LONGEST_MS)
    run.response_time_clamped = not 0 <= elapsed <= LONGEST_MS * 1_000_000
    found = reading.found
    first = duration_ms(found.get("first_token_seconds"), 1000.0)
    if first is None:
        first = duration_ms(found.get("first_token_ms"), 1.0)
    if first is None and "first_token_at" in found:
        at = instant_us(found["first_token_at"])
        if at is not None and at >= run.executed_on_us:
            first = (at - run.executed_on_us) / 1000
    if first is None and span.events:
        times = [event.time_unix_nano for event in span.events if event.name in _FIRST_TOKEN_EVENTS]
        if times and min(times) >= span.start_time_unix_nano:
            first = (min(times) - span.start_time_unix_nano) / 1e6
    if first is not None and first > LONGEST_MS:
        first = None
    if first is None:
        for concept in ("first_token_seconds", "first_token_ms", "first_token_at"):
            reading.give_back(concept)
    run.time_to_first_token_ms = first


def _is_streaming(run: Run, span: Span, reading: Reading, looks_streamed: bool) -> bool:
    if "streaming" in reading.found:
        return truth(reading.found["streaming"])
    return (
        looks_streamed
        or ".doStream" in reading.text("operation")
        or ".doStream" in span.name
        or (run.time_to_first_token_ms is not None and not _is_engine(reading))
    )


def _is_engine(reading: Reading) -> bool:
    """A serving engine measures the first token of every request, streamed or not."""
    return any(name.startswith("gen_ai.latency.") for name in reading.rest)


def _finish_reasons(reading: Reading, response: Payload) -> list[str]:
    value = structure(reading.found.get("finish_reasons"))
    if type(value) is str:
        return [value[:MAX_NAME]]
    if type(value) is list:
        reasons = [clean(reason) for reason in value if type(reason) is str and reason]
        if reasons:
            return [reason[:MAX_NAME] for reason in reasons[:64]]
    return [clean(reason)[:MAX_NAME] for reason in finish_reasons_in(response)[:64]]


def _complete_response(response: Payload, run: Run) -> None:
    """Add what the fields know and the payload does not say."""
    if run.response_id and "id" not in response:
        response["id"] = run.response_id
    if run.base_model and "model" not in response:
        response["model"] = run.base_model
    if run.finish_reasons and not any(key in response for key in ("choices", "candidates", "stop_reason")):
        response.setdefault("finish_reasons", run.finish_reasons)
    if "usage" not in response and "usageMetadata" not in response:
        usage = {name: value for name in _USAGE_FIELDS if (value := getattr(run, name)) is not None}
        if usage:
            response["usage"] = usage
    if run.status == "failed" and "error" not in response:
        error = {"type": run.error_type, "message": run.error_message, "code": run.error_code}
        response["error"] = {name: value for name, value in error.items() if value}


def _texts(attributes: dict[str, Any]) -> dict[str, str]:
    texts = {}
    for name, value in attributes.items():
        text = value if type(value) is str else text_of(value)
        texts[name if len(name) <= MAX_NAME else name[:MAX_NAME]] = (
            text if len(text) < MAX_ATTRIBUTE_BYTES // 4 else cut_text(text, MAX_ATTRIBUTE_BYTES)
        )
    return texts


def _attributes(reading: Reading, span: Span, origin: _Origin) -> dict[str, str]:
    """What no field took, as text: the span's own before the scope's and the resource's, when there are too many."""
    limits, rest = origin.limits, reading.rest
    if not limits.record_content:
        rest = {name: value for name, value in rest.items() if not _may_hold_content(name, value)}
    texts = _texts(rest)
    if limits.redact is not None:
        texts = {name: limits.redact(value) for name, value in texts.items()}
    texts["otel.span.name"] = clean(span.name[:MAX_NAME])
    own = texts
    texts = origin.attributes | texts
    dropped = span.dropped_attributes_count
    surplus = len(texts) - limits.max_attributes
    if surplus > 0:
        dropped += surplus
        inherited = [(name, value) for name, value in origin.attributes.items() if name not in own]
        texts = dict([*own.items(), *inherited][: limits.max_attributes])
    if dropped:
        texts[DROPPED] = str(dropped)
    return texts


def _may_hold_content(name: str, value: Any) -> bool:
    if type(value) in (int, float, bool):
        return False
    last = name.rpartition(".")[2].lower()
    return any(word in last for word in _CONTENT_WORDS) or type(value) in (dict, list) or len(value) > 256
