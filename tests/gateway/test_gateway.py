"""Calls through the gateway: what the caller and the upstream see of each other, and the run that records it."""

import secrets
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from modeltraces.short_turns import TURN_NS
from tests.gateway.upstream import KEY, USAGE, Upstream
from tests.support.otlp import PROTOBUF, genai_span, traces
from tests.support.server import Server
from tests.support.turns import knows_turns, turn_ns

CHAT = "/gateway/openai/v1/chat/completions"
MESSAGES = "/gateway/anthropic/v1/messages"


@pytest.fixture
def account(server: Server, upstream: Upstream, request: pytest.FixtureRequest) -> str:
    name = server.new_account(request.node.nodeid)
    with server.client("admin", account=name) as admin:
        for connection, protocol, base in (
            ("fake", "openai", f"{upstream.url}/v1"),
            ("claude", "anthropic", upstream.url),
        ):
            made = {
                "name": connection, "provider": connection, "protocol": protocol, "base_url": base, "credential": KEY,
                "models": ["*"] if protocol == "openai" else ["claude-x"],
            }  # fmt: skip
            assert admin.post("/api/v1/connections", json=made).status_code == 201
    return name


@pytest.fixture
def caller(server: Server, account: str) -> Iterator[httpx.Client]:
    with server.client("gateway", account=account) as client:
        yield client


@pytest.fixture
def reader(server: Server, account: str) -> Iterator[httpx.Client]:
    with server.client("admin", account=account) as client:
        yield client


