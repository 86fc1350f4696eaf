"""A model server of raw bytes, so that it can misbehave in every way; and asking it for its models."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from modeltraces.gateway.probe import Probe, probe

KEY = "sk-proj-Zq81hTz7Wm5XbN2Lc9Rv"
MODELS = {"object": "list", "data": [{"id": "gpt-4o"}, {"id": "gpt-4o-mini"}]}
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
