"""A caller or a request that misbehaves, or that is only large: what reaches the upstream, and what is recorded."""

import json
import secrets
import socket
import time
from pathlib import Path

import httpx
import pytest

from tests.gateway.faults import CHAT, LIMIT, SSE, ask, event, forever, only_run, said
from tests.gateway.raw import Conversation, RawUpstream, http, piece, say
from tests.support.server import Server


def test_a_body_of_the_limit_passes_and_one_byte_more_is_refused_before_it_is_sent(
    hurried: Server, raw_account: str, raw_caller: httpx.Client, raw_reader: httpx.Client, raw: RawUpstream
) -> None:
    raw.sends(http(200, said("ok"), "Content-Type: application/json"))
    frame = json.dumps(ask()).encode()
    for size, is_chunked in ((LIMIT, False), (LIMIT, True), (LIMIT + 1, False), (LIMIT + 1, True), (9 * LIMIT, True)):
        body = frame + b" " * (size - len(frame))
        answer = raw_caller.post(CHAT, content=iter([body]) if is_chunked else body)
        assert answer.status_code == (200 if size == LIMIT else 413), (size, is_chunked)
        assert size == LIMIT or "at most 1 MB" in answer.json()["error"]["message"]
    assert [len(asked.body) for asked in raw.asked] == [LIMIT, LIMIT]
    key = hurried.key("gateway", account=raw_account)
    head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: {LIMIT + 1}\r\n\r\n"
    began = time.monotonic()
    assert say(hurried.port, head.encode(), 3).startswith(b"HTTP/1.1 413 ")
    assert time.monotonic() - began < 2, "its length is told before a byte of it is taken"


def test_a_caller_that_leaves_before_the_first_byte_is_told_to_the_upstream_and_recorded(
    hurried: Server, raw_account: str, raw_reader: httpx.Client, raw: RawUpstream
) -> None:
    async def silent(conversation: Conversation) -> None:
        await forever()

    raw.does(silent)
    key, body = hurried.key("gateway", account=raw_account), json.dumps(ask()).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", hurried.port)) as connection:
        connection.sendall(head.encode() + body)
        while not raw.asked:
            time.sleep(0.01)
        began = time.monotonic()
    assert raw.left.wait(2)
    assert time.monotonic() - began < 0.6
    run = only_run(raw_reader)
    assert (run["status"], run["finish_reasons"], run["output"]) == ("success", ["client_left"], "")


@pytest.mark.parametrize("end", ["last event", "before"])
def test_a_caller_that_leaves_after_the_last_event_missed_nothing_and_counts_as_passed(
    raw_caller: httpx.Client, raw_reader: httpx.Client, raw: RawUpstream, end: str
) -> None:
    """As the SDK of OpenAI does: it reads no further than `[DONE]`."""
    last = piece(b"data: [DONE]\n\n") if end == "last event" else b""

    async def no_end(conversation: Conversation) -> None:
        await conversation.send(SSE, piece(event("a", "stop" if last else None)) + last)
        await forever()

    raw.does(no_end)
    before = outcomes(raw_reader)
    with raw_caller.stream("POST", CHAT, json=ask(stream=True)) as answer:
        next(one for one in answer.iter_lines() if one.startswith("data: [DONE]" if last else "data: "))
    assert raw.left.wait(5)
    run = only_run(raw_reader)
    assert (run["status"], run["output"], "client_left" in run["finish_reasons"]) == ("success", "a", not last)
    expected = (1, 0) if last else (0, 1)
    deadline = time.monotonic() + 5
    while (found := outcomes(raw_reader)) == before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert tuple(now - then for now, then in zip(found, before, strict=True)) == expected


def outcomes(reader: httpx.Client) -> tuple[float, float]:
    """Calls that passed, and that their callers left."""
    counted = dict(line.rpartition(" ")[::2] for line in reader.get("/metrics").text.splitlines())
    passed, left = (
        float(counted.get(f'modeltraces_gateway_calls_total{{family="openai",outcome="{outcome}"}}', 0))
        for outcome in ("passed", "client_left")
    )
    return passed, left


