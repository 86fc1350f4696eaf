"""A deployment's events in the file against its ledger."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from modeltraces.catalog.amounts import amount_text
from modeltraces.catalog.changes import Change
from modeltraces.catalog.errors import Invalid
from modeltraces.catalog.file.problems import Where
from modeltraces.catalog.file.shape import DeploymentPart, EventPart
from modeltraces.catalog.file.state import DeploymentState
from modeltraces.catalog.file.steps import Phase, Plan, shown
from modeltraces.catalog.hosting import ledger
from modeltraces.catalog.hosting.intervals import OutOfOrder, intervals_of
from modeltraces.catalog.tables import DeploymentEventRow, DeploymentRow, ModelRow
from modeltraces.catalog.times import instant_text

ModelOf = Callable[[Change], ModelRow]
DeploymentOf = Callable[[Change], DeploymentRow]


@dataclass(frozen=True, slots=True)
class Ledger:
    """Whose events are compared. The rows are found when they are needed: the file may just have made them."""

    model: str
    kind: str
    """The model's, once the file is applied."""
    named: str
    """`model@version` on a line."""
    model_of: ModelOf
    deployment_of: DeploymentOf


def compare_events(plan: Plan, to: Ledger, part: DeploymentPart, known: DeploymentState | None, where: Where) -> None:
    """Add what the ledger lacks; strike out what the file lacks, if that is allowed. `where`: the deployment's place."""
    if part.events and to.kind == "external":
        plan.refuse((*where, "events"), f"{shown(to.model)} is external: it is reached by connections, not deployed.")
        return
    if not _make_sense(plan, to.named, part, where):
        return
    lacking = {row.on_us: row for row in known.events} if known else {}
    new = []
    for position, event in enumerate(part.events):
        row = lacking.get(event.on)
        if row is not None and _says(event, row):
            del lacking[event.on]
        else:
            new.append((position, event))
    for row in lacking.values():
        told = f"{to.named}: {_event_text(row.type, row.replicas, row.on_us)}"
        if plan.allow_removal:
            plan.step(Phase.STRIKE, f"- event {told}", (*where, "events"), partial(_strike, to, row))
        else:
            plan.refuse(
                (*where, "events"),
                f"the ledger has an event that the file lacks, {told}. Put it into the file, or strike it out with --allow-removal.",
            )
    for position, event in new:
        text = f"+ event {to.named}: {_event_text(event.type, event.event.replicas, event.on)}"
        plan.step(Phase.EVENT, text, (*where, "events", position), partial(_enter, to, event))
    # Of a new deployment, the ledger will be the file's events, which make sense.
    if known and (new or lacking):
        plan.step(Phase.CHECK, "", where, partial(_check, to))


def _strike(to: Ledger, row: DeploymentEventRow, change: Change) -> None:
    ledger.strike(change, to.model_of(change), to.deployment_of(change), row)


def _enter(to: Ledger, part: EventPart, change: Change) -> str:
    """The price that it came to, for its line: of a time that has passed, no file tells it."""
    deployment, event = to.deployment_of(change), part.event
    entered = ledger.priced(change, deployment, event.type, event.replicas, event.on_us)
    if part.says("credits_per_replica_hour"):
        entered = replace(entered, credits_per_replica_hour=event.credits_per_replica_hour)
    if part.says("hardware"):
        entered = replace(entered, hardware=event.hardware)
    ledger.enter(change, to.model_of(change), deployment, entered)
    if entered.type == "undeploy":
        return ""
    price = entered.credits_per_replica_hour
    return ", without a price" if price is None else f", at {amount_text(price)} credits per replica-hour"


def _check(to: Ledger, change: Change) -> None:
    ledger.check(change, to.model_of(change), to.deployment_of(change))


def _make_sense(plan: Plan, named: str, part: DeploymentPart, where: Where) -> bool:
    """Whether the file's events can be a ledger: what is applied will be those and no others."""
    events = sorted(enumerate(part.events), key=lambda pair: pair[1].on)
    for position, event in events:
        try:
            ledger.instant(event.on, plan.now_us)
        except Invalid as error:
            plan.refuse((*where, "events", position), f"{named}: {error}")
            return False
    try:
        intervals_of(event.event for _, event in events)
    except OutOfOrder:
        for end in range(1, len(events) + 1):
            position, event = events[end - 1]
            try:
                intervals_of(event.event for _, event in events[:end])
            except OutOfOrder as error:
                plan.refuse(
                    (*where, "events", position), f"{named}, {event.type} at {instant_text(event.on)}: {error}."
                )
                return False
    return True


def _says(event: EventPart, row: DeploymentEventRow) -> bool:
    """Whether the ledger's event is the file's; what the file does not say may be as it is."""
    stands = ledger.ledger_event(row).event
    return (
        (event.type, event.event.replicas) == (stands.type, stands.replicas)
        and (
            not event.says("credits_per_replica_hour")
            or event.credits_per_replica_hour == stands.credits_per_replica_hour
        )
        and (not event.says("hardware") or event.hardware == stands.hardware)
    )


def _event_text(type: str, replicas: int | None, on_us: int) -> str:
    if replicas is None:
        return f"{type} at {instant_text(on_us)}"
    return f"{type} to {replicas} replica{'s' if replicas != 1 else ''} at {instant_text(on_us)}"
