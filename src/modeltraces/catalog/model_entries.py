"""The models of an account as pages, filters and the API see them."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from modeltraces.catalog.hosting.intervals import Interval, intervals_of
from modeltraces.catalog.hosting.ledger import LedgerEvent, ledger_event
from modeltraces.catalog.routing import Routing, read_routing
from modeltraces.catalog.tables import (
    ConnectionRow,
    DeploymentEventRow,
    DeploymentRow,
    HardwareRow,
    ModelConnectionRow,
    ModelNameRow,
    ModelRow,
)
from modeltraces.run import MODEL_KINDS, ModelKind

_DIGITS: Final = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class DeploymentEntry:
    version: str
    created_on_us: int
    merged_from: str = ""
    """The name of the merged model whose deployment it is; '' for one of the model itself."""
    hardware: str = ""
    credits_per_replica_hour: Decimal | None = None
    """Its own price, in place of its hardware's."""
    endpoint: str = ""
    protocol: str = ""
    upstream_model: str = ""
    has_credential: bool = False
    locked_credential: str | None = field(default=None, repr=False)
    """Encrypted; for the gateway alone."""
    events: tuple[LedgerEvent, ...] = ()
    """Oldest first, by when they happened; struck-out ones too. Empty for a version that was only seen on runs."""
    intervals: tuple[Interval, ...] = ()

    @property
    def replicas(self) -> int:
        """How many are up now."""
        return self.intervals[-1].replicas if self.intervals and self.intervals[-1].to_us is None else 0

    @property
    def deployed_on_us(self) -> int | None:
        """When it was first deployed; None when nobody said."""
        return self.intervals[0].from_us if self.intervals else None

    @property
    def is_up(self) -> bool:
        """Whether the gateway can call it. One without a ledger is up: nobody keeps account of it."""
        return bool(self.endpoint) and (self.replicas > 0 or not self.events)

    @property
    def rolled_out_us(self) -> int:
        """The newest of several serves."""
        return self.deployed_on_us or self.created_on_us


@dataclass(frozen=True, slots=True)
class ConnectionEntry:
    name: str
    provider: str
    created_on_us: int
    archived: bool = False


@dataclass(frozen=True, slots=True)
class ModelEntry:
    id: str
    name: str
    kind: ModelKind
    base_model: str
    provider: str
    deployments: tuple[DeploymentEntry, ...]
    """By version, `v2` before `v10`. After a merge several may have one version: each keeps its ledger."""
    connections: tuple[ConnectionEntry, ...]
    first_run_on_us: int | None
    recorded_names: tuple[str, ...]
    """The names that its runs bear, and those that it had before."""
    created_on_us: int
    archived: bool
    merged: tuple[str, ...] = ()
    """The names of the models that were merged into it."""
    routing: Routing | None = None
    borne_names: tuple[str, ...] = ()
    """Of `recorded_names`, those that a run bore: what its provider knows it by."""
    merged_by_name: Mapping[str, str] = field(default_factory=dict)
    """The names that merged models have or had → the name of that model."""

    def deployment(self, version: str, name: str = "") -> DeploymentEntry | None:
        """The one of that version; of several, the one of the model that has or had that name itself, else the first."""
        found = [one for one in self.deployments if one.version == version]
        own = (one for one in found if one.merged_from == self.merged_by_name.get(name, ""))
        return next(own, next(iter(found), None))

    @property
    def deployed_on_us(self) -> int | None:
        """When its first deployment went up; None when nobody said."""
        return min((d.deployed_on_us for d in self.deployments if d.deployed_on_us is not None), default=None)


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
    """Six queries, whatever the number of models."""
    rows = {row.id: row for row in session.execute(select(ModelRow.__table__).where(ModelRow.account_id == account_id))}
    # model id → the id of the model that it was merged into, in the end.
    into = {model_id: _last(model_id, rows) for model_id in rows}
    deployments: dict[str, list[DeploymentEntry]] = defaultdict(list)
    for model_id, deployment in _deployments(session, account_id):
        merged_from = "" if into[model_id] == model_id else rows[model_id].name
        deployments[into[model_id]].append(replace(deployment, merged_from=merged_from) if merged_from else deployment)
    connections: dict[str, dict[str, ConnectionEntry]] = defaultdict(dict)
    for model_id, connection in _connections(session, account_id):
        connections[into[model_id]][connection.name] = connection
    recorded: dict[str, dict[str, bool]] = defaultdict(dict)
    merged_by_name: dict[str, dict[str, str]] = defaultdict(dict)
    for name, model_id, is_borne in session.execute(
        select(ModelNameRow.recorded_name, ModelNameRow.model_id, ModelNameRow.is_borne).where(
            ModelNameRow.account_id == account_id
        )
    ):
        recorded[into[model_id]][name] = is_borne
        if into[model_id] != model_id:
            merged_by_name[into[model_id]][name] = rows[model_id].name
    merged: dict[str, list[Any]] = defaultdict(list)
    for model_id, last in into.items():
        if model_id != last:
            merged[last].append(rows[model_id])
            merged_by_name[last][rows[model_id].name] = rows[model_id].name
    entries = [
        ModelEntry(
            id=row.id,
            name=row.name,
            kind=cast(ModelKind, row.kind),  # the table's check constraint
            base_model=row.base_model,
            provider=row.provider,
            deployments=tuple(_united(deployments[row.id])),
            connections=tuple(sorted(connections[row.id].values(), key=lambda c: natural_key(c.name))),
            first_run_on_us=min(
                (one.first_run_on_us for one in (row, *merged[row.id]) if one.first_run_on_us is not None), default=None
            ),
            recorded_names=tuple(sorted(recorded[row.id])),
            created_on_us=row.created_on_us,
            archived=row.archived_on_us is not None,
            merged=tuple(sorted(one.name for one in merged[row.id])),
            routing=read_routing(row.routing),
            borne_names=tuple(sorted(name for name, is_borne in recorded[row.id].items() if is_borne)),
            merged_by_name=merged_by_name[row.id],
        )
        for row in rows.values()
        if into[row.id] == row.id
    ]
    entries.sort(key=lambda entry: (MODEL_KINDS.index(entry.kind), natural_key(entry.name), entry.name))
    by_name = {name: entry for entry in entries for name in (*entry.merged, *entry.recorded_names)}
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


