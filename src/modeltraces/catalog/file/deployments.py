"""The deployments of a model in the file against the account's."""

from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Final

from modeltraces.catalog.addresses import is_elsewhere
from modeltraces.catalog.changes import Change
from modeltraces.catalog.file.ledgers import Ledger, ModelOf, compare_events
from modeltraces.catalog.file.problems import Misplaced, Where
from modeltraces.catalog.file.shape import DeploymentPart, ModelPart
from modeltraces.catalog.file.state import DeploymentState
from modeltraces.catalog.file.steps import Phase, Plan, difference_text, shown
from modeltraces.catalog.hosting import deployments
from modeltraces.catalog.tables import DeploymentRow
from modeltraces.catalog.vault import Vault

_FIELDS: Final = ("hardware", "credits_per_replica_hour", "endpoint", "protocol", "upstream_model")
_NO_VAULT: Final = Vault(b"")
"""Locks nothing: it stands where no credential is among the values."""


def compare_deployments(
    plan: Plan, part: ModelPart, kind: str, known: Mapping[str, DeploymentState], model_of: ModelOf, where: Where
) -> None:
    """`kind`: the model's, once the file is applied. `known`: what it has by then, by version. `where`: the model's place."""
    for position, deployment in enumerate(part.deployments):
        here = (*where, "deployments", position)
        there = known.get(deployment.version)
        _compare(plan, part.name, deployment, there, model_of, here)
        if deployment.says("events"):
            named = shown(f"{part.name}@{deployment.version}")
            deployment_of = partial(_deployment_of, plan, (part.name, deployment.version), there)
            to = Ledger(part.name, kind, named, model_of, deployment_of)
            compare_events(plan, to, deployment, there, here)


def _compare(
    plan: Plan, model: str, part: DeploymentPart, known: DeploymentState | None, model_of: ModelOf, where: Where
) -> None:
    row = known.row if known else None
    values: dict[str, Any] = {name: getattr(part, name) for name in _FIELDS if part.says(name)}
    endpoint = values.get("endpoint", row.endpoint if row else "")
    if endpoint and not values.get("protocol"):
        # An endpoint always has one; the file need not say the usual.
        values.pop("protocol", None)
    before = _before(known)
    changed = {name: value for name, value in values.items() if value != before[name]}
    credential, told_credential = None, False
    if part.names_credential:
        stored = row.credential if row else None
        try:
            credential = plan.credentials.changed(part.credential_env, part.credential_file, stored, where)
            told_credential = credential is not None
            if credential is None and is_elsewhere(before["endpoint"], endpoint):
                # The file knows the credential, so it may go along to another server.
                credential = plan.credentials.read(part.credential_env, part.credential_file, where)
        except Misplaced as problem:
            plan.problems.append(problem)
    fields = _fields(plan, changed, credential)
    named = shown(f"{model}@{part.version}")
    if row is None:
        on = f" on {shown(part.hardware)}" if part.hardware else ""
        plan.step(
            Phase.DEPLOYMENT,
            f"+ deployment {named}{on}",
            where,
            partial(_add, plan, (model, part.version), model_of, fields),
        )
    elif changed or credential is not None:
        told = [difference_text(before, changed)] if changed else []
        told += ["another credential"] if told_credential else []
        plan.step(
            Phase.DEPLOYMENT, f"~ deployment {named}: {', '.join(told)}", where, partial(_revise, model_of, row, fields)
        )


def _before(known: DeploymentState | None) -> dict[str, Any]:
    if known is None:
        return {"hardware": "", "credits_per_replica_hour": None, "endpoint": "", "protocol": "", "upstream_model": ""}
    row = known.row
    price = row.credits_per_replica_hour
    return {
        "hardware": known.hardware,
        "credits_per_replica_hour": None if price is None else Decimal(price),
        "endpoint": row.endpoint,
        "protocol": row.protocol,
        "upstream_model": row.upstream_model,
    }


def _fields(plan: Plan, values: Mapping[str, Any], credential: str | None) -> deployments.Fields:
    if credential is None:
        return deployments.Fields(values, _NO_VAULT, plan.allow_link_local)
    return deployments.Fields({**values, "credential": credential}, plan.credentials.vault, plan.allow_link_local)


def _deployment_of(plan: Plan, key: tuple[str, str], known: DeploymentState | None, _: Change) -> DeploymentRow:
    return known.row if known else plan.made_deployments[key]


def _add(plan: Plan, key: tuple[str, str], model_of: ModelOf, fields: deployments.Fields, change: Change) -> None:
    plan.made_deployments[key] = deployments.add(change, model_of(change), key[1], fields, is_unknown=True)


def _revise(model_of: ModelOf, row: DeploymentRow, fields: deployments.Fields, change: Change) -> None:
    deployments.revise(change, model_of(change), row, fields)
