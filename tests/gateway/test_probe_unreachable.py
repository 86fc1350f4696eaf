"""What a connection's test says of a server that breaks off, is not there, or must not be called."""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modeltraces.catalog.errors import Invalid
from modeltraces.gateway import probe as probing
from modeltraces.gateway import sockets
from modeltraces.gateway.probe import Probe, probe
from modeltraces.gateway.timeouts import Timeouts
from modeltraces.gateway.upstream_errors import Unreachable
from modeltraces.gateway.upstreams import Limit, Upstreams
from tests.gateway.fake import KEY, MODELS, Fake, answering, http, run, sending
from tests.support.certificates import self_signed, served_with


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\x15\x03\x01\x00\x02\x02\x16",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
    ],
)
def test_garbage_is_a_failure_in_words(garbage: bytes) -> None:
    found, _ = run(sending(garbage))
    assert not found.ok
    assert found.says.endswith("Is the address right?")


@pytest.mark.parametrize(
    "parts",
    [(), (b"HTTP/1.1 200 OK\r\n",), (b"HTTP/1.1 200 OK\r\n\r\n", b"{", b" ", b" ", b" ", b" ", b" ", b" ", b" ", b" ")],
)
def test_a_server_that_is_slow_at_any_point_is_not_waited_for(
    parts: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "_TIMEOUT_SECONDS", 0.4)

    async def dawdle(_: str, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.1)
        await asyncio.sleep(1)

    found, _ = run(dawdle)
    assert (found.ok, found.status) == (False, None)
    assert found.says.startswith("No answer within 0.4 seconds. Is the address right, and reachable from here?")


def test_a_name_that_takes_long_to_look_up_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "_TIMEOUT_SECONDS", 0.2)

    def slow(*_: object, **__: object) -> list[Any]:
        time.sleep(1)
        return []

    async def go() -> tuple[Probe, float]:
        began = time.perf_counter()
        return await probe("openai", "http://slow.example/v1", KEY), time.perf_counter() - began

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    found, took = asyncio.run(go())
    assert found.says.startswith("No answer within 0.2 seconds.")
    assert took < 0.9


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_closed_port_says_that_nothing_listens(host: str) -> None:
    found = asyncio.run(probe("openai", f"http://{host}:{closed_port()}/v1", KEY))
    assert (found.ok, found.status) == (False, None)
    assert found.says == "No connection: connection refused. Is the address right, and reachable from here?"


def test_a_name_that_leads_nowhere_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    found = asyncio.run(probe("openai", "http://nowhere.invalid/v1", KEY))
    assert found.says == "No connection: name or service not known. Is the address right, and reachable from here?"


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..b", "-", "xn--", "[::1%nowhere]", "127.0.0.1:0"])
def test_an_address_that_no_client_takes_is_a_failure_in_words(host: str) -> None:
    found = asyncio.run(probe("openai", f"http://{host}/v1", KEY))
    assert not found.ok
    assert "Is the address right" in found.says


def test_a_call_to_what_has_no_trusted_certificate_says_why(tmp_path: Path) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def go() -> tuple[int, str]:
        tls = served_with(self_signed(tmp_path))
        async with await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=tls) as server:
            address = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
            with pytest.raises(Unreachable) as caught:
                await Upstreams(sockets.SocketGuard(False)).send("GET", address, [], b"", Limit(5, 5, 5), lambda: None)
            return Timeouts(5, 5, 5, 5).explained(caught.value, has_begun=False)

    assert asyncio.run(go()) == (502, "The upstream cannot be reached: no secure connection, self-signed certificate.")


def test_callers_are_not_told_the_address_that_a_certificate_is_not_for() -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "Hostname mismatch, certificate is not valid for 'inner.example'."
    assert sockets.reason_of(error) == "no secure connection, hostname mismatch"


def test_a_certificate_that_is_not_trusted_is_named_and_the_credential_is_not_sent(tmp_path: Path) -> None:
    sent: list[bytes] = []

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent.append(await reader.read())
        writer.close()

    async def go() -> Probe:
        async with await asyncio.start_server(keep, "127.0.0.1", 0, ssl=served_with(self_signed(tmp_path))) as server:
            return await probe("openai", f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", KEY)

    found = asyncio.run(go())
    assert found.says == "No secure connection: self-signed certificate. Give it a certificate that is trusted here."
    assert KEY not in repr(sent)


def test_https_to_a_server_that_speaks_http_says_so() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(http(400, b"plain text, please"))
        writer.close()

    async def go() -> Probe:
        async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
            return await probe("openai", f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", KEY)

    found = asyncio.run(go())
    assert found.says == "No secure connection: it does not speak TLS there. Is the address right, and is it https?"


@pytest.mark.parametrize(
    "base_url", ["http://169.254.169.254/v1", "http://0xa9fea9fe/v1", "http://[::ffff:a9fe:a9fe]/v1"]
)
def test_a_metadata_service_is_never_called(base_url: str) -> None:
    with pytest.raises(Invalid, match="metadata services"):
        asyncio.run(probe("openai", base_url, KEY))


def resolving(*rounds: str) -> Callable[..., list[Any]]:
    """Answers to one look-up after another; the last one for good."""
    left = list(rounds)

    def answer(_host: str, port: object, *_: object, **__: object) -> list[Any]:
        address = left.pop(0) if len(left) > 1 else left[0]
        number = int(port) if isinstance(port, int | str) and port else 0
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, number))]

    return answer


def test_a_name_that_leads_to_a_metadata_service_is_never_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolving("169.254.169.254"))
    with pytest.raises(Invalid, match="metadata services"):
        asyncio.run(probe("openai", "http://innocent.example/v1", KEY))


def test_a_name_that_leads_to_a_metadata_service_only_when_it_is_called_is_not_called_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probing, "_TIMEOUT_SECONDS", 3)
    monkeypatch.setattr(socket, "getaddrinfo", resolving("127.0.0.1", "169.254.169.254"))
    with pytest.raises(Invalid, match="metadata services"):
        asyncio.run(probe("openai", "http://changing.example/v1", KEY))


def test_link_local_addresses_are_called_where_the_server_allows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # No test calls a link-local address; this one takes loopback for one.
    monkeypatch.setattr(sockets, "leads_to_metadata", "127.0.0.1".__eq__)

    async def go() -> None:
        async with Fake(answering(200, MODELS)) as fake:
            with pytest.raises(Invalid, match="metadata services"):
                await probe("openai", fake.base_url, KEY)
            assert fake.requests == []
            assert (await probe("openai", fake.base_url, KEY, allow_link_local=True)).ok

    asyncio.run(go())
