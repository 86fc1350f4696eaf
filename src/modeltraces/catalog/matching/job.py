"""Applying the rules to past runs: a thread that goes through them week by week and says how far it is."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

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
    differences,
    weeks,
)
from modeltraces.catalog.matching.rules import FACTS, RuleSet
from modeltraces.catalog.models import SeenModel
from modeltraces.store.engine import Store, StoreError

log = structlog.get_logger(__name__)

KIND = "rematch"
_BEAT_SECONDS = jobs.SILENT_SECONDS / 6
_PATIENCE_SECONDS = 15.0
"""How long a server that stops waits for the week that is being done. The engine ends it after the next start otherwise."""
_STOPPED = "The server was stopped meanwhile. Start it again."
_OTHER_RULES = "The rules were changed meanwhile. What was done is done; look at what would change, and start it again."


class _Ended(Exception):
    """The job is over before its end; the text is for the person who started it."""


@dataclass(slots=True)
class Rematcher:
    """One per process. A job that is broken off leaves whole weeks done, and starting it again does the rest."""

    catalog: Catalog
    store: Store
    book: RuleBook
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

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
        job = jobs.start(self.catalog, account_id, KIND, sum(count for _, count in among), actor=actor)

        thread = threading.Thread(
            target=self._work, args=(account_id, job, rules, found, among), name="rematch", daemon=True
        )
        self._threads = [*filter(threading.Thread.is_alive, self._threads), thread]
        thread.start()
        return job

    def _work(
        self, account_id: str, job: Job, rules: RuleSet, found: Differences, among: Sequence[tuple[date, int]]
    ) -> None:
        ended = threading.Event()
        threading.Thread(target=self._beat, args=(job.id, ended), name="rematch beat", daemon=True).start()
        error = ""
        try:
            self._apply(account_id, job, rules, found, among)
        except _Ended as end:
            error = str(end)
        except Exception as failure:
            log.error("matching past runs failed", error=str(failure), exc_info=failure)
            why = str(failure) if isinstance(failure, StoreError | CatalogError) else "the server's log says why"
            error = f"It stopped: {why.rstrip('.')}. What was done is done; start it again for the rest."
        finally:
            ended.set()
        try:
            jobs.end(self.catalog, job.id, error)
        except CatalogError as failure:
            # Its silence says it, too.
            log.error("a job's end could not be written down", error=str(failure))

    def _apply(
        self, account_id: str, job: Job, rules: RuleSet, found: Differences, among: Sequence[tuple[date, int]]
    ) -> None:
        """Raises _Ended."""
        for again in (False, True):
            self._register(account_id, found)
            for done in apply_to_weeks(self.store, account_id, rules, found.groups, among):
                if not jobs.progress(self.catalog, job.id, job.total if again else done):
                    raise _Ended(_STOPPED)
                if self._stopping.is_set():
                    raise _Ended(_STOPPED)
                if self.book.rules(account_id).written != rules.written:
                    # New runs are matched by the new ones, and would be given what the old ones say.
                    raise _Ended(_OTHER_RULES)
            if again or self.book.rules(account_id).rules != rules.rules:
                return
            # Runs that were on their way into the store when a rule was changed were matched by the old ones.
            found = self._differences(account_id, rules)
            if not found.groups:
                return
            among = weeks(self.store, account_id)

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
        """End what is being done after the week that it is at, or in the middle of it when that takes long."""
        self._stopping.set()
        latest = time.monotonic() + _PATIENCE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, latest - time.monotonic()))
