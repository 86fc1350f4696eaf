"""`GET /api/v1/runs/stream`: new runs of a selection, as they land, as server-sent events."""

import asyncio
from collections.abc import AsyncIterator

import orjson
from starlette.requests import Request

from modeltraces.api.run_json import ModelFacts, summary_json
from modeltraces.parts import Parts
from modeltraces.query.filters import FilterContext
from modeltraces.query.selection import Selection
from modeltraces.run import now_us

_HEARTBEAT_SECONDS = 15.0
"""Proxies cut connections that are silent for a minute."""
_MOST_AT_ONCE = 200
"""Runs of one look; a reader cannot follow more, and the page says so by its counts."""


async def events(
    request: Request, parts: Parts, selection: Selection, context: FilterContext, facts: ModelFacts
) -> AsyncIterator[bytes]:
    """`event: run` with a run of the contract as its data; a run that changes (its log records arrive) comes again.

    `id` is the instant of receipt (µs); a reader that reconnects sends it as Last-Event-ID and misses nothing.
    """
    from modeltraces.query.runs import runs_since

    last = _resume_at(request)
    bell = parts.commits.subscribe(selection.account_id)
    interval = parts.settings.live_interval_ms / 1000
    try:
        yield b"retry: 2000\n\n"
        while not parts.commits.stopping:
            found = await parts.workers.query(runs_since, parts.store, selection, context, last, _MOST_AT_ONCE)
            for run in found:
                last = max(last, run.received_on_us)
                yield b"event: run\nid: %d\ndata: %s\n\n" % (run.received_on_us, orjson.dumps(summary_json(run, facts)))
            await asyncio.sleep(interval)
            waited = 0.0
            while not bell.is_set() and not parts.commits.stopping:
                try:
                    # With a server for a store, other processes write too: then every interval is a look.
                    await asyncio.wait_for(bell.wait(), _HEARTBEAT_SECONDS if parts.store.embedded else interval)
                except TimeoutError:
                    waited += _HEARTBEAT_SECONDS if parts.store.embedded else interval
                    if waited >= _HEARTBEAT_SECONDS:
                        waited = 0.0
                        yield b": alive\n\n"
                    if not parts.store.embedded:
                        break
            bell.clear()
    finally:
        parts.commits.unsubscribe(selection.account_id, bell)


def _resume_at(request: Request) -> int:
    given = request.headers.get("last-event-id", "")
    return int(given) if given.isdecimal() and len(given) < 18 else now_us()
