"""What real emitters sent, once recorded, becomes the runs that it tells of: each call once, whatever the order."""

import base64
import copy
import gzip
import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
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
Sent = tuple[dict[str, Any], str]
"""A recorded request and the content type to send it in."""
Order = Callable[[str, str], list[Sent]]
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


def as_recorded(emitter: str, scenario: str) -> list[Sent]:
    requests = made_recent(read(emitter, scenario)["requests"])
    return [(request, request["content_type"]) for request in requests]


def one_by_one_and_last_first(emitter: str, scenario: str) -> list[Sent]:
    """Also in the other of the two encodings, and twice, as after an answer that was lost."""
    parts = [part for request in made_recent(read(emitter, scenario)["requests"]) for part in one_by_one(request)]
    return 2 * [(part, PROTOBUF if part["content_type"] == JSON else JSON) for part in reversed(parts)]


class Play:
    """Sends an emitter's recordings, each to an account of its own, side by side: one at a time they would wait for
    the disk most of the time. What came of it is kept, so that each recording is a test of its own."""

    def __init__(self, server: Server, order: Order) -> None:
        self._server = server
        self._order = order
        self._played: dict[str, dict[str, Future[list[dict[str, Any]]]]] = {}

    def runs(self, emitter: str, scenario: str) -> list[dict[str, Any]]:
        if emitter not in self._played:
            scenarios = [each for name, each in RECORDINGS if name == emitter]
            keys = {each: self._new_key(f"{emitter} {each} {self._order.__name__}") for each in scenarios}
            with ThreadPoolExecutor(8) as pool:
                self._played[emitter] = {
                    each: pool.submit(self._send_all, key, self._order(emitter, each)) for each, key in keys.items()
                }
        return self._played[emitter][scenario].result()

    def _new_key(self, account: str) -> str:
        return self._server.key(account=self._server.new_account(account))

    def _send_all(self, key: str, requests: list[Sent]) -> list[dict[str, Any]]:
        headers = {"authorization": f"Bearer {key}"}
        with httpx.Client(base_url=self._server.url, headers=headers, timeout=60) as client:
            for request, content_type in requests:
                send(client, key, request, content_type)
            return whole_runs(client)


@pytest.fixture(scope="module")
def played_as_recorded(server: Server) -> Play:
    return Play(server, as_recorded)


@pytest.fixture(scope="module")
def played_last_first(server: Server) -> Play:
    return Play(server, one_by_one_and_last_first)


@pytest.mark.parametrize(("emitter", "scenario"), RECORDINGS)
def test_a_recorded_call_is_one_run_with_all_that_was_said_of_it(
    played_as_recorded: Play, emitter: str, scenario: str
) -> None:
    check(played_as_recorded.runs(emitter, scenario), EXPECTED[emitter][scenario])


@pytest.mark.parametrize(("emitter", "scenario"), RECORDINGS)
def test_spans_and_log_records_may_come_one_by_one_and_last_first(
    played_last_first: Play, emitter: str, scenario: str
) -> None:
    check(played_last_first.runs(emitter, scenario), EXPECTED[emitter][scenario])


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
