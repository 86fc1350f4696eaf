"""Filling an account: once, cleanly after an interruption, and never over somebody's runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from modeltraces.catalog import accounts
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.models import ModelRegistry
from modeltraces.demo.models import MODELS
from modeltraces.demo.seeding import Marker, NotADemo, seed_history
from modeltraces.run import Run, now_us
from modeltraces.settings import DEMO_FILE
from modeltraces.store.engine import ClickHouseStore
from modeltraces.store.rows import insert_runs

RUNS = 12_000


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[ModelRegistry]:
    catalog = Catalog(f"sqlite:///{tmp_path}/catalog.db")
    catalog.upgrade()
    yield ModelRegistry(catalog)
    catalog.close()


@pytest.fixture
def account(registry: ModelRegistry) -> str:
    return accounts.ensure_default(registry.catalog).id


def count(store: ClickHouseStore, account_id: str) -> tuple[int, int]:
    """(rows that count, different Request IDs)."""
    row = store.query(
        "SELECT count(), uniqExact(request_id) FROM runs FINAL WHERE account_id = {account:String}",
        {"account": account_id},
    )[0]
    return int(row[0]), int(row[1])


def test_a_second_start_reuses_the_data(
    store: ClickHouseStore, registry: ModelRegistry, account: str, tmp_path: Path
) -> None:
    assert seed_history(store, registry, account, tmp_path, runs=RUNS)
    assert count(store, account) == (RUNS, RUNS)
    assert not seed_history(store, registry, account, tmp_path, runs=RUNS)
    assert count(store, account) == (RUNS, RUNS)


def test_an_interrupted_fill_is_done_again_without_doubling_a_run(
    store: ClickHouseStore, registry: ModelRegistry, account: str, tmp_path: Path
) -> None:
    def interrupt(stored: int, in_all: int) -> None:
        if stored:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seed_history(store, registry, account, tmp_path, runs=RUNS, progress=interrupt)
    assert 0 < count(store, account)[0] < RUNS
    assert seed_history(store, registry, account, tmp_path, runs=RUNS)
    assert count(store, account) == (RUNS, RUNS)


def test_progress_goes_from_nothing_to_all(
    store: ClickHouseStore, registry: ModelRegistry, account: str, tmp_path: Path
) -> None:
    steps: list[tuple[int, int]] = []
    seed_history(store, registry, account, tmp_path, runs=RUNS, progress=lambda *step: steps.append(step))
    assert steps[0] == (0, RUNS)
    assert steps[-1] == (RUNS, RUNS)
    assert steps == sorted(steps)


def test_the_catalog_knows_every_model_with_its_kind_versions_and_connections(
    store: ClickHouseStore, registry: ModelRegistry, account: str, tmp_path: Path
) -> None:
    seed_history(store, registry, account, tmp_path, runs=RUNS)
    listed = {entry.name: entry for entry in registry.list_models(account)}
    assert listed.keys() == MODELS.keys()
    for name, model in MODELS.items():
        entry = listed[name]
        assert (entry.kind, entry.base_model) == (model.kind, model.base_model)
        assert [d.version for d in entry.deployments] == [rollout.version for rollout in model.rollouts]
        assert {c.name for c in entry.connections} == {connection for connection, _ in model.connections}


def test_the_first_run_that_the_catalog_knows_is_the_first_that_is_stored(
    store: ClickHouseStore, registry: ModelRegistry, account: str, tmp_path: Path
) -> None:
    seed_history(store, registry, account, tmp_path, runs=RUNS)
    rows = store.query(
        "SELECT model, min(toUnixTimestamp64Micro(executed_on)) FROM runs FINAL "
        "WHERE account_id = {account:String} GROUP BY model",
        {"account": account},
    )
    stored = {str(model): int(first) for model, first in rows}
    assert {entry.name: entry.first_run_on_us for entry in registry.list_models(account)} == stored


def test_an_account_with_runs_of_its_own_is_left_alone(
    store: ClickHouseStore, registry: ModelRegistry, account: str, tmp_path: Path
) -> None:
    insert_runs(store, [Run(account, "one of theirs", now_us(), "gpt-4o", instrumentation="native")])
    with pytest.raises(NotADemo, match="--data-dir"):
        seed_history(store, registry, account, tmp_path, runs=RUNS)
    assert count(store, account) == (1, 1)
    assert not (tmp_path / DEMO_FILE).exists()


def test_a_marker_that_cannot_be_read_is_no_marker(tmp_path: Path) -> None:
    path = tmp_path / DEMO_FILE
    assert Marker.read(path) is None
    path.write_text('{"account_id": "a", "now_us"')
    assert Marker.read(path) is None
    path.write_text('{"other": 1}')
    assert Marker.read(path) is None
    marker = Marker("a", 1, 2, 3, 4, is_complete=True)
    marker.write(path)
    assert Marker.read(path) == marker
