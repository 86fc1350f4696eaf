"""Changes to how a model's calls are spread, and what becomes of that when a place is renamed or goes."""

import json
from collections.abc import Iterable

from sqlalchemy import select

from modeltraces.catalog.changes import Change
from modeltraces.catalog.errors import Conflict, Invalid
from modeltraces.catalog.routing import Routing, read_routing
from modeltraces.catalog.tables import EVERY_MODEL, ConnectionRow, DeploymentRow, ModelNameRow, ModelRow


def check_places(change: Change, model: ModelRow, routing: Routing) -> None:
    """Raises Invalid for a place that the model does not have. One that is down or archived is its own: it is skipped."""
    versions = _versions(change, model)
    if model.kind != "external":
        for place in routing.weights:
            if place not in versions:
                raise Invalid(
                    f"{model.name} has no version {place[:200]!r}. Weights are given to its versions; a connection can be a fallback."
                )
    connections = {row.name: row for row in _connections(change, routing.places)}
    names = _names(change, model)
    for place in routing.places:
        if model.kind != "external" and place in versions:
            continue
        row = connections.get(place)
        if row is None:
            what = "connection" if model.kind == "external" else "version or connection"
            raise Invalid(f"{model.name} has no {what} {place[:200]!r}.")
        reached = json.loads(row.reaches)
        if not row.protocol:
            raise Invalid(f"{place} was only seen on runs: give it a protocol and an address first.")
        if EVERY_MODEL not in reached and not names & {name.lower() for name in reached}:
            raise Invalid(f"The connection {place} does not reach {model.name}: add it to its models first.")


def forget_version(change: Change, model: ModelRow, version: str) -> None:
    """It is gone: the model's calls are spread over what is left."""
    if not _connections(change, (version,)):
        _drop(change, model, {version})


def forget_connection(change: Change, name: str) -> None:
    """As `forget_version`, for every model that it served."""
    for model in _routed(change):
        if not _is_version(change, model, name):
            _drop(change, model, {name})


def forget_parted(change: Change, model: ModelRow) -> None:
    """The versions that went with a model that was merged into this one."""
    if (routing := read_routing(model.routing)) is None:
        return
    known = _versions(change, model) | {row.name for row in _connections(change, routing.places)}
    _drop(change, model, set(routing.places) - known)


def rename_connection(change: Change, old: str, new: str) -> None:
    """Wherever calls are spread over it, they are over its new name. Raises Conflict where that is a version's."""
    for model in _routed(change):
        routing = read_routing(model.routing)
        if routing is None or old not in routing.places or _is_version(change, model, old):
            continue
        if new in routing.places or _is_version(change, model, new):
            raise Conflict(
                f"{model.name} falls back to {old}, and has a version {new!r}, which would be called instead. "
                "Choose another name."
            )
        _put(change, model, routing.renamed(old, new))


def _drop(change: Change, model: ModelRow, gone: set[str]) -> None:
    routing = read_routing(model.routing)
    if routing is not None and gone & set(routing.places):
        _put(change, model, routing.without(gone))


def _put(change: Change, model: ModelRow, routing: Routing | None) -> None:
    before = model.routing
    model.routing = routing.stored if routing else None
    change.session.flush()
    change.record("model.edit", f"model:{model.name}", {"routing": before}, {"routing": model.routing})


def _routed(change: Change) -> list[ModelRow]:
    # What JSON null is differs between databases, so it is told apart here.
    rows = change.session.scalars(
        select(ModelRow).where(ModelRow.account_id == change.account_id, ModelRow.routing.is_not(None))
    )
    return [row for row in rows if row.routing]


def _versions(change: Change, model: ModelRow) -> set[str]:
    ids = [member.id for member in change.family(model)]
    return set(change.session.scalars(select(DeploymentRow.version).where(DeploymentRow.model_id.in_(ids))))


def _is_version(change: Change, model: ModelRow, name: str) -> bool:
    return model.kind != "external" and name in _versions(change, model)


def _connections(change: Change, names: Iterable[str]) -> list[ConnectionRow]:
    return list(
        change.session.scalars(
            select(ConnectionRow).where(
                ConnectionRow.account_id == change.account_id, ConnectionRow.name.in_(tuple(names))
            )
        )
    )


def _names(change: Change, model: ModelRow) -> set[str]:
    """By which a connection may name the model, in lower case."""
    ids = [member.id for member in change.family(model)]
    recorded = change.session.scalars(select(ModelNameRow.recorded_name).where(ModelNameRow.model_id.in_(ids)))
    return {name.lower() for name in (model.name, *recorded)}
