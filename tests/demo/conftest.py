"""One seeded history for all of these tests, in the real engine."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from modeltraces.demo.history import BATCH_RUNS, generate_history
from modeltraces.run import Run
from modeltraces.store.engine import ClickHouseStore
from modeltraces.store.rows import insert_runs

NOW_US = int(datetime(2026, 11, 24, 16, 30, tzinfo=UTC).timestamp()) * 1_000_000
"""A Tuesday afternoon: the slow period since noon is over for forty minutes."""
HISTORY_RUNS = 40_000
ACCOUNT = "account of the demo's tests"


@pytest.fixture(scope="session")
def history() -> list[Run]:
    """Not to be changed by who reads it."""
    return [run for batch in generate_history(ACCOUNT, NOW_US, runs=HISTORY_RUNS) for run in batch]


@pytest.fixture(scope="session")
def first_runs() -> list[Run]:
    """The first 5,000 of the history, for who needs no more: the whole takes five seconds to make. Not to be changed either."""
    return next(generate_history(ACCOUNT, NOW_US, runs=HISTORY_RUNS))


@pytest.fixture(scope="session")
def stored_history(store: ClickHouseStore, history: list[Run]) -> Iterator[ClickHouseStore]:
    for start in range(0, HISTORY_RUNS, BATCH_RUNS):
        insert_runs(store, history[start : start + BATCH_RUNS])
    yield store
    store.command("ALTER TABLE runs DELETE WHERE account_id = {account:String}", {"account": ACCOUNT})
