"""One connection to an upstream: a request out, its answer in as it comes. One exchange at a time, any number one after another.

The client of `aiohttp` was a third of what a call costs here; what it does beside this (cookies, redirects, decoding, forms) the
gateway must not do.
"""

import asyncio
from collections.abc import Sequence
from typing import Final, cast

import httptools

from modeltraces.gateway.upstream_errors import Broken, OverTime, Silent, Unreadable

_HEADER_BYTES: Final = 64 << 10
"""Of one header of an answer; some have policies and cookies of tens of kilobytes."""
_HEAD_BYTES: Final = 256 << 10
_JOINED_BYTES: Final = 64 << 10
"""Of a body that is copied behind its head: two writes wake the other side twice."""
_AHEAD_BYTES: Final = 256 << 10
"""Of an answer that nobody has taken yet; then the upstream is held back."""

Headers = Sequence[tuple[bytes, bytes]]


class UpstreamConnection(asyncio.Protocol):
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._parser = httptools.HttpResponseParser(self)
        # As clients are with servers: what cannot be passed on is left out by itself.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )
        self._transport: asyncio.Transport
        self._waiting: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_lost = False
        self._is_under_way = False
        self.idle_since = 0.0
        """Of the loop's clock."""

    def send(self, head: bytes, body: bytes, *, has_body: bool, silent_seconds: float, ends_at: float) -> None:
        """`has_body`: whether the answer may have one, by its request's method. `silent_seconds`: that it may be silent.
        `ends_at`: when its time is over, of the loop's clock."""
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._has_body = has_body
        self._pieces: list[bytes] = []
        self._size = 0
        self._head_bytes = self._headers_bytes = 0
        self._has_head = self._is_complete = self._is_held_back = False
        self._ends_with_connection = False
        self._may_be_used_again = True
        self._error: Exception | None = None
        self._is_under_way = True
        self._silent_seconds, self._ends_at = silent_seconds, ends_at
        self._heard_at = self._loop.time()
        self._see_to_timer()
        if self._is_lost:
            self._fail(Broken())
        elif len(body) <= _JOINED_BYTES:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)

    async def head(self) -> None:
        """Until `status` and `headers` are there. Raises what an upstream's trouble is."""
        while not self._has_head:
            if self._error is not None:
                raise self._error
            await self._wait()

    async def read(self) -> bytes:
        """What came of the body; b"" at its end. Raises what an upstream's trouble is."""
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self._is_complete:
                return b""
            await self._wait()
        if isinstance(self._error, OverTime):
            raise self._error
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        if self._is_held_back:
            self._is_held_back = False
            self._heard_at = self._loop.time()
            self._transport.resume_reading()
            self._see_to_timer()
        return data

    def may_be_silent(self, seconds: float) -> None:
        """From here on."""
        if seconds != self._silent_seconds:
            self._silent_seconds, self._heard_at = seconds, self._loop.time()
            self._see_to_timer()

    @property
    def has_said_nothing(self) -> bool:
        """Whether it was lost before a first byte of this answer."""
        return not self._head_bytes and isinstance(self._error, Broken)

    @property
    def is_reusable(self) -> bool:
        return not (self._is_under_way or self._is_lost or self._transport.is_closing())

    def end(self) -> None:
        """The exchange is over for whoever asked. What cannot bear another is closed: its upstream learns of it at once."""
        whole = self._is_complete and self._may_be_used_again and not self._pieces and self._error is None
        if whole and not self._is_lost and not self._transport.get_write_buffer_size():
            self._is_under_way = False
            self.idle_since = self._loop.time()
        else:
            self.close()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._transport.abort()

    # What the loop says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if not self._is_under_way or self._is_complete:
            # More than was asked for: whose answer the next would be is not known.
            self._may_be_used_again = False
            self._is_lost = True
            self._transport.abort()
            return
        self._heard_at = self._loop.time()
        if not self._has_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._is_complete, self._may_be_used_again = True, False
        except httptools.HttpParserError:
            self._fail(Broken() if self._has_head else Unreadable())
            return
        if not self._has_head and self._head_bytes > _HEAD_BYTES:
            self._fail(Unreadable())
        self._wake()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True
        # They hold each other, and cycles are looked for seldom.
        del self._parser
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._is_under_way or self._is_complete:
            return
        if self._has_head and self._ends_with_connection and exc is None:
            self._is_complete, self._may_be_used_again = True, False
            self._wake()
        else:
            self._fail(Broken())

    # What the parser says.

    def on_message_begin(self) -> None:
        if self._has_head:
            self._may_be_used_again = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._has_head:
            return
        self.headers.append((name, value))
        size = len(name) + len(value) + 4
        self._headers_bytes += size
        # The loop may bring more than a head at once.
        if size > _HEADER_BYTES or self._headers_bytes > _HEAD_BYTES:
            self._fail(Unreadable())

    def on_headers_complete(self) -> None:
        if self._has_head or self._error is not None:
            return
        status = self._parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            # Said on the way: the answer follows.
            self.headers.clear()
            return
        self.status, self._has_head = status, True
        names = {name.lower(): value for name, value in self.headers}
        coded = names.get(b"transfer-encoding", b"").lower()
        self._ends_with_connection = not coded.endswith(b"chunked") and (bool(coded) or b"content-length" not in names)
        if not self._has_body:
            # The parser waits for the body that the head tells of.
            self._is_complete, self._may_be_used_again = True, False
        elif not self._parser.should_keep_alive():
            self._may_be_used_again = False

    def on_body(self, body: bytes) -> None:
        if self._is_complete or not self._has_head:
            return
        self._pieces.append(body)
        self._size += len(body)
        if self._size > _AHEAD_BYTES and not self._is_held_back:
            self._is_held_back = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self._has_head:
            self._is_complete = True

    # Its own.

    async def _wait(self) -> None:
        self._waiting = self._loop.create_future()
        try:
            await self._waiting
        finally:
            self._waiting = None

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _fail(self, error: Exception) -> None:
        if self._error is None and not self._is_complete:
            self._error = error
            self._transport.abort()
        self._wake()

    def _due(self) -> float:
        # Reading stands still while the caller takes nothing: that is not the upstream's silence.
        return self._ends_at if self._is_held_back else min(self._ends_at, self._heard_at + self._silent_seconds)

    def _see_to_timer(self) -> None:
        """One that fires too early looks again: that is seldom, and each call would need two of its own."""
        due = self._due()
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._look)

    def _look(self) -> None:
        self._timer = None
        if not self._is_under_way or self._is_complete:
            return
        now = self._loop.time()
        if self._transport.get_write_buffer_size():
            # It cannot answer what it has not got yet.
            self._heard_at = now
        if now >= self._ends_at:
            self._fail(OverTime())
        elif now >= self._due():
            self._fail(Silent())
        else:
            self._see_to_timer()
