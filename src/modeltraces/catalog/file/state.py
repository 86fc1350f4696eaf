"""What an account's catalog holds, as far as a file can say it. Read in the transaction that changes it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from modeltraces.catalog.changes import is_described
from modeltraces.catalog.hosting.intervals import Interval, intervals_of
from modeltraces.catalog.hosting.ledger import ledger_event
from modeltraces.catalog.matching.written import WrittenRule, read_rules
from modeltraces.catalog.model_entries import natural_key
from modeltraces.catalog.model_writes import MOST_VERSIONS
from modeltraces.catalog.models import MOST_LISTED
from modeltraces.catalog.tables import (
    ConnectionRow,
    DeploymentEventRow,
    DeploymentRow,
    HardwarePriceRow,
    HardwareRow,
    ModelConnectionRow,
    ModelNameRow,
    ModelRow,
)


@dataclass(frozen=True, slots=True)
class DeploymentState:
    row: DeploymentRow
    model: str
    """The name of the model that it was deployed as, which may be merged into another."""
    hardware: str
    events: tuple[DeploymentEventRow, ...]
    """Those that stand, oldest first."""
    was_changed: bool
    """Whether there ever was an event, struck out or not."""

    @property
    def intervals(self) -> tuple[Interval, ...]:
        return intervals_of(ledger_event(row).event for row in self.events)

    @property
    def only_seen(self) -> bool:
        """Whether only runs tell of it."""
        return not (is_described(self.row) or self.was_changed)


@dataclass(slots=True)
class ModelState:
    row: ModelRow
    merged: dict[str, ModelRow] = field(default_factory=dict)
    deployments: Sequence[DeploymentState] = ()
    """Those of the merged models, too, by version; of one version, the one that counts first before others."""

    @property
    def has_runs(self) -> bool:
        return any(row.first_run_on_us is not None for row in (self.row, *self.merged.values()))

    @property
    def is_hosted(self) -> bool:
        return any(deployment.events for deployment in self.deployments)


@dataclass(frozen=True, slots=True)
class State:
    hardware: dict[str, Decimal]
    """Name → the price of now."""
    models: dict[str, ModelState]
    """Those that stand for themselves, by name."""
    merged_into: dict[str, str]
    """The name of a merged model → that of the one that it is counted with in the end."""
    borne: Mapping[str, str]
    """The names that runs bear or that models had before → the name of the model that they are counted with."""
    connections: dict[str, ConnectionRow]
    used_connections: frozenset[str]
    """Ids of those that runs came through."""
    rules: tuple[WrittenRule, ...]
    """In their order."""
    is_full: bool
    """Whether runs may have brought in more models or connections than are kept."""


def read_state(session: Session, account_id: str) -> State:
    """Eight queries, whatever the size of the catalog. All by name, `v2` before `v10`."""
    rows = {row.id: row for row in session.scalars(select(ModelRow).where(ModelRow.account_id == account_id))}
    models = {row.id: ModelState(row) for row in rows.values() if row.merged_into_id is None}
    last = {id_: _last(id_, rows) for id_ in rows}
    for id_, into in sorted(last.items(), key=lambda pair: _order(rows[pair[0]].name)):
        if id_ != into:
            models[into].merged[rows[id_].name] = rows[id_]
    deployments: dict[str, list[DeploymentState]] = defaultdict(list)
    for deployment in _deployments(session, account_id):
        deployments[last[deployment.row.model_id]].append(deployment)
    for id_, found in deployments.items():
        models[id_].deployments = ranked(found, rows[id_].name)
    connections = session.scalars(select(ConnectionRow).where(ConnectionRow.account_id == account_id))
    used = session.execute(
        select(ModelConnectionRow.model_id, ModelConnectionRow.connection_id)
        .join(ModelRow, ModelRow.id == ModelConnectionRow.model_id)
        .where(ModelRow.account_id == account_id)
    ).all()
    most_used = max(Counter(model_id for model_id, _ in used).values(), default=0)
    return State(
        hardware=_hardware(session, account_id),
        models={model.row.name: model for model in sorted(models.values(), key=lambda model: _order(model.row.name))},
        merged_into={rows[id_].name: rows[into].name for id_, into in last.items() if id_ != into},
        borne={
            name: rows[last[id_]].name
            for name, id_ in session.execute(
                select(ModelNameRow.recorded_name, ModelNameRow.model_id).where(ModelNameRow.account_id == account_id)
            )
        },
        connections={row.name: row for row in sorted(connections, key=lambda row: _order(row.name))},
        used_connections=frozenset(connection_id for _, connection_id in used),
        rules=tuple(read_rules(session, account_id)),
        is_full=len(rows) >= MOST_LISTED or most_used >= MOST_VERSIONS,
    )


def ranked(deployments: Iterable[DeploymentState], model: str) -> tuple[DeploymentState, ...]:
    """Of several models that are one: by version, and as `Change.deployments` ranks those of one version."""
    return tuple(
        sorted(
            deployments,
            key=lambda one: (
                _order(one.row.version),
                not one.events,
                not one.was_changed,
                not one.events and one.only_seen,
                one.model != model,
                one.row.created_on_us,
                one.row.id,
            ),
        )
    )


def that_count(deployments: Iterable[DeploymentState]) -> Iterator[DeploymentState]:
    """Without those of which only runs tell, where another has the version: `deployments` as they are ranked."""
    versions = set()
    for one in deployments:
        if not one.only_seen or one.row.version not in versions:
            yield one
        versions.add(one.row.version)


def _order(name: str) -> tuple[object, ...]:
    return natural_key(name), name


def _last(id_: str, rows: dict[str, ModelRow]) -> str:
    while (further := rows[id_].merged_into_id) is not None:
        id_ = further
    return id_


def _hardware(session: Session, account_id: str) -> dict[str, Decimal]:
    prices = session.execute(
        select(HardwareRow.name, HardwarePriceRow.credits_per_replica_hour)
        .join(HardwarePriceRow, HardwarePriceRow.hardware_id == HardwareRow.id)
        .where(HardwareRow.account_id == account_id)
        .order_by(HardwarePriceRow.from_us)
    ).all()
    latest = {name: Decimal(price) for name, price in prices}
    return dict(sorted(latest.items(), key=lambda pair: _order(pair[0])))


def _deployments(session: Session, account_id: str) -> Iterable[DeploymentState]:
    events: dict[str, list[DeploymentEventRow]] = defaultdict(list)
    for event in session.scalars(
        select(DeploymentEventRow)
        .where(DeploymentEventRow.account_id == account_id)
        .order_by(DeploymentEventRow.on_us, DeploymentEventRow.id)
    ):
        events[event.deployment_id].append(event)
    for row, model, hardware in session.execute(
        select(DeploymentRow, ModelRow.name, HardwareRow.name)
        .join(ModelRow, ModelRow.id == DeploymentRow.model_id)
        .outerjoin(HardwareRow, HardwareRow.id == DeploymentRow.hardware_id)
        .where(DeploymentRow.account_id == account_id)
    ):
        standing = tuple(event for event in events[row.id] if event.struck_on_us is None)
        yield DeploymentState(row, model, hardware or "", standing, bool(events[row.id]))
