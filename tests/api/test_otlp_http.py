"""OTLP/HTTP: what is taken, what is refused and how, and that nothing is stored by half."""

import gzip
import re
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.support.bombs import zeros
from tests.support.otlp import JSON, PROTOBUF, genai_span, key_values, log_record, messages, traces
from tests.support.server import Server


@pytest.fixture
def account(server: Server, request: pytest.FixtureRequest) -> str:
    return server.new_account(request.node.name[:100])


@pytest.fixture
def client(server: Server, account: str) -> Any:
    with server.client(account=account) as opened:
        yield opened


def send(client: httpx.Client, request: ExportTraceServiceRequest, encoding: str = "") -> httpx.Response:
    body = request.SerializeToString()
    encoders: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress, "": bytes}
    body = encoders[encoding](body)
    return client.post(
        "/v1/traces", content=body, headers={**PROTOBUF, **({"Content-Encoding": encoding} if encoding else {})}
    )


def runs(client: httpx.Client, **params: str) -> list[dict[str, Any]]:
    answer = client.get("/api/v1/runs", params={"period": "all", **params})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["runs"]
    return found


def hex_json(request: ExportTraceServiceRequest) -> dict[str, Any]:
    """OTLP/JSON: as protobuf's JSON, but ids in hex."""
    value = json_format.MessageToDict(request)
    for resource in value["resourceSpans"]:
        for scoped in resource["scopeSpans"]:
            for span, original in zip(scoped["spans"], request.resource_spans[0].scope_spans[0].spans, strict=True):
                span["traceId"], span["spanId"] = original.trace_id.hex(), original.span_id.hex()
    return value


@pytest.mark.parametrize("encoding", ["", "gzip", "deflate"])
def test_a_span_is_in_the_very_next_answer(client: httpx.Client, encoding: str) -> None:
    answer = send(client, traces(genai_span("gpt-4o", gen_ai__usage__input_tokens=7)), encoding)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-protobuf"
    assert not ExportTraceServiceResponse.FromString(answer.content).HasField("partial_success")
    (run,) = runs(client)
    assert (run["model"], run["input_tokens"], run["output_tokens"], run["status"]) == ("gpt-4o", 7, None, "success")
    assert (run["source_type"], run["source"]) == ("Application", "shop")
    assert run["response_time_ms"] == pytest.approx(250)


def test_json_gives_the_same_run_as_protobuf(client: httpx.Client) -> None:
    request = traces(genai_span("gpt-4o", gen_ai__input__messages=messages("user", "hallo")))
    assert send(client, request).status_code == 200
    answer = client.post("/v1/traces", json={**hex_json(request), "unknownField": 1})
    assert (answer.status_code, answer.json()) == (200, {})
    (run,) = runs(client)
    assert run["input"] == "hallo"


def test_a_span_sent_again_counts_once(client: httpx.Client) -> None:
    request = traces(*(genai_span() for _ in range(20)))
    with ThreadPoolExecutor(8) as pool:
        statuses = [answer.status_code for answer in pool.map(lambda _: send(client, request), range(16))]
    assert statuses == [200] * 16
    assert client.get("/api/v1/metrics", params={"period": "all"}).json()["total_requests"] == 20


def test_one_bad_span_is_refused_and_the_rest_is_stored(client: httpx.Client) -> None:
    bad = genai_span()
    bad.trace_id = b"short"
    answer = send(client, traces(genai_span(), bad, genai_span()))
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, partial.rejected_spans) == (200, 1)
    assert "trace" in partial.error_message
    assert len(runs(client)) == 2


@pytest.mark.parametrize(
    ("start_ns", "says"),
    [(0, "start"), (1_000_000_000, "2000"), (7_258_118_400_000_000_000, "ahead")],
    ids=["no start", "1970", "2200"],
)
def test_a_span_of_an_impossible_time_is_refused_with_the_reason(
    client: httpx.Client, start_ns: int, says: str
) -> None:
    span = genai_span(start_ns=start_ns)
    answer = send(client, traces(span, genai_span()))
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert partial.rejected_spans == 1
    assert says in partial.error_message
    assert len(runs(client)) == 1


