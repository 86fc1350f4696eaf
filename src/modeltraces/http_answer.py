"""How an answer is written, where uvicorn's way costs a round of the network or breaks a caller of HTTP/1.0."""

import asyncio
from typing import Final

from starlette.types import Message
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

_LARGEST_JOINED: Final = 16 << 10
"""Bytes of a first piece that waits for the second: more would be copied for longer than the network takes."""


class JoinedWrites(asyncio.Transport):
    """A connection for the time of one answer: its head goes out together with the body's first piece where that is there
    at once, and otherwise in the loop's next turn. Two writes wake whoever reads twice."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._held = b""
        self._has_begun = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._held:
            data, self._held = self._held + data, b""
        elif not self._has_begun and len(data) <= _LARGEST_JOINED:
            self._has_begun = True
            self._held = bytes(data)
            self._loop.call_soon(self._send_held)
            return
        self._transport.write(data)

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        self._send_held()
        self._transport.close()

    def _send_held(self) -> None:
        data, self._held = self._held, b""
        if data and not self._transport.is_closing():
            self._transport.write(data)


class AnswerOfOld:
    """`send` of an answer in HTTP/1.0, which knows no chunks: the end of the connection is the end of the body."""

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._is_endless = False

    async def send(self, message: Message) -> None:
        cycle = self._cycle
        if message["type"] == "http.response.start":
            names = {name.lower() for name, _ in message.get("headers", ())}
            self._is_endless = b"content-length" not in names
            if self._is_endless:
                # Neither counted nor in chunks.
                cycle.chunked_encoding = False
        elif self._is_endless:
            cycle.expected_content_length = len(message.get("body", b""))
        await RequestResponseCycle.send(cycle, message)  # type: ignore[arg-type]
