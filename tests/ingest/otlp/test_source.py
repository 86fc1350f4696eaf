"""Who asked."""

from typing import Any

import pytest

from modeltraces.ingest.recordings import SourceDefaults
from tests.ingest.otlp.building import CHAT, decode, span

SERVICE = {"service.name": "weather-app"}
OURS = {"modeltraces.source_type": "Prompt Studio", "modeltraces.source": "draft 7"}
KEY = SourceDefaults(source_type="Evaluation", source="nightly", key_name="ci-key")

CASES: dict[str, tuple[dict[str, Any], dict[str, Any], SourceDefaults, tuple[str, str]]] = {
    "the service": ({}, SERVICE, SourceDefaults(), ("Application", "weather-app")),
    "explicit on the span": (OURS | {"gen_ai.agent.name": "bot"}, SERVICE, KEY, ("Prompt Studio", "draft 7")),
    "explicit on the resource": ({}, SERVICE | OURS, KEY, ("Prompt Studio", "draft 7")),
    "the span before the resource": (OURS, {"modeltraces.source": "other"}, KEY, ("Prompt Studio", "draft 7")),
    "the key": ({"gen_ai.agent.name": "bot"}, SERVICE, KEY, ("Evaluation", "nightly")),
    "only a type from the key": (
        {"gen_ai.agent.name": "bot"},
        SERVICE,
        SourceDefaults(source_type="API"),
        ("API", "bot"),
    ),
    "GenAI agent": ({"gen_ai.agent.name": "planner"}, SERVICE, SourceDefaults(), ("Agent", "planner")),
    "OpenInference agent": ({"agent.name": "planner"}, SERVICE, SourceDefaults(), ("Agent", "planner")),
    "OpenInference graph node": ({"graph.node.id": "planner"}, SERVICE, SourceDefaults(), ("Agent", "planner")),
    "Traceloop workflow": ({"traceloop.workflow.name": "refund"}, SERVICE, SourceDefaults(), ("Workflow", "refund")),
    "GenAI workflow": ({"gen_ai.workflow.name": "refund"}, SERVICE, SourceDefaults(), ("Workflow", "refund")),
    "a function's id names no agent": (
        {"ai.telemetry.functionId": "summary"},
        SERVICE,
        SourceDefaults(),
        ("Application", "weather-app"),
    ),
    "a service that was given no name": (
        {},
        {"service.name": "unknown_service:python"},
        SourceDefaults(key_name="ci-key"),
        ("Application", "ci-key"),
    ),
    "nothing at all": ({}, {"x": 1}, SourceDefaults(), ("Application", "")),
}


@pytest.mark.parametrize(("attributes", "resource", "defaults", "expected"), CASES.values(), ids=CASES)
def test_the_source_is_what_says_it_most_explicitly(
    attributes: dict[str, Any], resource: dict[str, Any], defaults: SourceDefaults, expected: tuple[str, str]
) -> None:
    [run] = decode(span({**CHAT, **attributes}), resource=resource, defaults=defaults).runs
    assert (run.source_type, run.source) == expected