def test_an_end_before_the_start_is_flagged_and_left_out_of_percentiles(client: httpx.Client) -> None:
    skewed = genai_span(ms=100)
    skewed.end_time_unix_nano = skewed.start_time_unix_nano - 5_000_000_000
    assert send(client, traces(skewed, genai_span(ms=100))).status_code == 200
    metrics = client.get("/api/v1/metrics", params={"period": "all"}).json()
    assert metrics["total_requests"] == 2
    assert metrics["response_time_ms"]["p50"] == pytest.approx(100)


def test_ten_thousand_attributes_are_kept_up_to_the_cap(client: httpx.Client) -> None:
    many: dict[str, Any] = {f"custom.{number}": "x" for number in range(10_000)}
    assert send(client, traces(genai_span(**many))).status_code == 200
    (run,) = runs(client)
    attributes = client.get(f"/api/v1/runs/{run['request_id']}").json()["attributes"]
    assert len(attributes) <= 260
    assert int(attributes["modeltraces.dropped_attributes"]) > 9_000


def test_fifty_megabytes_of_text_are_cut_and_their_size_is_kept(client: httpx.Client) -> None:
    text = "long text " * (5 << 20)
    assert send(client, traces(genai_span(gen_ai__input__messages=messages("user", text))), "gzip").status_code == 200
    (run,) = runs(client)
    assert run["input_truncated"]
    whole = client.get(f"/api/v1/runs/{run['request_id']}").json()
    assert len(whole["input"]) < 2 << 20
    assert "cut" in whole["input"][-60:]
    assert whole["request"]["messages"]


@pytest.mark.parametrize(
    "attribute",
    ["gen_ai.request.model", "gen_ai.response.model", "gen_ai.conversation.id", "gen_ai.agent.name", "gen_ai.response.id",
     "error.type", "gen_ai.provider.name", "user.id", "gen_ai.response.finish_reasons", "x" * (1 << 20)],
    ids=lambda name: name[:40],
)  # fmt: skip
def test_a_name_of_megabytes_keeps_lists_small(client: httpx.Client, attribute: str) -> None:
    span = genai_span()
    span.name = "n" * (2 << 20)
    span.attributes.extend(key_values({attribute: "z" * (4 << 20)}))
    assert send(client, traces(span, scope="s" * (2 << 20))).status_code == 200
    answer = client.get("/api/v1/runs", params={"period": "all"})
    assert len(answer.json()["runs"]) == 1
    assert len(answer.content) < 200_000
    (run,) = answer.json()["runs"]
    assert [entry["name"] for entry in client.get("/api/v1/models").json()["models"]] == [run["model"]]
    assert client.get("/api/v1/metrics", params={"model": run["model"], "period": "all"}).json()["total_requests"] == 1


def field(number: int, content: bytes) -> bytes:
    size, length = len(content), bytearray()
    while size >= 128:
        length.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | 2, *length, size]) + content


@pytest.mark.parametrize(
    "spans",
    [b"\x12\x00" * (8 << 20), field(2, b"\x4a\x00" * (8 << 20)), field(2, b"\x5a\x00" * (8 << 20))],
    ids=["empty spans", "empty attributes", "empty events"],
)
def test_a_body_that_unfolds_without_saying_anything_is_refused(
    server: Server, client: httpx.Client, spans: bytes
) -> None:
    before = memory_mb(server)
    body = gzip.compress(field(1, field(2, spans)), 1)
    answer = client.post("/v1/traces", content=body, headers={**PROTOBUF, "Content-Encoding": "gzip"})
    assert "far more" in refused(answer, 400) or "more than" in answer.text
    assert memory_mb(server) - before < 300
    assert client.get("/healthz").elapsed.total_seconds() < 1


def test_json_that_unfolds_without_saying_anything_is_refused(server: Server, client: httpx.Client) -> None:
    before = memory_mb(server)
    body = gzip.compress(b'{"resourceSpans":[' + b"{}," * (5 << 20) + b"{}]}", 1)
    refused(client.post("/v1/traces", content=body, headers={**JSON, "Content-Encoding": "gzip"}), 400)
    refused(client.post("/api/v1/runs", content=body, headers={**JSON, "Content-Encoding": "gzip"}), 400)
    assert memory_mb(server) - before < 300


