"""OTLP/JSON gives what protobuf gives."""

import base64
import json
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from hypothesis import given

from modeltraces.ingest.otlp.json import logs_from_json, traces_from_json
from modeltraces.ingest.otlp.logs import contents_of_logs
from modeltraces.ingest.otlp.spans import runs_of_traces
from modeltraces.ingest.recordings import Decoded, Limits, SourceDefaults
from tests.ingest.otlp.building import CHAT, NOW_US, event, log, logs, span, traces
from tests.ingest.otlp.strategies import span_attributes, unhurried

TRACE, SPAN = "0102030405060708090a0b0c0d0e0f10", "0102030405060708"


def otlp_json(message: Message) -> Any:
    """The message as OTLP/JSON: protobuf's own JSON with ids as hex."""

    def with_hex(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: base64.b64decode(part).hex() if key in ("traceId", "spanId", "parentSpanId") else with_hex(part)
                for key, part in value.items()
            }
        return [with_hex(part) for part in value] if isinstance(value, list) else value

    return with_hex(MessageToDict(message))


def document(**fields: Any) -> dict[str, Any]:
    given = {
        "traceId": TRACE,
        "spanId": SPAN,
        "name": "chat",
        "kind": 3,
        "startTimeUnixNano": str(NOW_US * 1000),
        "endTimeUnixNano": str(NOW_US * 1000 + 1_000_000),
        "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}],
    }
    spans = [given | fields, given | {"spanId": "ff" * 8}]
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {"name": "s"}, "spans": spans}]}]}


def decode(body: Any) -> Decoded:
    request = traces_from_json(json.dumps(body).encode())
    return runs_of_traces(request, account_id="A", defaults=SourceDefaults(), limits=Limits(), received_on_us=NOW_US)


@unhurried
@given(span_attributes)
def test_json_and_protobuf_of_one_request_give_the_same_runs(attributes: dict[str, Any]) -> None:
    request = traces(
        [
            span(
                {**CHAT, **attributes}, status={"code": 2, "message": "boom"}, events=[event("exception", attributes)]
            ),
            span(attributes, parent_span_id=b"\x05" * 8, dropped_attributes_count=7),
        ]
    )
    read = traces_from_json(json.dumps(otlp_json(request)).encode())
    assert repr(_decoded(read)) == repr(_decoded(request))


def _decoded(request: Any) -> Decoded:
    return runs_of_traces(request, account_id="A", defaults=SourceDefaults(), limits=Limits(), received_on_us=NOW_US)


def test_json_and_protobuf_of_log_records_give_the_same_parts() -> None:
    request = logs(
        log("gen_ai.user.message", {"content": [{"type": "text", "text": "天気"}, 1, 2.5, True, None, b"\x00\x01"]}),
        log("gen_ai.choice", {"index": 0, "message": {"content": "Sunny"}}, {"gen_ai.provider.name": "openai"}),
    )
    read = logs_from_json(json.dumps(otlp_json(request)).encode())
    assert read == request
    decoded = contents_of_logs(read, account_id="A", limits=Limits(), received_on_us=NOW_US)
    assert len(decoded.contents) == 2


def test_ids_are_hex_of_either_case_and_numbers_may_be_text() -> None:
    [run, _] = decode(document(traceId=TRACE.upper(), kind="SPAN_KIND_CLIENT", startTimeUnixNano=NOW_US * 1000)).runs
    assert (run.trace_id, run.executed_on_us) == (TRACE, NOW_US)


def test_unknown_fields_and_nulls_are_ignored_and_original_names_read() -> None:
    fields = {"brandNew": {"a": [1]}, "links": None, "parent_span_id": "aa" * 8}
    assert decode(document(**fields)).runs[0].parent_span_id == "aa" * 8


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "short trace id": ({"traceId": "abcd"}, "traceId must be 32 hex digits, not 4"),
    "base64 trace id": ({"traceId": base64.b64encode(bytes(range(16))).decode()}, "32 hex digits"),
    "no hex": ({"traceId": "zz" * 16}, "hex digits"),
    "long span id": ({"spanId": "ab" * 16}, "spanId must be 16 hex digits"),
    "id is a number": ({"spanId": 12}, "spanId must be a string"),
    "empty id": ({"traceId": ""}, "trace id"),
    "name is a number": ({"name": 3}, "name must be a string"),
    "time is a word": ({"startTimeUnixNano": "noon"}, "startTimeUnixNano must be an integer"),
    "time is negative": ({"startTimeUnixNano": -1}, "startTimeUnixNano must be an integer between 0"),
    "attributes are an object": ({"attributes": {"a": 1}}, "attributes must be a JSON array"),
    "an unknown kind": ({"kind": "SPAN_KIND_NEW"}, "kind must be one of SpanKind"),
    "a status that is a word": ({"status": "OK"}, "status must be a JSON object"),
}


@pytest.mark.parametrize(("fields", "reason"), BAD.values(), ids=BAD)
def test_a_malformed_span_is_refused_with_the_place_and_its_neighbours_are_kept(
    fields: dict[str, Any], reason: str
) -> None:
    decoded = decode(document(**fields))
    assert [run.span_id for run in decoded.runs] == ["ff" * 8]
    [rejection] = decoded.rejected
    assert reason in rejection.reason


def test_a_value_nested_too_deeply_refuses_its_span_alone() -> None:
    value: Any = {"stringValue": "x"}
    for _ in range(60):
        value = {"arrayValue": {"values": [value]}}
    decoded = decode(document(attributes=[{"key": "a", "value": value}]))
    assert len(decoded.runs) == 1
    assert "nested too deeply" in decoded.rejected[0].reason


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"3", b"null", b'{"resourceSpans": 3}', b'{"resourceSpans": [[]]}', b"[" * 100_000, b"\xff\xfe"],
)
def test_a_body_that_is_no_such_json_is_an_error_that_says_so(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"JSON|nested"):
        traces_from_json(body)
    with pytest.raises(ValueError, match=r"JSON|nested"):
        logs_from_json(body.replace(b"resourceSpans", b"resourceLogs"))


def test_an_empty_object_is_an_empty_request() -> None:
    assert decode({}).runs == []


def test_lone_surrogates_and_broken_utf8_cost_a_character_and_not_the_batch() -> None:
    body = json.dumps(document(name="a\ud800b")).encode()
    assert traces_from_json(body).resource_spans[0].scope_spans[0].spans[0].name == "a\ufffdb"
    body = json.dumps(document(name="a!b")).encode().replace(b"a!b", b"a\xffb")
    assert traces_from_json(body).resource_spans[0].scope_spans[0].spans[0].name == "a\ufffdb"


def test_a_malformed_log_record_is_refused_with_the_place() -> None:
    records = [{"traceId": "xyz", "eventName": "gen_ai.choice"}, {"timeUnixNano": "1"}]
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}
    decoded = contents_of_logs(
        logs_from_json(json.dumps(body).encode()), account_id="A", limits=Limits(), received_on_us=NOW_US
    )
    assert decoded.ignored == 1
    assert "traceId" in decoded.rejected[0].reason
