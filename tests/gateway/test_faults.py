"""An upstream, a caller or a request that misbehaves: the caller gets what the upstream said or a clear error of ours, and the
run says which of the two it was."""

import asyncio
import gzip
import json
import secrets
import socket
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway.raw import Conversation, RawUpstream, chunked, full_queue, http, piece, raw_upstream, say
from tests.support.server import Server

CHAT = "/gateway/openai/v1/chat/completions"
LIMIT = 1 << 20
USAGE = {"prompt_tokens": 9, "completion_tokens": 3}
SSE = chunked("text/event-stream")


@pytest.fixture(scope="module")
def upstream() -> Iterator[RawUpstream]:
    with raw_upstream() as found:
        yield found


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that waits for nobody long, and takes a megabyte."""
    short = {"CONNECT_SECONDS": "0.4", "FIRST_BYTE_SECONDS": "0.8", "IDLE_SECONDS": "0.8", "BODY_MEGABYTES": "1"}
    running = Server(
        tmp_path_factory.mktemp("hurried") / "data",
        environment={f"MODELTRACES_GATEWAY_{name}": value for name, value in short.items()},
    )
    try:
        running.start()
        yield running
        assert running.stop() == 0, running.log
    finally:
        running.close()


@pytest.fixture
def account(hurried: Server, upstream: RawUpstream, request: pytest.FixtureRequest) -> str:
    name = hurried.new_account(request.node.nodeid)
    with hurried.client("admin", account=name) as admin:
        made = {"name": "raw", "protocol": "openai", "base_url": f"{upstream.url}/base/v1", "models": ["*"]}
        assert admin.post("/api/v1/connections", json=made).status_code == 201
    return name


@pytest.fixture
def caller(hurried: Server, account: str) -> Iterator[httpx.Client]:
    with hurried.client("gateway", account=account) as client:
        yield client


@pytest.fixture
def reader(hurried: Server, account: str) -> Iterator[httpx.Client]:
    with hurried.client("admin", account=account) as client:
        yield client


def ask(**more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": "hi"}], **more}


def only_run(reader: httpx.Client) -> dict[str, Any]:
    deadline = time.monotonic() + 10
    while len(runs := reader.get("/api/v1/runs").json()["runs"]) != 1:
        assert time.monotonic() < deadline, runs
        time.sleep(0.03)
    found: dict[str, Any] = reader.get(f"/api/v1/runs/{runs[0]['request_id']}").json()
    return found


def said(text: str, **more: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return json.dumps({"id": "c1", "model": "m-1", "choices": [choice], "usage": USAGE, **more}).encode()


def event(text: str, finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    chunk = {"id": "c1", "object": "chat.completion.chunk", "model": "m-1", "choices": [choice], **more}
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"


def received(caller: httpx.Client, body: dict[str, Any]) -> tuple[bytes, bool]:
    """What came of a stream, and whether it came to its end."""
    got = b""
    with caller.stream("POST", CHAT, json=body) as answer:
        try:
            for part in answer.iter_raw():
                got += part
        except (httpx.RemoteProtocolError, httpx.ReadError):
            return got, False
    return got, True


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
    caller: httpx.Client, reader: httpx.Client, upstream: RawUpstream, pieces: tuple[bytes, ...], status: int, says: str
) -> None:
    upstream.sends(*pieces, then_resets=True)
    answer = caller.post(CHAT, json=ask())
    assert answer.status_code == status
    assert answer.json()["error"]["message"].startswith("modeltraces gateway: ")
    assert says in answer.json()["error"]["message"]
    run = only_run(reader)
    assert (run["status"], run["error"]["type"], run["attributes"].get("http.response.status_code")) == (
        "failed", "gateway", None,
    )  # fmt: skip
    assert says in run["error"]["message"]


def test_an_upstream_that_takes_no_connection_or_says_nothing_is_waited_for_as_long_as_the_settings_say(
    caller: httpx.Client, reader: httpx.Client, upstream: RawUpstream
) -> None:
    with full_queue() as nobody:
        made = {"name": "full", "protocol": "openai", "base_url": f"{nobody}/v1", "models": ["full"]}
        assert reader.post("/api/v1/connections", json=made).status_code == 201
        began = time.monotonic()
        answer = caller.post(CHAT, json=ask(model="full"))
        assert (answer.status_code, time.monotonic() - began < 3) == (504, True)
        assert "did not take the connection within 0.4 seconds" in answer.json()["error"]["message"]

    async def silent(conversation: Conversation) -> None:
        await _forever()

    upstream.does(silent)
    answer = caller.post(CHAT, json=ask())
    assert answer.status_code == 504
    assert "no first byte within 0.8 seconds" in answer.json()["error"]["message"]
    assert upstream.left.wait(2)


async def _forever() -> None:
    await asyncio.sleep(60)


def test_a_body_that_breaks_off_is_broken_for_the_caller_too(
    caller: httpx.Client, reader: httpx.Client, upstream: RawUpstream
) -> None:
    whole = http(200, said("x" * 5000), "Content-Type: application/json")
    upstream.sends(whole[:2000], then_resets=True)
    with pytest.raises(httpx.RemoteProtocolError):
        caller.post(CHAT, json=ask())
    run = only_run(reader)
    assert (run["status"], run["error"]["type"], run["error"]["message"]) == (
        "failed", "gateway", "The upstream broke the call off.",
    )  # fmt: skip
    assert run["attributes"]["http.response.status_code"] == "200"


def test_a_stream_that_breaks_in_the_middle_of_a_character_passes_to_that_byte(
    caller: httpx.Client, reader: httpx.Client, upstream: RawUpstream
) -> None:
    first, second = event("Größe "), event("退款")
    cut = second[: second.index("退".encode()) + 1]
    upstream.sends(SSE, piece(first), piece(cut), then_resets=True)
    got, is_whole = received(caller, ask(stream=True, stream_options={"include_usage": True}))
    assert (got, is_whole) == (first + cut, False)
    run = only_run(reader)
    assert (run["status"], run["error"]["type"], run["output"]) == ("failed", "gateway", "Größe ")


def test_an_upstream_that_falls_silent_in_mid_stream_is_broken_off(
    caller: httpx.Client, reader: httpx.Client, upstream: RawUpstream
) -> None:
    async def half(conversation: Conversation) -> None:
        await conversation.send(SSE, piece(event("half")))
        await _forever()

    upstream.does(half)
    assert received(caller, ask(stream=True, stream_options={"include_usage": True})) == (event("half"), False)
    run = only_run(reader)
    assert (run["status"], run["output"]) == ("failed", "half")
    assert "nothing for 0.8 seconds" in run["error"]["message"]


def test_malformed_events_pass_byte_for_byte_and_the_others_are_read(
    caller: httpx.Client, reader: httpx.Client, upstream: RawUpstream
) -> None:
    events = [
        b": comment\n\n", b"data: {not json\n\n", b"data\n\n", b"nonsense\n\n", b"\n\n", event("a"),
        b'data: {"choices":[{"index":"x","delta":[]},7,null]}\n\n', b'data: {"choices":{"delta":1}}\r\n\r\n',
        b"data: \xff\xfe\n\n", b'data: "text"\n\n', event("b", "stop", usage=USAGE), b"data: [DONE]\n\n", b"data: after",
    ]  # fmt: skip
    upstream.sends(SSE, *[piece(one) for one in events], b"0\r\n\r\n")
    got, is_whole = received(caller, ask(stream=True, stream_options={"include_usage": True}))
    assert (got, is_whole) == (b"".join(events), True)
    run = only_run(reader)
    assert (run["status"], run["output"], run["output_tokens"]) == ("success", "ab", 3)


def test_a_stream_without_its_last_event_is_a_failure_that_the_run_tells(
    caller: httpx.Client, reader: httpx.Client, upstream: RawUpstream
) -> None:
    upstream.sends(SSE, piece(event("a")), b"0\r\n\r\n")
    assert received(caller, ask(stream=True, stream_options={"include_usage": True})) == (event("a"), True)
    run = only_run(reader)
    assert (run["status"], run["output"], run["error"]["type"]) == ("failed", "a", "gateway")
    assert "before its last event" in run["error"]["message"]


def test_an_endless_line_in_a_stream_passes_while_it_comes(
    caller: httpx.Client, reader: httpx.Client, upstream: RawUpstream
) -> None:
    """The caller asked for no usage, so that each event is looked at before it passes."""
    line = b"x" * (1 << 20)
    upstream.sends(SSE, *[piece(line)] * 40, b"0\r\n\r\n")
    seen_early = 0
    with caller.stream("POST", CHAT, json=ask(stream=True)) as answer:
        size = 0
        for part in answer.iter_raw():
            size += len(part)
            seen_early = seen_early or upstream.sent
    assert size == 40 << 20
    assert seen_early < 30 << 20
    assert only_run(reader)["status"] == "failed"


@pytest.mark.parametrize("status", [302, 529])
def test_a_redirect_or_an_overload_is_passed_back_as_it_is(
    caller: httpx.Client, reader: httpx.Client, upstream: RawUpstream, status: int
) -> None:
    body = b'{"error":{"type":"overloaded_error","message":"later"}}'
    upstream.sends(http(status, body, "Content-Type: application/json", "Location: /elsewhere", "Retry-After: 7"))
    answer = caller.post(CHAT, json=ask())
    assert (answer.status_code, answer.content, answer.headers["location"], answer.headers["retry-after"]) == (
        status, body, "/elsewhere", "7",
    )  # fmt: skip
    assert len(upstream.asked) == 1
    run = only_run(reader)
    assert run["attributes"]["http.response.status_code"] == str(status)
    assert run["status"] == "failed"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
def test_a_compressed_answer_passes_as_it_is_and_is_read_where_it_can_be(
    caller: httpx.Client, reader: httpx.Client, upstream: RawUpstream, encoding: str
) -> None:
    plain = said("It is 18 degrees.")
    body = {"gzip": gzip.compress(plain), "deflate": zlib.compress(plain), "br": b"\x0b\x02\x80not really\x03"}[
        encoding
    ]
    upstream.sends(http(200, body, "Content-Type: application/json", f"Content-Encoding: {encoding}"))
    with caller.stream("POST", CHAT, json=ask()) as answer:
        assert b"".join(answer.iter_raw()) == body
        assert answer.headers["content-encoding"] == encoding
    assert upstream.asked[0].header("accept-encoding") == ["identity"]
    run = only_run(reader)
    assert run["status"] == "success"
    if encoding == "br":
        assert (run["output_tokens"], run["response"]) == (None, f"[{len(body)} bytes, br]")
    else:
        assert (run["output"], run["output_tokens"]) == ("It is 18 degrees.", 3)


def test_a_body_of_the_limit_passes_and_one_byte_more_is_refused_before_it_is_sent(
    hurried: Server, account: str, caller: httpx.Client, reader: httpx.Client, upstream: RawUpstream
) -> None:
    upstream.sends(http(200, said("ok"), "Content-Type: application/json"))
    frame = json.dumps(ask()).encode()
    for size, is_chunked in ((LIMIT, False), (LIMIT, True), (LIMIT + 1, False), (LIMIT + 1, True), (9 * LIMIT, True)):
        body = frame + b" " * (size - len(frame))
        answer = caller.post(CHAT, content=iter([body]) if is_chunked else body)
        assert answer.status_code == (200 if size == LIMIT else 413), (size, is_chunked)
        assert size == LIMIT or "at most 1 MB" in answer.json()["error"]["message"]
    assert [len(asked.body) for asked in upstream.asked] == [LIMIT, LIMIT]
    key = hurried.key("gateway", account=account)
    head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: {LIMIT + 1}\r\n\r\n"
    began = time.monotonic()
    assert say(hurried.port, head.encode(), 3).startswith(b"HTTP/1.1 413 ")
    assert time.monotonic() - began < 2, "its length is told before a byte of it is taken"


def test_a_caller_that_leaves_before_the_first_byte_is_told_to_the_upstream_and_recorded(
    hurried: Server, account: str, reader: httpx.Client, upstream: RawUpstream
) -> None:
    async def silent(conversation: Conversation) -> None:
        await _forever()

    upstream.does(silent)
    key, body = hurried.key("gateway", account=account), json.dumps(ask()).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", hurried.port)) as connection:
        connection.sendall(head.encode() + body)
        while not upstream.asked:
            time.sleep(0.01)
        began = time.monotonic()
    assert upstream.left.wait(2)
    assert time.monotonic() - began < 0.6
    run = only_run(reader)
    assert (run["status"], run["finish_reasons"], run["output"]) == ("success", ["client_left"], "")


def test_an_upstream_is_held_back_by_a_caller_that_does_not_read(
    hurried: Server, account: str, reader: httpx.Client, upstream: RawUpstream
) -> None:
    parts = [event(f"{number:06d}" + "y" * 65_000) for number in range(620)]
    whole = b"".join(parts) + b"data: [DONE]\n\n"

    async def fast(conversation: Conversation) -> None:
        await conversation.send(SSE, *[piece(one) for one in parts], piece(b"data: [DONE]\n\n"), b"0\r\n\r\n", pause=0)

    upstream.does(fast)
    key = hurried.key("gateway", account=account)
    body = json.dumps(ask(stream=True, stream_options={"include_usage": True})).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        connection.connect(("127.0.0.1", hurried.port))
        connection.settimeout(10)
        before = memory_mb(hurried)
        connection.sendall(head.encode() + body)
        got = b"".join(connection.recv(1) for _ in range(200))
        time.sleep(1)
        held_at = upstream.sent
        time.sleep(0.3)
        # What the kernel's buffers take is no memory of the server's.
        assert upstream.sent == held_at < len(whole), "the upstream was not held back"
        assert memory_mb(hurried) - before < 24
        # Longer than the idle time: it is the caller who is silent, not the upstream.
        pieces = [got]
        while not pieces[-1].endswith(b"0\r\n\r\n") and (more := connection.recv(1 << 20)):
            pieces.append(more)
    assert dechunked(b"".join(pieces)) == whole
    assert only_run(reader)["status"] == "success"


def dechunked(answer: bytes) -> bytes:
    _, _, rest = answer.partition(b"\r\n\r\n")
    body = []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body.append(rest[: int(size, 16)])
        rest = rest[int(size, 16) + 2 :]
    return b"".join(body)


def memory_mb(server: Server) -> float:
    assert server.process is not None
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


@pytest.mark.parametrize(
    ("lines", "accepted"),
    [
        (["Content-Length: {n}", "Transfer-Encoding: chunked"], False),
        (["Transfer-Encoding: chunked", "Content-Length: {n}"], False),
        (["Content-Length: {n}", "Content-Length: 3"], False),
        (["Content-Length: +{n}"], False),
        (["Content-Length : {n}"], False),
        (["Transfer-Encoding: xchunked", "Content-Length: {n}"], False),
        (["Content-Length: {n}", "X-A: b\rX-Evil: 1"], False),
        (["Content-Length: {n}", "X-A: b\nX-Evil: 1"], None),
        (["Content-Length: {n}", "Host: evil.example"], None),
        (["Content-Length: {n}", "Connection: x-evil, authorization", "X-Evil: 1"], True),
        (["Content-Length: {n}", "Proxy-Authorization: x", "X-Forwarded-Host: evil", "TE: trailers"], True),
    ],
)
def test_a_request_that_could_be_read_in_two_ways_reaches_no_upstream(
    hurried: Server, account: str, upstream: RawUpstream, lines: list[str], accepted: bool | None
) -> None:
    """None: whether it is taken or not, the upstream sees one request, addressed to itself."""
    upstream.sends(http(200, said("ok"), "Content-Type: application/json"))
    body = json.dumps(ask()).encode()
    smuggled = b"0\r\n\r\nPOST /base/v1/evil HTTP/1.1\r\nHost: x\r\n\r\n"
    fields = "\r\n".join(lines).replace("{n}", str(len(body)))
    key = hurried.key("gateway", account=account)
    head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n{fields}\r\n\r\n"
    heard = say(hurried.port, head.encode() + body + (b"" if accepted else smuggled), 2)
    status = int(heard.split(b" ")[1]) if heard else 0
    if accepted is not None:
        assert status == (200 if accepted else 400), heard[:200]
    assert len(upstream.asked) == (1 if status == 200 else 0)
    for asked in upstream.asked:
        assert asked.first_line == "POST /base/v1/chat/completions HTTP/1.1"
        assert asked.header("host") == [upstream.url.removeprefix("http://")]
        assert asked.body == body
        assert key not in asked.head.decode("latin-1")
        for name in ("x-forwarded-host", "te", "proxy-authorization", *(["x-evil"] if accepted else [])):
            assert asked.header(name) == [], name


@pytest.mark.parametrize(
    "path",
    [
        "/gateway/openai/v1/../../../admin", "/gateway/openai/v1/..%2f..%2fadmin", "/gateway/openai/v1/%2e%2e/admin",
        "/gateway/openai/v1/a/%2e%2e/%2e%2e/admin", "/gateway/openai/v1//evil.example/x", "/gateway/openai/v1/.%2e/x",
        "/gateway/openai/v1/@evil.example/x", "/gateway/openai/v1/:80@evil.example", "/gateway/openai/v1/..;/x",
        "/gateway/openai/v1/%252e%252e/x", "/gateway/openai/v1/..\\..\\x", "/gateway/openai/v1/%5c..%5cx",
        "/gateway/openai/v1/http://evil.example/", "http://evil.example/gateway/openai/v1/x", "/gateway/openai/v1/x%0d%0aHost:%20evil",
        "/gateway/openai/v1/x%00y", "/gateway/openai/v1/x?a=%0d%0aX-Evil:%201", "/gateway/openai/v1/x#@evil.example/y",
        "/gateway/openai/v1/%ff%fe", "//evil.example/gateway/openai/v1/x", "/gateway/openai/v1@evil.example/x",
    ],
)  # fmt: skip
def test_no_path_leaves_the_upstreams_base_address(
    hurried: Server, account: str, upstream: RawUpstream, path: str
) -> None:
    upstream.sends(http(200, b"{}", "Content-Type: application/json"))
    key = hurried.key("gateway", account=account)
    head = f"GET {path} HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer {key}\r\nx-connection: raw\r\nConnection: close\r\n\r\n"
    heard = say(hurried.port, head.encode(), 2)
    assert heard.split(b" ")[1] in (b"200", b"400", b"404"), heard[:300]
    for asked in upstream.asked:
        target = asked.first_line.split(" ")[1]
        assert target.startswith("/base/v1/"), target
        parts = target.partition("?")[0].lower().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/").split("/")
        assert ".." not in parts, target
        assert asked.header("host") == [upstream.url.removeprefix("http://")]
        assert asked.header("x-evil") == []


def test_whatever_an_upstream_or_a_caller_says_of_itself_the_call_is_recorded(
    caller: httpx.Client, reader: httpx.Client, upstream: RawUpstream
) -> None:
    long = "n" * 3000
    choice = {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
    answers = [
        (200, {"id": long, "model": long, "choices": [choice] * 90, "usage": {"prompt_tokens": 2**60, "completion_tokens": 3}}),
        (200, {"choices": [choice | {"finish_reason": long}], "usage": {"prompt_tokens": -1, "completion_tokens": 1.5}}),
        (400, {"error": {"type": long, "message": long * 9, "code": long}}),
        (418, {"error": {"type": 7, "message": ["x"], "code": {"a": 1}}}),
        (500, ["no", "error"]),
        (200, "text"),
        (200, {"choices": "none", "usage": [], "model": 7, "id": {}}),
    ]  # fmt: skip
    headers = {"x-source": long, "x-source-type": long, "x-session-id": long, "x-user-id": long, "traceparent": long}
    for status, body in answers:
        upstream.sends(
            http(status, json.dumps(body).encode(), "Content-Type: application/json", f"x-request-id: {long}")
        )
        answer = caller.post(CHAT, json=ask(model=f"m-{secrets.token_hex(4)}"), headers=headers)
        assert (answer.status_code, answer.json()) == (status, body)
        deadline = time.monotonic() + 10
        while (found := reader.get(f"/api/v1/runs/{answer.headers['x-request-id']}")).status_code == 404:
            assert time.monotonic() < deadline, f"the call that was answered {str(body)[:80]} was not recorded"
            time.sleep(0.03)
        assert found.json()["status"] == ("success" if status == 200 else "failed")
    upstream.sends(http(200, said("ok"), "Content-Type: application/json"))
    answer = caller.post(CHAT, json=ask(model="m" * 600))
    assert answer.status_code == 400, "a name that no run can bear"
    assert "512" in answer.json()["error"]["message"]


def test_a_large_image_passes_whole_and_is_recorded_by_its_digest(
    caller: httpx.Client, reader: httpx.Client, upstream: RawUpstream
) -> None:
    upstream.sends(http(200, said("a picture"), "Content-Type: application/json"))
    url = "data:image/png;base64," + "iVBORw0KGgoA" + "A" * 600_000
    body = ask()
    body["messages"][0]["content"] = [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": url}}]
    assert caller.post(CHAT, json=body).status_code == 200
    assert json.loads(upstream.asked[0].body) == body
    run = only_run(reader)
    kept = run["request"]["messages"][0]["content"][1]["image_url"]["url"]
    assert (kept["mime"], kept["size"], run["payload_cut"]) == ("image/png", 450_009, True)
    assert run["input"] == "?\n[image image/png 439 KB]"
    for wanted, count in (("true", 1), ("false", 0)):
        found = reader.get("/api/v1/runs", params={"filter": f"payload_cut:{wanted}"}).json()["runs"]
        assert len(found) == count
