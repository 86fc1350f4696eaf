"""Against a server of raw bytes, so that it can misbehave in every way."""

import asyncio
import gzip
import json
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from modeltraces.catalog.errors import Invalid
from modeltraces.gateway import probe as probing
from modeltraces.gateway.probe import Probe, probe

KEY = "sk-proj-Zq81hTz7Wm5XbN2Lc9Rv"
Answer = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


class Fake:
    """A server that answers every request with one answer, and keeps what it was sent."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[str] = []
        self.base_url = ""
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "Fake":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.base_url = f"http://127.0.0.1:{port}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.requests.append(request)
            await self.answer(request, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    @property
    def line(self) -> str:
        return self.requests[0].partition("\r\n")[0]

    @property
    def headers(self) -> dict[str, str]:
        lines = self.requests[0].split("\r\n")[1:]
        return {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines) if name}


def http(status: int, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answering(status: int, body: Any, *headers: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def answer(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(http(status, content, *headers))

    return answer


def sending(*parts: bytes, pause: float = 0) -> Answer:
    async def answer(_: str, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)

    return answer


def run(answer: Answer, protocol: str = "openai", credential: str = KEY, path: str | None = None) -> tuple[Probe, Fake]:
    async def go() -> tuple[Probe, Fake]:
        async with Fake(answer) as fake:
            base_url = fake.base_url if path is None else fake.base_url.removesuffix("/v1") + path
            return await probe(protocol, base_url, credential), fake

    found, fake = asyncio.run(go())
    assert "\n" not in found.says
    assert KEY not in repr(found)
    return found, fake


MODELS = {"object": "list", "data": [{"id": "gpt-4o"}, {"id": "gpt-4o-mini"}]}


def test_a_connection_that_works_says_how_many_models_there_are() -> None:
    found, fake = run(answering(200, MODELS))
    assert (found.ok, found.says, found.status) == (True, "It works: 2 models.", 200)
    assert found.models == ("gpt-4o", "gpt-4o-mini")
    assert found.elapsed_ms > 0
    assert len(fake.requests) == 1


@pytest.mark.parametrize(
    ("protocol", "path", "line", "header"),
    [
        ("openai", "/v1", "GET /v1/models HTTP/1.1", ("authorization", f"Bearer {KEY}")),
        ("anthropic", "", "GET /v1/models HTTP/1.1", ("x-api-key", KEY)),
        ("anthropic", "/v1", "GET /v1/models HTTP/1.1", ("x-api-key", KEY)),
        ("azure_openai", "", "GET /openai/models?api-version=2024-10-21 HTTP/1.1", ("api-key", KEY)),
        ("azure_openai", "/openai", "GET /openai/models?api-version=2024-10-21 HTTP/1.1", ("api-key", KEY)),
        ("azure_openai", "/openai/v1", "GET /openai/models?api-version=2024-10-21 HTTP/1.1", ("api-key", KEY)),
        ("ollama", "", "GET /api/tags HTTP/1.1", ("authorization", f"Bearer {KEY}")),
    ],
)
def test_each_protocol_is_asked_in_its_own_words(protocol: str, path: str, line: str, header: tuple[str, str]) -> None:
    found, fake = run(answering(200, MODELS), protocol, path=path)
    assert found.ok
    assert fake.line == line
    assert fake.headers[header[0]] == header[1]
    assert KEY not in fake.line


@pytest.mark.parametrize("protocol", ["openai", "anthropic", "azure_openai", "ollama"])
def test_without_a_credential_none_is_sent(protocol: str) -> None:
    found, fake = run(answering(200, MODELS), protocol, "")
    assert found.ok
    assert not {"authorization", "x-api-key", "api-key"} & set(fake.headers)


@pytest.mark.parametrize(
    ("body", "models"),
    [
        ({"models": [{"name": "llama3:8b", "model": "llama3:8b"}]}, ("llama3:8b",)),
        ({"data": []}, ()),
        ({"data": [{"id": 5}, "x", None, {"id": ""}, {"name": "n"}, {"id": "ok"}]}, ("n", "ok")),
        ({"data": [{"id": "a\u001b[31mb"}, {"id": "ok"}]}, ("ok",)),
        ({"data": [{"id": "x" * 10_000}, {"id": "ok"}]}, ("ok",)),
        ({"data": [{"id": f"wrong {KEY}"}, {"id": "ok"}]}, ("ok",)),
    ],
)
def test_the_models_are_read_as_far_as_they_make_sense(body: Any, models: tuple[str, ...]) -> None:
    found, _ = run(answering(200, body))
    assert (found.ok, found.models) == (True, models)
    assert found.says == f"It works: {len(models)} model{'' if len(models) == 1 else 's'}."


def test_a_long_answer_in_many_pieces_is_read_to_its_end() -> None:
    body = json.dumps(
        {"data": [{"id": f"model-{number}", "description": "x" * 500} for number in range(4000)]}
    ).encode()
    content = http(200, body)
    pieces = [content[start : start + 50_000] for start in range(0, len(content), 50_000)]
    found, _ = run(sending(*pieces, pause=0.002))
    assert found.ok, found.says
    assert found.models[:2] == ("model-0", "model-1")
    assert found.says == "It works: 4000 models."


def test_a_compressed_answer_is_read() -> None:
    found, _ = run(answering(200, gzip.compress(json.dumps(MODELS).encode()), "Content-Encoding: gzip"))
    assert found.says == "It works: 2 models."


def test_an_answer_without_end_is_read_no_further_than_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "_MOST_BYTES", 1 << 16)

    async def endless(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        for _piece in range(10_000):
            writer.write(b"[" * 4096)
            await writer.drain()

    found, _ = run(endless)
    assert (found.ok, found.says) == (
        False,
        "Its answer is longer than any list of models. Is the path of the address right?",
    )


def test_a_compressed_answer_that_swells_is_read_no_further_than_needed() -> None:
    found, _ = run(answering(200, gzip.compress(b" " * (64 << 20)), "Content-Encoding: gzip"))
    assert not found.ok


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_says_to_enter_the_right_credential_and_what_the_server_says(status: int) -> None:
    found, _ = run(answering(status, {"error": {"message": "Incorrect API key\n provided.", "type": "x"}}))
    assert (found.ok, found.status) == (False, status)
    assert found.says == (
        f"HTTP {status}. It refused the credential. Enter the right one. It says: Incorrect API key provided."
    )


@pytest.mark.parametrize(
    "said",
    [
        KEY,
        f"Incorrect API key provided: {KEY}. Find yours elsewhere.",
        f"Bearer {KEY}",
        f"{'x' * 290} {KEY}",
        " ".join([KEY] * 30),
        KEY.upper(),
        KEY[:8] + "\n" + KEY[8:],
        f"{KEY[:-4]}****",
        f"…{KEY[6:]}",
    ],
)
def test_a_server_that_repeats_the_credential_does_not_make_it_shown(said: str) -> None:
    found, _ = run(answering(401, {"error": {"message": said}}))
    assert found.says.startswith("HTTP 401. It refused the credential. Enter the right one.")
    squeezed = found.says.lower().replace(" ", "")
    for start in range(len(KEY) - 9):
        assert KEY[start : start + 10].lower() not in squeezed


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"error": "plain"}, " It says: plain"),
        ({"message": "at the top"}, " It says: at the top"),
        ({"detail": "Not Found"}, " It says: Not Found"),
        ({"error": {"message": 7}}, ""),
        ({"error": None}, ""),
        ([], ""),
        (b"<html>not found</html>", ""),
        (b"\xff\xfe\x00", ""),
        (b"", ""),
        ({"error": {"message": "a\x1b[31mred\x00\u202e"}}, " It says: a[31mred"),
        ({"error": {"message": "x" * 5000}}, " It says: " + "x" * 300),
    ],
)
def test_a_wrong_path_says_so_with_what_the_server_says_where_that_is_text(body: Any, says: str) -> None:
    found, _ = run(answering(404, body))
    assert found.says == f"HTTP 404. It has no list of models there. Is the path of the address right?{says}"


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (204, "HTTP 204. It answered, but not with a list of models."),
        (429, "HTTP 429. It is over its rate limit; the connection itself works."),
        (500, "HTTP 500. It answered with an error."),
        (503, "HTTP 503. It answered with an error."),
        (418, "HTTP 418. It answered with an error."),
    ],
)
def test_other_statuses_are_told_apart(status: int, says: str) -> None:
    found, _ = run(answering(status, b""))
    assert (found.ok, found.status) == (False, status)
    assert found.says.startswith(says)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_as_it_could_lead_the_credential_elsewhere(status: int) -> None:
    async def go() -> None:
        async with (
            Fake(answering(200, MODELS)) as elsewhere,
            Fake(answering(status, b"", f"Location: {elsewhere.base_url}/models")) as fake,
        ):
            found = await probe("openai", fake.base_url, KEY)
            assert found.says == f"HTTP {status}. It answered with a redirect; enter the address that it leads to."
            assert elsewhere.requests == []

    asyncio.run(go())


@pytest.mark.parametrize(
    "body",
    [
        b"<html>hello</html>",
        b"",
        b"[]",
        b"null",
        b"5",
        b'{"data": 5}',
        b'{"data": null}',
        b'{"data": [',
        b"[" * 100_000,
    ],
)
def test_an_answer_that_is_no_list_of_models_is_no_success(body: bytes) -> None:
    found, _ = run(answering(200, body))
    assert (found.ok, found.status) == (False, 200)
    assert found.says == "It answered, but not with a list of models. Is the path of the address right?"


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


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "models.example")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    signed = builder.not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1)).sign(key, SHA256())
    (folder / "certificate.pem").write_bytes(signed.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context


def test_a_certificate_that_is_not_trusted_is_named_and_the_credential_is_not_sent(tmp_path: Path) -> None:
    sent: list[bytes] = []

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent.append(await reader.read())
        writer.close()

    async def go() -> Probe:
        async with await asyncio.start_server(keep, "127.0.0.1", 0, ssl=self_signed(tmp_path)) as server:
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
    monkeypatch.setattr(probing, "leads_to_metadata", "127.0.0.1".__eq__)

    async def go() -> None:
        async with Fake(answering(200, MODELS)) as fake:
            with pytest.raises(Invalid, match="metadata services"):
                await probe("openai", fake.base_url, KEY)
            assert fake.requests == []
            assert (await probe("openai", fake.base_url, KEY, allow_link_local=True)).ok

    asyncio.run(go())
