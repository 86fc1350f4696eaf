"""Bodies that stop coming, and calls that are under way when the server is stopped: each caller is told, in its provider's shape."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.faults import SSE, ask, event, forever, only_run
from tests.gateway.raw import Conversation, RawUpstream, piece
from tests.support.server import Server

pytestmark = pytest.mark.faults
CHAT, MESSAGES = "/gateway/openai/v1/chat/completions", "/gateway/anthropic/v1/messages"
_SHAPES = {CHAT: "server_error", MESSAGES: "overloaded_error", "/api/v1/runs": None}


@pytest.fixture
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    running = Server(tmp_path / "data", {f"MODELTRACES_{name}": value for name, value in request.param.items()})
    try:
        yield running.start()
    finally:
        running.close()


def begin(server: Server, path: str, body: bytes, length: int, account: str = "default") -> socket.socket:
    key = server.key("ingest", "gateway", account=account)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nx-api-key: {key}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=15)
    connection.sendall(head.encode() + body)
    return connection


def rest(connection: socket.socket) -> bytes:
    """All that comes until the connection ends."""
    heard = b""
    while got := connection.recv(65536):
        heard += got
    return heard


def read(heard: bytes) -> tuple[int, dict[str, Any]]:
    head, _, body = heard.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize("server", [{"BODY_IDLE_SECONDS": "1"}], indirect=True)
def test_a_body_that_stops_coming_is_let_go(server: Server) -> None:
    for path, kind in ((CHAT, "invalid_request_error"), (MESSAGES, "timeout_error")):
        with begin(server, path, b'{"model"', 500) as connection:
            began = time.monotonic()
            status, said = read(rest(connection))
        assert 0.9 < time.monotonic() - began < 5
        assert (status, said["error"]["type"]) == (408, kind)
        assert "The body stopped coming for 1 second" in said["error"]["message"]
    assert "Traceback" not in server.log


@pytest.mark.parametrize("server", [{"BODY_IDLE_SECONDS": "1"}], indirect=True)
def test_a_body_that_comes_by_the_byte_is_let_go_too(server: Server) -> None:
    with begin(server, CHAT, b"{", 500) as connection:
        began = time.monotonic()
        stopped = threading.Event()

        def drip() -> None:
            while not stopped.wait(0.4):
                connection.sendall(b" ")

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            status, _ = read(connection.recv(65536))
        finally:
            stopped.set()
            dripping.join()
    assert status == 408
    assert 9 < time.monotonic() - began < 14, "ten times as long in all"


@pytest.mark.parametrize("server", [{}], indirect=True)
def test_bodies_that_have_not_come_do_not_hold_up_the_servers_stop(server: Server) -> None:
    waiting = {path: begin(server, path, b'{"model"', 500) for path in _SHAPES}
    time.sleep(0.5)
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 10, "it waited for them as long as for calls"
    for path, connection in waiting.items():
        status, said = read(rest(connection))
        connection.close()
        assert status == 503, path
        assert "being stopped" in (said["error"]["message"] if _SHAPES[path] else said["detail"])
        assert _SHAPES[path] == (said["error"]["type"] if _SHAPES[path] else None)
    assert "Traceback" not in server.log


@pytest.mark.parametrize("server", [{"STOP_SECONDS": "1"}], indirect=True)
def test_calls_that_outlast_the_servers_stop_are_told_and_recorded(server: Server, raw: RawUpstream) -> None:
    async def silent(conversation: Conversation) -> None:
        if b'"stream"' in conversation.body:
            await conversation.send(SSE, piece(event("one")))
        await forever()

    raw.does(silent)
    calls = []
    for name, body in (("whole", ask()), ("streamed", ask(stream=True))):
        account, content = server.new_account(name), json.dumps(body).encode()
        with server.client("admin", account=account) as admin:
            made = {"name": "raw", "protocol": "openai", "base_url": f"{raw.url}/v1", "models": ["m"]}
            assert admin.post("/api/v1/connections", json=made).status_code == 201
        calls.append(begin(server, CHAT, content, len(content), account))
    while len(raw.asked) < 2:
        time.sleep(0.05)
    time.sleep(0.3)
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 10
    whole, streamed = map(rest, calls)
    for connection in calls:
        connection.close()
    status, said = read(whole)
    assert (status, said["error"]["type"]) == (503, "server_error")
    assert "being stopped" in said["error"]["message"]
    assert streamed.startswith(b"HTTP/1.1 200 "), streamed
    assert not streamed.endswith(b"0\r\n\r\n"), "an answer that broke off must not look whole"
    assert "Traceback" not in server.log
    server.start()
    for name, output in (("whole", ""), ("streamed", "one")):
        with server.client("admin", account=name) as reader:
            run = only_run(reader)
        assert (run["status"], run["error"]["type"], run["output"]) == ("failed", "gateway", output)
        assert "stopped" in run["error"]["message"]
        assert run["finish_reasons"] == []
    assert whole.lower().count(b"x-request-id: " + run_id(server, "whole").encode()) == 1


def run_id(server: Server, account: str) -> str:
    with server.client("admin", account=account) as reader:
        return str(only_run(reader)["request_id"])
