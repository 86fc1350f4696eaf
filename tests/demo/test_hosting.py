"""The demo's hosting: there is some for every hosted model, and it covers the runs of its versions."""

from pathlib import Path

from modeltraces.catalog import accounts
from modeltraces.catalog.connections import list_connections
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.models import ModelRegistry, SeenModel
from modeltraces.catalog.vault import Vault
from modeltraces.demo.history import generate_history
from modeltraces.demo.hosting import seed_hosting
from modeltraces.demo.models import MODELS


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