def test_a_large_body_of_many_ordinary_spans_is_taken(client: httpx.Client) -> None:
    spans = [genai_span(start_ns=1_790_000_000_000_000_000 + number, a=1, b="", c=True) for number in range(20_000)]
    body = traces(*spans).SerializeToString()
    assert len(body) > 3 << 20
    answer = client.post("/v1/traces", content=body, headers=PROTOBUF)
    assert answer.status_code == 200, answer.text
    assert client.get("/api/v1/metrics", params={"period": "all"}).json()["total_requests"] == 20_000


def memory_mb(server: Server) -> int:
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) >> 10


def test_nul_and_lone_surrogates_do_no_harm(client: httpx.Client) -> None:
    content = '[{"role":"user","parts":[{"type":"text","content":"a\\u0000b \\ud800 c"}]}]'
    one = genai_span("m\0odel", gen_ai__input__messages=content, user__id="u\0")
    assert send(client, traces(one)).status_code == 200
    (run,) = runs(client)
    assert run["input"].startswith("a")
    assert "\0" not in run["input"] + run["user_id"] + run["model"]
    assert client.get(f"/api/v1/runs/{run['request_id']}").status_code == 200


@pytest.mark.parametrize(
    "model", ["org/model:8b", "with space", "quo'te\"s", "😀", "<script>alert(1)</script>", "a%2Fb", "x" * 500]
)
def test_any_model_name_works_everywhere(client: httpx.Client, model: str) -> None:
    assert send(client, traces(genai_span(model))).status_code == 200
    assert [entry["name"] for entry in client.get("/api/v1/models").json()["models"]] == [model]
    assert len(runs(client, model=model)) == 1
    assert client.get("/api/v1/metrics", params={"model": model, "period": "all"}).json()["total_requests"] == 1
    quoted = model.replace("\\", "\\\\").replace('"', '\\"')
    assert len(runs(client, filter=f'model:"{quoted}"')) == 1


