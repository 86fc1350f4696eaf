"""The deployments of a model in the file against the account's."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
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
from modeltraces.catalog.tables import DeploymentRow, ModelRow
from modeltraces.catalog.vault import Vault

_FIELDS: Final = ("hardware", "credits_per_replica_hour", "endpoint", "protocol", "upstream_model")
_NO_VAULT: Final = Vault(b"")
"""Locks nothing: it stands where no credential is among the values."""


def compare_deployments(
    plan: Plan, part: ModelPart, kind: str, known: Sequence[DeploymentState], model_of: ModelOf, where: Where
) -> None:
    """`kind`: the model's, once the file is applied. `known`: what it has by then. `where`: the model's place."""
    there = plan.state.models.get(part.name)
    merged = {*part.merged, *(there.merged if there else ())}
    for position, (deployment, meets) in enumerate(zip(part.deployments, meant(part, known), strict=True)):
        here = (*where, "deployments", position)
        if deployment.merged_from and deployment.merged_from not in merged:
            of, into = shown(deployment.merged_from), shown(part.name)
            plan.refuse(
                (*here, "merged_from"),
                f"{of} is not merged into {into}: put it into {into}'s 'merged', or leave this out.",
            )
            continue
        if deployment.merged_from and _is_own_name(plan, part.name, deployment.merged_from):
            of, into = shown(deployment.merged_from), shown(part.name)
            plan.refuse(
                (*here, "merged_from"),
                f"{of} is no model of its own in this account, but a name that {into} had before, or that its runs bear: leave "
                "'merged_from' out.",
            )
            continue
        named = named_deployment(part.name, deployment.version, deployment.merged_from)
        owner_of = partial(_owner, plan, deployment.merged_from) if deployment.merged_from else model_of
        _compare(plan, named, deployment, meets, (model_of, owner_of), here)
        if deployment.says("events"):
            to = Ledger(part.name, kind, named, model_of, partial(_deployment_of, plan, here, meets))
            compare_events(plan, to, deployment, meets, here)


def meant(part: ModelPart, known: Sequence[DeploymentState]) -> list[DeploymentState | None]:
    """Which of the account's deployments each of the file's is; None for one that is new.

    One without `merged_from` is the one that counts first of those that no other of the file is.
    """
    by_version: dict[str, list[DeploymentState]] = defaultdict(list)
    for one in known:
        by_version[one.row.version].append(one)
    told = {(one.version, one.merged_from) for one in part.deployments if one.merged_from}

    def of(one: DeploymentPart) -> DeploymentState | None:
        found = by_version[one.version]
        if one.merged_from:
            return next((state for state in found if state.model == one.merged_from), None)
        return next((state for state in found if (one.version, state.model) not in told), None)

    return [of(one) for one in part.deployments]


def named_deployment(model: str, version: str, merged_from: str) -> str:
    """`model@version` on a line, and whose it was."""
    named = shown(f"{model}@{version}")
    return f"{named} of {shown(merged_from)}" if merged_from else named


def _is_own_name(plan: Plan, model: str, name: str) -> bool:
    state = plan.state
    return name not in state.models and name not in state.merged_into and state.borne.get(name) == model


def _owner(plan: Plan, name: str, _: Change) -> ModelRow:
    """The row of a model that is merged by now."""
    if name in plan.made_models:
        return plan.made_models[name]
    if name in plan.state.models:
        return plan.state.models[name].row
    return plan.state.models[plan.state.merged_into[name]].merged[name]


def _compare(
    plan: Plan,
    named: str,
    part: DeploymentPart,
    known: DeploymentState | None,
    models: tuple[ModelOf, ModelOf],
    where: Where,
) -> None:
    """`models`: the one that it counts for, and the one that it was deployed as."""
    model_of, owner_of = models
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
    if row is None:
        on = f" on {shown(part.hardware)}" if part.hardware else ""
        plan.step(
            Phase.DEPLOYMENT,
            f"+ deployment {named}{on}",
            where,
            partial(_add, plan, part.version, owner_of, fields, where),
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


def _deployment_of(plan: Plan, where: Where, known: DeploymentState | None, _: Change) -> DeploymentRow:
    return known.row if known else plan.made_deployments[where]


def _add(plan: Plan, version: str, model_of: ModelOf, fields: deployments.Fields, where: Where, change: Change) -> None:
    plan.made_deployments[where] = deployments.add(change, model_of(change), version, fields, is_unknown=True)


def _revise(model_of: ModelOf, row: DeploymentRow, fields: deployments.Fields, change: Change) -> None:
    deployments.revise(change, model_of(change), row, fields)
