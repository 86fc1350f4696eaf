"""The connections to upstreams: taken up again where that is safe, and never with what another call left there."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from modeltraces.gateway.connection import UpstreamConnection
from modeltraces.gateway.sockets import SocketGuard
from modeltraces.gateway.upstream_errors import Broken, OverTime, Silent, Unreachable, Unreadable, Unsendable
from modeltraces.gateway.upstreams import Limit, Upstreams
from tests.support.certificates import self_signed, served_with

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LIMIT = Limit(5, 5, 20)


class Server:
    """Says the next of `answers` to each request; None: closes the connection instead."""

    def __init__(self, *answers: bytes | None, then_closes: bool = False) -> None:
        self.answers, self.then_closes = list(answers), then_closes
        self.asked: list[bytes] = []
        self.connections = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
                self.asked.append(head + await reader.readexactly(int(length or 0)))
                answer = self.answers.pop(0)
                if answer is None:
                    return
                writer.write(answer)
                if self.then_closes:
                    return
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


def run(server: Server, go: Callable[[str, Upstreams], Awaitable[None]], tls: ssl.SSLContext | None = None) -> None:
    async def serve() -> None:
        listening = await asyncio.start_server(server, "127.0.0.1", 0, ssl=tls)
        upstreams = Upstreams(SocketGuard(False))
        try:
            await go(
                f"http{'s' if tls else ''}://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1/x?a=%20b", upstreams
            )
        finally:
            upstreams.close()
            listening.close()

    asyncio.run(serve())


async def asked(
    upstreams: Upstreams, address: str, method: str = "POST", body: bytes = b"{}", limit: Limit = LIMIT
) -> tuple[int, bytes]:
    answer = await upstreams.send(method, address, [("x-a", "é")], body, limit, lambda: None)
    try:
        return answer.status, await whole(answer)
    finally:
        upstreams.give_back(address, answer)


async def whole(answer: UpstreamConnection) -> bytes:
    data = b""
    while piece := await answer.read():
        data += piece
    return data


def test_a_connection_serves_one_call_after_another_and_the_request_is_as_it_was_given() -> None:
    server = Server(OK, OK)

    async def go(address: str, upstreams: Upstreams) -> None:
        assert await asked(upstreams, address) == (200, b"ok")
        assert await asked(upstreams, address, "GET", b"") == (200, b"ok")
        host = address.split("/")[2].encode()
        assert server.asked == [
            b"POST /v1/x?a=%20b HTTP/1.1\r\nhost: " + host + b"\r\nx-a: \xc3\xa9\r\ncontent-length: 2\r\n\r\n{}",
            b"GET /v1/x?a=%20b HTTP/1.1\r\nhost: " + host + b"\r\nx-a: \xc3\xa9\r\n\r\n",
        ]

    run(server, go)
    assert server.connections == 1


@pytest.mark.parametrize(
    ("answer", "method", "body"),
    [
        (OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", "POST", b"ok"),
        (OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), "POST", b"ok"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "POST", b"ok"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "HEAD", b""),
    ],
    ids=["more than was asked for", "said to be closed", "an old server", "a length without a body"],
)
def test_what_may_hold_something_of_another_call_is_not_used_again(answer: bytes, method: str, body: bytes) -> None:
    server = Server(answer, OK)

    async def go(address: str, upstreams: Upstreams) -> None:
        assert await asked(upstreams, address, method) == (200, body)
        assert await asked(upstreams, address) == (200, b"ok")

    run(server, go)
    assert server.connections == 2


def test_what_is_said_on_the_way_is_no_answer() -> None:
    async def go(address: str, upstreams: Upstreams) -> None:
        assert await asked(upstreams, address) == (200, b"ok")
        assert await asked(upstreams, address) == (204, b"")

    said = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    run(Server(b"HTTP/1.1 100 Continue\r\n\r\n" + said + OK, said + b"HTTP/1.1 204 No Content\r\n\r\n"), go)


def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    async def go(address: str, upstreams: Upstreams) -> None:
        assert await asked(upstreams, address) == (200, b"all of it")

    run(Server(b"HTTP/1.1 200 OK\r\n\r\nall of it", then_closes=True), go)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok", Broken),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", Broken),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n", Broken),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", Unreadable),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\nContent-Length: 2\r\n\r\nok", Unreadable),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 60_000 + b"Content-Length: 2\r\n\r\nok", Unreadable),
    ],
    ids=["cut off", "cut off between chunks", "no chunk", "two lengths", "a long header", "a long head"],
)
def test_an_answer_that_is_none_never_looks_whole(answer: bytes, error: type[Exception]) -> None:
    async def go(address: str, upstreams: Upstreams) -> None:
        with pytest.raises(error):
            await asked(upstreams, address)

    run(Server(answer, then_closes=True), go)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_only_what_is_safe_to_do_twice_is_asked_again_when_an_idle_connection_had_been_closed(method: str) -> None:
    server = Server(OK, None, OK)

    async def go(address: str, upstreams: Upstreams) -> None:
        await asked(upstreams, address)
        if method == "GET":
            assert await asked(upstreams, address, method, b"") == (200, b"ok")
        else:
            with pytest.raises(Broken):
                await asked(upstreams, address, method)

    run(server, go)
    assert len(server.asked) == (3 if method == "GET" else 2)


def test_each_step_has_a_time_of_its_own() -> None:
    async def go(address: str, upstreams: Upstreams) -> None:
        with pytest.raises(Silent):
            await asked(upstreams, address, limit=Limit(5, 0.05, 20))
        with pytest.raises(OverTime):
            await asked(upstreams, address, limit=Limit(5, 20, 0.05))

    run(Server(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n"), go)


def test_what_cannot_be_sent_or_reached_says_so() -> None:
    async def go(address: str, upstreams: Upstreams) -> None:
        with pytest.raises(Unsendable):
            await upstreams.send("POST", address, [("x", "a\r\nevil: 1")], b"", LIMIT, lambda: None)
        with pytest.raises(Unreachable):
            await asked(upstreams, "http://127.0.0.1:1/")
        with pytest.raises(Unreachable):
            await asked(upstreams, "http://169.254.169.254/")

    server = Server()
    run(server, go)
    assert server.asked == []


def test_an_upstream_is_called_over_tls_that_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = self_signed(tmp_path)
    long = b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000
    server = Server(OK, long, OK)

    async def go(address: str, upstreams: Upstreams) -> None:
        assert await asked(upstreams, address) == (200, b"ok")
        assert await asked(upstreams, address, body=b"y" * 500_000) == (200, b"x" * 3_000_000)
        assert await asked(upstreams, address) == (200, b"ok")
        assert server.connections == 1
        with pytest.raises(Unreachable):
            await asked(upstreams, address.replace("127.0.0.1", "localhost"))
        assert len(server.asked) == 3

    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    run(server, go, served_with(certificate))


def test_nothing_is_sent_to_an_upstream_whose_certificate_is_not_trusted(tmp_path: Path) -> None:
    server = Server(OK)

    async def go(address: str, upstreams: Upstreams) -> None:
        with pytest.raises(Unreachable):
            await asked(upstreams, address)

    run(server, go, served_with(self_signed(tmp_path)))
    assert not server.asked
