"""Several processes over one store: a call is one run, whichever of them its recordings came to, and at whatever moment."""

from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modeltraces.ingest.links import LinkIndex
from modeltraces.ingest.others import Others
from modeltraces.ingest.recordings import ContentPart
from modeltraces.run import Run, now_us
from modeltraces.store.contents import insert_contents
from modeltraces.store.engine import ClickHouseStore, Params, Rows, StoreError
from modeltraces.store.news import Seen
from modeltraces.store.rows import insert_runs, remove_twins
from tests.ingest.commits import START, Commits, span
from tests.ingest.test_linking import BARE, ELSEWHERE, FRAMEWORK, SDK
from tests.ingest.test_nesting import crowded, says


class Process(Commits):
    """One of several that write to a store; what it settles is seen by the others when it is told to write it."""

    def __init__(self, store: ClickHouseStore, account_id: str, name: str) -> None:
        super().__init__(store, account_id)
        self.name = name
        self.unwritten: list[Run] = []
        self.others = Others(self.store, self.linker.index, name)
        self.others.seen_runs = self.others.seen_contents = Seen(self.began)

    def restart(self) -> None:
        self.write()
        self.others.index = LinkIndex()
        self.linker.index = self.others.index
        self.linker.recall(self.began)

    def settle(self, *sent: Run | ContentPart) -> None:
        self.write()
        parts = [replace(each, account_id=self.account_id) for each in sent if isinstance(each, ContentPart)]
        runs = [replace(each, account_id=self.account_id) for each in sent if isinstance(each, Run)]
        if parts:
            insert_contents(self.store, parts, self.now(), self.name)
            self.others.own.remember((), parts)
        self.unwritten = self.linker.settle(runs, parts)

    def write(self) -> None:
        rows, self.unwritten = self.unwritten, []
        received = self.now()
        for row in rows:
            row.received_on_us = received
        if rows:
            insert_runs(self.store, rows, self.name)
            self.others.own.remember(rows, ())

    def look(self) -> int:
        """How many rows it changed."""
        self.write()
        self.others.look(now_us())
        self.unwritten = self.linker.settle_stored(self.others.pending) if self.others.pending else []
        self.others.pending.clear()
        for account_id, ids in self.others.twins.items():
            self.linker.learn_starts(account_id, remove_twins(self.store, account_id, ids))
        self.others.twins.clear()
        changed = len(self.unwritten)
        self.write()
        return changed

    def now(self) -> int:
        self.received = max(now_us(), self.received + 1)
        return self.received


def settle_down(*processes: Process) -> None:
    """Each looks, as it does every second, until nothing changes any more."""
    for process in processes:
        process.write()
    for _ in range(12):
        if not sum(process.look() for process in processes):
            return
    raise AssertionError("they change each other's rows without an end")


def rows_of(commits: Commits) -> tuple[list[Run], list[Run]]:
    return commits.rows(), commits.rows(superseded=True)


@pytest.mark.timeout(900)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(recordings=st.just([FRAMEWORK, SDK, BARE, ELSEWHERE]) | crowded(), data=st.data())
def test_what_is_one_call_does_not_hang_on_which_process_it_came_to(
    store: ClickHouseStore, recordings: list[Run], data: st.DataObject
) -> None:
    together = Commits(store, str(uuid4()))
    parts = [says(run, "hello") for run in recordings if not run.input and data.draw(st.booleans())]
    together.commit(*recordings, parts=tuple(parts))
    account = str(uuid4())
    processes = [Process(store, account, f"{name} {account}") for name in ("first", "second", "third")]
    everything: list[Run | ContentPart] = [*recordings, *parts]
    sent = data.draw(st.permutations(everything))
    sent += data.draw(st.lists(st.sampled_from(everything), max_size=3))
    while sent:
        size = data.draw(st.integers(1, len(sent)))
        now, sent = sent[:size], sent[size:]
        process = data.draw(st.sampled_from(processes))
        if data.draw(st.booleans()):
            process.look()
        process.settle(*now)
        if data.draw(st.booleans()):
            process.write()
        if data.draw(st.integers(0, 9)) == 0:
            process.restart()
    settle_down(*processes)
    assert rows_of(processes[0]) == rows_of(together)


