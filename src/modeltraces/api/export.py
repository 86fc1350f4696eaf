"""`GET /api/v1/runs/export`: the whole selection as a file, streamed.

The first piece is made before the answer begins, so that what is wrong at the start is an error like any other. What
goes wrong later ends the connection without the chunked body's end: no client takes the file for a whole one.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

import anyio
import anyio.to_thread
import structlog
from fastapi.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from modeltraces.api.errors import RETRY_SECONDS, Problem
from modeltraces.api.export_pieces import Pieces
from modeltraces.http_protocol import ABORT, LEFT
from modeltraces.parts import Parts
from modeltraces.query.export import FORMATS, export, new_mark
from modeltraces.query.filters import FilterContext
from modeltraces.query.selection import Selection, SelectionError

log = structlog.get_logger(__name__)

_MEDIA_TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}


async def export_response(
    parts: Parts,
    scope: Scope,
    selection: Selection,
    context: FilterContext,
    *,
    format: str,
    zone: ZoneInfo | None,
    raw: str,
    headers: Mapping[str, str],
) -> Response:
    """Raises SelectionError for a bad option, Problem 429 when as many exports run as may, and what the store raises."""
    if format not in FORMATS:
        raise SelectionError("format", f"format must be one of {', '.join(FORMATS)}.")
    if raw not in ("0", "1"):
        raise SelectionError("raw", "raw must be 0 or 1.")
    holder = object()
    try:
        parts.workers.exports.acquire_on_behalf_of_nowait(holder)
    except anyio.WouldBlock as error:
        raise Problem(
            429,
            "As many exports run as may at once. Try again when one has ended.",
            {"Retry-After": str(RETRY_SECONDS * 5)},
        ) from error
    mark = new_mark()
    make = partial(
        export, parts.store, selection, context, format=format, zone=zone, raw=raw == "1", mark=mark
    )  # fmt: skip
    pieces = Pieces(make, partial(parts.store.end, mark))

    async def finish() -> None:
        try:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(pieces.close)
        finally:
            parts.workers.exports.release_on_behalf_of(holder)

    try:
        first = await _unless_left(scope, pieces.take)
    except BaseException:
        await finish()
        raise

    async def body() -> AsyncIterator[bytes]:
        try:
            piece = first
            while piece:
                yield piece
                piece = await anyio.to_thread.run_sync(pieces.take, abandon_on_cancel=True)
        except Exception as error:
            log.error("an export broke off", error=str(error))
            raise

    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%SZ")
    return _ExportResponse(
        body(),
        finish,
        parts.settings.export_idle_seconds,
        media_type=_MEDIA_TYPES[format],
        headers={"Content-Disposition": f'attachment; filename="model-traces-{stamp}.{format}"', **headers},
    )


async def _unless_left(scope: Scope, take: Callable[[], bytes]) -> bytes:
    """The first piece, b"" when its reader is gone before: it may be long in coming, and nobody else looks until it has."""
    tell = scope.get("extensions", {}).get(LEFT, {}).get("tell", lambda _: None)
    with anyio.CancelScope() as waiting:
        tell(waiting.cancel)
        try:
            return await anyio.to_thread.run_sync(take, abandon_on_cancel=True)
        finally:
            tell(None)
    return b""


class _ExportResponse(StreamingResponse):
    """Gives back what the export holds when the answer ends, however it ends, also before its first piece was asked for."""

    def __init__(
        self,
        content: AsyncIterator[bytes],
        finish: Callable[[], Awaitable[None]],
        idle_seconds: float,
        *,
        media_type: str,
        headers: dict[str, str],
    ) -> None:
        super().__init__(content, media_type=media_type, headers=headers)
        self._finish = finish
        self._idle_seconds = idle_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            try:
                async with asyncio.timeout(self._idle_seconds):
                    await send(message)
            except TimeoutError as error:
                log.warning("an export's reader took nothing, and was let go", seconds=self._idle_seconds)
                if abort := scope.get("extensions", {}).get(ABORT):
                    # Closing would wait for the reader to take what was written already.
                    abort["now"]()
                raise ReaderGone from error

        try:
            await super().__call__(scope, receive, send_in_time)
        except ReaderGone:
            return
        finally:
            await self._finish()


class ReaderGone(Exception):
    """The reader of an answer that has begun takes nothing any more: the answer is broken off."""
