"""Fills an account with the demo's history, once.

A marker file says for which instant and how far. An interrupted fill is begun again for the same instant: the same
runs have the same Request IDs, so that what was there already replaces itself.
"""

import json
import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from modeltraces.catalog.model_writes import SeenModel
from modeltraces.catalog.models import ModelRegistry
from modeltraces.demo.history import DEMO_DAYS, DEMO_RUNS, DEMO_SEED, generate_history
from modeltraces.demo.models import MODELS
from modeltraces.run import Run, now_us
from modeltraces.settings import DEMO_FILE
from modeltraces.store.coverage import forget
from modeltraces.store.engine import Store
from modeltraces.store.rows import insert_runs

INSTRUMENTATION = "demo"


class NotADemo(Exception):
    """The account has runs of its own; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Marker:
    account_id: str
    now_us: int
    """The instant that the history ends at."""
    runs: int
    days: int
    seed: int
    is_complete: bool = False

    @classmethod
    def read(cls, path: Path) -> "Marker | None":
        """The marker, or None when there is none that can be read."""
        try:
            return cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, path: Path) -> None:
        unfinished = path.with_suffix(".part")
        with unfinished.open("w") as file:
            json.dump(asdict(self), file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)


def seed_history(
    store: Store,
    registry: ModelRegistry,
    account_id: str,
    data_dir: Path,
    *,
    runs: int = DEMO_RUNS,
    days: int = DEMO_DAYS,
    seed: int = DEMO_SEED,
    progress: Callable[[int, int], None] | None = None,
) -> bool:
    """Insert the history and register its models; False when an earlier start did so already.

    `progress` is called with (runs stored, runs in all). Raises NotADemo for an account that has runs which no demo
    made, StoreError and CatalogUnavailable.
    """
    path = data_dir / DEMO_FILE
    marker = Marker.read(path)
    if marker is None or marker.account_id != account_id:
        _refuse_foreign_runs(store, account_id)
        marker = Marker(account_id, now_us(), runs, days, seed)
        marker.write(path)
    elif marker.is_complete:
        return False
    _fill(store, registry, marker, progress or (lambda stored, in_all: None))
    replace(marker, is_complete=True).write(path)
    return True


def _fill(store: Store, registry: ModelRegistry, marker: Marker, progress: Callable[[int, int], None]) -> None:
    batches = generate_history(marker.account_id, marker.now_us, runs=marker.runs, days=marker.days, seed=marker.seed)
    progress(0, marker.runs)
    stored = 0
    pending: Future[None] | None = None
    # The next batch is made while the engine writes this one.
    with ThreadPoolExecutor(1, "demo-seed") as inserts:
        for batch in batches:
            registry.ensure(marker.account_id, _seen(batch))
            if pending is not None:
                pending.result()
                progress(stored, marker.runs)
            pending = inserts.submit(insert_runs, store, batch)
            stored += len(batch)
        if pending is not None:
            pending.result()
    # They bear times of receipt that lie in the past.
    forget(store, account_id=marker.account_id, now_us=now_us())
    progress(stored, marker.runs)


def _seen(batch: Iterable[Run]) -> dict[str, SeenModel]:
    seen: dict[str, SeenModel] = {}
    for run in batch:
        model = seen.get(run.model)
        if model is None:
            known = MODELS[run.model]
            model = seen[run.model] = SeenModel(
                provider=known.provider,
                base_model=known.base_model,
                first_run_on_us=run.executed_on_us,
                kind=known.kind,
            )
        if run.deployment_version:
            model.deployment_versions.add(run.deployment_version)
        if run.connection_name:
            model.connection_names.add(run.connection_name)
    return seen


def _refuse_foreign_runs(store: Store, account_id: str) -> None:
    found = store.query(
        "SELECT count() FROM runs WHERE account_id = {account:String} AND instrumentation != {demo:String}",
        {"account": account_id, "demo": INSTRUMENTATION},
        surface="demo.seed",
    )[0][0]
    if found:
        raise NotADemo(
            f"this data directory holds {found} runs that are not the demo's. Choose another with --data-dir, "
            "or start without the demo: modeltraces serve."
        )
