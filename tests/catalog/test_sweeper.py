"""The thread that sweeps: one of several processes does it, says what it removed, and what went wrong."""

import time
from uuid import uuid4

import pytest

from modeltraces.catalog import accounts, audit
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.retention import sweeps
from modeltraces.catalog.retention.policy import Days, change_policy
from modeltraces.catalog.retention.sweeper import LAST, Sweeper
from modeltraces.catalog.retention.sweeps import Sweep
from modeltraces.run import Run, new_request_id
from modeltraces.store.engine import ClickHouseStore, Params, Rows, StoreError, StoreUnavailable
from modeltraces.store.retention import Removed, Swept
from modeltraces.store.retention_limits import Limits
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

    cluster = ""
    error: Exception = StoreUnavailable("the disk is full: free space in the data directory")

    def __init__(self, store: ClickHouseStore) -> None:
        self._store = store
        self.local, self.insert = store.local, store.insert

    def query(self, sql: str, params: Params | None = None, *, surface: str = "") -> Rows:
        return self._store.query(sql, params, surface=surface)

    def command(self, sql: str, params: Params | None = None) -> None:
        raise self.error


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


class Refusing(FullDisk):
    error = StoreError("Syntax error: DELETE WHERE account_id IN ['somebody else']")


def test_what_the_engine_says_of_a_statement_is_not_said_to_accounts(
    catalog: Catalog, store: ClickHouseStore, kept: str
) -> None:
    refusing = Sweeper(catalog, Refusing(store), Days(30, 10), 2)  # type: ignore[arg-type]
    holder = sweeps.begin(catalog, 2)
    assert holder is not None
    refusing._sweep(holder, False)
    assert sweeps.latest(catalog, kept).error == "the server's log says why"


def test_every_process_removes_what_it_has_beside_the_store_whoever_sweeps(
    catalog: Catalog, other_process: Catalog, store: ClickHouseStore, kept: str, clock: Clock
) -> None:
    removed: list[str] = []

    def process(name: str, opened: Catalog) -> Sweeper:
        def copies(_: Limits) -> int:
            removed.append(name)
            return 0

        return Sweeper(opened, store, Days(30, 10), 2, copies)

    assert sweeps.begin(catalog, 2) is not None, "a third one sweeps"
    processes = [process("one", catalog), process("other", other_process)]
    for one in processes:
        one._remove_copies()
        one._remove_copies()
    assert removed == ["one", "other"]
    clock.advance(86_400)
    processes[1]._remove_copies()
    assert removed == ["one", "other", "other"], "once a day"


def test_who_lost_a_sweep_to_another_process_neither_calls_it_done_nor_writes_it_down(
    catalog: Catalog, store: ClickHouseStore, kept: str, clock: Clock
) -> None:
    sweeper = Sweeper(catalog, store, Days(), 2)
    holder = sweeps.begin(catalog, 2)
    assert holder is not None
    clock.advance(sweeps.SILENT_SECONDS + 1)
    assert sweeps.is_broken_off(catalog)
    assert sweeps.begin(catalog, 2) is not None
    last = LAST._value.get()
    sweeper._say(holder, Swept({kept: Removed(1, 1, 10)}), "")
    assert LAST._value.get() == last
    assert audit.list_entries(catalog, kept, audit.AuditFilter(action="retention.*")) == []
    assert sweeps.latest(catalog, kept).runs_now


def test_more_is_kept_from_the_moment_an_owner_says_so(catalog: Catalog, store: ClickHouseStore, kept: str) -> None:
    class Owner(FullDisk):
        """Lengthens the time as soon as the first week is looked at."""

        def query(self, sql: str, params: Params | None = None, *, surface: str = "") -> Rows:
            found = super().query(sql, params, surface=surface)
            if surface == "retention.weeks":
                change_policy(catalog, kept, {"keep_runs_days": 90}, server=Days(), actor="test")
            return found

        def command(self, sql: str, params: Params | None = None) -> None:
            self._store.command(sql, params)

    sweeper = Sweeper(catalog, Owner(store), Days(30, 10), 2)  # type: ignore[arg-type]
    holder = sweeps.begin(catalog, 2)
    assert holder is not None
    sweeper._sweep(holder, False)
    found = sweeps.latest(catalog, kept)
    assert (found.error, found.removed.runs) == ("", 0)
    assert store.query("SELECT count() FROM runs FINAL WHERE account_id = {a:String}", {"a": kept})[0][0] == 3
