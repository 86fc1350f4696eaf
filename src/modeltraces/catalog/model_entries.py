"""The models of an account as pages, filters and the API see them."""

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Final, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from modeltraces.catalog.tables import ConnectionRow, DeploymentRow, ModelConnectionRow, ModelNameRow, ModelRow
from modeltraces.run import MODEL_KINDS, ModelKind

_DIGITS: Final = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class DeploymentEntry:
    version: str
    created_on_us: int


@dataclass(frozen=True, slots=True)
class ConnectionEntry:
    name: str
    provider: str
    created_on_us: int


@dataclass(frozen=True, slots=True)
class ModelEntry:
    id: str
    name: str
    kind: ModelKind
    base_model: str
    provider: str
    deployments: tuple[DeploymentEntry, ...]
    """By version, `v2` before `v10`."""
    connections: tuple[ConnectionEntry, ...]
    first_run_on_us: int | None
    recorded_names: tuple[str, ...]
    """The names that its runs bear."""
    created_on_us: int
    archived: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An account's models at one revision."""

    revision: int
    entries: tuple[ModelEntry, ...]
    by_name: dict[str, ModelEntry]
    names_of_kind: dict[ModelKind, tuple[str, ...]]


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts digits by their value: `v2` before `v10`."""
    # A run of thousands of digits is text: turning it into a number would take long, and Python refuses.
    parts = (part for part in _DIGITS.split(text.casefold()) if part)
    return tuple((0, int(part), "") if part.isdecimal() and len(part) < 19 else (1, 0, part) for part in parts)


def read_snapshot(session: Session, account_id: str, revision: int) -> Snapshot:
    """Four queries, whatever the number of models."""
    deployments: dict[str, list[DeploymentEntry]] = defaultdict(list)
    for model_id, version, created in session.execute(
        select(DeploymentRow.model_id, DeploymentRow.version, DeploymentRow.created_on_us).where(
            DeploymentRow.account_id == account_id
        )
    ):
        deployments[model_id].append(DeploymentEntry(version, created))
    connections: dict[str, list[ConnectionEntry]] = defaultdict(list)
    for model_id, name, provider, created in session.execute(
        select(ModelConnectionRow.model_id, ConnectionRow.name, ConnectionRow.provider, ConnectionRow.created_on_us)
        .join(ConnectionRow, ConnectionRow.id == ModelConnectionRow.connection_id)
        .where(ConnectionRow.account_id == account_id)
    ):
        connections[model_id].append(ConnectionEntry(name, provider, created))
    recorded: dict[str, list[str]] = defaultdict(list)
    for name, model_id in session.execute(
        select(ModelNameRow.recorded_name, ModelNameRow.model_id).where(ModelNameRow.account_id == account_id)
    ):
        recorded[model_id].append(name)
    entries = [
        ModelEntry(
            id=row.id,
            name=row.name,
            kind=cast(ModelKind, row.kind),  # the table's check constraint
            base_model=row.base_model,
            provider=row.provider,
            deployments=tuple(sorted(deployments[row.id], key=lambda d: natural_key(d.version))),
            connections=tuple(sorted(connections[row.id], key=lambda c: natural_key(c.name))),
            first_run_on_us=row.first_run_on_us,
            recorded_names=tuple(sorted(recorded[row.id])),
            created_on_us=row.created_on_us,
            archived=row.archived_on_us is not None,
        )
        for row in session.execute(select(ModelRow.__table__).where(ModelRow.account_id == account_id))
    ]
    entries.sort(key=lambda entry: (MODEL_KINDS.index(entry.kind), natural_key(entry.name), entry.name))
    by_name = {name: entry for entry in entries for name in entry.recorded_names}
    by_name |= {entry.name: entry for entry in entries}
    return Snapshot(
        revision=revision,
        entries=tuple(entries),
        by_name=by_name,
        names_of_kind={
            kind: tuple(name for entry in entries if entry.kind == kind for name in entry.recorded_names)
            for kind in MODEL_KINDS
        },
    )
