"""Changes to models as Alice makes them, runs as they come in, and what is listed then."""

from collections.abc import Mapping, Sequence
from typing import Any

from modeltraces.catalog import model_edits
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.hosting import deployments
from modeltraces.catalog.model_entries import ModelEntry
from modeltraces.catalog.models import ModelRegistry, SeenModel
from modeltraces.catalog.vault import Vault

ALICE = "alice@example.com"
VAULT = Vault(b"secret of these tests")


def create(catalog: Catalog, account_id: str, name: Any, kind: Any = "open_source", **more: Any) -> str:
    return model_edits.create(catalog, account_id, name, kind, actor=ALICE, **more)


def edit(catalog: Catalog, account_id: str, model: str, /, **values: Any) -> str:
    return model_edits.edit(catalog, account_id, model, values, actor=ALICE)


def merge(catalog: Catalog, account_id: str, name: str, into: str) -> None:
    model_edits.merge(catalog, account_id, name, into, actor=ALICE)


def unmerge(catalog: Catalog, account_id: str, name: str) -> None:
    model_edits.unmerge(catalog, account_id, name, actor=ALICE)


def delete(catalog: Catalog, account_id: str, name: str, has_runs: bool = False) -> None:
    model_edits.delete(catalog, account_id, name, has_runs=has_runs, actor=ALICE)


def deploy(catalog: Catalog, account_id: str, name: str, version: str | None = None, **values: Any) -> str:
    fields = deployments.Fields(values, VAULT)
    return deployments.create(catalog, account_id, name, fields, actor=ALICE, version=version)


def seen(
    catalog: Catalog, account_id: str, name: str, provider: str = "vllm", on_us: int = 5,
    versions: Sequence[str] = (), connections: Sequence[str] = (),
) -> None:  # fmt: skip
    """Runs of that name come in, at a process that has seen none before."""
    ModelRegistry(catalog).ensure(account_id, {name: SeenModel(provider, "", on_us, set(versions), set(connections))})


def known(catalog: Catalog, account_id: str, outcomes: Mapping[str, str]) -> None:
    """The account has what a rule gives: a model, a version, a connection."""
    versions, connections = outcomes.get("deployment_version"), outcomes.get("connection_name")
    seen(
        catalog, account_id, outcomes.get("model", "any"), "",
        versions=[versions] if versions else [], connections=[connections] if connections else [],
    )  # fmt: skip


def listed(registry: ModelRegistry, account_id: str) -> list[ModelEntry]:
    return registry.list_models(account_id, archived=True)


def one(registry: ModelRegistry, account_id: str, name: str) -> ModelEntry:
    found = registry.get_model(account_id, name)
    assert found is not None
    return found
