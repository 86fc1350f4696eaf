"""Applying the rules to past runs: a thread that goes through them week by week and says how far it is."""

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from typing import Any

import structlog

from modeltraces.catalog import jobs
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import CatalogError, Conflict
from modeltraces.catalog.jobs import Job
from modeltraces.catalog.matching.book import RuleBook
from modeltraces.catalog.matching.past import (
    MOST_GROUPS,
    Differences,
    TooManyGroups,
    apply_to_weeks,
    connections_in_use,
    differences,
    weeks,
)
from modeltraces.catalog.matching.rules import FACTS, RuleSet
from modeltraces.catalog.models import SeenModel
from modeltraces.store.engine import Store
from modeltraces.store.errors import told

log = structlog.get_logger(__name__)

KIND = "rematch"
_BEAT_SECONDS = jobs.SILENT_SECONDS / 6
_PATIENCE_SECONDS = 15.0
"""How long a server that stops waits for the week that is being done. The engine ends it after the next start otherwise."""
_LOOK_SECONDS = 10.0
"""Between two looks for jobs whose process is gone."""
_DONE_BY_ANOTHER = "Another process has done it."
_OTHER_RULES = "The rules were changed meanwhile. What was done is done; look at what would change, and start it again."


class _Ended(Exception):
    """The job is over before its end; the text is for the person who started it."""


class _LetGo(Exception):
    """The server stops: another process, or this one after its next start, goes on."""


