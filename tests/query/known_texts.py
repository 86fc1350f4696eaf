"""Stores whose texts are known by the hour, small enough for a test."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from modeltraces.query import covered
from modeltraces.query.filters import Filter, FilterContext
from modeltraces.query.runs import list_runs
from modeltraces.query.selection import Order, Selection
from modeltraces.run import Run
from modeltraces.store import texts
from modeltraces.store.coverage import US_PER_HOUR, checkpoint
from modeltraces.store.engine import Store
from modeltraces.store.summaries import refresh
from modeltraces.store.texts import refresh_texts
from tests.query.runs import DAY_US, NOON_US, SECOND_US, run

NOBODY = FilterContext()
MIDNIGHT_US = NOON_US - DAY_US // 2
LONG_AFTER_US = NOON_US + 30 * DAY_US
HOURS = 10


@contextmanager
def small_texts(store: Store) -> Iterator[None]:
    """Stretches, hours and stores small enough for a test; and nothing is left for others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(covered, "FEWEST_RUNS", 0)
        patch.setattr(texts, "FEWEST_RUNS", 2)
        patch.setattr(texts, "_BYTES", 300)
        patch.setattr(texts, "_RUNS", 6)
        yield
    for table in ("summaries", "summary_hours", "summary_days", "text_grams", "text_hours", "text_words", "text_runs"):
        store.command(f"TRUNCATE TABLE {table}")


def long_after(store: Store) -> int:
    """An instant (µs) after all that was summed up or received, and after the runs' hours."""
    ((received_us,),) = store.query("SELECT toUnixTimestamp64Micro(max(received_on)) FROM runs")
    return max(checkpoint(store).as_of_us, int(received_us), LONG_AFTER_US) + 1000 * SECOND_US


def look_through(store: Store, clock: int) -> None:
    """Sum up, and learn the texts of, what is over at an instant."""
    while refresh(store, clock):
        clock += 1
    while refresh_texts(store, clock):
        pass


def of(account_id: str, filter: Filter | None, order: Order = "desc", sort: str = "executed_on") -> Selection:
    return Selection(account_id, (), MIDNIGHT_US, MIDNIGHT_US + HOURS * US_PER_HOUR, None, "x", filter, sort, order, 0)


def ids_found(store: Store, selection: Selection) -> list[str]:
    found, cursor = [], None
    while True:
        page = list_runs(store, selection, NOBODY, limit=40, cursor=cursor, secret=b"s")
        found += [one.request_id for one in page.runs]
        if (cursor := page.next_cursor) is None:
            return found


def one_after_another(account_id: str, clock: int, text: str) -> list[Run]:
    """Forty an hour, with their number behind the text."""
    return [
        run(
            account_id,
            n,
            received_on_us=clock - 1,
            executed_on_us=MIDNIGHT_US + n * US_PER_HOUR // 40,
            input=f"{text} {n}",
        )
        for n in range(400)
    ]
