"""Corners of HTTP and JSON, where two readers of one message may differ: what each side gets, and what is recorded."""

import json
from typing import Any

import httpx
import pytest

from tests.gateway.faults import CHAT, SSE, ask, event, only_run, received, said
from tests.gateway.raw import Conversation, RawUpstream, http, piece, say
from tests.support.server import Server

MODELS = "/gateway/openai/v1/models"


def heard(server: Server, account: str, first_line: str, *lines: str, body: bytes = b"") -> bytes:
    head = [
        f"{first_line} HTTP/1.1", "Host: x", "Connection: close", f"Authorization: Bearer {server.key('gateway', account=account)}",
        *lines, f"Content-Length: {len(body)}",
    ]  # fmt: skip
    return say(server.port, "\r\n".join(head).encode() + b"\r\n\r\n" + body, 2)


def test_an_upstream_that_changes_its_protocol_has_not_answered(
    raw_caller: httpx.Client, raw_reader: httpx.Client, raw: RawUpstream
) -> None:
    raw.sends(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello")
    answer = raw_caller.post(CHAT, json=ask())
    assert answer.status_code == 502
    assert "modeltraces gateway: The upstream answered HTTP 101" in answer.json()["error"]["message"]
    run = only_run(raw_reader)
    assert (run["status"], run["error"]["type"]) == ("failed", "gateway")


def test_a_model_that_a_body_names_twice_is_the_same_both_times_upstream(
    raw_caller: httpx.Client, raw_reader: httpx.Client, raw: RawUpstream
) -> None:
    raw.sends(http(200, said("ok"), "Content-Type: application/json"))
    assert raw_caller.post(CHAT, content=b'{"model": "other", "messages": [], "model": "m"}').status_code == 200
    assert raw.asked[0].body == b'{"model": "m", "messages": [], "model": "m"}'
    assert only_run(raw_reader)["model"] == "m"


def test_headers_say_upstream_what_the_caller_said_and_nothing_of_the_way(
    hurried: Server, raw_account: str, raw_reader: httpx.Client, raw: RawUpstream
) -> None:
    raw.sends(http(200, said("ok"), "Content-Type: application/json"))
    lines = ("X-Title: Größe", "x-source: Größe 退款", "X-Real-IP: 10.1.1.1", "Via: 1.1 inner.example")
    body = json.dumps(ask()).encode()
    assert heard(hurried, raw_account, f"POST {CHAT}", *lines, body=body).startswith(b"HTTP/1.1 200 ")
    (asked,) = raw.asked
    assert asked.header("x-title")[0].encode("latin-1").decode() == "Größe"
    for name in ("x-real-ip", "via", "user-agent", "content-type", "accept"):
        assert asked.header(name) == [], name
    assert only_run(raw_reader)["source"] == "Größe 退款"


def test_a_stream_that_ends_in_the_middle_of_its_usage_shows_none_to_who_did_not_ask(
    raw_caller: httpx.Client, raw_reader: httpx.Client, raw: RawUpstream
) -> None:
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3}}'
    raw.sends(SSE, piece(event("a")), piece(event("b", "stop")), piece(usage), b"0\r\n\r\n")
    assert received(raw_caller, ask(stream=True)) == (event("a") + event("b", "stop"), True)
    run = only_run(raw_reader)
    assert (run["status"], run["output"], run["output_tokens"]) == ("success", "ab", 3)


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r\n"])
def test_usage_is_taken_out_however_lines_end(raw_caller: httpx.Client, raw: RawUpstream, end: bytes) -> None:
    kept = [event("a").removesuffix(b"\n\n") + end, b"data:[DONE]" + end]
    usage = b'data:{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3}}' + end
    raw.sends(SSE, piece(kept[0] + usage[:9]), piece(usage[9:] + kept[1]), b"0\r\n\r\n")
    assert received(raw_caller, ask(stream=True)) == (b"".join(kept), True)


def test_what_has_no_id_upstream_gets_no_empty_one(raw_caller: httpx.Client, raw: RawUpstream) -> None:
    raw.sends(http(200, b"{}", "Content-Type: application/json"))
    answer = raw_caller.get("/gateway/openai/v1/files")
    assert (answer.status_code, answer.headers.get("x-request-id")) == (200, None)


def test_one_model_is_shown_by_the_gateway_and_no_upstream_is_asked(
    hurried: Server, raw_account: str, raw_caller: httpx.Client, raw: RawUpstream
) -> None:
    raw.sends(http(200, b"{}", "Content-Type: application/json"))
    shown = raw_caller.get(f"{MODELS}/some/model@raw")
    assert (shown.status_code, shown.json()["id"], shown.json()["object"]) == (200, "some/model@raw", "model")
    unknown = raw_caller.get(f"{MODELS}/m@nowhere")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "model_not_found")
    assert raw_caller.get("/gateway/anthropic/v1/models/m").status_code == 404
    assert raw_caller.head(MODELS).status_code == 200
    assert heard(hurried, raw_account, f"HEAD {MODELS}").endswith(b"\r\n\r\n"), "a head, and nothing after it"
    assert raw.asked == []


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND"])
def test_no_method_asks_an_upstream_to_repeat_its_credential(
    hurried: Server, raw_account: str, raw: RawUpstream, method: str
) -> None:
    raw.sends(http(200, b"{}"))
    answer = heard(hurried, raw_account, f"{method} {CHAT}", body=json.dumps(ask()).encode())
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["type"] == "invalid_request_error"
    assert raw.asked == []


