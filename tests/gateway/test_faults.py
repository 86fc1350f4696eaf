"""An upstream that misbehaves: the caller gets what it said or a clear error of ours, and the run says which of the two it was."""

import gzip
import json
import time
import zlib

import brotli  # type: ignore[import-untyped]
import httpx
import pytest

from tests.gateway.faults import CHAT, SSE, USAGE, ask, event, forever, only_run, received, said
from tests.gateway.raw import Conversation, RawUpstream, chunked, full_queue, http, piece
from tests.support.server import Server


@pytest.mark.parametrize(
    ("pieces", "status", "says"),
    [
        ((), 502, "broke the call off"),
        ((b"HTTP/1.1 200 OK\r\nContent-Le",), 502, "broke the call off"),
        ((b"SSH-2.0-OpenSSH_9.9\r\n\r\n",), 502, "cannot be passed on"),
        ((b"HTTP/1.1 200 OK\r\nX-Endless: " + b"x" * 100_000 + b"\r\n\r\n",), 502, "cannot be passed on"),
    ],
    ids=["nothing", "half a head", "another protocol", "an endless header"],
)
def test_an_upstream_that_never_answers_as_it_should_is_an_error_of_ours(
    raw_caller: httpx.Client,
    raw_reader: httpx.Client,
    raw: RawUpstream,
    pieces: tuple[bytes, ...],
    status: int,
    says: str,
) -> None:
    raw.sends(*pieces, then_resets=True)
    answer = raw_caller.post(CHAT, json=ask())
    assert answer.status_code == status
    assert answer.json()["error"]["message"].startswith("modeltraces gateway: ")
    assert says in answer.json()["error"]["message"]
    run = only_run(raw_reader)
    assert (run["status"], run["error"]["type"], run["attributes"].get("http.response.status_code")) == (
        "failed", "gateway", None,
    )  # fmt: skip
    assert says in run["error"]["message"]


def test_an_upstream_that_takes_no_connection_or_says_nothing_is_waited_for_as_long_as_the_settings_say(
    raw_caller: httpx.Client, raw_reader: httpx.Client, raw: RawUpstream
) -> None:
    with full_queue() as nobody:
        made = {"name": "full", "protocol": "openai", "base_url": f"{nobody}/v1", "models": ["full"]}
        assert raw_reader.post("/api/v1/connections", json=made).status_code == 201
        began = time.monotonic()
        answer = raw_caller.post(CHAT, json=ask(model="full"))
        assert (answer.status_code, time.monotonic() - began < 3) == (504, True)
        assert "did not take the connection within 0.4 seconds" in answer.json()["error"]["message"]

    async def silent(conversation: Conversation) -> None:
        await forever()

    raw.does(silent)
    answer = raw_caller.post(CHAT, json=ask())
    assert answer.status_code == 504
    assert "no first byte within 0.8 seconds" in answer.json()["error"]["message"]
    assert raw.left.wait(2)


@pytest.mark.parametrize("stream", [False, True])
def test_an_upstream_that_breaks_off_leaves_no_line_about_this_server_in_the_log(
    hurried: Server, raw_caller: httpx.Client, raw_reader: httpx.Client, raw: RawUpstream, stream: bool
) -> None:
    if stream:
        raw.sends(SSE, piece(event("a")), then_resets=True)
    else:
        raw.sends(http(200, said("x" * 5000), "Content-Type: application/json")[:900], then_resets=True)
    before = hurried.log
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        raw_caller.post(CHAT, json=ask(stream=stream))
    assert only_run(raw_reader)["status"] == "failed"
    assert hurried.log.removeprefix(before) == ""


def test_a_body_that_breaks_off_is_broken_for_the_caller_too(
    raw_caller: httpx.Client, raw_reader: httpx.Client, raw: RawUpstream
) -> None:
    whole = http(200, said("x" * 5000), "Content-Type: application/json")
    raw.sends(whole[:2000], then_resets=True)
    with pytest.raises(httpx.RemoteProtocolError):
        raw_caller.post(CHAT, json=ask())
    run = only_run(raw_reader)
    assert (run["status"], run["error"]["type"], run["error"]["message"]) == (
        "failed", "gateway", "The upstream broke the call off.",
    )  # fmt: skip
    assert run["attributes"]["http.response.status_code"] == "200"


