"""The demo's hosting: there is some for every hosted model, and it covers the runs of its versions."""

from pathlib import Path

from modeltraces.catalog import accounts, connections, model_edits
from modeltraces.catalog.connections import list_connections
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.hosting import hardware
from modeltraces.catalog.models import ModelRegistry, SeenModel
from modeltraces.catalog.vault import Vault
from modeltraces.demo.history import generate_history
from modeltraces.demo.hosting import seed_hosting
from modeltraces.demo.models import MODELS
from tests.catalog.catalog_files import exported

END_US, NEVER = 1_793_534_400_000_000, 10**6


class _Killed(Exception):
    pass


class _Clock:
    """Stands; asked more often than it may be, it ends the process."""

    left = NEVER

    def __call__(self) -> int:
        self.left -= 1
        if not self.left:
            raise _Killed
        return END_US


def test_a_start_that_ended_half_way_is_completed_by_the_next_and_what_people_changed_stays(tmp_path: Path) -> None:
    clock = _Clock()
    catalog = Catalog(f"sqlite:///{tmp_path}/catalog.db", clock=clock)
    catalog.upgrade()
    whole, broken = (accounts.ensure(catalog, name, actor="t")[0].id for name in ("whole", "broken"))
    for name, model in MODELS.items():
        if model.kind != "external":
            for account in (whole, broken):
                model_edits.create(catalog, account, name, model.kind, actor="t")

    def seed(account: str) -> bool:
        return seed_hosting(catalog, Vault(b"secret"), account, end_us=END_US, days=30)

    assert seed(whole)
    starts = 0
    while True:
        starts, clock.left = starts + 1, 4
        try:
            seed(broken)
        except _Killed:
            continue
        break
    assert starts > 5
    clock.left = NEVER
    assert not seed(broken)
    assert exported(catalog, broken) == exported(catalog, whole)

    connections.delete(catalog, whole, "azure-eu", has_runs=False, actor="t")
    hardware.set_price(catalog, whole, "H100 80 GB", "9", actor="t")
    changed = exported(catalog, whole)
    assert not seed(whole)
    assert exported(catalog, whole) == changed
    catalog.close()


def test_every_run_of_a_hosted_model_lies_in_a_hosted_interval_of_its_version(tmp_path: Path) -> None:
    catalog = Catalog(f"sqlite:///{tmp_path}/catalog.db")
    catalog.upgrade()
    account = accounts.ensure_default(catalog).id
    end_us = catalog.clock()
    registry = ModelRegistry(catalog)
    seen = {
        name: SeenModel(
            model.provider, model.base_model, 1, {rollout.version for rollout in model.rollouts},
            {connection for connection, _ in model.connections}, model.kind,
        )
        for name, model in MODELS.items()
    }  # fmt: skip
    registry.ensure(account, seen)
    assert seed_hosting(catalog, Vault(b"secret"), account, end_us=end_us, days=30)
    assert not seed_hosting(catalog, Vault(b"secret"), account, end_us=end_us, days=30), "once"
    intervals = {
        (entry.name, deployment.version): deployment.intervals
        for entry in registry.list_models(account)
        for deployment in entry.deployments
    }
    for batch in generate_history(account, end_us, runs=4_000):
        for run in batch:
            if MODELS[run.model].kind != "external":
                assert any(
                    interval.from_us <= run.executed_on_us
                    and (interval.to_us is None or run.executed_on_us < interval.to_us)
                    for interval in intervals[run.model, run.deployment_version]
                ), run
    assert {one.name for one in list_connections(catalog, account) if one.protocol} == {
        connection for model in MODELS.values() for connection, _ in model.connections
    }
    catalog.close()
