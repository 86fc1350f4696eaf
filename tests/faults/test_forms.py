"""Forms of strangers: the sign-in reads them before it knows who sends them."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.server import ALICE, PASSWORD, Server

pytestmark = pytest.mark.faults

URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a second's patience."""
    running = Server(tmp_path_factory.mktemp("forms") / "data", {"MODELTRACES_BODY_IDLE_SECONDS": "1"})
    try:
        running.start()
        yield running
        assert "Traceback" not in running.log
    finally:
        running.close()


def pieces(kind: str, asked_for: list[int]) -> Iterator[bytes]:
    """300 MB: as many fields as are read, each as long as one may be; or one file, which goes to the disk."""
    if kind == MULTIPART:
        yield b'--x\r\nContent-Disposition: form-data; name="email"; filename="a"\r\n\r\n'
    for number in range(320):
        asked_for.append(number)
        yield b"a" * 1_000_000 if kind == MULTIPART else b"f%d=%s&" % (number, b"a" * 1_000_000)


@pytest.mark.parametrize("kind", [URLENCODED, MULTIPART])
@pytest.mark.parametrize("path", ["/sign-in", "/sign-in/link/nothing", "/settings/api-keys"])
def test_a_form_that_is_too_large_is_refused_before_it_has_come(hasty: Server, kind: str, path: str) -> None:
    with httpx.Client(base_url=hasty.url, timeout=60) as browser:
        signed_in = browser.post("/sign-in", data={"email": ALICE, "password": PASSWORD})
        assert signed_in.status_code == 303
        asked_for: list[int] = []
        answer = browser.post(path, content=pieces(kind, asked_for), headers={"content-type": kind})
    assert (answer.status_code, answer.headers["content-type"]) == (413, "text/html; charset=utf-8")
    assert "A form may have at most 4 MB" in answer.text
    assert len(asked_for) < 100, "the rest was not read"


def test_what_forms_hold_is_bounded(hasty: Server) -> None:
    """A thousand fields of a megabyte were read into memory, whoever sent them."""
    assert hasty.process is not None

    def most_megabytes() -> int:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{hasty.process.pid}/status").read_text())  # type: ignore[union-attr]
        assert found
        return int(found[1]) >> 10

    before = most_megabytes()
    answer = httpx.post(
        f"{hasty.url}/sign-in", content=pieces(URLENCODED, []), headers={"content-type": URLENCODED}, timeout=60
    )
    assert answer.status_code == 413
    assert most_megabytes() - before < 100


@pytest.mark.parametrize(("kind", "begin"), [(URLENCODED, "email="), (MULTIPART, "--x\r\n")])
def test_a_form_that_stops_coming_is_let_go(hasty: Server, kind: str, begin: str) -> None:
    head = f"POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: 1000\r\n\r\n{begin}"
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=20) as connection:
        connection.sendall(head.encode())
        answer = connection.recv(1 << 16)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"text/html" in answer


def test_a_stop_does_not_wait_for_a_form_that_does_not_come(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    server.start()
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            head = f"POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Type: {URLENCODED}\r\nContent-Length: 1000\r\n"
            connection.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
            assert connection.recv(1 << 16) == b"HTTP/1.1 100 Continue\r\n\r\n", "it waits for the form"
            assert server.stop() == 0
            assert connection.recv(1 << 16).startswith(b"HTTP/1.1 503")
    finally:
        server.close()


def test_a_form_that_is_whole_is_read(hasty: Server) -> None:
    """In pieces, and larger than any of ours."""

    def in_pieces() -> Iterator[bytes]:
        yield from (b"email=alice", b"%40example.com&password=", PASSWORD.replace(" ", "+").encode(), b"&next=")
        yield b"%2Fsettings%2Fapi-keys"
        for number in range(4):
            yield b"&f%d=%s" % (number, b"a" * 1_000_000)

    answer = httpx.post(f"{hasty.url}/sign-in", content=in_pieces(), headers={"content-type": URLENCODED}, timeout=60)
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings/api-keys")