def test_a_header_that_cannot_be_sent_costs_the_caller_that_header_alone(
    raw_caller: httpx.Client, raw_reader: httpx.Client, raw: RawUpstream
) -> None:
    raw.sends(
        http(200, said("ok"), "Content-Type: application/json", "X-Bad: \x01", "X-Long: " + "z" * 20_000, "X-Good: 1")
    )
    answer = raw_caller.post(CHAT, json=ask())
    assert (answer.status_code, answer.json()) == (200, json.loads(said("ok")))
    assert (answer.headers.get("x-bad"), answer.headers["x-good"], len(answer.headers["x-long"])) == (None, "1", 20_000)
    assert only_run(raw_reader)["status"] == "success"


def test_a_websocket_is_refused_with_a_reason(hurried: Server, raw_account: str, raw: RawUpstream) -> None:
    raw.sends(http(200, b"{}"))
    answer = heard(
        hurried, raw_account, "GET /gateway/openai/v1/realtime?model=m",
        "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
    )  # fmt: skip
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"passes no WebSockets" in answer
    assert raw.asked == []


@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        (
            422,
            {"message": {"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options", "include_usage"]}]}},
        ),
        (400, {"error": {"message": "Unknown parameter: 'stream_options'.", "code": "unknown_parameter"}}),
    ],
)
def test_an_upstream_that_refuses_to_tell_its_usage_is_called_without(
    raw_caller: httpx.Client, raw_reader: httpx.Client, raw: RawUpstream, status: int, refusal: dict[str, Any]
) -> None:
    no = http(status, json.dumps(refusal).encode(), "Content-Type: application/json")

    async def strict(conversation: Conversation) -> None:
        if b"stream_options" in conversation.body:
            await conversation.send(no)
        else:
            await conversation.send(SSE, piece(event("a", "stop")), piece(b"data: [DONE]\n\n"), b"0\r\n\r\n")

    raw.does(strict)
    whole = event("a", "stop") + b"data: [DONE]\n\n"
    assert received(raw_caller, ask(stream=True)) == (whole, True)
    run = only_run(raw_reader)
    assert (run["status"], run["output"], run["output_tokens"]) == ("success", "a", None)
    assert received(raw_caller, ask(stream=True)) == (whole, True)
    assert [b"stream_options" in asked.body for asked in raw.asked] == [True, False, False]
    answer = raw_caller.post(CHAT, json=ask(stream=True, stream_options={"include_usage": True}))
    assert (answer.status_code, answer.json()) == (status, refusal), "the caller's own wish is refused to the caller"


def test_another_refusal_of_a_stream_passes_as_it_is(raw_caller: httpx.Client, raw: RawUpstream) -> None:
    body = json.dumps({"error": {"message": "x" * 100_000}}).encode()
    raw.sends(http(400, body, "Content-Type: application/json"))
    answer = raw_caller.post(CHAT, json=ask(stream=True))
    assert (answer.status_code, answer.content) == (400, body)
    assert len(raw.asked) == 1


def test_what_an_upstream_calls_usage_further_inside_stays(raw_caller: httpx.Client, raw: RawUpstream) -> None:
    inside = b'{"index":0,"delta":{"content":"a","notes":{"a":1,"usage":null}},"finish_reason":"stop"}'
    for head, tail in ((b"", b',"usage":null'), (b'"usage":null,', b"")):
        raw.sends(SSE, piece(b"data: {" + head + b'"choices":[' + inside + b"]" + tail + b"}\n\n"), b"0\r\n\r\n")
        assert received(raw_caller, ask(stream=True)) == (b'data: {"choices":[' + inside + b"]}\n\n", True)


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [({"message": "no credits", "code": 402}, "error", "no credits"), ({"message": "x", "type": "bad"}, "bad", "x")],
)
def test_an_error_with_a_status_of_success_is_a_failure_of_the_upstream(
    raw_caller: httpx.Client, raw_reader: httpx.Client, raw: RawUpstream, error: dict[str, Any], kind: str, message: str
) -> None:
    raw.sends(http(200, json.dumps({"error": error}).encode(), "Content-Type: application/json"))
    answer = raw_caller.post(CHAT, json=ask())
    assert (answer.status_code, answer.json()) == (200, {"error": error})
    run = only_run(raw_reader)
    assert (run["status"], run["error"]["type"], run["error"]["message"]) == ("failed", kind, message)


def test_a_path_in_another_case_is_the_same_call(
    raw_caller: httpx.Client, raw_reader: httpx.Client, raw: RawUpstream
) -> None:
    raw.sends(http(200, said("ok"), "Content-Type: application/json"))
    assert raw_caller.post("/gateway/openai/v1/Chat/COMPLETIONS", json=ask()).status_code == 200
    assert raw.asked[0].first_line == "POST /base/v1/Chat/COMPLETIONS HTTP/1.1", "as the caller wrote it"
    assert only_run(raw_reader)["output"] == "ok"
