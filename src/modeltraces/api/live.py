"""`GET /api/v1/runs/stream`: new runs of a selection, as they land, as server-sent events.

Nothing is left out: what one look cannot hold is read on with the next, and an event's `id` is given only where a
reader that comes again with it (Last-Event-ID) misses nothing. It may then see runs of the last commit again.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Final

import orjson
import structlog
from starlette.requests import Request

from modeltraces.api.identity import authenticate
from modeltraces.api.run_json import ModelFacts, summary_json
from modeltraces.catalog.errors import CatalogUnavailable
from modeltraces.parts import Parts
from modeltraces.query.runs import Arrival
from modeltraces.query.selection import Selection
from modeltraces.run import now_us
from modeltraces.seldom import Seldom
from modeltraces.store.engine import StoreError
from modeltraces.store.news import Depth, Seen

log = structlog.get_logger(__name__)
_troubles: Final = Seldom(60)

_HEARTBEAT_SECONDS = 15.0
"""Proxies cut connections that are silent for a minute."""
_MOST_AT_ONCE = 200
"""Runs of one look: bounds what a view holds in memory."""
_CLOCKS_DIFFER_US = 5_000_000
_AGAIN_SECONDS = 2.0
"""After a look in vain."""
_TRUSTED_SECONDS = 10.0
"""After so long a view looks again whether its key or session still stands."""


async def events(request: Request, parts: Parts, selection: Selection) -> AsyncIterator[bytes]:
    """`event: run` with a run of the contract as its data; a run that changes (its log records arrive) comes again."""
    seen = _resume_at(request, parts)
    bell = parts.commits.subscribe(selection.account_id)
    interval = parts.settings.live_interval_ms / 1000
    checked = time.monotonic()
    depth = Depth()
    try:
        # The id alone moves a reader's Last-Event-ID: it misses nothing even if it is cut off before the first run.
        yield b"retry: 2000\nid: %b\n\n" % seen.to_text().encode()
        while not parts.commits.stopping:
            bell.clear()
            try:
                if time.monotonic() - checked > _TRUSTED_SECONDS:
                    if not await _may_still(request, selection):
                        return
                    checked = time.monotonic()
                began = now_us()
                floor_us = 0 if parts.store.embedded else depth.floor_us(began)
                async for arrival, last, facts in _runs_since(parts, selection, seen, floor_us):
                    if seen.hides(arrival.writer, floor_us):
                        # This look went back too little for it: the next goes through all.
                        depth.forget()
                        bell.set()
                        break
                    mark = b""
                    if last:
                        us = arrival.received_on_us
                        seen = Seen(us) if parts.store.embedded else seen.with_row(arrival.writer, us)
                        mark = b"id: %b\n" % seen.to_text().encode()
                    yield b"event: run\n%bdata: %b\n\n" % (mark, orjson.dumps(summary_json(arrival.run, facts)))
                else:
                    if not parts.store.embedded:
                        seen = seen.at(began)
            except (StoreError, CatalogUnavailable) as error:
                # Whoever is cut off comes again at once, is refused with 503, and a browser gives up at that.
                if _troubles.due(type(error).__name__) is not None:
                    log.warning("a live view waits: it looked in vain", error=str(error))
                yield b": waiting\n\n"
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            await asyncio.sleep(interval)
            silent = 0.0
            while not bell.is_set() and not parts.commits.stopping:
                # With a server for a store, other processes write too: then every interval is a look.
                patience = _HEARTBEAT_SECONDS if parts.store.embedded else interval
                try:
                    await asyncio.wait_for(bell.wait(), patience)
                except TimeoutError:
                    silent += patience
                    if silent >= _HEARTBEAT_SECONDS:
                        silent = 0.0
                        yield b": alive\n\n"
                        # Where that cannot be told, it must be before the next look.
                        with suppress(CatalogUnavailable):
                            if not await _may_still(request, selection):
                                return
                    if not parts.store.embedded:
                        break
    finally:
        parts.commits.unsubscribe(selection.account_id, bell)


async def _runs_since(
    parts: Parts, selection: Selection, seen: Seen, floor_us: int
) -> AsyncIterator[tuple[Arrival, bool, ModelFacts]]:
    """The runs that were not seen, each with whether it is the last of its commit."""
    from modeltraces.query.runs import runs_since

    def look(after: Arrival | None) -> tuple[ModelFacts, tuple[Sequence[Arrival], bool]]:
        # A model may have come with the very runs that are looked for.
        facts = ModelFacts.of(parts.registry.list_models(selection.account_id, archived=True))
        return facts, runs_since(
            parts.store, selection, facts.context, seen, _MOST_AT_ONCE, after=after, floor_us=floor_us
        )

    after: Arrival | None = None
    while not parts.commits.stopping:
        facts, (found, more) = await parts.workers.look(look, after)
        for place, arrival in enumerate(found, 1):
            following = found[place] if place < len(found) else None
            if following is None:
                ends = not more
            else:
                ends = (following.writer, following.received_on_us) != (arrival.writer, arrival.received_on_us)
            yield arrival, ends, facts
        if not more:
            return
        after = found[-1]


async def _may_still(request: Request, selection: Selection) -> bool:
    identity = await authenticate(request)
    return identity is not None and identity.account_id == selection.account_id and "read" in identity.scopes


def _resume_at(request: Request, parts: Parts) -> Seen:
    given = Seen.from_text(request.headers.get("last-event-id", ""))
    if given is not None:
        return given
    # Of other processes' clocks some may be behind: rather is a run of a moment ago shown than a new one missed.
    return Seen(now_us() - (0 if parts.store.embedded else _CLOCKS_DIFFER_US))
