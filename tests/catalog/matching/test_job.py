"""The job that applies rules to past runs: how it ends when something comes between."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from modeltraces.catalog import accounts, jobs
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict
from modeltraces.catalog.jobs import Job
from modeltraces.catalog.matching import book
from modeltraces.catalog.matching.book import RuleBook
from modeltraces.catalog.matching.job import Rematcher
from modeltraces.catalog.models import ModelRegistry
from modeltraces.store.engine import Store
from modeltraces.store.rows import insert_runs
from tests.catalog.cast import Clock
from tests.catalog.model_world import known
from tests.query.runs import DAY_US, NOON_US, run

ACTOR = "alice@example.com"
RULE = {"name": "r", "conditions": {"model": "gpt*"}, "outcomes": {"model": "m"}}


@dataclass
class World:
    store: Store
    catalog: Catalog
    account_id: str
    rules: RuleBook = field(init=False)

    def __post_init__(self) -> None:
        self.rules = RuleBook(self.catalog, ModelRegistry(self.catalog))
        for week in range(3):
            insert_runs(self.store, [run(self.account_id, week, executed_on_us=NOON_US - week * 7 * DAY_US)])
        for model in ("m", "other"):
            known(self.catalog, self.account_id, {"model": model})
        book.create_rule(self.catalog, self.account_id, RULE, actor=ACTOR)

    def rematcher(self, store: Store | None = None) -> Rematcher:
        return Rematcher(self.catalog, store or self.store, self.rules)

    def ended(self, job: Job) -> Job:
        deadline = time.monotonic() + 30
        while job.state == "running":
            assert time.monotonic() < deadline
            time.sleep(0.02)
            job = jobs.get(self.catalog, self.account_id, job.id)
        return job


@pytest.fixture
def world(store: Store, catalog: Catalog) -> World:
    account, _ = accounts.ensure(catalog, "job", actor=ACTOR)
    return World(store, catalog, account.id)


class Between:
    """The store; before the second week is changed it does something else."""

    def __init__(self, store: Store, does: Any) -> None:
        self._store, self._does, self._weeks = store, does, 0

    def command(self, sql: str, params: Mapping[str, Any] | None = None) -> None:
        if sql.startswith("ALTER TABLE runs"):
            self._weeks += 1
            if self._weeks == 2:
                self._does()
        self._store.command(sql, params)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_a_fault_of_any_kind_ends_the_job_and_it_can_be_started_again(world: World) -> None:
    def fault() -> None:
        raise RuntimeError("boom")

    job = world.ended(world.rematcher(Between(world.store, fault)).start(world.account_id, actor=ACTOR))
    assert job.state == "failed"
    assert "start it again" in job.error
    assert "boom" not in job.error
    again = world.rematcher()
    assert world.ended(again.start(world.account_id, actor=ACTOR)).state == "done"
    assert again.preview(world.account_id).groups == ()


def test_a_rule_that_is_changed_meanwhile_ends_it(world: World) -> None:
    def change() -> None:
        book.edit_rule(world.catalog, world.account_id, "r", {"outcomes": {"model": "other"}}, actor=ACTOR)

    job = world.ended(world.rematcher(Between(world.store, change)).start(world.account_id, actor=ACTOR))
    assert job.state == "failed"
    assert "changed meanwhile" in job.error
    assert world.rematcher().preview(world.account_id).changed == 3


def test_runs_that_were_matched_by_older_rules_meanwhile_are_done_too(world: World) -> None:
    late = run(world.account_id, 9, executed_on_us=NOON_US - 70 * DAY_US)
    rematcher = world.rematcher(Between(world.store, lambda: insert_runs(world.store, [late])))
    assert world.ended(rematcher.start(world.account_id, actor=ACTOR)).state == "done"
    assert rematcher.preview(world.account_id).groups == ()


class Waiting:
    """Holds the store up before the second week is changed."""

    def __init__(self, world: World) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()
        self.rematcher = world.rematcher(Between(world.store, self._wait))
        self.job = self.rematcher.start(world.account_id, actor=ACTOR)
        assert self.reached.wait(30)

    def _wait(self) -> None:
        self.reached.set()
        assert self.go_on.wait(30)


def test_a_server_that_stops_waits_for_the_week_and_another_takes_the_job_over(world: World) -> None:
    stopping = Waiting(world)
    with pytest.raises(Conflict):
        world.rematcher().start(world.account_id, actor=ACTOR)
    threading.Timer(0.2, stopping.go_on.set).start()
    stopping.rematcher.stop()
    found = jobs.get(world.catalog, world.account_id, stopping.job.id)
    assert (found.state, found.done) == ("running", 2), "the store is closed only after that week"
    another = world.rematcher()
    another.watch()
    assert world.ended(found).state == "done"
    assert another.preview(world.account_id).groups == ()
    another.stop()


def test_the_job_of_a_server_that_was_killed_is_taken_over_and_begun_again(world: World, clock: Clock) -> None:
    killed = Waiting(world)
    clock.advance(jobs.SILENT_SECONDS + 1)
    others = [world.rematcher(), world.rematcher()]
    for one in others:
        one.watch()
    done = world.ended(killed.job)
    assert (done.state, done.done, done.total) == ("done", 3, 3)
    assert others[0].preview(world.account_id).groups == ()
    killed.go_on.set()
    for one in (killed.rematcher, *others):
        one.stop()
    assert jobs.get(world.catalog, world.account_id, killed.job.id) == done


def test_a_job_is_not_taken_over_when_the_rules_are_others_by_then(world: World, clock: Clock) -> None:
    killed = Waiting(world)
    book.edit_rule(world.catalog, world.account_id, "r", {"outcomes": {"model": "other"}}, actor=ACTOR)
    clock.advance(jobs.SILENT_SECONDS + 1)
    another = world.rematcher()
    another.watch()
    job = world.ended(killed.job)
    assert job.state == "failed"
    assert "changed meanwhile" in job.error
    killed.go_on.set()
    for one in (killed.rematcher, another):
        one.stop()


def test_a_job_that_was_done_but_for_saying_so_is_done(world: World) -> None:
    rematcher = world.rematcher()
    first = world.ended(rematcher.start(world.account_id, actor=ACTOR))
    again = jobs.start(world.catalog, world.account_id, "rematch", 3, actor=ACTOR, basis=_basis(world, first))
    jobs.let_go(world.catalog, again.id)
    rematcher.watch()
    done = world.ended(again)
    assert (done.state, done.done) == ("done", 3)
    rematcher.stop()


def _basis(world: World, job: Job) -> str:
    return jobs.get(world.catalog, world.account_id, job.id).basis