def _last(model_id: str, rows: Mapping[str, Any]) -> str:
    while (further := rows[model_id].merged_into_id) is not None:
        model_id = further
    return model_id


def _deployments(session: Session, account_id: str) -> Iterator[tuple[str, DeploymentEntry]]:
    events: dict[str, list[LedgerEvent]] = defaultdict(list)
    for event in session.scalars(
        select(DeploymentEventRow)
        .where(DeploymentEventRow.account_id == account_id)
        .order_by(DeploymentEventRow.on_us, DeploymentEventRow.id)
    ):
        events[event.deployment_id].append(ledger_event(event))
    for row, hardware in session.execute(
        select(DeploymentRow, HardwareRow.name)
        .outerjoin(HardwareRow, HardwareRow.id == DeploymentRow.hardware_id)
        .where(DeploymentRow.account_id == account_id)
        .order_by(DeploymentRow.created_on_us, DeploymentRow.id)
    ):
        price = row.credits_per_replica_hour
        yield (
            row.model_id,
            DeploymentEntry(
                version=row.version,
                created_on_us=row.created_on_us,
                hardware=hardware or "",
                credits_per_replica_hour=None if price is None else Decimal(price),
                endpoint=row.endpoint,
                protocol=row.protocol,
                upstream_model=row.upstream_model,
                has_credential=row.credential is not None,
                locked_credential=row.credential,
                events=tuple(events[row.id]),
                intervals=intervals_of(entry.event for entry in events[row.id] if entry.struck_on_us is None),
            ),
        )


def _united(deployments: Iterable[DeploymentEntry]) -> Iterator[DeploymentEntry]:
    """In order. Of one version, every one that has a ledger; where none has, the one that changes speak to as well."""
    by_version: dict[str, list[DeploymentEntry]] = defaultdict(list)
    for deployment in deployments:
        by_version[deployment.version].append(deployment)
    for _, found in sorted(by_version.items(), key=lambda one: natural_key(one[0])):
        found.sort(key=lambda one: bool(one.merged_from))
        yield from [one for one in found if one.events] or [max(found, key=_is_described)]


def _is_described(deployment: DeploymentEntry) -> bool:
    """As `Change.deployments` ranks those without a ledger."""
    return bool(
        deployment.hardware
        or deployment.credits_per_replica_hour is not None
        or deployment.endpoint
        or deployment.protocol
        or deployment.upstream_model
        or deployment.has_credential
    )


def _connections(session: Session, account_id: str) -> Iterator[tuple[str, ConnectionEntry]]:
    for model_id, name, provider, created, archived in session.execute(
        select(
            ModelConnectionRow.model_id, ConnectionRow.name, ConnectionRow.provider, ConnectionRow.created_on_us,
            ConnectionRow.archived_on_us,
        )
        .join(ConnectionRow, ConnectionRow.id == ModelConnectionRow.connection_id)
        .where(ConnectionRow.account_id == account_id)
    ):  # fmt: skip
        yield model_id, ConnectionEntry(name, provider, created, archived is not None)
