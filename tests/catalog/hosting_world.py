"""A model that is deployed, scaled and taken down by hours of one day; what its ledger then says."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from modeltraces.catalog import model_edits
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.hosting import deployments, ledger
from modeltraces.catalog.hosting.intervals import hosted
from modeltraces.catalog.model_entries import DeploymentEntry
from modeltraces.catalog.models import ModelRegistry
from modeltraces.catalog.vault import Vault

MINUTE = 60_000_000
HOUR = 60 * MINUTE
ALICE = "alice@example.com"
VAULT = Vault(b"secret of these tests")


def at(hour: int, minute: int = 0) -> int:
    return int(datetime(2026, 11, 20, hour, minute, tzinfo=UTC).timestamp()) * 1_000_000


def model(catalog: Catalog, account_id: str, name: str = "llama", kind: str = "open_source") -> str:
    return model_edits.create(catalog, account_id, name, kind, actor=ALICE)


def deploy(
    catalog: Catalog, account_id: str, name: str = "llama", *, version: str | None = None, replicas: Any = 1,
    on_us: int | None = None, **values: Any,
) -> str:  # fmt: skip
    fields = deployments.Fields(values, VAULT)
    return deployments.create(
        catalog, account_id, name, fields, actor=ALICE, version=version, replicas=replicas, deployed_on_us=on_us
    )


def event(
    catalog: Catalog, account_id: str, type: str, *, version: str = "v1", name: str = "llama", replicas: Any = None,
    on_us: int | None = None,
) -> ledger.LedgerEvent:  # fmt: skip
    return ledger.add_event(catalog, account_id, name, version, type, actor=ALICE, replicas=replicas, on_us=on_us)


def entries(catalog: Catalog, account_id: str, name: str = "llama") -> Sequence[DeploymentEntry]:
    found = ModelRegistry(catalog).get_model(account_id, name)
    assert found is not None
    return found.deployments


def credits(
    catalog: Catalog, account_id: str, from_us: int | None = None, to_us: int | None = None, name: str = "llama"
) -> Decimal | None:
    intervals = [interval for entry in entries(catalog, account_id, name) for interval in entry.intervals]
    return hosted(intervals, from_us, to_us, catalog.clock()).credits
