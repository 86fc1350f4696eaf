"""Catalog files for the tests of them, and what to look at when one was applied."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from modeltraces.catalog import audit
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.file.problems import BadFile
from modeltraces.catalog.file.writing import export_text
from modeltraces.catalog.models import ModelEntry, ModelRegistry
from modeltraces.catalog.tables import AccountRow
from modeltraces.catalog.vault import Vault

VAULT = Vault(b"a secret of this test")
FULL = """
[[hardware]]
name = "H100"
credits_per_replica_hour = 2.5

[[connections]]
name = "azure-eu"
provider = "azure"
protocol = "azure_openai"
base_url = "https://eu.example.com/openai/"
models = ["gpt-4o"]

[[models]]
name = "gpt-4o"
kind = "external"

[[models]]
name = "llama-3-8b"
kind = "open_source"
base_model = "meta/llama-3"
merged = ["llama3"]

[[models.deployments]]
version = "v1"
hardware = "H100"
endpoint = "http://10.0.0.1:8000/v1"
events = [
  { type = "deploy", on = 2025-11-01T10:00:00Z, replicas = 2 },
  { type = "scale", on = 2025-11-01T14:00:00+02:00, replicas = 4 },
  { type = "undeploy", on = 2025-11-01T13:00:00Z },
]
"""


def no_vault() -> Vault:
    raise AssertionError("no credential was asked for")


V1 = """[[models]]
name = "m"
kind = "open_source"
deployments = [{ version = "v1", credits_per_replica_hour = 1, events = [
%s
] }]
"""
DEPLOY = '{ type = "deploy", on = 2025-11-01T10:00:00Z, replicas = 2 },'
SCALE = '{ type = "scale", on = 2025-11-01T12:00:00Z, replicas = 4 },'
UNDEPLOY = '{ type = "undeploy", on = 2025-11-01T13:00:00Z },'


def exported(catalog: Catalog, account_id: str) -> str:
    with catalog.session() as session:
        return export_text(session, account_id)


def traces(catalog: Catalog, account_id: str) -> tuple[int, int | None]:
    """What any change would leave: entries in the log, and the revision."""
    with catalog.session() as session:
        revision = session.scalar(select(AccountRow.models_revision).where(AccountRow.id == account_id))
    return len(audit.list_entries(catalog, account_id, limit=10_000)), revision


def problems(refused: pytest.ExceptionInfo[BadFile]) -> list[tuple[int | None, str]]:
    return [(problem.line, problem.text) for problem in refused.value.problems]


def entries(catalog: Catalog, account_id: str) -> list[dict[str, Any]]:
    """The models of an account, without what only time and runs say of them."""
    return [_said(entry) for entry in ModelRegistry(catalog).list_models(account_id, archived=True)]


def _said(entry: ModelEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "kind": entry.kind,
        "base_model": entry.base_model,
        "provider": entry.provider,
        "archived": entry.archived,
        "merged": entry.merged,
        "deployments": [
            (
                replace(one, created_on_us=0, events=()),
                tuple(event.event for event in one.events if not event.struck_on_us),
            )
            for one in entry.deployments
        ],
    }
