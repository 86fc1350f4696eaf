"""The writer: what fails fails alone, what is stored is acknowledged, and its thread outlives everything."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from prometheus_client import REGISTRY

from modeltraces.catalog.matching.rules import Rule, RuleSet
from modeltraces.catalog.models import SeenModel
from modeltraces.ingest.writer import Batch, QueueFull, Writer
from modeltraces.run import Run, new_request_id, now_us
from modeltraces.store.contents import RejectionRow
from modeltraces.store.engine import ClickHouseStore, StoreError, StoreUnavailable
from tests.ingest.commits import span

WAIT = 30


class NoModels:
    def ensure(self, account_id: str, seen: dict[str, SeenModel]) -> None:
        """Nothing is listed."""


@dataclass
class Faulty:
    """The real store, whose inserts fail as it is told."""

    store: ClickHouseStore
    fail: dict[str, StoreError] = field(default_factory=dict)
    """Table → what an insert into it raises."""
    refused_model: str = ""
    inserts: list[tuple[str, int]] = field(default_factory=list)
    embedded: bool = True

    def insert(self, table: str, columns: Mapping[str, tuple[str, Sequence[Any]]]) -> None:
        self.inserts.append((table, len(next(iter(columns.values()))[1])))
        if table in self.fail:
            raise self.fail[table]
        if table == "runs" and self.refused_model in columns["model"][1]:
            raise StoreError("this block cannot be stored")
        self.store.insert(table, columns)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


@pytest.fixture
def faulty(store: ClickHouseStore) -> Faulty:
    return Faulty(store)


@contextmanager
def running(faulty: Faulty, **options: Any) -> Iterator[Writer]:
    writer = Writer(faulty, NoModels(), **options)
    writer.start()
    try:
        yield writer
    finally:
        writer.stop()


@contextmanager
def at_once(writer: Writer) -> Iterator[None]:
    """What is submitted meanwhile comes to be stored together."""
    with writer._wake:
        yield


def batch(account_id: str, model: str = "m", runs: int = 1, **more: Any) -> Batch:
    made = [Run(account_id, new_request_id(now_us()), now_us(), model) for _ in range(runs)]
    return Batch(account_id, "runs", made, size=1000, **more)


def stored(store: ClickHouseStore, account_id: str) -> int:
    rows = store.query(
        "SELECT count() FROM runs FINAL WHERE account_id = {account_id:String}", {"account_id": account_id}
    )
    return int(rows[0][0])


def test_what_is_acknowledged_is_in_the_next_answer(faulty: Faulty, account_id: str) -> None:
    with running(faulty) as writer:
        futures = [writer.submit(batch(account_id, runs=3)) for _ in range(20)]
        for future in futures:
            future.result(WAIT)
        assert stored(faulty.store, account_id) == 60
    assert len([1 for table, _ in faulty.inserts if table == "runs"]) < 20, "they were stored together"


def test_a_sender_that_is_alone_waits_for_nobody(faulty: Faulty, account_id: str) -> None:
    with running(faulty, commit_wait_seconds=3600) as writer:
        for _ in range(3):
            writer.submit(batch(account_id)).result(WAIT)
    assert stored(faulty.store, account_id) == 3


def test_as_many_as_were_stored_together_are_waited_for_again(faulty: Faulty, account_id: str) -> None:
    with running(faulty, commit_wait_seconds=3600) as writer:
        with at_once(writer):
            both = [writer.submit(batch(account_id)) for _ in range(2)]
        assert not wait(both, WAIT).not_done
        one = writer.submit(batch(account_id))
        assert not wait([one], 0.2).done
        assert not wait([one, writer.submit(batch(account_id))], WAIT).not_done
    assert faulty.inserts == [("runs", 2), ("runs", 2)]


def test_senders_that_came_one_in_the_others_commit_are_stored_together_from_then_on(
    faulty: Faulty, account_id: str
) -> None:
    """Each was taken alone for ever, while the other's commit lasted."""
    with running(faulty, commit_wait_seconds=3600) as writer:
        came: list[Future[None]] = []

        def meanwhile(_: set[str]) -> None:
            if not came:
                came.append(writer.submit(batch(account_id)))

        writer.on_commit.append(meanwhile)
        writer.submit(batch(account_id)).result(WAIT)
        assert not wait(came, 0.2).done
        for _ in range(2):
            with at_once(writer):
                came.append(writer.submit(batch(account_id)))
            assert not wait(came, WAIT).not_done
            came.append(writer.submit(batch(account_id)))
        came.append(writer.submit(batch(account_id)))
        assert not wait(came, WAIT).not_done
    assert faulty.inserts == [("runs", 1), ("runs", 2), ("runs", 2), ("runs", 2)]


def test_one_batch_that_the_store_refuses_fails_alone(faulty: Faulty, account_id: str) -> None:
    faulty.refused_model = "poison"
    with running(faulty) as writer:
        with at_once(writer):
            good = [writer.submit(batch(account_id)) for _ in range(3)]
            bad = writer.submit(batch(account_id, "poison"))
            good += [writer.submit(batch(account_id)) for _ in range(3)]
        for future in good:
            future.result(WAIT)
        with pytest.raises(StoreUnavailable):
            bad.result(WAIT)
    assert stored(faulty.store, account_id) == 6