def test_an_upstream_is_held_back_by_a_caller_that_does_not_read(
    hurried: Server, raw_account: str, raw_reader: httpx.Client, raw: RawUpstream
) -> None:
    parts = [event(f"{number:06d}" + "y" * 65_000) for number in range(1240)]
    whole = b"".join(parts) + b"data: [DONE]\n\n"

    async def fast(conversation: Conversation) -> None:
        await conversation.send(SSE, *[piece(one) for one in parts], piece(b"data: [DONE]\n\n"), b"0\r\n\r\n", pause=0)

    raw.does(fast)
    key = hurried.key("gateway", account=raw_account)
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
        held_at = raw.sent
        time.sleep(0.3)
        # What the kernel's buffers take is no memory of the server's.
        assert raw.sent == held_at < len(whole), "the upstream was not held back"
        assert memory_mb(hurried) - before < 40
        # Longer than the idle time: it is the caller who is silent, not the raw.
        pieces = [got]
        while not pieces[-1].endswith(b"0\r\n\r\n") and (more := connection.recv(1 << 20)):
            pieces.append(more)
    assert dechunked(b"".join(pieces)) == whole
    assert only_run(raw_reader)["status"] == "success"


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
    hurried: Server, raw_account: str, raw: RawUpstream, lines: list[str], accepted: bool | None
) -> None:
    """None: whether it is taken or not, the upstream sees one request, addressed to itself."""
    raw.sends(http(200, said("ok"), "Content-Type: application/json"))
    body = json.dumps(ask()).encode()
    smuggled = b"0\r\n\r\nPOST /base/v1/evil HTTP/1.1\r\nHost: x\r\n\r\n"
    fields = "\r\n".join(lines).replace("{n}", str(len(body)))
    key = hurried.key("gateway", account=raw_account)
    head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n{fields}\r\n\r\n"
    heard = say(hurried.port, head.encode() + body + (b"" if accepted else smuggled), 2)
    status = int(heard.split(b" ")[1]) if heard else 0
    if accepted is not None:
        assert status == (200 if accepted else 400), heard[:200]
    assert len(raw.asked) == (1 if status == 200 else 0)
    for asked in raw.asked:
        assert asked.first_line == "POST /base/v1/chat/completions HTTP/1.1"
        assert asked.header("host") == [raw.url.removeprefix("http://")]
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
    hurried: Server, raw_account: str, raw: RawUpstream, path: str
) -> None:
    raw.sends(http(200, b"{}", "Content-Type: application/json"))
    key = hurried.key("gateway", account=raw_account)
    head = f"GET {path} HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer {key}\r\nx-connection: raw\r\nConnection: close\r\n\r\n"
    heard = say(hurried.port, head.encode(), 2)
    assert heard.split(b" ")[1] in (b"200", b"400", b"404"), heard[:300]
    for asked in raw.asked:
        target = asked.first_line.split(" ")[1]
        assert target.startswith("/base/v1/"), target
        parts = target.partition("?")[0].lower().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/").split("/")
        assert ".." not in parts, target
        assert asked.header("host") == [raw.url.removeprefix("http://")]
        assert asked.header("x-evil") == []


def test_whatever_an_upstream_or_a_caller_says_of_itself_the_call_is_recorded(
    raw_caller: httpx.Client, raw_reader: httpx.Client, raw: RawUpstream
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
        raw.sends(http(status, json.dumps(body).encode(), "Content-Type: application/json", f"x-request-id: {long}"))
        answer = raw_caller.post(CHAT, json=ask(model=f"m-{secrets.token_hex(4)}"), headers=headers)
        assert (answer.status_code, answer.json()) == (status, body)
        deadline = time.monotonic() + 10
        while (found := raw_reader.get(f"/api/v1/runs/{answer.headers['x-request-id']}")).status_code == 404:
            assert time.monotonic() < deadline, f"the call that was answered {str(body)[:80]} was not recorded"
            time.sleep(0.03)
        assert found.json()["status"] == ("success" if status == 200 else "failed")
    raw.sends(http(200, said("ok"), "Content-Type: application/json"))
    answer = raw_caller.post(CHAT, json=ask(model="m" * 600))
    assert answer.status_code == 400, "a name that no run can bear"
    assert "200 characters" in answer.json()["error"]["message"]


def test_a_large_image_passes_whole_and_is_recorded_by_its_digest(
    raw_caller: httpx.Client, raw_reader: httpx.Client, raw: RawUpstream
) -> None:
    raw.sends(http(200, said("a picture"), "Content-Type: application/json"))
    url = "data:image/png;base64," + "iVBORw0KGgoA" + "A" * 600_000
    body = ask()
    body["messages"][0]["content"] = [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": url}}]
    assert raw_caller.post(CHAT, json=body).status_code == 200
    assert json.loads(raw.asked[0].body) == body
    run = only_run(raw_reader)
    kept = run["request"]["messages"][0]["content"][1]["image_url"]["url"]
    assert (kept["mime"], kept["size"], run["payload_cut"]) == ("image/png", 450_009, True)
    assert run["input"] == "?\n[image image/png 439 KB]"
    for wanted, count in (("true", 1), ("false", 0)):
        found = raw_reader.get("/api/v1/runs", params={"filter": f"payload_cut:{wanted}"}).json()["runs"]
        assert len(found) == count
