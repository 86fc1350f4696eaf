"""Heads of requests that do not end: bounded in size and in time, before any key was seen."""

import contextlib
import socket
from pathlib import Path

import httpx
import pytest

from modeltraces.http_protocol import MAX_HEAD_BYTES
from tests.support.server import Server

pytestmark = pytest.mark.faults


def answer_to(server: Server, *pieces: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                connection.sendall(piece)
        with contextlib.suppress(ConnectionError):
            return connection.recv(1 << 16)
    return b""


def memory_mb(server: Server) -> int:
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) >> 10


@pytest.mark.parametrize(
    "start", [b"GET /healthz HTTP/1.1\r\nHost: x\r\nx-endless: ", b"GET /"], ids=["header", "address"]
)
def test_an_endless_head_is_refused(server: Server, start: bytes) -> None:
    before = memory_mb(server)
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(start)
        with pytest.raises(ConnectionError):  # noqa: PT012
            for _ in range(100):
                connection.sendall(b"a" * (1 << 20))
    assert memory_mb(server) - before < 50
    assert httpx.get(f"{server.url}/healthz").status_code == 200


def test_a_head_that_is_too_large_is_a_problem(server: Server) -> None:
    for head in (
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nx-large: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"x-many: 1234567890\r\n" * 5000 + b"\r\n",
    ):
        answer = answer_to(server, head)
        assert answer.startswith(b"HTTP/1.1 431 "), answer[:200]
        assert b"application/problem+json" in answer


def test_a_head_that_began_behind_a_body_or_another_request_is_too_large_all_the_same(server: Server) -> None:
    large = b"GET /healthz HTTP/1.1\r\nHost: x\r\nx-large: " + b"a" * (MAX_HEAD_BYTES - 100)
    rest = b"a" * 200 + b"\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + large)
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        connection.sendall(rest)
        answer = connection.recv(1 << 16)
        while answer and b"HTTP/1.1 431 " not in answer:
            answer = connection.recv(1 << 16)
        assert b"HTTP/1.1 431 " in answer


def test_heads_below_the_limit_pass_also_one_after_another(server: Server) -> None:
    headers = {"x-large": "a" * (MAX_HEAD_BYTES - 2000)}
    with httpx.Client(base_url=server.url, headers=headers) as client:
        for _ in range(5):
            assert client.get("/healthz").status_code == 200


def test_a_body_is_not_counted_as_head(server: Server) -> None:
    with server.client() as client:
        for _ in range(3):
            answer = client.post("/api/v1/runs", json={"model": "m", "input": "x" * 500_000})
            assert answer.status_code == 200


def test_a_body_that_comes_with_its_head_in_one_piece_is_not_counted_as_head(server: Server) -> None:
    body = b'{"model":"m","input":"' + b"x" * 100_000 + b'"}'
    head = (
        f"POST /api/v1/runs HTTP/1.1\r\nHost: x\r\nx-api-key: {server.key()}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        for _ in range(5):
            connection.sendall(head.encode() + body)
            answer = b""
            while not answer.endswith(b"]}"):
                piece = connection.recv(1 << 16)
                assert piece, answer
                answer += piece
            assert answer.startswith(b"HTTP/1.1 200 ")


def test_what_is_not_http_is_refused_and_the_server_lives(server: Server) -> None:
    assert answer_to(server, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").startswith(b"HTTP/1.1 400 ")
    assert httpx.get(f"{server.url}/healthz").status_code == 200