def test_a_stream_that_breaks_in_the_middle_of_a_character_passes_to_that_byte(
    raw_caller: httpx.Client, raw_reader: httpx.Client, raw: RawUpstream
) -> None:
    first, second = event("Größe "), event("退款")
    cut = second[: second.index("退".encode()) + 1]
    raw.sends(SSE, piece(first), piece(cut), then_resets=True)
    got, is_whole = received(raw_caller, ask(stream=True, stream_options={"include_usage": True}))
    assert (got, is_whole) == (first + cut, False)
    run = only_run(raw_reader)
    assert (run["status"], run["error"]["type"], run["output"]) == ("failed", "gateway", "Größe ")


def test_an_upstream_that_falls_silent_in_mid_stream_is_broken_off(
    raw_caller: httpx.Client, raw_reader: httpx.Client, raw: RawUpstream
) -> None:
    async def half(conversation: Conversation) -> None:
        await conversation.send(SSE, piece(event("half")))
        await forever()

    raw.does(half)
    assert received(raw_caller, ask(stream=True, stream_options={"include_usage": True})) == (event("half"), False)
    run = only_run(raw_reader)
    assert (run["status"], run["output"]) == ("failed", "half")
    assert "nothing for 0.8 seconds" in run["error"]["message"]


def test_malformed_events_pass_byte_for_byte_and_the_others_are_read(
    raw_caller: httpx.Client, raw_reader: httpx.Client, raw: RawUpstream
) -> None:
    events = [
        b": comment\n\n", b"data: {not json\n\n", b"data\n\n", b"nonsense\n\n", b"\n\n", event("a"),
        b'data: {"choices":[{"index":"x","delta":[]},7,null]}\n\n', b'data: {"choices":{"delta":1}}\r\n\r\n',
        b"data: \xff\xfe\n\n", b'data: "text"\n\n', event("b", "stop", usage=USAGE), b"data: [DONE]\n\n", b"data: after",
    ]  # fmt: skip
    raw.sends(SSE, *[piece(one) for one in events], b"0\r\n\r\n")
    got, is_whole = received(raw_caller, ask(stream=True, stream_options={"include_usage": True}))
    assert (got, is_whole) == (b"".join(events), True)
    run = only_run(raw_reader)
    assert (run["status"], run["output"], run["output_tokens"]) == ("success", "ab", 3)


def test_a_stream_without_its_last_event_is_a_failure_that_the_run_tells(
    raw_caller: httpx.Client, raw_reader: httpx.Client, raw: RawUpstream
) -> None:
    raw.sends(SSE, piece(event("a")), b"0\r\n\r\n")
    assert received(raw_caller, ask(stream=True, stream_options={"include_usage": True})) == (event("a"), True)
    run = only_run(raw_reader)
    assert (run["status"], run["output"], run["error"]["type"]) == ("failed", "a", "gateway")
    assert "before its last event" in run["error"]["message"]


def test_an_endless_line_in_a_stream_passes_while_it_comes(
    raw_caller: httpx.Client, raw_reader: httpx.Client, raw: RawUpstream
) -> None:
    """The caller asked for no usage, so that each event is looked at before it passes."""
    line = b"x" * (1 << 20)
    raw.sends(SSE, *[piece(line)] * 40, b"0\r\n\r\n")
    seen_early = 0
    with raw_caller.stream("POST", CHAT, json=ask(stream=True)) as answer:
        size = 0
        for part in answer.iter_raw():
            size += len(part)
            seen_early = seen_early or raw.sent
    assert size == 40 << 20
    assert seen_early < 30 << 20
    assert only_run(raw_reader)["status"] == "failed"


