"""Applying the rules to past runs: a thread that goes through them week by week and says how far it is."""

import threading
from dataclasses import dataclass, field

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
from modeltraces.catalog.matching.rules import FACTS
from modeltraces.catalog.models import SeenModel
from modeltraces.store.engine import Store, StoreError

log = structlog.get_logger(__name__)

KIND = "rematch"


@dataclass(slots=True)
class Rematcher:
    """One per process. A job that is broken off leaves whole weeks done, and starting it again does the rest."""

    catalog: Catalog
    store: Store
    book: RuleBook
    _stopping: threading.Event = field(default_factory=threading.Event)

    def preview(self, account_id: str) -> Differences:
        """How many past runs the rules would change, and into what. Raises Conflict, and what a query raises."""
        try:
            return differences(self.store, account_id, self.book.rules(account_id))
        except TooManyGroups:
            raise Conflict(
                f"The runs of this account say more than {MOST_GROUPS:,} different things of models and servers: "
                "they cannot be matched again. Runs to come are."
            ) from None

    def start(self, account_id: str, *, actor: str) -> Job:
        """Apply the rules as they are now. Raises Conflict while it is being done already."""
        rules = self.book.rules(account_id)
        found = self.preview(account_id)
        among = weeks(self.store, account_id) if found.groups else []
        job = jobs.start(self.catalog, account_id, KIND, sum(count for _, count in among), actor=actor)

        def work() -> None:
            try:
                self._register(account_id, found)
                for done in apply_to_weeks(self.store, account_id, rules, found.groups, among):
                    jobs.progress(self.catalog, job.id, done)
                    if self._stopping.is_set():
                        jobs.end(self.catalog, job.id, "The server was stopped meanwhile. Start it again.")
                        return
                jobs.end(self.catalog, job.id)
            except (StoreError, CatalogError) as error:
                log.error("matching past runs failed", error=str(error), exc_info=error)
                jobs.end(
                    self.catalog, job.id, f"It stopped: {error}. What was done is done; start it again for the rest."
                )

        threading.Thread(target=work, name="rematch", daemon=True).start()
        return job

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
        self._stopping.set()
