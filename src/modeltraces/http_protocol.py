"""uvicorn's HTTP protocol with what it does not bound: the size of a request's head, and the time that it may take.

Without it a sender needs no key to fill the memory with one endless header, or all file descriptors with connections
that never ask for anything.
"""

from asyncio import BaseTransport, TimerHandle
from collections.abc import Callable
from typing import Any, Final, cast

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from modeltraces.gateway.asked import shape_of
from modeltraces.gateway.errors import error_body
from modeltraces.http_answer import AnswerOfOld, JoinedWrites
from modeltraces.seldom import Seldom

log = structlog.get_logger(__name__)

MAX_HEAD_BYTES: Final = 64 << 10
"""Bytes of a request line and its headers; a filter and a cursor in an address take a few KB."""
HEAD_SECONDS: Final = 30.0
ABORT: Final = "modeltraces.abort"
"""ASGI extension: a function that ends the connection at once, without waiting for what was written to be taken."""
LEFT: Final = "modeltraces.left"
"""ASGI extension: `tell` takes a function that is called when the connection is gone; None: nobody asks any more. A task that waits
for `http.disconnect` beside each call costs twenty times as much."""

_HTTP2: Final = b"PRI * HTTP/2.0"
"""What a client of HTTP/2 says first; here that is one of gRPC."""
_HINTS: Final = Seldom(3600)

_TOO_LARGE: Final = "The request line and headers are larger than 64 KB. Send a shorter address or fewer headers."
_PROBLEM: Final = (
    b'{"type":"about:blank","title":"Request Header Fields Too Large","status":431,"detail":"%s"}' % _TOO_LARGE.encode()
)


class BoundedHttpProtocol(HttpToolsProtocol):
    grpc_port = 0
    """Where gRPC is taken, for the hint to who comes here with it; 0: nowhere."""

    _head_bytes = 0
    _most_head_bytes = 0
    """That the head under way can have: without its pieces counted one by one."""
    _unsure_bytes = 0
    """Of the piece in which it began, behind a body or another request: how much is its own is not known."""
    _in_head = True
    _is_head_begun = False
    _heads = 0
    _head_timer: TimerHandle | None = None
    _left: Callable[[], None] | None = None
    _is_lost = False

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(cast(Any, transport))
        self._extensions: dict[str, dict[object, object]] = {
            ABORT: {"now": self._abort},
            LEFT: {"tell": self.tell_left},
        }
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)
        self._is_lost = True
        if self._left is not None:
            self._left()

    def _abort(self) -> None:
        self.transport.abort()
        if self.cycle is not None:
            # Known a turn of the loop later, when uvicorn has complained of an answer without an end.
            self.cycle.disconnected = True

    def tell_left(self, left: Callable[[], None] | None) -> None:
        self._left = left
        if left is not None and self._is_lost:
            left()

    def data_received(self, data: bytes) -> None:
        if self._heads == 0 and self._head_bytes == 0 and data.startswith(_HTTP2):
            self._lead_to_grpc()
            return
        in_head, heads = self._in_head, self._heads
        self._most_head_bytes = self._unsure_bytes + self._head_bytes + len(data)
        super().data_received(data)
        # Most heads come whole: a timer for each would be started for nothing.
        if self._is_head_begun and self._head_timer is None and not self.transport.is_closing():
            self._start_timer()
        if not in_head or self._heads != heads or self.transport.is_closing():
            # It may hold the begin of the next head, behind a body or another request.
            self._unsure_bytes = len(data) if self._is_head_begun else 0
            return
        # Counted after the parser has seen it: a head that ends in this piece is judged in `on_headers_complete`.
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = self._extensions
        self._is_head_begun = True

    def on_headers_complete(self) -> None:
        self._in_head = self._is_head_begun = False
        self._heads += 1
        self._head_bytes = self._unsure_bytes = 0
        self._stop_timer()
        if self._most_head_bytes > MAX_HEAD_BYTES and self._is_too_large():
            self._refuse()
            return
        super().on_headers_complete()
        cycle = self.cycle
        cycle.transport = JoinedWrites(self.transport, self.loop)
        if self.scope["http_version"] == "1.0":
            cycle.send = AnswerOfOld(cycle).send  # type: ignore[method-assign, assignment]

    def on_message_complete(self) -> None:
        if not self.transport.is_closing():
            super().on_message_complete()
        self._in_head = True

    def on_body(self, body: bytes) -> None:
        if not self.transport.is_closing():
            super().on_body(body)

    def _is_too_large(self) -> bool:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MAX_HEAD_BYTES

    def _lead_to_grpc(self) -> None:
        if _HINTS.due("grpc") is not None:
            where = f"send it to port {self.grpc_port}" if self.grpc_port else "it is turned off"
            log.warning(f"a client speaks gRPC to the port of HTTP: {where}, or send http/protobuf here")
        self.transport.close()

    def _refuse(self) -> None:
        # As far as it came: whoever calls a model reads errors with a provider's library.
        path: bytes = getattr(self, "url", b"").partition(b"?")[0]
        shape = shape_of("POST", path.decode("latin-1"))
        kind, body = (b"json", error_body(shape, 431, _TOO_LARGE)) if shape else (b"problem+json", _PROBLEM)
        self.transport.write(
            b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/%s\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n%s" % (kind, len(body), body)
        )
        self.transport.close()

    def _start_timer(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._too_late)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_late(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.close()
