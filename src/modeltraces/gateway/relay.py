"""An upstream's answer on its way back: passed piece by piece as it comes, while it is read for the record."""

import asyncio
import re
from collections.abc import Callable
from typing import Final

import structlog
from starlette.types import Scope, Send

from modeltraces.gateway import headers as passing
from modeltraces.gateway.asked import json_of
from modeltraces.gateway.calls import Call
from modeltraces.gateway.connection import UpstreamConnection
from modeltraces.gateway.encodings import READ, Unfolding, Unreadable
from modeltraces.gateway.exchange import Exchange
from modeltraces.gateway.kept import RECORDED_BYTES, Kept
from modeltraces.gateway.reading.outcome import Outcome, StreamReader, member
from modeltraces.gateway.recorder import LARGE_BYTES, Recorder
from modeltraces.gateway.sse import Splitter, data_of
from modeltraces.gateway.timeouts import Timeouts
from modeltraces.http_protocol import ABORT

log = structlog.get_logger(__name__)

_USAGE_IS_NULL: Final = re.compile(rb',\s*"usage"\s*:\s*null|"usage"\s*:\s*null\s*,')


class Relay:
    """The one answer that the caller of a call gets, and its record."""

    def __init__(
        self,
        recorder: Recorder,
        timeouts: Timeouts,
        exchange: Exchange | None,
        call: Call | None,
        scope: Scope,
        send: Send,
    ) -> None:
        """`exchange` and `call` are None for what is passed through unrecorded."""
        self._recorder, self._timeouts, self._exchange, self._call = recorder, timeouts, exchange, call
        self._scope, self._send = scope, send
        self._reader: StreamReader | None = None
        self._splitter = Splitter()
        self._kept = Kept()
        self._stream_bytes = 0
        self._unfolding: Unfolding | None = None
        self._strips_usage = False
        self.has_caller_left = False
        self.has_begun = False
        """Whether anything of it reached the caller."""
        self.has_body = False
        self.has_ended = False
        """Whether its last byte is passed."""

    @property
    def is_whole(self) -> bool:
        """Whether the caller of a stream has its last event: many read no further, and leave."""
        return self._reader is not None and self._reader.outcome.is_complete

    def begin(self) -> None:
        """What of the record can be made while the upstream works on its answer: then nobody waits for it."""
        if self._exchange is not None and self._exchange.request_bytes <= LARGE_BYTES:
            self._recorder.begin(self._exchange)

    async def pass_on(self, answer: UpstreamConnection, strips_usage: bool, beginning: bytes = b"") -> None:
        """Until its last byte. `strips_usage`: the caller did not ask for the usage that the upstream was asked for.

        `beginning`: what has been read of the body.
        """
        self._strips_usage = strips_usage
        told = passing.by_name(answer.headers)
        exchange = self._exchange
        request_id = exchange.request_id if exchange else told.get("x-request-id", "")
        kind = told.get("content-type", "").partition(";")[0].strip().lower()
        self._kept = Kept(kind, told.get("content-encoding", "").strip().lower())
        is_stream = kind == "text/event-stream" and self._kept.encoding in ("", "identity", *READ)
        if exchange is not None and self._call is not None:
            exchange.status = answer.status
            exchange.upstream_request_id = told.get("x-request-id") or told.get("request-id", "")
            exchange.is_stream = is_stream
            if is_stream and answer.status < 400:
                self._reader = self._call.stream()
                if self._kept.encoding in READ:
                    self._unfolding = Unfolding(self._kept.encoding, RECORDED_BYTES)
        down = passing.to_caller(answer.headers, request_id)
        length = told.get("content-length", "")
        if length and not (is_stream and strips_usage):
            down.append((b"content-length", length.encode()))
        if self._unfolding is not None and strips_usage:
            # What is taken out of it cannot be folded again.
            down = [one for one in down if one[0] != b"content-encoding"]
        await self._send({"type": "http.response.start", "status": answer.status, "headers": down})
        self.has_begun = True
        # On disk before the caller sees the end: what it has whole is recorded, whatever happens next. Of a body the last piece
        # is held back until then (its last byte, where pieces are listened to as they come); of a stream, the piece with its
        # last event.
        held = b""
        reader, read = self._reader, answer.read
        came = beginning or await read()
        while came:
            if not self.has_body:
                self.has_body = True
                answer.may_be_silent(self._timeouts.idle)
            if reader is not None:
                piece = self._of_stream(came, reader)
                if reader.outcome.is_complete:
                    await self._record_before_the_end()
            elif exchange is not None:
                self._kept.add(came)
                piece, held = (held, came) if self._kept.is_json else (held + came[:-1], came[-1:])
            else:
                piece = came
            if piece:
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            came = await read()
        if reader is not None:
            held = self._rest_of_stream(reader)
        await self._record_before_the_end()
        # Told first: who watches for the caller's leaving hears of the end the same way.
        self.has_ended = True
        await self._send({"type": "http.response.body", "body": held, "more_body": False})

    def _of_stream(self, came: bytes, reader: StreamReader) -> bytes:
        """What the caller gets of it, after its whole events were read."""
        kept: list[bytes] = []
        for event in self._splitter.feed(came if self._unfolding is None else self._unfolded(came)):
            name, data = data_of(event)
            if data:
                self._stream_bytes += len(data)
                reader.outcome.is_cut = self._stream_bytes > RECORDED_BYTES
                reader.event(name, data)
                if reader.outcome.has_content and self._exchange is not None:
                    self._exchange.content_came()
            if self._strips_usage and (left := _without_usage(event, data)) is not None:
                kept.append(left)
        return b"".join(kept) if self._strips_usage else came

    def _rest_of_stream(self, reader: StreamReader) -> bytes:
        """What the caller has not got yet at its end: an event without its blank line, which waits where usage is taken out."""
        rest = self._splitter.rest
        name, data = data_of(rest)
        if data:
            reader.event(name, data)
        return (_without_usage(rest, data) or b"") if self._strips_usage else b""

    def _unfolded(self, came: bytes) -> bytes:
        assert self._unfolding is not None
        try:
            return self._unfolding.feed(came)
        except Unreadable:
            # It passes; that its last event did not come is what is known of it.
            return b""

    async def _record_before_the_end(self) -> None:
        if self._exchange is None:
            return
        if self._is_large:
            # Reading and writing it takes tens of milliseconds in which nobody else's call would move.
            await asyncio.shield(asyncio.wrap_future(self._recorder.later(self._taken(client_left=False))))
        else:
            self.record()

    @property
    def _is_large(self) -> bool:
        asked = 0 if self._exchange is None else self._exchange.request_bytes
        return asked + self._kept.size + self._stream_bytes > LARGE_BYTES

    def record(self, *, client_left: bool = False) -> None:
        """The run as far as it is known by now; once. What is large is recorded by and by."""
        if self._exchange is not None and self._is_large:
            self._recorder.later(self._taken(client_left=client_left))
        else:
            self._taken(client_left=client_left)()

    def _taken(self, *, client_left: bool) -> Callable[[], None]:
        """What records the run; nothing else will."""
        exchange, call = self._exchange, self._call
        self._exchange = None
        if exchange is None or call is None:
            return lambda: None
        if exchange.ended_ms is None:
            exchange.ended_ms = exchange.elapsed_ms

        def record() -> None:
            try:
                outcome = self._outcome(exchange, call, client_left=client_left)
            except Exception as error:
                # The caller has its answer; there is a run of it, whatever it is.
                log.error("an answer cannot be read", request_id=exchange.request_id, error=str(error), exc_info=error)
                outcome, exchange.broken = Outcome(), exchange.broken or "The gateway cannot read the answer."
            exchange.has_client_left = client_left and not self.is_whole
            self._recorder.record(exchange, outcome)

        return record

    def _outcome(self, exchange: Exchange, call: Call, *, client_left: bool) -> Outcome:
        is_whole = not client_left and not exchange.broken
        if self._reader is not None:
            outcome = self._reader.end()
            if not outcome.is_complete and is_whole and not outcome.error_message:
                exchange.broken = "The upstream ended the stream before its last event."
            return outcome
        if exchange.status is None:
            return Outcome()
        value = self._kept.value()
        outcome = call.whole(exchange.status, value)
        if is_whole and exchange.status < 300 and (fault := self._kept.fault(call, value)):
            outcome.error_type = "invalid_response"
            outcome.error_message = f"The upstream answered HTTP {exchange.status} with {fault}."
        return outcome

    def break_off(self, message: str) -> bool:
        """What there is of the answer is recorded as broken. Whether the caller had seen some, and has been cut off."""
        exchange = self._exchange
        if exchange is not None:
            exchange.broken = message
            if not self.has_begun:
                exchange.status = None
        self.record()
        if not self.has_begun:
            return False
        self.has_ended = True
        # An answer that broke off must not look whole.
        abort = self._scope.get("extensions", {}).get(ABORT)
        if abort is not None:
            abort["now"]()
        return abort is not None


def _without_usage(event: bytes, data: bytes) -> bytes | None:
    """The event as it would have been without asking for usage; None for the one that only bears it."""
    if b'"usage"' not in data:
        return event
    chunk = json_of(data)
    if member(chunk, "usage") is None:
        return _without_null(event) if isinstance(chunk, dict) and "usage" in chunk else event
    return None if member(chunk, "choices") == [] else event


def _without_null(event: bytes) -> bytes:
    found = list(_USAGE_IS_NULL.finditer(event))
    for one in found:
        left = event[: one.start()] + event[one.end() :]
        # What bears that name further inside is the upstream's own.
        if len(found) == 1 or "usage" not in (json_of(data_of(left)[1]) or ()):
            return left
    return event