def test_while_the_store_is_away_everybody_is_told_after_one_try(faulty: Faulty, account_id: str) -> None:
    faulty.fail["runs"] = StoreUnavailable("away")
    with running(faulty, commit_wait_seconds=0.2) as writer:
        futures = [writer.submit(batch(account_id)) for _ in range(50)]
        for future in futures:
            with pytest.raises(StoreUnavailable):
                future.result(WAIT)
        assert len(faulty.inserts) < 10
        faulty.fail.clear()
        writer.submit(batch(account_id)).result(WAIT)
    assert stored(faulty.store, account_id) == 1


def test_runs_that_are_stored_are_acknowledged_whatever_follows(faulty: Faulty, account_id: str) -> None:
    """Told otherwise, a sender without ids of its own would send them again, and they would count twice."""
    faulty.fail["rejections"] = StoreError("no")
    refusals = [RejectionRow(account_id, now_us(), "runs", "why", "which", "key")]

    def broken(_: set[str]) -> None:
        raise RuntimeError("a listener's fault")

    with running(faulty, on_commit=[broken]) as writer:
        for _ in range(2):
            writer.submit(batch(account_id, rejections=refusals, rejected=1)).result(WAIT)
    assert stored(faulty.store, account_id) == 2


def test_a_caller_that_cancels_does_not_end_the_writer(faulty: Faulty, account_id: str) -> None:
    with running(faulty) as writer:
        with at_once(writer):
            gone = [writer.submit(batch(account_id)) for _ in range(3)]
            assert gone[1].cancel()
        writer.submit(batch(account_id)).result(WAIT)
        writer.submit(batch(account_id)).result(WAIT)
        assert not gone[0].cancel(), "what was taken cannot be cancelled any more"
    assert stored(faulty.store, account_id) == 5, "what was handed over is stored"


def test_a_commit_is_bounded_in_runs_and_bytes(faulty: Faulty, account_id: str) -> None:
    with running(faulty, max_commit_runs=10) as writer:
        with at_once(writer):
            futures = [writer.submit(batch(account_id, runs=4)) for _ in range(10)]
        for future in futures:
            future.result(WAIT)
    assert max(count for _, count in faulty.inserts) <= 10
    faulty.inserts.clear()
    with running(faulty, max_commit_bytes=3000) as writer:
        with at_once(writer):
            futures = [writer.submit(batch(account_id)) for _ in range(10)]
        for future in futures:
            future.result(WAIT)
    assert max(count for _, count in faulty.inserts) <= 3
    assert stored(faulty.store, account_id) == 50


def test_what_waits_at_the_end_is_stored_and_what_comes_later_refused(faulty: Faulty, account_id: str) -> None:
    with running(faulty, commit_wait_seconds=1) as writer:
        futures = [writer.submit(batch(account_id)) for _ in range(5)]
    assert all(future.result(0) is None for future in futures)
    assert stored(faulty.store, account_id) == 5
    with pytest.raises(StoreUnavailable):
        writer.submit(batch(account_id)).result(WAIT)


def test_memory_is_reserved_up_to_the_bound_and_given_back(faulty: Faulty, account_id: str) -> None:
    writer = Writer(faulty, NoModels(), queue_bytes=1000)
    writer.reserve(600)
    with pytest.raises(QueueFull):
        writer.reserve(500)
    writer.reserve(400)
    writer.release(1000)
    writer.reserve(1000)


def test_every_refusal_is_counted_not_only_those_that_are_kept(faulty: Faulty, account_id: str) -> None:
    def counted() -> float:
        return REGISTRY.get_sample_value("modeltraces_rejected_total", {"signal": "runs"}) or 0.0

    before = counted()
    refusals = [RejectionRow(account_id, now_us(), "runs", "why", "which", "key")]
    with running(faulty) as writer:
        writer.submit(batch(account_id, rejections=refusals, rejected=1234)).result(WAIT)
    assert counted() - before == 1234


def test_a_batch_that_is_stored_again_by_itself_is_linked_by_what_it_says(faulty: Faulty, account_id: str) -> None:
    """A call of one model within that of another; a rule makes one model of the two, before the commit fails."""
    outer = span("outer", ms=100, model="router", input="hi", attributes={"server.address": "inside"})
    inner = span("inner", start_ms=10, ms=80, model="llama", input="hi", attributes={"server.address": "inside"})
    rules = RuleSet((Rule("r", (("server_address", ("inside",)),), (("model", "renamed"),)),))
    for one in (outer, inner):
        one.account_id = account_id
    faulty.refused_model = "refused"
    with running(faulty, rules=lambda _: rules) as writer:
        with at_once(writer):
            futures = [
                writer.submit(Batch(account_id, "traces", [outer, inner], size=1000)),
                writer.submit(batch(account_id, "refused")),
            ]
        futures[0].result(WAIT)
        with pytest.raises(StoreUnavailable):
            futures[1].result(WAIT)
    assert stored_counting(faulty.store, account_id) == 2


def stored_counting(store: ClickHouseStore, account_id: str) -> int:
    rows = store.query(
        "SELECT count() FROM runs FINAL WHERE account_id = {account_id:String} AND superseded_by = ''",
        {"account_id": account_id},
    )
    return int(rows[0][0])