@pytest.mark.parametrize("status", [302, 529])
def test_a_redirect_or_an_overload_is_passed_back_as_it_is(
    raw_caller: httpx.Client, raw_reader: httpx.Client, raw: RawUpstream, status: int
) -> None:
    body = b'{"error":{"type":"overloaded_error","message":"later"}}'
    raw.sends(http(status, body, "Content-Type: application/json", "Location: /elsewhere", "Retry-After: 7"))
    answer = raw_caller.post(CHAT, json=ask())
    assert (answer.status_code, answer.content, answer.headers["location"], answer.headers["retry-after"]) == (
        status, body, "/elsewhere", "7",
    )  # fmt: skip
    assert len(raw.asked) == 1
    run = only_run(raw_reader)
    assert run["attributes"]["http.response.status_code"] == str(status)
    assert run["status"] == "failed"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_a_compressed_answer_passes_as_it_is_and_is_read_where_it_can_be(
    raw_caller: httpx.Client, raw_reader: httpx.Client, raw: RawUpstream, encoding: str
) -> None:
    plain = said("It is 18 degrees.")
    body = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": bytes}[encoding](plain)
    raw.sends(http(200, body, "Content-Type: application/json", f"Content-Encoding: {encoding}"))
    with raw_caller.stream("POST", CHAT, json=ask()) as answer:
        assert b"".join(answer.iter_raw()) == body
        assert answer.headers["content-encoding"] == encoding
    assert raw.asked[0].header("accept-encoding") == ["identity"]
    run = only_run(raw_reader)
    assert run["status"] == "success"
    if encoding == "zstd":
        assert (run["output_tokens"], run["response"]) == (None, f"[{len(body)} bytes, zstd]")
    else:
        assert (run["output"], run["output_tokens"]) == ("It is 18 degrees.", 3)


@pytest.mark.parametrize("encoding", ["gzip", "br"])
@pytest.mark.parametrize("asks_usage", [True, False], ids=["asks for usage", "does not"])
def test_a_compressed_stream_is_read_as_it_passes(
    raw_caller: httpx.Client, raw_reader: httpx.Client, raw: RawUpstream, encoding: str, asks_usage: bool
) -> None:
    last = {"id": "c1", "choices": [], "usage": USAGE}
    shown = event("It is ") + event("18 degrees.", "stop")
    plain = shown + b"data: " + json.dumps(last).encode() + b"\n\ndata: [DONE]\n\n"
    body = gzip.compress(plain) if encoding == "gzip" else brotli.compress(plain)
    pieces = [piece(body[at : at + 17]) for at in range(0, len(body), 17)]
    raw.sends(chunked("text/event-stream", f"Content-Encoding: {encoding}"), *pieces, b"0\r\n\r\n")
    more = {"stream_options": {"include_usage": True}} if asks_usage else {}
    with raw_caller.stream("POST", CHAT, json=ask(stream=True, **more)) as answer:
        got = b"".join(answer.iter_raw())
        # Nothing can be taken out of bytes that stay as they are: who did not ask for usage gets it unfolded, without.
        assert answer.headers.get("content-encoding") == (encoding if asks_usage else None)
    assert got == (body if asks_usage else shown + b"data: [DONE]\n\n")
    run = only_run(raw_reader)
    assert (run["status"], run["output"], run["output_tokens"]) == ("success", "It is 18 degrees.", 3)


def test_a_stream_that_is_not_what_its_encoding_says_passes_and_is_recorded_as_broken(
    raw_caller: httpx.Client, raw_reader: httpx.Client, raw: RawUpstream
) -> None:
    raw.sends(chunked("text/event-stream", "Content-Encoding: br"), piece(b"data: not br at all\n\n"), b"0\r\n\r\n")
    with raw_caller.stream("POST", CHAT, json=ask(stream=True, stream_options={"include_usage": True})) as answer:
        assert b"".join(answer.iter_raw()) == b"data: not br at all\n\n"
    run = only_run(raw_reader)
    assert (run["status"], run["error"]["message"]) == (
        "failed",
        "The upstream ended the stream before its last event.",
    )


@pytest.mark.parametrize(("kind", "body", "what"), [
    ("application/json", b"", "an empty body"),
    ("text/html", b"<!DOCTYPE html><p>Sign in to the network</p>", "a page of HTML"),
    ("text/plain", b"<html>", "a page of HTML"),
    ("application/json", b"not quite", "what is no JSON"),
    ("text/plain", said("fine"), ""),
])  # fmt: skip
def test_what_is_no_answer_passes_and_is_recorded_as_a_failure_of_its_own_kind(
    raw_caller: httpx.Client, raw_reader: httpx.Client, raw: RawUpstream, kind: str, body: bytes, what: str
) -> None:
    raw.sends(http(200, body, f"Content-Type: {kind}"))
    answer = raw_caller.post(CHAT, json=ask())
    assert (answer.status_code, answer.content) == (200, body)
    run = only_run(raw_reader)
    if what:
        error = {"type": "invalid_response", "message": f"The upstream answered HTTP 200 with {what}."}
        assert (run["status"], {name: run["error"][name] for name in error}) == ("failed", error)
    else:
        assert (run["status"], run["output"]) == ("success", "fine")
