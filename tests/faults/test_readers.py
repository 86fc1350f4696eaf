"""Readers that leave or dawdle give back what they held: the next ones are served."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

from tests.support.processor import processor_seconds
from tests.support.server import Server

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that makes one export at a time, has some hundred megabytes to export, and a second's patience."""
    running = Server(
        tmp_path_factory.mktemp("busy") / "data",
        {"MODELTRACES_EXPORT_CONCURRENCY": "1", "MODELTRACES_EXPORT_IDLE_SECONDS": "1"},
    )
    try:
        running.start()
        with running.client() as client:
            for _ in range(6):
                runs = [{"model": "m", "input": "long text " * 20_000} for _ in range(50)]
                assert client.post("/api/v1/runs", json=runs).status_code == 200
        yield running
    finally:
        running.close()


SLOW = urlencode({"filter": " OR ".join(f"input:*g*n*q{number}é" for number in range(190))})
"""A filter that takes long to find nothing."""


def asking(server: Server, format: str = "csv", more: str = "") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    address = f"/api/v1/runs/export?format={format}&period=all{more}"
    connection.sendall(f"GET {address} HTTP/1.1\r\nHost: x\r\nx-api-key: {server.key()}\r\n\r\n".encode())
    return connection


def taken_by(server: Server) -> float:
    assert server.process is not None
    return processor_seconds(server.process.pid)


@pytest.fixture(scope="module")
def whole(busy: Server) -> float:
    """Seconds of the processor that the slow search takes when somebody waits for its end; the quicker of two."""
    taken = []
    for _ in range(2):
        began = taken_by(busy)
        with busy.client() as client:
            assert client.get(f"/api/v1/runs/export?period=all&{SLOW}", timeout=120).status_code == 200
        taken.append(taken_by(busy) - began)
    return min(taken)


def exports_soon(server: Server, seconds: float = 15) -> bool:
    with server.client() as client:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            answer = client.get("/api/v1/runs/export", params={"period": "all", "model": "nobody"})
            if answer.status_code == 200:
                return True
            assert answer.status_code == 429, answer.text
            time.sleep(0.1)
    return False


def begin_and_leave(server: Server, format: str) -> None:
    """Take the first bytes of an export, and no more."""
    answer = b""
    # The one before is given back a moment after its last byte.
    for _ in range(50):
        with asking(server, format) as connection:
            answer = connection.recv(100)
        if not answer.startswith(b"HTTP/1.1 429"):
            break
        time.sleep(0.1)
    assert answer.startswith(b"HTTP/1.1 200")
    assert exports_soon(server)


@pytest.mark.parametrize("seconds", [0, 0.002, 0.01, 0.05, 0.3])
def test_a_reader_that_leaves_gives_its_export_back(busy: Server, seconds: float) -> None:
    for _ in range(3):
        connection = asking(busy)
        time.sleep(seconds)
        connection.close()
        assert exports_soon(busy), "the export is held for ever"


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
def test_a_reader_that_leaves_in_the_middle_or_before_the_first_byte_leaves_nothing_at_work(
    busy: Server, format: str, whole: float
) -> None:
    begin_and_leave(busy, format)
    taken = []
    # The engine may be merging, too: what is worked out to its end is so every time.
    for _ in range(3):
        began = taken_by(busy)
        with asking(busy, format, f"&{SLOW}"):
            time.sleep(0.3)
        assert exports_soon(busy, 60)
        taken.append(taken_by(busy) - began)
        if taken[-1] < 0.75 * whole:
            break
    assert min(taken) < 0.75 * whole, "what nobody waits for is worked out to its end"


def test_a_reader_that_stops_reading_is_let_go(busy: Server) -> None:
    assert exports_soon(busy)
    time.sleep(0.5)
    with asking(busy) as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        assert exports_soon(busy)


def second_export(server: Server, client: httpx.Client) -> httpx.Response:
    """What is said to who wants one while another is being read."""
    with asking(server) as connection:
        connection.recv(100)
        return client.get("/api/v1/runs/export")


def test_an_export_beyond_what_may_run_is_told_when_to_come_again(busy: Server) -> None:
    with httpx.Client(base_url=busy.url, headers={"x-api-key": busy.key()}) as client:
        assert client.get("/api/v1/models").status_code == 200
        # The first one is let go when its reader takes nothing for a second: however busy the machine is, some try is sooner.
        tries = 5
        while (answer := second_export(busy, client)).status_code == 200 and tries:
            assert exports_soon(busy)
            tries -= 1
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) > 0
        assert answer.headers["content-type"] == "application/problem+json"
    assert exports_soon(busy)


def test_a_slow_reader_gets_the_whole_file(busy: Server) -> None:
    params = {"period": "all", "format": "jsonl"}
    with busy.client() as client, client.stream("GET", "/api/v1/runs/export", params=params) as answer:
        size = 0
        for count, piece in enumerate(answer.iter_raw(1 << 20)):
            size += len(piece)
            if count < 8:
                time.sleep(0.3)
    assert size > 300 * 200_000
    assert exports_soon(busy)


def test_a_server_with_open_exports_ends_in_time(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", {"MODELTRACES_EXPORT_IDLE_SECONDS": "1"})
    server.start()
    try:
        with server.client() as client:
            client.post("/api/v1/runs", json=[{"model": "m", "input": "x" * 200_000} for _ in range(200)])
        with asking(server) as connection:
            connection.recv(100)
            assert server.stop() == 0, server.log
    finally:
        server.close()
