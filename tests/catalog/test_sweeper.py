"""The thread that sweeps: one of several processes does it, says what it removed, and what went wrong."""

import time
from uuid import uuid4

import pytest

from modeltraces.catalog import accounts, audit
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.retention import sweeps
from modeltraces.catalog.retention.policy import Days
from modeltraces.catalog.retention.sweeper import Sweeper
from modeltraces.catalog.retention.sweeps import Sweep
from modeltraces.run import Run, new_request_id
from modeltraces.store.engine import ClickHouseStore, Params, Rows, StoreUnavailable
from modeltraces.store.retention import Removed
from modeltraces.store.rows import insert_runs
from tests.catalog.cast import Clock

DAY = 86_400_000_000


@pytest.fixture
def kept(catalog: Catalog, store: ClickHouseStore, clock: Clock) -> str:
    """An account with runs of 40, 20 and 1 days."""
    account, _ = accounts.ensure(catalog, f"kept {uuid4()}", actor="test")
    starts = [clock.now_us - days * DAY - 1 for days in (40, 20, 1)]
    insert_runs(
        store,
        [Run(account.id, new_request_id(at), at, "m", input="hello", input_size=5, received_on_us=at) for at in starts],
    )
    return account.id


def ended(catalog: Catalog, account_id: str) -> Sweep:
    latest = time.monotonic() + 60
    while not (found := sweeps.latest(catalog, account_id)).ended_on_us:
        assert time.monotonic() < latest, found
        time.sleep(0.05)
    return found


@pytest.mark.postgresql
def test_of_two_processes_one_sweeps_and_says_what_it_removed(
    catalog: Catalog, other_process: Catalog, store: ClickHouseStore, kept: str
) -> None:
    sweepers = [Sweeper(one, store, Days(30, 10), 2) for one in (catalog, other_process)]
    for one in sweepers:
        one.start()
    try:
        found = ended(catalog, kept)
    finally:
        for one in sweepers:
            one.stop()
    assert (found.error, found.removed) == ("", Removed(1, 1, 10))
    (entry,) = audit.list_entries(other_process, kept, audit.AuditFilter(action="retention.*"))
    assert (entry.actor, entry.object) == ("server", "retention")
    assert entry.after == {"runs": 1, "payloads": 1, "text_bytes": 10}


class FullDisk:
    """A store that takes questions and no changes."""

    def __init__(self, store: ClickHouseStore) -> None:
        self._store = store
        self.local = store.local

    def query(self, sql: str, params: Params | None = None, *, surface: str = "") -> Rows:
        return self._store.query(sql, params, surface=surface)

    def command(self, sql: str, params: Params | None = None) -> None:
        raise StoreUnavailable("the disk is full: free space in the data directory")


def test_a_sweep_that_fails_says_why_and_the_next_one_does_it(
    catalog: Catalog, store: ClickHouseStore, kept: str, clock: Clock
) -> None:
    broken = Sweeper(catalog, FullDisk(store), Days(30, 10), 2)  # type: ignore[arg-type]
    broken.start()
    try:
        found = ended(catalog, kept)
    finally:
        broken.stop()
    assert found.error == "the disk is full: free space in the data directory"
    assert audit.list_entries(catalog, kept, audit.AuditFilter(action="retention.*")) == []
    clock.advance(601)
    sweeper = Sweeper(catalog, store, Days(30, 10), 2)
    sweeper.start()
    try:
        latest = time.monotonic() + 60
        while sweeps.latest(catalog, kept).removed.runs == 0:
            assert time.monotonic() < latest
            time.sleep(0.05)
    finally:
        sweeper.stop()
    assert ended(catalog, kept).removed == Removed(1, 1, 10)
