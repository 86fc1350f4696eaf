"""What real emitters sent, once recorded, becomes the runs that it tells of: each call once, whatever the order."""

import base64
import copy
import gzip
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.emitters.catalog import EMITTERS
from tests.emitters.expected import EXPECTED
from tests.emitters.facts import check
from tests.emitters.otlp import from_json, signal_of
from tests.emitters.reading import whole_runs
from tests.support.server import Server

FOLDER = Path(__file__).parent / "recorded"
RECORDINGS = [(path.parent.name, path.stem) for path in sorted(FOLDER.glob("*/*.json"))]
PROTOBUF, JSON = "application/x-protobuf", "application/json"


def read(emitter: str, scenario: str) -> dict[str, Any]:
    recording: dict[str, Any] = json.loads((FOLDER / emitter / f"{scenario}.json").read_text(encoding="utf-8"))
    return recording


def made_recent(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same, with all times moved so that the last one lies a minute ago: old runs may be past their keeping."""
    text = json.dumps(requests)
    times = re.compile(r'("\w*[tT]imeUnixNano": ")(\d+)(")')
    latest = max(int(found[1]) for found in times.findall(text))
    shift = time.time_ns() - 60_000_000_000 - latest

    def moved(found: re.Match[str]) -> str:
        instant = int(found[2])
        return f"{found[1]}{instant + shift if instant else 0}{found[3]}"

    recent: list[dict[str, Any]] = json.loads(times.sub(moved, text))
    return recent


def one_by_one(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A request for each span or log record of a request."""
    outer, inner, item = (
        ("resourceSpans", "scopeSpans", "spans")
        if "resourceSpans" in request["body_json"]
        else ("resourceLogs", "scopeLogs", "logRecords")
    )
    for resource in request["body_json"][outer]:
        for scope in resource[inner]:
            for each in scope[item]:
                alone = copy.deepcopy(resource)
                alone[inner] = [scope | {item: [each]}]
                yield request | {"body_json": {outer: [alone]}}


def send(client: httpx.Client, key: str, request: dict[str, Any], content_type: str) -> None:
    body = from_json(request["path"], content_type, request["body_json"])
    headers = {"content-type": content_type}
    if request["authorization"] == "Basic":
        headers["authorization"] = "Basic " + base64.b64encode(f"pk-any:{key}".encode()).decode()
    if request["content_encoding"] == "gzip":
        headers["content-encoding"], body = "gzip", gzip.compress(body)
    # JavaScript's exporters send no length.
    content = iter([body[:100], body[100:]]) if request["chunked"] else body
    answer = client.post(request["path"], content=content, headers=headers)
    assert answer.status_code == 200, answer.text
    assert rejected(request["path"], content_type, answer.content) == without_trace_id(request["body_json"])


def rejected(path: str, content_type: str, answer: bytes) -> int:
    """How many spans or log records were refused, from a partial success."""
    if content_type == JSON:
        told = json.loads(answer).get("partialSuccess", {})
        return int(told.get("rejectedSpans") or told.get("rejectedLogRecords") or 0)
    if signal_of(path) == "traces":
        return ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans
    return ExportLogsServiceResponse.FromString(answer).partial_success.rejected_log_records


def without_trace_id(body: dict[str, Any]) -> int:
    """OpenLLMetry emits log records that tell of no call: they belong to nothing, and the answer says so."""
    records = [
        record
        for resource in body.get("resourceLogs", [])
        for scope in resource["scopeLogs"]
        for record in scope["logRecords"]
    ]
    return sum(not record.get("traceId") for record in records)


@pytest.mark.parametrize(("emitter", "scenario"), RECORDINGS)
def test_a_recorded_call_is_one_run_with_all_that_was_said_of_it(server: Server, emitter: str, scenario: str) -> None:
    account = server.new_account(f"{emitter} {scenario}")
    with server.client(account=account) as client:
        for request in made_recent(read(emitter, scenario)["requests"]):
            send(client, server.key(account=account), request, request["content_type"])
        check(whole_runs(client), EXPECTED[emitter][scenario])


@pytest.mark.parametrize(("emitter", "scenario"), RECORDINGS)
def test_spans_and_log_records_may_come_one_by_one_and_last_first(server: Server, emitter: str, scenario: str) -> None:
    """Also in the other of the two encodings, and twice, as after an answer that was lost."""
    account = server.new_account(f"{emitter} {scenario} reversed")
    requests = [part for each in made_recent(read(emitter, scenario)["requests"]) for part in one_by_one(each)]
    with server.client(account=account) as client:
        for _ in range(2):
            for request in reversed(requests):
                other = PROTOBUF if request["content_type"] == JSON else JSON
                send(client, server.key(account=account), request, other)
        check(whole_runs(client), EXPECTED[emitter][scenario])


def test_the_recordings_are_those_of_the_catalog_with_the_facts_that_are_expected() -> None:
    """`python -m tests.emitters.record` makes them, `--facts` only writes the facts anew."""
    assert set(EXPECTED) == set(EMITTERS)
    assert sorted((emitter, scenario) for emitter, facts in EXPECTED.items() for scenario in facts) == RECORDINGS
    for emitter, scenario in RECORDINGS:
        recording = read(emitter, scenario)
        assert recording["expected"] == EXPECTED[emitter][scenario]
        assert recording["versions"]


def test_no_recording_is_too_large_or_tells_where_it_was_made() -> None:
    for path in FOLDER.glob("*/*.json"):
        text = path.read_text(encoding="utf-8")
        assert len(text) < 100_000, path.name
        assert not re.search(r"/(?:work|root|home|tmp)/", text), path.name