@dataclass(slots=True)
class Rematcher:
    """One per process. A job that is broken off leaves whole weeks done, and beginning it again does the rest."""

    catalog: Catalog
    store: Store
    book: RuleBook
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def watch(self) -> None:
        """From now on, take over the jobs of processes that are gone."""
        thread = threading.Thread(target=self._watch, name="rematch watch", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _watch(self) -> None:
        while not self._stopping.is_set():
            try:
                while not self._stopping.is_set() and (job := jobs.take_over(self.catalog, KIND)) is not None:
                    log.info("taking a job over", job=job.id, account_id=job.account_id)
                    self._begin(self._resume, job)
            except CatalogError as error:
                log.warning("jobs that nobody does cannot be looked for", error=str(error))
            self._stopping.wait(_LOOK_SECONDS)

    def preview(self, account_id: str) -> Differences:
        """How many past runs the rules would change, and into what. Raises Conflict, and what a query raises."""
        return self._differences(account_id, self.book.rules(account_id))

    def _differences(self, account_id: str, rules: RuleSet) -> Differences:
        try:
            return differences(self.store, account_id, rules)
        except TooManyGroups:
            raise Conflict(
                f"The runs of this account say more than {MOST_GROUPS:,} different things of models and servers: "
                "they cannot be matched again. Runs to come are."
            ) from None

    def start(self, account_id: str, *, actor: str) -> Job:
        """Apply the rules as they are now. Raises Conflict while it is being done already."""
        rules = self.book.rules(account_id)
        found = self._differences(account_id, rules)
        among = weeks(self.store, account_id) if found.groups else []
        total = sum(count for _, count in among)
        job = jobs.start(self.catalog, account_id, KIND, total, actor=actor, basis=_digest(rules))
        self._begin(self._apply, job, rules, found, among)
        return job

    def _begin(self, do: Callable[..., None], job: Job, *given: Any) -> None:
        thread = threading.Thread(target=self._work, args=(do, job, *given), name="rematch", daemon=True)
        self._threads = [*filter(threading.Thread.is_alive, self._threads), thread]
        thread.start()

    def _work(self, do: Callable[..., None], job: Job, *given: Any) -> None:
        ended = threading.Event()
        beat = threading.Thread(target=self._beat, args=(job.id, ended), name="rematch beat", daemon=True)
        beat.start()
        end: Callable[[], None] = partial(jobs.end, self.catalog, job.id)
        try:
            do(job, *given)
        except _Ended as early:
            end = partial(jobs.end, self.catalog, job.id, str(early))
        except _LetGo:
            end = partial(jobs.let_go, self.catalog, job.id)
        except Exception as failure:
            log.error("matching past runs failed", error=str(failure), exc_info=failure)
            why = str(failure) if isinstance(failure, Conflict) else told(failure)
            error = f"It stopped: {why.rstrip('.')}. What was done is done; start it again for the rest."
            end = partial(jobs.end, self.catalog, job.id, error)
        finally:
            ended.set()
            beat.join()
        try:
            end()
        except CatalogError as failure:
            # Its silence says it, too.
            log.error("a job's end could not be written down", error=str(failure))

    def _resume(self, job: Job) -> None:
        """What another process began. Raises _Ended, _LetGo."""
        rules = self.book.rules(job.account_id)
        if _digest(rules) != job.basis:
            raise _Ended(_OTHER_RULES)
        found = self._differences(job.account_id, rules)
        among = weeks(self.store, job.account_id) if found.groups else []
        total = sum(count for _, count in among)
        if not found.groups:
            # All of it was done, but for saying so.
            jobs.progress(self.catalog, job.id, job.total)
            return
        if not jobs.again(self.catalog, job.id, total):
            raise _Ended(_DONE_BY_ANOTHER)
        self._apply(replace(job, total=total), rules, found, among)

    def _apply(self, job: Job, rules: RuleSet, found: Differences, among: Sequence[tuple[date, int]]) -> None:
        """Raises _Ended, _LetGo."""
        account_id = job.account_id
        left: set[tuple[str, str]] = set()
        for again in (False, True):
            self._register(account_id, found)
            left |= {
                (group.now.model, group.now.connection_name) for group in found.groups if group.now.connection_name
            }
            for done in apply_to_weeks(self.store, account_id, rules, found.groups, among):
                if not jobs.progress(self.catalog, job.id, job.total if again else done):
                    raise _Ended(_DONE_BY_ANOTHER)
                if self._stopping.is_set():
                    raise _LetGo
                if self.book.rules(account_id).written != rules.written:
                    # New runs are matched by the new ones, and would be given what the old ones say.
                    raise _Ended(_OTHER_RULES)
            if again or self.book.rules(account_id).rules != rules.rules:
                break
            # Runs that were on their way into the store when a rule was changed were matched by the old ones.
            found = self._differences(account_id, rules)
            if not found.groups:
                break
            among = weeks(self.store, account_id)
        if left:
            # Of these alone: the connection of a run that is on its way into the store stands in the catalog before the run does.
            unused = left - connections_in_use(self.store, account_id, left)
            self.book.registry.forget_connections(account_id, unused)

    def _beat(self, job_id: str, ended: threading.Event) -> None:
        """Signs of life, for one week may take long."""
        while not ended.wait(_BEAT_SECONDS):
            try:
                jobs.alive(self.catalog, job_id)
            except CatalogError as error:
                log.warning("a job's sign of life could not be given", error=str(error))

    def _register(self, account_id: str, found: Differences) -> None:
        """Models, versions and connections enter the catalog before runs name them."""
        seen: dict[str, SeenModel] = {}
        for group in found.groups:
            provider = group.said[FACTS.index("provider")]
            model = seen.setdefault(group.then.model, SeenModel(provider, first_run_on_us=group.first_run_on_us))
            model.first_run_on_us = min(model.first_run_on_us, group.first_run_on_us)
            if group.then.deployment_version:
                model.deployment_versions.add(group.then.deployment_version)
            if group.then.connection_name:
                model.connection_names.add(group.then.connection_name)
        self.book.registry.ensure(account_id, seen)

    def stop(self) -> None:
        """Let go of what is being done after the week that it is at, or in the middle of it when that takes long."""
        self._stopping.set()
        latest = time.monotonic() + _PATIENCE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, latest - time.monotonic()))


def _digest(rules: RuleSet) -> str:
    return hashlib.sha256(repr(rules.written).encode()).hexdigest()
