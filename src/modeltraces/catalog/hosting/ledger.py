"""The ledger of hosting: events are added, for now or for the past, and never changed; a mistake is struck out."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, cast, get_args

from sqlalchemy import select

from modeltraces.catalog.amounts import amount_text
from modeltraces.catalog.changes import Change, changing
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict, Invalid, NotFound
from modeltraces.catalog.hosting.hardware import price_at
from modeltraces.catalog.hosting.intervals import Event, EventType, OutOfOrder, intervals_of
from modeltraces.catalog.tables import DeploymentEventRow, DeploymentRow, HardwareRow, ModelRow
from modeltraces.catalog.times import instant_text

EVENT_TYPES: Final[tuple[EventType, ...]] = get_args(EventType)
MOST_REPLICAS: Final = 100_000
_EARLIEST_US: Final = 946_684_800_000_000
"""2000-01-01: what is earlier was typed wrong."""


@dataclass(frozen=True, slots=True)
class LedgerEvent:
    """An event as it stands in the ledger, and who put it there."""

    id: int
    event: Event
    actor: str
    recorded_on_us: int
    struck_on_us: int | None
    struck_by: str | None


def add_event(
    catalog: Catalog,
    account_id: str,
    model: str,
    version: str,
    type: str,
    *,
    actor: str,
    replicas: Any = None,
    on_us: int | None = None,
) -> LedgerEvent:
    """Deploy, scale or undeploy a deployment, now or at `on_us` in the past.

    Raises Invalid for a value that cannot be, Conflict for what does not follow from the other events, NotFound.
    """
    with changing(catalog, account_id, actor) as change:
        row = change.model(model)
        deployment = change.deployment(row, version)
        return append(change, row, deployment, type, replicas=replicas, on_us=on_us)


def append(
    change: Change, model: ModelRow, deployment: DeploymentRow, type: str, *, replicas: Any, on_us: int | None
) -> LedgerEvent:
    """As `add_event`, in a change that is under way."""
    kind = _type(type)
    count = _replicas(kind, replicas)
    at = _instant(on_us, change.now_us)
    hardware = change.session.get(HardwareRow, deployment.hardware_id) if deployment.hardware_id else None
    price = None
    if kind != "undeploy":
        if deployment.credits_per_replica_hour is not None:
            price = Decimal(deployment.credits_per_replica_hour)
        elif hardware is not None:
            price = price_at(change, hardware.id, at)
    event = Event(kind, at, count, price, hardware.name if hardware and kind != "undeploy" else "")
    _check(change, model, deployment, [*_standing(change, deployment.id), event], kind, at)
    entry = DeploymentEventRow(
        account_id=change.account_id,
        deployment_id=deployment.id,
        type=kind,
        on_us=at,
        replicas=count,
        credits_per_replica_hour=None if price is None else amount_text(price),
        hardware=event.hardware,
        actor=change.actor,
        recorded_on_us=change.now_us,
        struck_on_us=None,
        struck_by=None,
    )
    change.session.add(entry)
    change.session.flush()
    after: dict[str, Any] = {"on": instant_text(at)}
    if kind != "undeploy":
        after |= {"replicas": count, "credits_per_replica_hour": entry.credits_per_replica_hour}
    change.record(f"deployment.{kind}", f"deployment:{model.name}@{deployment.version}", None, after)
    return ledger_event(entry)


def strike_event(catalog: Catalog, account_id: str, model: str, version: str, event_id: int, *, actor: str) -> None:
    """Strike a mistaken event out. It stays in the ledger and counts no more.

    Raises NotFound, and Conflict when the others would not follow from one another without it.
    """
    with changing(catalog, account_id, actor) as change:
        row = change.model(model)
        deployment = change.deployment(row, version)
        entry = change.session.get(DeploymentEventRow, event_id)
        if entry is None or entry.deployment_id != deployment.id or entry.struck_on_us is not None:
            raise NotFound(f"{row.name}@{deployment.version} has no such event.")
        rest = [event for id_, event in _standing_by_id(change, deployment.id) if id_ != event_id]
        try:
            intervals_of(rest)
        except OutOfOrder as error:
            raise Conflict(
                f"Without this event the ledger makes no sense: {error}. Strike out the later ones first."
            ) from None
        entry.struck_on_us, entry.struck_by = change.now_us, actor
        change.record(
            "deployment.strike",
            f"deployment:{row.name}@{deployment.version}",
            {"type": entry.type, "on": instant_text(entry.on_us), "replicas": entry.replicas},
        )


def ledger_event(row: DeploymentEventRow) -> LedgerEvent:
    price = None if row.credits_per_replica_hour is None else Decimal(row.credits_per_replica_hour)
    event = Event(cast(EventType, row.type), row.on_us, row.replicas, price, row.hardware)
    return LedgerEvent(row.id, event, row.actor, row.recorded_on_us, row.struck_on_us, row.struck_by)


def _standing(change: Change, deployment_id: str) -> list[Event]:
    return [event for _, event in _standing_by_id(change, deployment_id)]


def _standing_by_id(change: Change, deployment_id: str) -> list[tuple[int, Event]]:
    rows = change.session.scalars(
        select(DeploymentEventRow).where(
            DeploymentEventRow.deployment_id == deployment_id, DeploymentEventRow.struck_on_us.is_(None)
        )
    )
    return [(row.id, ledger_event(row).event) for row in rows]


def _check(
    change: Change, model: ModelRow, deployment: DeploymentRow, events: Sequence[Event], kind: EventType, at: int
) -> None:
    if model.kind == "external":
        raise Conflict(f"{model.name} is external: it is reached by connections, not deployed.")
    try:
        intervals_of(events)
    except OutOfOrder as error:
        raise Conflict(
            f"{model.name}@{deployment.version} cannot {_VERBS[kind]} at {instant_text(at)}: {error}."
        ) from None


_VERBS: Final[dict[EventType, str]] = {"deploy": "be deployed", "scale": "be scaled", "undeploy": "be undeployed"}


def _type(value: Any) -> EventType:
    if value not in EVENT_TYPES:
        raise Invalid(f"type must be one of {', '.join(EVENT_TYPES)}.")
    return cast(EventType, value)


def _replicas(kind: EventType, value: Any) -> int | None:
    if kind == "undeploy":
        if value is not None:
            raise Invalid("replicas has no place in an undeploy: none remain.")
        return None
    if value is None:
        if kind == "scale":
            raise Invalid("replicas is missing: say to how many it is scaled.")
        return 1
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_REPLICAS:
        hint = " To take all down, undeploy it." if value == 0 else ""
        raise Invalid(f"replicas must be a whole number from 1 to {MOST_REPLICAS:,}.{hint}")
    return value


def _instant(on_us: int | None, now_us: int) -> int:
    if on_us is None:
        return now_us
    if on_us > now_us:
        raise Invalid("The event lies in the future: the ledger holds what has happened. Enter it when it has.")
    if on_us < _EARLIEST_US:
        raise Invalid("The event lies before the year 2000.")
    return on_us
