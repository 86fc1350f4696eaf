"""The ledger of hosting: events are added, for now or for the past, and never changed; a mistake is struck out."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, cast, get_args

from sqlalchemy import select

from modeltraces.catalog.amounts import amount_text
from modeltraces.catalog.changes import Change, changing
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict, Invalid, NotFound, about
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
        row, deployment = change.deployed(model, version)
        return append(change, row, deployment, type, replicas=replicas, on_us=on_us)


def append(
    change: Change,
    model: ModelRow,
    deployment: DeploymentRow,
    type: str,
    *,
    replicas: Any,
    on_us: int | None,
    at: str = "on",
) -> LedgerEvent:
    """As `add_event`, in a change that is under way. `at`: what the instant is called where it was given."""
    with about("type"):
        kind = event_type(type)
    with about("replicas"):
        count = replica_count(kind, replicas)
    with about(at):
        happened = instant(on_us, change.now_us)
    event = priced(change, deployment, kind, count, happened)
    _check(change, model, deployment, [*_standing(change, deployment.id), event], kind, event.on_us)
    return enter(change, model, deployment, event)


def priced(change: Change, deployment: DeploymentRow, kind: EventType, replicas: int | None, at: int) -> Event:
    """The event with the price that applies then, and the hardware."""
    hardware = change.session.get(HardwareRow, deployment.hardware_id) if deployment.hardware_id else None
    price = None
    if kind != "undeploy":
        if deployment.credits_per_replica_hour is not None:
            price = Decimal(deployment.credits_per_replica_hour)
        elif hardware is not None:
            price = price_at(change, hardware.id, at if at < change.now_us else None)
    return Event(kind, at, replicas, price, hardware.name if hardware and kind != "undeploy" else "")


def enter(change: Change, model: ModelRow, deployment: DeploymentRow, event: Event) -> LedgerEvent:
    """The event into the ledger as it is. Whoever enters several asks `check` afterwards."""
    price = event.credits_per_replica_hour
    values: dict[str, Any] = {
        "account_id": change.account_id,
        "deployment_id": deployment.id,
        "type": event.type,
        "on_us": event.on_us,
        "replicas": event.replicas,
        "credits_per_replica_hour": None if price is None else amount_text(price),
        "hardware": event.hardware,
        "actor": change.actor,
        "recorded_on_us": change.now_us,
        "struck_on_us": None,
        "struck_by": None,
    }
    entry = DeploymentEventRow(**values)
    if change.at_once:
        change.session.add(entry)
        change.session.flush()
    else:
        change.events.append(values)
    after: dict[str, Any] = {"on": instant_text(event.on_us)}
    if event.type != "undeploy":
        after |= {"replicas": event.replicas, "credits_per_replica_hour": entry.credits_per_replica_hour}
    after |= change.merged_from(model, deployment)
    change.record(f"deployment.{event.type}", f"deployment:{model.name}@{deployment.version}", None, after)
    return ledger_event(entry)


def strike_event(catalog: Catalog, account_id: str, model: str, version: str, event_id: int, *, actor: str) -> None:
    """Strike a mistaken event out. It stays in the ledger and counts no more.

    Raises NotFound, and Conflict when the others would not follow from one another without it.
    """
    with changing(catalog, account_id, actor) as change:
        row, deployment = change.deployed(model, version)
        entry = change.session.get(DeploymentEventRow, event_id) if 0 < event_id < 1 << 63 else None
        if entry is None or entry.deployment_id != deployment.id:
            raise NotFound(f"{row.name}@{deployment.version} has no such event.")
        if entry.struck_on_us is not None:
            when = instant_text(entry.struck_on_us)
            raise NotFound(f"This event counts no more: it was struck out at {when} by {entry.struck_by}.")
        rest = [event for id_, event in _standing_by_id(change, deployment.id) if id_ != event_id]
        try:
            intervals_of(rest)
        except OutOfOrder as error:
            raise Conflict(
                f"Without this event the ledger makes no sense: {_why(error, -1)}. Strike out the later ones first."
            ) from None
        strike(change, row, deployment, entry)


def strike(change: Change, model: ModelRow, deployment: DeploymentRow, entry: DeploymentEventRow) -> None:
    """Strike an event out as it stands. Whoever strikes out several asks `check` afterwards."""
    entry.struck_on_us, entry.struck_by = change.now_us, change.actor
    change.session.flush()
    change.record(
        "deployment.strike",
        f"deployment:{model.name}@{deployment.version}",
        {"type": entry.type, "on": instant_text(entry.on_us), "replicas": entry.replicas}
        | change.merged_from(model, deployment),
    )


def check(change: Change, model: ModelRow, deployment: DeploymentRow) -> None:
    """Raises Conflict when what stands of the ledger makes no sense."""
    standing = _standing(change, deployment.id)
    if standing:
        _require_hostable(model)
    try:
        intervals_of(standing)
    except OutOfOrder as error:
        raise Conflict(f"The events of {model.name}@{deployment.version} make no sense: {_why(error, -1)}.") from None


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
    _require_hostable(model)
    if kind == "deploy" and model.archived_on_us is not None:
        raise Conflict(f"{model.name} is archived. Restore it first.")
    try:
        intervals_of(events)
    except OutOfOrder as error:
        raise Conflict(
            f"{model.name}@{deployment.version} cannot {_VERBS[kind]} at {instant_text(at)}: {_why(error, at)}."
        ) from None


def _why(error: OutOfOrder, at: int) -> str:
    """Of another event than the one of that instant, which."""
    if error.event.on_us == at:
        return str(error)
    return f"the {error.event.type} at {instant_text(error.event.on_us)} would make no sense, as {error}"


def _require_hostable(model: ModelRow) -> None:
    if model.kind == "external":
        raise Conflict(
            f"{model.name} is external: it is reached by connections, not deployed. "
            "If it is hosted all the same, change its kind first."
        )


_VERBS: Final[dict[EventType, str]] = {"deploy": "be deployed", "scale": "be scaled", "undeploy": "be undeployed"}


def event_type(value: Any) -> EventType:
    """Raises Invalid."""
    if value not in EVENT_TYPES:
        raise Invalid(f"type must be one of {', '.join(EVENT_TYPES)}.")
    return cast(EventType, value)


def replica_count(kind: EventType, value: Any) -> int | None:
    """How many the event leads to; None for `undeploy`. Raises Invalid."""
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


def instant(on_us: int | None, now_us: int) -> int:
    """When it happened; now where nothing is said. Raises Invalid."""
    if on_us is None:
        return now_us
    if on_us > now_us:
        raise Invalid("The event lies in the future: the ledger holds what has happened. Enter it when it has.")
    if on_us < _EARLIEST_US:
        raise Invalid("The event lies before the year 2000.")
    return on_us
