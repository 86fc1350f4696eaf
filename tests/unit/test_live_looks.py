"""However many live views are open, pages do not wait behind them."""

import asyncio
import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest
from anyio import CapacityLimiter

from modeltraces.api import live
from modeltraces.parts import Workers
from modeltraces.query import runs
from modeltraces.query.selection import parse_selection
from modeltraces.store.news import Seen

SELECTION = parse_selection([], account_id="a", now_us=1_760_000_000_000_000)


@pytest.mark.parametrize("queries", [2, 8])
def test_a_page_is_answered_while_every_view_looks(monkeypatch: pytest.MonkeyPatch, queries: int) -> None:
    """With 400 views of one account open, a page of another took 2.5 seconds while runs came in."""
    looking, go_on = threading.Semaphore(0), threading.Event()

    def look(*_: Any, **__: Any) -> Any:
        looking.release()
        assert go_on.wait(60)
        return [], False

    monkeypatch.setattr(runs, "runs_since", look)
    registry = SimpleNamespace(list_models=lambda account_id, archived: [])
    workers = Workers(CapacityLimiter(queries), CapacityLimiter(1), CapacityLimiter(4))
    parts = cast(
        Any, SimpleNamespace(commits=SimpleNamespace(stopping=False), registry=registry, workers=workers, store=None)
    )

    async def view() -> list[Any]:
        return [found async for found in live._runs_since(parts, SELECTION, Seen(0), 0)]

    async def both() -> tuple[int, list[list[Any]]]:
        views = [asyncio.ensure_future(view()) for _ in range(queries * 3)]
        try:
            await asyncio.to_thread(looking.acquire)
            # For as many to begin as may.
            await asyncio.sleep(0.5)
            async with asyncio.timeout(30):
                answer = await workers.query(lambda: 1)
        finally:
            go_on.set()
        return answer, await asyncio.gather(*views)

    assert asyncio.run(both()) == (1, [[]] * queries * 3)
