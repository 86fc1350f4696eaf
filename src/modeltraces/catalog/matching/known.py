"""What a rule may give to runs: a model, version or connection that the account has. A misspelt one would rewrite its past."""

from collections.abc import Iterable, Mapping
from typing import Final

from sqlalchemy import select

from modeltraces.catalog.changes import Change
from modeltraces.catalog.errors import Invalid, NotFound
from modeltraces.catalog.nearest import nearest_names
from modeltraces.catalog.tables import ConnectionRow, DeploymentRow, ModelNameRow, ModelRow

_FEW: Final = 5
"""Versions that are all told where none is like the one that was typed."""


def require_known(change: Change, outcomes: Mapping[str, str], before: Mapping[str, str]) -> None:
    """`before`: what the rule gave so far; what it keeps of that may have gone since. Raises Invalid with the nearest."""
    model, version, connection = (outcomes.get(name, "") for name in ("model", "deployment_version", "connection_name"))
    if model and model != before.get("model"):
        _require_model(change, model)
    if version and (version, model) != (before.get("deployment_version"), before.get("model", "")):
        _require_version(change, version, model)
    if connection and connection != before.get("connection_name"):
        _require_connection(change, connection)


def _require_model(change: Change, name: str) -> None:
    try:
        change.model(name)
    except NotFound:
        names = change.session.scalars(select(ModelRow.name).where(ModelRow.account_id == change.account_id)).all()
        borne = change.session.scalars(
            select(ModelNameRow.recorded_name).where(ModelNameRow.account_id == change.account_id)
        ).all()
        says = _unknown("model", name, dict.fromkeys((*names, *borne)), "Add it first, on the page Models.")
        raise Invalid(says, parameter="outcomes.model") from None


def _require_version(change: Change, version: str, model: str) -> None:
    found = select(DeploymentRow.version).where(DeploymentRow.account_id == change.account_id)
    whose = ""
    if model:
        try:
            row = change.model(model)
        except NotFound:
            return  # As before, and gone since: what its versions were is known no more.
        found = found.where(DeploymentRow.model_id.in_([one.id for one in change.family(row)]))
        whose = f" of {row.name}"
    versions = set(change.session.scalars(found))
    if version not in versions:
        few = f"It has {', '.join(sorted(versions))}." if whose and 0 < len(versions) <= _FEW else ""
        says = _unknown("deployment", version, sorted(versions), few or "Add it first, on the model's page.", whose)
        raise Invalid(says, parameter="outcomes.deployment_version")


def _require_connection(change: Change, name: str) -> None:
    try:
        change.connection(name)
    except NotFound:
        names = change.session.scalars(
            select(ConnectionRow.name).where(ConnectionRow.account_id == change.account_id)
        ).all()
        says = _unknown("connection", name, names, "Add it first, on the page Connections.")
        raise Invalid(says, parameter="outcomes.connection_name") from None


def _unknown(what: str, name: str, among: Iterable[str], otherwise: str, whose: str = "") -> str:
    near = nearest_names(name, among)
    hint = f"Did you mean {' or '.join(near)}?" if near else otherwise
    return f"There is no {what} {name[:200]!r}{whose}. {hint}"