def refused(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    return str(problem.get("detail", ""))


def test_what_is_not_protobuf_is_refused(client: httpx.Client) -> None:
    assert "protobuf" in refused(client.post("/v1/traces", content=b"\xff\xff\xff not protobuf", headers=PROTOBUF), 400)


def test_what_is_not_json_is_refused(client: httpx.Client) -> None:
    assert "JSON" in refused(client.post("/v1/traces", content=b"{nope", headers=JSON), 400)
    assert "JSON" in refused(client.post("/v1/logs", content=b"[1,2]", headers=JSON), 400)


def test_json_nested_too_deeply_is_refused(client: httpx.Client) -> None:
    refused(
        client.post("/v1/traces", content=b'{"resourceSpans":' + b"[" * 100_000 + b"]" * 100_000 + b"}", headers=JSON),
        400,
    )


def test_json_ids_of_the_wrong_length_refuse_their_span_only(client: httpx.Client) -> None:
    value = hex_json(traces(genai_span(), genai_span()))
    value["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"] = "abc"
    answer = client.post("/v1/traces", json=value)
    assert answer.status_code == 200, answer.text
    assert int(answer.json()["partialSuccess"]["rejectedSpans"]) == 1
    assert len(runs(client)) == 1


def test_truncated_gzip_is_refused(client: httpx.Client) -> None:
    body = gzip.compress(traces(genai_span()).SerializeToString())[:-12]
    headers = {**PROTOBUF, "Content-Encoding": "gzip"}
    assert "cut on the way" in refused(client.post("/v1/traces", content=body, headers=headers), 400)


def test_a_ten_gigabyte_zip_bomb_is_refused_and_the_server_lives(client: httpx.Client) -> None:
    headers = {**PROTOBUF, "Content-Encoding": "gzip"}
    # Twenty members one after another: ten gigabytes that are ten megabytes on the wire.
    assert "larger than" in refused(client.post("/v1/traces", content=zeros(512) * 20, headers=headers), 413)
    assert client.get("/healthz").status_code == 200


def test_other_types_and_encodings_are_refused_by_name(client: httpx.Client) -> None:
    body = traces(genai_span()).SerializeToString()
    assert "application/x-protobuf" in refused(
        client.post("/v1/traces", content=body, headers={"Content-Type": "text/plain"}), 415
    )
    assert "gzip" in refused(
        client.post("/v1/traces", content=body, headers={**PROTOBUF, "Content-Encoding": "br"}), 415
    )


def rejected(server: Server) -> dict[str, float]:
    with server.client("admin") as client:
        text = client.get("/metrics").text
    return {name: float(value) for name, value in re.findall(r'modeltraces_rejected_total{signal="(\w+)"} (\S+)', text)}


def test_a_body_that_is_refused_as_a_whole_is_counted(server: Server, client: httpx.Client) -> None:
    before = rejected(server)
    text, broken, br = (
        {"Content-Type": "text/plain"},
        {**PROTOBUF, "Content-Encoding": "gzip"},
        {"Content-Encoding": "br"},
    )
    for path, body, headers, status in (
        ("/v1/traces", b"\xff\xff", PROTOBUF, 400),
        ("/v1/traces", b"{", JSON, 400),
        ("/v1/traces", b"", text, 415),
        ("/v1/traces", b"no gzip", broken, 400),
        ("/v1/logs", b"[]", JSON, 400),
        ("/v1/logs", b"", {**JSON, **br}, 415),
        ("/api/v1/runs", b"nonsense", JSON, 400),
        ("/api/v1/runs", b"[]", text, 415),
    ):
        assert "detail" in client.post(path, content=body, headers=headers).json()
        assert client.post(path, content=body, headers=headers).status_code == status
    with_key = {"Authorization": "Bearer mt_unknown"}
    assert client.post("/v1/traces", content=b"{", headers={**JSON, **with_key}).status_code == 401
    counted = {name: count - before.get(name, 0) for name, count in rejected(server).items()}
    # What other tests called shows with a nothing.
    assert {name: count for name, count in counted.items() if count} == {"traces": 8, "logs": 4, "runs": 4}


def test_an_empty_export_is_welcome(client: httpx.Client) -> None:
    assert client.post("/v1/traces", content=b"", headers=PROTOBUF).status_code == 200
    assert client.post("/v1/logs", content=b"", headers=PROTOBUF).status_code == 200


def test_langfuse_sdks_come_in_with_basic_auth(server: Server, client: httpx.Client, account: str) -> None:
    body = traces(genai_span()).SerializeToString()
    for password, status in ((server.key(account=account), 200), ("sk-lf-other", 401)):
        answer = httpx.post(
            f"{server.url}/api/public/otel/v1/traces", content=body, headers=PROTOBUF, auth=("pk-lf", password)
        )
        assert answer.status_code == status
    assert len(runs(client)) == 1


def post_logs(client: httpx.Client, request: ExportLogsServiceRequest) -> None:
    answer = client.post("/v1/logs", content=request.SerializeToString(), headers=PROTOBUF)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("order", ["span first", "logs first"])
def test_content_from_log_records_joins_its_span_in_either_order(client: httpx.Client, order: str) -> None:
    trace_id, span_id = b"t" * 16, b"s" * 8
    span = traces(genai_span(trace_id=trace_id, span_id=span_id))
    logs = [
        log_record("gen_ai.user.message", {"content": "what is it"}, trace_id=trace_id, span_id=span_id),
        log_record(
            "gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "it is this"}},
            trace_id=trace_id, span_id=span_id,
        ),
    ]  # fmt: skip
    if order == "span first":
        assert send(client, span).status_code == 200
    for request in logs * 2:
        post_logs(client, request)
    if order == "logs first":
        assert runs(client) == []
        assert send(client, span).status_code == 200
    (run,) = runs(client)
    assert ("what is it" in run["input"], "it is this" in run["output"]) == (True, True)
    assert client.get("/api/v1/metrics", params={"period": "all"}).json()["total_requests"] == 1
