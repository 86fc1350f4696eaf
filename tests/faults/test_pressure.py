"""More than fits, and senders that dawdle: refused in time, memory bounded, the others served."""

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.otlp import PROTOBUF, genai_span, messages, traces
from tests.support.server import Server

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with 2 MB for what waits, and one second's patience."""
    running = Server(
        tmp_path_factory.mktemp("narrow") / "data",
        {"MODELTRACES_QUEUE_MEGABYTES": "2", "MODELTRACES_BODY_IDLE_SECONDS": "1", "MODELTRACES_COMMIT_WAIT_MS": "300"},
    )
    try:
        running.start()
        yield running
    finally:
        running.close()


def test_a_full_queue_says_when_to_come_again_and_loses_nothing(narrow: Server) -> None:
    body = traces(
        *(genai_span(gen_ai__input__messages=messages("user", "x" * 9000)) for _ in range(60))
    ).SerializeToString()
    assert len(body) > 500_000
    answers: list[httpx.Response] = []
    headers = {**PROTOBUF, "x-api-key": narrow.key()}

    def send() -> None:
        answers.append(httpx.post(f"{narrow.url}/v1/traces", content=body, headers=headers, timeout=30))

    threads = [threading.Thread(target=send) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) == {200, 503}, statuses
    for answer in answers:
        if answer.status_code == 503:
            assert int(answer.headers["retry-after"]) > 0
            assert answer.headers["content-type"] == "application/problem+json"
    # Every sender sent the same spans: what one 200 acknowledged is there, once.
    with narrow.client() as client:
        assert client.get("/api/v1/metrics", params={"period": "all"}).json()["total_requests"] == 60
        # The memory is given back: the same goes through now.
        assert client.post("/v1/traces", content=body, headers=PROTOBUF).status_code == 200


@pytest.mark.parametrize(
    ("path", "media_type"), [("/v1/traces", "application/x-protobuf"), ("/api/v1/models", "application/json")]
)
def test_a_sender_that_falls_silent_is_let_go(narrow: Server, path: str, media_type: str) -> None:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nx-api-key: {narrow.key('ingest', 'admin')}\r\n"
        f"Content-Type: {media_type}\r\nContent-Length: 1000\r\n\r\nabc"
    )
    with socket.create_connection(("127.0.0.1", narrow.port), timeout=10) as connection:
        connection.sendall(head.encode())
        began = time.monotonic()
        answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 408")
    assert time.monotonic() - began < 5


def test_a_hundred_dawdlers_do_not_keep_others_waiting(narrow: Server) -> None:
    head = f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nx-api-key: {narrow.key()}\r\nContent-Type: application/x-protobuf\r\nContent-Length: 9\r\n\r\n"
    dawdlers = [socket.create_connection(("127.0.0.1", narrow.port), timeout=10) for _ in range(100)]
    try:
        for dawdler in dawdlers:
            dawdler.sendall(head.encode())
        with narrow.client() as client:
            assert client.post("/api/v1/runs", json={"model": "m"}).status_code == 200
    finally:
        for dawdler in dawdlers:
            dawdler.close()


def test_a_sender_that_leaves_in_mid_body_leaves_nothing_behind(narrow: Server) -> None:
    with narrow.client() as client:
        before = client.get("/api/v1/metrics", params={"period": "all"}).json()["total_requests"]
        body = traces(genai_span(), genai_span()).SerializeToString()
        head = f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nx-api-key: {narrow.key()}\r\nContent-Type: application/x-protobuf\r\nContent-Length: {len(body)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", narrow.port), timeout=10) as connection:
            connection.sendall(head.encode() + body[:-10])
        time.sleep(0.5)
        assert client.get("/api/v1/metrics", params={"period": "all"}).json()["total_requests"] == before
    assert "Traceback" not in narrow.log, "that a sender leaves is no fault of ours"


def test_the_memory_of_a_server_under_large_bodies_is_bounded(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", {"MODELTRACES_QUEUE_MEGABYTES": "64"})
    server.start()
    try:
        body = traces(genai_span(gen_ai__input__messages=messages("user", "y" * (20 << 20)))).SerializeToString()
        headers = {**PROTOBUF, "x-api-key": server.key()}
        codes: list[int] = []

        def send() -> None:
            codes.append(httpx.post(f"{server.url}/v1/traces", content=body, headers=headers, timeout=60).status_code)

        threads = [threading.Thread(target=send) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(90)
        assert set(codes) <= {200, 503}
        assert 200 in codes
        assert server.process is not None
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        peak_kb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        assert peak_kb < 2_000_000
    finally:
        server.close()