def test_parent_and_child_that_two_processes_store_at_once_are_one_run(store: ClickHouseStore, account_id: str) -> None:
    one, other = Process(store, account_id, f"a {account_id}"), Process(store, account_id, f"b {account_id}")
    one.settle(FRAMEWORK)
    other.settle(SDK)
    one.write()
    other.write()
    assert len(one.rows()) == 2, "neither knew of the other"
    assert one.look() == 2
    assert [run.request_id for run in one.rows()] == [SDK.request_id]
    assert other.look() == 0, "it finds it done"


def test_what_others_tied_among_themselves_is_left_to_them(store: ClickHouseStore, account_id: str) -> None:
    one, other = Process(store, account_id, f"a {account_id}"), Process(store, account_id, f"b {account_id}")
    one.settle(span("e0", trace="v", start_ms=50, input="else"))
    other.settle(FRAMEWORK, SDK)
    other.write()
    read_back = one.store.read_back
    assert one.look() == 0
    assert one.store.read_back == read_back


@pytest.mark.parametrize("checks", [(0, 1), (1, 0), ()], ids=["one first", "the other first", "none"])
def test_an_id_that_two_processes_are_given_at_once_is_one_run(
    store: ClickHouseStore, account_id: str, checks: tuple[int, ...]
) -> None:
    processes = Process(store, account_id, f"a {account_id}"), Process(store, account_id, f"b {account_id}")
    one, other = processes
    for delay, process in enumerate(processes):
        # The sender says no start, and each takes its own clock.
        run = Run(account_id, "order-17", 0, "m", received_on_us=START + delay)
        assert process.linker.settle_given_ids([run]) == {account_id: ["order-17"]}
        process.settle(run)
    for process in processes:
        process.write()
    assert len(one.rows()) == 2
    for number in checks:
        processes[number].linker.learn_starts(account_id, remove_twins(store, account_id, ["order-17"]))
    if not checks:
        # One of them ended before it could; the other finds it when it looks.
        other.look()
    assert [run.executed_on_us for run in one.rows()] == [START]
    again = Run(account_id, "order-17", 0, "m", received_on_us=START + 9, output="again")
    assert other.linker.settle_given_ids([again]) == {}
    other.settle(again)
    other.write()
    assert [(run.executed_on_us, run.output) for run in one.rows()] == [(START, "again")]


class BreaksOffAfterRemoving:
    """A store whose answer to a removal is lost."""

    def __init__(self, store: ClickHouseStore) -> None:
        self._store, self.local, self.insert = store, store.local, store.insert

    def query(self, sql: str, params: Params | None = None, *, surface: str = "") -> Rows:
        return self._store.query(sql, params, surface=surface)

    def command(self, sql: str, params: Params | None = None) -> None:
        self._store.command(sql, params)
        if sql.startswith("DELETE"):
            raise StoreError("broken off")


def test_the_sums_of_a_twin_are_made_anew_though_its_removal_breaks_off(
    store: ClickHouseStore, account_id: str
) -> None:
    insert_runs(
        store, [Run(account_id, "order-18", START + hour * 3_600_000_000, "m", received_on_us=START) for hour in (0, 5)]
    )
    with pytest.raises(StoreError):
        remove_twins(BreaksOffAfterRemoving(store), account_id, ["order-18"])  # type: ignore[arg-type]
    ((at, covered),) = store.query(
        "SELECT at, covered FROM summary_hours FINAL WHERE account_id = {a:String}", {"a": account_id}
    )
    assert (at, covered) == (START // 3_600_000_000 + 5, False)