def ask(text: str = "hi", model: str = "gpt-4o", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


def run_of(reader: httpx.Client, request_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + 10
    while (answer := reader.get(f"/api/v1/runs/{request_id}")).status_code == 404:
        assert time.monotonic() < deadline, "the call was not recorded"
        time.sleep(0.05)
    found: dict[str, Any] = answer.json()
    return found


def only_run(reader: httpx.Client) -> dict[str, Any]:
    deadline = time.monotonic() + 10
    while len(runs := reader.get("/api/v1/runs").json()["runs"]) != 1:
        assert time.monotonic() < deadline, runs
        time.sleep(0.05)
    return run_of(reader, runs[0]["request_id"])


def test_a_renamed_model_goes_on_being_asked_for_by_its_providers_name(
    caller: httpx.Client, reader: httpx.Client, upstream: Upstream
) -> None:
    """Also once calls by its new name were recorded, and whoever asks looks at the catalog anew."""
    name = "gpt-4o"
    for _ in range(3):
        answer = caller.post(CHAT, json=ask(model=name))
        assert (answer.status_code, upstream.last[2]["model"]) == (200, "gpt-4o")
        assert run_of(reader, answer.headers["x-request-id"])["model"] == name
        if name != "ours":
            assert reader.patch(f"/api/v1/models/{name}", json={"name": "ours"}).status_code == 200
            name = "ours"
        # Whatever is changed makes the next call look at all of the catalog's names.
        assert reader.patch("/api/v1/models/ours", json={"base_model": secrets.token_hex(4)}).status_code == 200


def test_a_call_passes_and_is_recorded(caller: httpx.Client, reader: httpx.Client, upstream: Upstream) -> None:
    answer = caller.post(CHAT, json=ask("Größe?", user="u1"), headers={"x-source-type": "Agent", "x-source": "planner"})
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"] == "Größe 退款"
    run = run_of(reader, answer.headers["x-request-id"])
    assert (run["status"], run["model"], run["base_model"], run["connection_name"]) == (
        "success", "gpt-4o", "gpt-4o-2026", "fake",
    )  # fmt: skip
    assert (run["input"], run["output"], run["input_tokens"], run["output_tokens"]) == ("Größe?", "Größe 退款", 9, 3)
    assert (run["cached_input_tokens"], run["finish_reasons"], run["operation"]) == (4, ["stop"], "chat")
    assert (run["source_type"], run["source"], run["user_id"]) == ("Agent", "planner", "u1")
    assert run["response"]["usage"] == USAGE
    assert run["request"] == ask("Größe?", user="u1")
    assert run["instrumentation"] == "gateway"
    assert run["response_time_ms"] > 0


def test_nothing_of_either_side_leaks_to_the_other(
    server: Server, account: str, caller: httpx.Client, upstream: Upstream
) -> None:
    answer = caller.post(
        CHAT, json=ask(), headers={"Cookie": "mine=1", "x-session-id": "s", "X-Forwarded-For": "1.2.3.4"}
    )
    path, headers, _ = upstream.last
    assert path == "/v1/chat/completions"
    assert headers["authorization"] == f"Bearer {KEY}"
    sent = " ".join(f"{name}: {value}" for name, value in headers.items())
    assert server.key("gateway", account=account) not in sent
    assert not headers.keys() & {"cookie", "x-session-id", "x-source", "x-forwarded-for", "x-api-key"}
    assert KEY not in answer.text
    assert KEY not in str(answer.headers)
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("header", ["x-api-key", "api-key"])
def test_a_key_in_a_header_of_either_provider_is_taken_and_stays_here(
    server: Server, account: str, upstream: Upstream, header: str
) -> None:
    key = server.key("gateway", account=account)
    answer = httpx.post(server.url + CHAT, json=ask(), headers={header: key}, timeout=30)
    assert answer.status_code == 200, answer.text
    sent = upstream.last[1]
    assert sent["authorization"] == f"Bearer {KEY}"
    assert not sent.keys() & {"x-api-key", "api-key"}
    assert key not in str(sent)


def test_a_body_passes_byte_for_byte_but_for_the_models_name(caller: httpx.Client, upstream: Upstream) -> None:
    body = b'{ "messages" : [{"role":"user","content":"\\u00e9 {\\"model\\":1}"}],\n "temperature":1.0, "model" : "gpt-4o" }'
    caller.post(CHAT, content=body, headers={"content-type": "application/json"})
    assert upstream.asked[-1][2] == body
    caller.post(CHAT, content=body.replace(b'"gpt-4o"', b'"gpt-4o@fake"'), headers={"content-type": "application/json"})
    assert upstream.asked[-1][2] == body


def lines(caller: httpx.Client, body: dict[str, Any]) -> tuple[str, str]:
    with caller.stream("POST", CHAT, json=body) as answer:
        return answer.read().decode(), answer.headers["x-request-id"]


def test_a_stream_passes_as_it_was_asked_for_and_its_tokens_are_known(
    caller: httpx.Client, reader: httpx.Client, upstream: Upstream
) -> None:
    direct = httpx.post(f"{upstream.url}/v1/chat/completions", json=ask(stream=True)).text
    got, request_id = lines(caller, ask(stream=True))
    assert upstream.last[2]["stream_options"] == {"include_usage": True}
    assert got == direct, "the usage that was asked for is taken out again"
    run = run_of(reader, request_id)
    assert (run["output"], run["input_tokens"], run["output_tokens"], run["streaming"]) == ("Größe 退款.", 9, 3, True)
    assert 0 < run["time_to_first_token_ms"] <= run["response_time_ms"]
    assert run["request"] == ask(stream=True)
    asked = ask(stream=True, stream_options={"include_usage": True})
    direct = httpx.post(f"{upstream.url}/v1/chat/completions", json=asked).text
    assert lines(caller, asked)[0] == direct


def test_messages_of_anthropic_pass_whole_and_as_a_stream(
    caller: httpx.Client, reader: httpx.Client, upstream: Upstream
) -> None:
    asked = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    answer = caller.post(MESSAGES, json=asked, headers={"anthropic-version": "2023-06-01"})
    assert answer.json()["content"] == [{"type": "text", "text": "hello"}]
    path, headers, _ = upstream.last
    assert (path, headers["x-api-key"], headers["anthropic-version"]) == ("/v1/messages", KEY, "2023-06-01")
    run = run_of(reader, answer.headers["x-request-id"])
    assert (run["output"], run["input_tokens"], run["cached_input_tokens"]) == ("hello", 7, 2)
    streamed = caller.post(MESSAGES, json={**asked, "stream": True})
    assert "message_stop" in streamed.text
    run = run_of(reader, streamed.headers["x-request-id"])
    assert run["response"]["content"] == [
        {"type": "text", "text": "hello"},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
    ]
    assert (run["output_tokens"], run["finish_reasons"], run["connection_name"]) == (7, ["tool_use"], "claude")


def test_embeddings_are_recorded_and_other_paths_pass_through(
    caller: httpx.Client, reader: httpx.Client, upstream: Upstream
) -> None:
    answer = caller.post("/gateway/openai/v1/embeddings", json={"model": "e", "input": "x"})
    run = run_of(reader, answer.headers["x-request-id"])
    assert (run["operation"], run["input"], run["input_tokens"]) == ("embeddings", "x", 2)
    assert caller.get("/gateway/openai/v1/files?limit=2").json()["data"] == [{"id": "file-1"}]
    assert upstream.asked[-1][0] == "/v1/files?limit=2"
    time.sleep(0.5)
    assert reader.get("/api/v1/metrics").json()["total_requests"] == 1


@pytest.mark.parametrize("status", [400, 401, 429, 500, 529])
def test_what_the_upstream_refuses_reaches_the_caller_as_it_is(
    caller: httpx.Client, reader: httpx.Client, status: int
) -> None:
    answer = caller.post(CHAT, json=ask(model=f"status-{status}"))
    assert (answer.status_code, answer.json()["error"]["message"]) == (status, f"no: {status}")
    run = run_of(reader, answer.headers["x-request-id"])
    assert run["error"] == {"type": "bad", "message": f"no: {status}", "code": "nope"}
    assert run["attributes"]["http.response.status_code"] == str(status)


def test_a_stream_that_breaks_is_broken_for_the_caller_and_kept_as_far_as_it_came(
    caller: httpx.Client, reader: httpx.Client
) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        lines(caller, ask(model="broken", stream=True))
    run = only_run(reader)
    assert (run["status"], run["output"], run["output_tokens"]) == ("failed", "Größe ", None)
    assert "broke" in run["error"]["message"]


def test_an_error_event_in_mid_stream_is_a_failure(caller: httpx.Client, reader: httpx.Client) -> None:
    got, request_id = lines(caller, ask(model="error-event", stream=True))
    assert "overloaded" in got
    run = run_of(reader, request_id)
    assert (run["status"], run["error"]["message"], run["output"]) == ("failed", "overloaded", "Größe 退款.")


def test_a_caller_that_leaves_is_told_to_the_upstream_and_is_no_failure(
    caller: httpx.Client, reader: httpx.Client, upstream: Upstream
) -> None:
    before = upstream.left
    with caller.stream("POST", CHAT, json=ask(model="endless", stream=True)) as answer:
        for number, _ in enumerate(answer.iter_lines()):
            if number == 12:
                break
    began = time.monotonic()
    while upstream.left == before:
        assert time.monotonic() - began < 1
        time.sleep(0.01)
    run = only_run(reader)
    assert (run["status"], run["finish_reasons"]) == ("success", ["client_left"])
    assert run["output"].startswith("Größe")


def test_deployments_serve_their_model_by_version(
    caller: httpx.Client, reader: httpx.Client, upstream: Upstream
) -> None:
    reader.post("/api/v1/models", json={"name": "llama", "kind": "open_source"})
    for version in ("a", "b"):
        made = {"endpoint": f"{upstream.url}/{version}/v1", "upstream_model": f"meta/{version}"}
        assert reader.post("/api/v1/models/llama/deployments", json=made).status_code == 201
    for asked, version in (("llama", "v2"), ("llama@v1", "v1"), ("llama@v2", "v2")):
        answer = caller.post(CHAT, json=ask(model=asked))
        run = run_of(reader, answer.headers["x-request-id"])
        assert (run["model"], run["deployment_version"], run["connection_name"]) == ("llama", version, None)
        assert upstream.last[0].startswith("/a/" if version == "v1" else "/b/")
        assert upstream.last[2]["model"] == f"meta/{'a' if version == 'v1' else 'b'}"
    listed = caller.get("/gateway/openai/v1/models").json()["data"]
    assert [model["id"] for model in listed] == ["llama"]


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        (CHAT, b"nonsense", 400, "JSON object"),
        (CHAT, b"[]", 400, "JSON object"),
        (CHAT, b"{}", 400, "model"),
        (CHAT, b'{"model":"claude-x"}', 400, "/gateway/anthropic"),
        (MESSAGES, b'{"model":"claude-y"}', 404, "/gateway/openai/v1"),
        ("/gateway/openai/v1/%2e%2e/files", b"{}", 404, "no such path"),
        ("/gateway/openai/v1//files", b"{}", 404, "no such path"),
        ("/gateway/nobody/v1/files", b"{}", 404, "/gateway/openai/v1"),
    ],
)
def test_what_the_gateway_refuses_it_says_in_the_providers_shape(
    caller: httpx.Client, reader: httpx.Client, upstream: Upstream, path: str, body: bytes, status: int, says: str
) -> None:
    reader.post("/api/v1/models", json={"name": "claude-x", "kind": "external"})
    before = len(upstream.asked)
    answer = caller.post(path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text
    assert says in answer.json()["error"]["message"]
    assert answer.json()["error"]["message"].startswith("modeltraces gateway: ")
    assert len(upstream.asked) == before


def test_keys_are_asked_for_their_scope(server: Server, account: str) -> None:
    assert httpx.post(server.url + CHAT, json=ask()).status_code == 401
    with server.client("ingest", account=account) as client:
        refused = client.post(CHAT, json=ask())
    assert refused.status_code == 403
    assert "gateway" in refused.json()["error"]["message"]


def test_an_upstream_that_cannot_be_reached_is_said_and_recorded(caller: httpx.Client, reader: httpx.Client) -> None:
    made = {"name": "dead", "protocol": "openai", "base_url": "http://127.0.0.1:9/v1", "models": ["dead-model"]}
    assert reader.post("/api/v1/connections", json=made).status_code == 201
    answer = caller.post(CHAT, json=ask(model="dead-model"))
    assert answer.status_code == 502
    said = answer.json()["error"]["message"]
    assert "cannot be reached" in said
    assert said.endswith("That was dead-model@dead.")
    run = only_run(reader)
    assert (run["status"], run["error"]["type"]) == ("failed", "gateway")
    assert "cannot be reached" in run["error"]["message"]


def test_an_upstream_that_does_not_speak_tls_is_said_to(
    caller: httpx.Client, reader: httpx.Client, upstream: Upstream
) -> None:
    at = f"{upstream.url.replace('http://', 'https://')}/v1"
    made = {"name": "plain", "protocol": "openai", "base_url": at, "models": ["m"]}
    assert reader.post("/api/v1/connections", json=made).status_code == 201
    answer = caller.post(CHAT, json=ask(model="m"))
    assert answer.status_code == 502
    why = "The upstream cannot be reached: no secure connection, it does not speak TLS there. Is its address right, and is it https?"
    assert answer.json()["error"]["message"] == f"modeltraces gateway: {why} That was m@plain."
    assert only_run(reader)["error"]["message"] == why


def test_a_call_that_its_own_instrumentation_reports_too_is_one_run(
    server: Server, account: str, caller: httpx.Client, reader: httpx.Client
) -> None:
    began = time.time_ns()
    trace, span = secrets.token_bytes(16), secrets.token_bytes(8)
    answer = caller.post(CHAT, json=ask(), headers={"traceparent": f"00-{trace.hex()}-{span.hex()}-01"})
    run = run_of(reader, answer.headers["x-request-id"])
    assert (run["trace_id"], run["parent_span_id"]) == (trace.hex(), span.hex())
    reported = genai_span(
        "gpt-4o", trace_id=trace, span_id=span, start_ns=began, ms=(time.time_ns() - began) / 1e6,
        gen_ai__response__id="chatcmpl-1", gen_ai__agent__name="planner",
    )  # fmt: skip
    with server.client(account=account) as sender:
        sent = sender.post("/v1/traces", content=traces(reported).SerializeToString(), headers=PROTOBUF)
    assert sent.status_code == 200
    (found,) = reader.get("/api/v1/runs").json()["runs"]
    assert (found["output"], found["connection_name"], found["source"]) == ("Größe 退款", "fake", "planner")
    assert reader.get("/api/v1/metrics").json()["output_tokens"] == 3


@pytest.mark.skipif(not knows_turns(), reason="a Linux of 6.12 or later is needed")
def test_calls_do_not_wait_for_the_turns_of_what_stores_them(server: Server) -> None:
    assert server.process is not None
    assert turn_ns(server.process.pid) == TURN_NS
