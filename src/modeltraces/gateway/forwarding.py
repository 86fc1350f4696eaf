"""One call on its way: sent on, and its answer passed back piece by piece while it is read for the record."""

import asyncio
import re
import zlib
from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp
import orjson
from starlette.types import Scope, Send
from yarl import URL

from modeltraces.gateway import headers as passing
from modeltraces.gateway.calls import Call, address_of_call
from modeltraces.gateway.errors import Refused
from modeltraces.gateway.exchange import Exchange
from modeltraces.gateway.reading.outcome import Outcome, StreamReader, member
from modeltraces.gateway.recorder import Recorder
from modeltraces.gateway.sse import Splitter, data_of
from modeltraces.gateway.targets import Target
from modeltraces.http_protocol import ABORT

_RECORDED_BYTES: Final = 64 << 20
"""Of one answer's body that are kept to be read; what is longer passes, and is recorded as far as this."""
_USAGE_IS_NULL: Final = re.compile(rb',\s*"usage"\s*:\s*null|"usage"\s*:\s*null\s*,')


class Forwarding:
    """One call on its way: the answer's head, its pieces, its end."""

    """`exchange` and `call` are None for what is passed through unrecorded. `strips_usage`: the caller did not ask for the
    usage that the upstream was asked for."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        recorder: Recorder,
        exchange: Exchange | None,
        call: Call | None,
        strips_usage: bool,
        scope: Scope,
        send: Send,
    ) -> None:
        self._session, self._recorder, self._exchange, self._call = session, recorder, exchange, call
        self._strips_usage, self._scope, self._send = strips_usage, scope, send
        self._reader: StreamReader | None = None
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._encoding = ""
        self._is_json = False
        self._has_begun = False

    async def run(self, target: Target, credential: str, method: str, path: str, body: bytes) -> None:
        """Until the answer's last byte is passed. Raises Refused when there is none, whatever broke it when it had begun."""
        query = self._scope["query_string"].decode("latin-1")
        url = URL(address_of_call(target, path, query), encoded=True)
        sent = passing.to_upstream(self._scope["headers"], target.protocol, credential)
        try:
            async with self._session.request(
                method, url, headers=sent, data=body or None, allow_redirects=False
            ) as answer:
                await self._pass(answer)
        except asyncio.CancelledError:
            self._record(client_left=True)
            raise
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            await self._broke(error)

    async def _pass(self, answer: aiohttp.ClientResponse) -> None:
        raw = [(name, value) for name, value in answer.raw_headers]
        exchange = self._exchange
        request_id = exchange.request_id if exchange else passing.value_of(raw, "x-request-id")
        kind = passing.value_of(raw, "content-type").partition(";")[0].strip().lower()
        self._encoding = passing.value_of(raw, "content-encoding").lower()
        is_stream = kind == "text/event-stream" and not self._encoding
        self._is_json = kind == "application/json" or kind.endswith("+json")
        if exchange is not None and self._call is not None:
            exchange.status = answer.status
            exchange.upstream_request_id = passing.value_of(raw, "x-request-id") or passing.value_of(raw, "request-id")
            exchange.is_stream = is_stream
            if is_stream and answer.status < 400:
                self._reader = self._call.stream()
        down = passing.to_caller(raw, request_id)
        length = passing.value_of(raw, "content-length")
        if length and not (is_stream and self._strips_usage):
            down.append((b"content-length", length.encode()))
        await self._send({"type": "http.response.start", "status": answer.status, "headers": down})
        self._has_begun = True
        pieces = answer.content.iter_any()
        # On disk before the caller sees the end: what it has whole is recorded, whatever happens next. Of a JSON body the
        # last piece is held back until then; of a stream, the piece with its last event.
        held = b""
        async for piece in self._events(pieces) if self._reader is not None else self._whole(pieces):
            if self._reader is not None and self._reader.outcome.is_complete:
                self._record()
            elif self._is_json and exchange is not None:
                piece, held = held, piece
            if piece:
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        self._record()
        await self._send({"type": "http.response.body", "body": held, "more_body": False})

    async def _events(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        splitter = Splitter()
        reader, exchange = self._reader, self._exchange
        assert reader is not None
        assert exchange is not None
        async for piece in pieces:
            kept: list[bytes] = []
            for event in splitter.feed(piece):
                name, data = data_of(event)
                if data:
                    reader.event(name, data)
                    if reader.outcome.has_content:
                        exchange.content_came()
                if not self._strips_usage:
                    continue
                if (left := _without_usage(event, data)) is not None:
                    kept.append(left)
            if not self._strips_usage:
                yield piece
            elif kept:
                yield b"".join(kept)
        if splitter.rest:
            name, data = data_of(splitter.rest)
            if data:
                reader.event(name, data)
            if self._strips_usage:
                yield splitter.rest

    async def _whole(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in pieces:
            if self._exchange is not None and self._kept_bytes < _RECORDED_BYTES:
                self._kept.append(piece)
                self._kept_bytes += len(piece)
            yield piece

    def _record(self, *, client_left: bool = False) -> None:
        exchange, call = self._exchange, self._call
        if exchange is None or call is None:
            return
        exchange.has_client_left = client_left
        if exchange.ended_ms is None:
            exchange.ended_ms = exchange.elapsed_ms
        if self._reader is not None:
            outcome = self._reader.end()
            if not outcome.is_complete and not client_left and not outcome.error_message and not exchange.broken:
                exchange.broken = "The upstream ended the stream before its last event."
        elif exchange.status is None:
            outcome = Outcome()
        else:
            outcome = call.whole(exchange.status, self._body())
        # A caller that left after the last event missed nothing.
        exchange.has_client_left = client_left and not (outcome.is_complete and self._reader is not None)
        self._exchange = None
        self._recorder.record(exchange, outcome)

    def _body(self) -> Any:
        data = b"".join(self._kept)
        if self._encoding in ("gzip", "deflate"):
            try:
                data = zlib.decompressobj(47).decompress(data, _RECORDED_BYTES)
            except zlib.error:
                return f"[{len(data)} bytes, {self._encoding}, that cannot be read]"
        elif self._encoding not in ("", "identity"):
            return f"[{len(data)} bytes, {self._encoding}]"
        if self._is_json:
            try:
                return orjson.loads(data)
            except orjson.JSONDecodeError:
                pass
        return data.decode("utf-8", "replace")

    async def _broke(self, error: Exception) -> None:
        status, message = _explained(error)
        if self._exchange is not None:
            self._exchange.broken = message
        if not self._has_begun:
            if self._exchange is not None:
                self._exchange.status = None
            self._record()
            raise Refused(status, message) from error
        self._record()
        # An answer that broke off must not look whole.
        if abort := self._scope.get("extensions", {}).get(ABORT):
            abort["now"]()
            return
        raise error


def _explained(error: Exception) -> tuple[int, str]:
    match error:
        case aiohttp.ConnectionTimeoutError():
            return 504, "The upstream did not take the connection in time."
        case TimeoutError():
            return 504, "The upstream sent nothing for too long."
        case aiohttp.ClientConnectorError():
            reason = error.os_error.strerror or type(error.os_error).__name__
            return 502, f"The upstream cannot be reached: {reason.lower()}."
        case aiohttp.ClientPayloadError() | aiohttp.ServerDisconnectedError() | ConnectionError():
            return 502, "The upstream broke the call off."
    return 502, f"The upstream's answer cannot be passed on ({type(error).__name__})."


def _json(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


def _without_usage(event: bytes, data: bytes) -> bytes | None:
    """The event as it would have been without asking for usage; None for the one that only bears it."""
    if b'"usage"' not in data:
        return event
    chunk = _json(data)
    if member(chunk, "usage") is None:
        return _USAGE_IS_NULL.sub(b"", event, count=1) if isinstance(chunk, dict) and "usage" in chunk else event
    return None if member(chunk, "choices") == [] else event
