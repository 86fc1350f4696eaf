"""Taking in a request of runs: its body within the memory set aside, stored before the answer."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from starlette.requests import Request

from modeltraces.api.errors import Problem, problem_of
from modeltraces.arrivals import Arrival, Arrivals, NotComing
from modeltraces.catalog.errors import CatalogError
from modeltraces.ingest.bodies import BodyMalformed, BodyTooLarge, UnsupportedEncoding, read_body
from modeltraces.ingest.recordings import Decoded, Rejection
from modeltraces.ingest.writer import Batch
from modeltraces.parts import Parts
from modeltraces.run import now_us
from modeltraces.store.contents import RejectionRow
from modeltraces.store.engine import StoreError

_MOST_REJECTIONS = 200
"""Rejections of one request that are kept for the page; all are counted."""


class BadBody(Problem):
    """The whole body is refused: it is not what it should be."""


@dataclass(slots=True)
class Body:
    data: bytes
    reserved: int


@asynccontextmanager
async def body_of(request: Request, parts: Parts) -> AsyncIterator[Body]:
    """The decompressed body, whose memory stays reserved until the block ends. Raises QueueFull and what read_body does."""
    body = Body(b"", 0)

    def grow(size: int) -> None:
        parts.writer.reserve(size)
        body.reserved += size

    try:
        cap = parts.settings.max_body_megabytes << 20
        body.data = await read_body(
            arriving(request, parts.arrivals), request.headers.get("content-encoding", ""), cap, grow
        )
        yield body
    finally:
        parts.writer.release(body.reserved)


async def arriving(request: Request, arrivals: Arrivals) -> AsyncIterator[bytes]:
    """The body's pieces. A sender that falls silent in mid-body is let go: what it holds is others' memory.

    Raises Problem 408, or 503 when the server is stopped.
    """
    stream, arrival = aiter(request.stream()), Arrival(arrivals)
    while True:
        try:
            piece = await arrival.piece(anext(stream))
        except StopAsyncIteration:
            return
        except NotComing as error:
            raise Problem(error.status, str(error), error.headers) from error
        yield piece


async def store(parts: Parts, batch: Batch) -> None:
    """Wait until the batch is on disk. A sender that leaves meanwhile changes nothing: what was handed over is stored."""
    await asyncio.shield(asyncio.wrap_future(parts.writer.submit(batch)))


@asynccontextmanager
async def counting_bad_bodies(parts: Parts, account_id: str, signal: str, key_name: str) -> AsyncIterator[None]:
    """A body that is refused as a whole is counted and shown like a span that is refused by itself."""
    try:
        yield
    except (BadBody, BodyTooLarge, BodyMalformed, UnsupportedEncoding) as error:
        rejections = rejection_rows(
            [Rejection(problem_of(error).detail, "the whole body")], account_id, signal, key_name
        )
        # Whether that can be kept or not, the sender is told the same.
        with suppress(StoreError, CatalogError):
            await store(parts, Batch(account_id, signal, rejections=rejections, rejected=1, key_name=key_name))
        raise


def not_an_export(signal: str, as_json: bool, error: Exception) -> BadBody:
    return BadBody(400, f"The body is not an {'OTLP/JSON' if as_json else 'OTLP protobuf'} export of {signal}: {error}")


def batch_of(decoded: Decoded, account_id: str, signal: str, key_name: str, size: int) -> Batch:
    return Batch(
        account_id, signal, decoded.runs, decoded.contents,
        rejection_rows(decoded.rejected, account_id, signal, key_name), rejected=len(decoded.rejected), key_name=key_name, size=size,
    )  # fmt: skip


def rejection_rows(rejected: Sequence[Rejection], account_id: str, signal: str, key_name: str) -> list[RejectionRow]:
    now = now_us()
    return [
        RejectionRow(account_id, now, signal, rejection.reason[:1000], rejection.subject[:500], key_name)
        for rejection in rejected[:_MOST_REJECTIONS]
    ]


def summary_of(rejected: Sequence[Rejection]) -> str:
    """What partial_success says: the reasons, each once."""
    reasons = list(dict.fromkeys(rejection.reason for rejection in rejected))
    more = f" (and {len(reasons) - 3} other reasons)" if len(reasons) > 3 else ""
    return "; ".join(reasons[:3]) + more
