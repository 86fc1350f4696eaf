"""Deployments: versions of an open-source or fine-tuned model, what they run on, and how they are reached."""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import select

from modeltraces.catalog.addresses import check_credential_stays, clean_address
from modeltraces.catalog.amounts import amount_text, parse_amount
from modeltraces.catalog.changes import Change, changing
from modeltraces.catalog.connections import Reach
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict, Invalid, NotFound, about
from modeltraces.catalog.hosting import ledger
from modeltraces.catalog.model_entries import ModelEntry
from modeltraces.catalog.model_kinds import infer_kind
from modeltraces.catalog.routing_edits import forget_version
from modeltraces.catalog.tables import DeploymentEventRow, DeploymentRow, HardwareRow, ModelRow
from modeltraces.catalog.text import clean_name
from modeltraces.catalog.vault import Vault

PROTOCOLS: Final = ("openai", "anthropic", "ollama")
"""How an endpoint is spoken to: OpenAI-compatible (vLLM, TGI, llama.cpp, SGLang, …), Anthropic's Messages, Ollama's own."""
_NUMBERED: Final = re.compile(r"v([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Fields:
    """What can be said of a deployment: name → value as it came in. An absent name leaves what is there; '' clears it."""

    values: Mapping[str, Any] = field(repr=False)
    """Among them the credential, in the clear."""
    vault: Vault
    allow_link_local: bool = False


SETTABLE: Final = ("hardware", "credits_per_replica_hour", "endpoint", "protocol", "upstream_model", "credential")


def create(
    catalog: Catalog,
    account_id: str,
    model: str,
    fields: Fields,
    *,
    actor: str,
    version: str | None = None,
    replicas: Any = 1,
    deployed_on_us: int | None = None,
) -> str:
    """Deploy a version of a model, now or at an instant in the past; the version, `v1`, `v2`, … when none is given.

    A version that was only seen on runs becomes this deployment. Raises Invalid, NotFound, Conflict (the version is
    used; the model is external).
    """
    with changing(catalog, account_id, actor) as change:
        row = change.model(model)
        if row.archived_on_us is not None:
            raise Conflict(f"{row.name} is archived. Restore it first.")
        if row.kind == "external" and row.kind_is_inferred:
            # Nobody said so; who deploys it knows better.
            row.kind = infer_kind(row.name, row.provider, has_deployment=True)
            change.record("model.edit", f"model:{row.name}", {"kind": "external"}, {"kind": row.kind})
        named = _version(change, row, version)
        deployment = add(change, row, named, fields)
        ledger.append(change, row, deployment, "deploy", replicas=replicas, on_us=deployed_on_us, at="deployed_on")
        row.kind_is_inferred = False
        return named


def reach(entry: ModelEntry, version: str, name: str = "") -> Reach:
    """What a call of its endpoint needs; `name`: as in `ModelEntry.deployment`. Raises NotFound, and Invalid for one without
    an endpoint."""
    deployment = entry.deployment(version, name)
    if deployment is None:
        raise NotFound(f"The model {entry.name!r} has no deployment {version[:200]!r}.")
    if not deployment.endpoint:
        raise Invalid(f"{version} has no endpoint: enter its address first.")
    return Reach(deployment.protocol, deployment.endpoint, deployment.locked_credential)


def add(change: Change, model: ModelRow, version: str, fields: Fields, *, is_unknown: bool = False) -> DeploymentRow:
    """The deployment without an event, in a change that is under way; raises as `create`. `is_unknown`: it was looked up
    already, and the model has none of that version."""
    deployment = (None if is_unknown else _adopted(change, model, version)) or DeploymentRow(
        id=str(uuid.uuid4()), account_id=change.account_id, model_id=model.id, version=version,
        created_on_us=change.now_us, hardware_id=None, credits_per_replica_hour=None, endpoint="", protocol="",
        upstream_model="", credential=None,
    )  # fmt: skip
    change.session.add(deployment)
    _set(change, deployment, fields)
    change.added()
    counted = change.resolved(model)
    after = _shown(change, deployment) | change.merged_from(counted, deployment)
    change.record("deployment.add", f"deployment:{counted.name}@{version}", None, after)
    return deployment


def edit(catalog: Catalog, account_id: str, model: str, version: str, fields: Fields, *, actor: str) -> None:
    """Change what is said of a deployment. A new price holds from its next event on.

    An endpoint at another server needs the credential again, or its removal. Raises Invalid, NotFound.
    """
    with changing(catalog, account_id, actor) as change:
        row, deployment = change.deployed(model, version)
        revise(change, row, deployment, fields)


def revise(change: Change, model: ModelRow, deployment: DeploymentRow, fields: Fields) -> None:
    """As `edit`, in a change that is under way."""
    before = _shown(change, deployment)
    _set(change, deployment, fields)
    change.session.flush()
    after = _shown(change, deployment)
    if fields.values.get("credential") and before["credential"] == "set":
        after["credential"] = "changed"
    if before != after:
        after |= change.merged_from(model, deployment)
        change.record("deployment.edit", f"deployment:{model.name}@{deployment.version}", before, after)


def delete(catalog: Catalog, account_id: str, model: str, version: str, *, has_runs: bool, actor: str) -> None:
    """Raises NotFound, and Conflict for one that has runs or was ever hosted: its history is others' numbers."""
    with changing(catalog, account_id, actor) as change:
        row, deployment = change.deployed(model, version)
        drop(change, row, deployment, has_runs=has_runs)


def drop(
    change: Change, model: ModelRow, deployment: DeploymentRow, *, has_runs: bool, with_others: bool = True
) -> None:
    """As `delete`, in a change that is under way. `with_others`: of the same version after a merge, too, but for those that
    have a ledger."""
    named = f"{model.name}@{deployment.version}"
    hosted = change.session.scalar(
        select(DeploymentEventRow.id).where(
            DeploymentEventRow.deployment_id == deployment.id, DeploymentEventRow.struck_on_us.is_(None)
        ).limit(1)
    )  # fmt: skip
    if has_runs or hosted is not None:
        raise Conflict(
            f"{named} {'has runs' if has_runs else 'was hosted'}: deleting it would change what was "
            "counted. Undeploy it instead, or strike out the events that were mistakes."
        )
    before = _shown(change, deployment) | change.merged_from(model, deployment)
    found = change.deployments(model, deployment.version)
    gone = [row for row, events in found if row.id == deployment.id or (with_others and not events)]
    for row in gone:
        change.session.delete(row)
    change.session.flush()
    change.record("deployment.delete", f"deployment:{named}", before)
    if len(gone) == len(found):
        forget_version(change, model, deployment.version)


def _version(change: Change, model: ModelRow, version: Any) -> str:
    if version is not None:
        with about("version"):
            if not isinstance(version, str):
                raise Invalid("The version must be text.")
            return clean_name(version, "The version")
    numbers = [int(found[1]) for name in _versions(change, model) if (found := _NUMBERED.fullmatch(name))]
    return f"v{max(numbers, default=0) + 1}"


def _versions(change: Change, model: ModelRow) -> Sequence[str]:
    """Of the model and of all that are merged into it."""
    ids = [member.id for member in change.family(model)]
    return change.session.scalars(select(DeploymentRow.version).where(DeploymentRow.model_id.in_(ids))).all()


def _adopted(change: Change, model: ModelRow, version: str) -> DeploymentRow | None:
    found = change.deployments(model, version)
    if not found:
        if alike := next((one for one in _versions(change, model) if one.casefold() == version.casefold()), None):
            raise Conflict(
                f"{model.name} has a version {alike!r}: filters take no notice of case, and would not tell the two apart. "
                "Deploy that one, or choose another name."
            )
        return None
    row, events = found[0]
    if events:
        raise Conflict(
            f"{model.name} has a version {version!r} already. Deploy that again with an event, or choose another version."
        )
    return row


def _set(change: Change, deployment: DeploymentRow, fields: Fields) -> None:
    given = fields.values
    if unknown := sorted(set(given) - set(SETTABLE)):
        raise Invalid(f"A deployment has no field {unknown[0]!r}; it has {', '.join(SETTABLE)}.", parameter=unknown[0])
    for name in SETTABLE:
        if name in given:
            with about(name):
                _put(change, deployment, name, given[name], fields)
    if deployment.endpoint and not deployment.protocol:
        deployment.protocol = PROTOCOLS[0]


def _put(change: Change, deployment: DeploymentRow, name: str, value: Any, fields: Fields) -> None:
    """One of `SETTABLE`; the endpoint comes before the credential that may go along to it."""
    if name == "credits_per_replica_hour":
        price = None if value in (None, "") else amount_text(parse_amount(value, name))
        deployment.credits_per_replica_hour = price
        return
    if value is not None and not isinstance(value, str):
        raise Invalid(f"{name} must be text.")
    text: str = value or ""
    match name:
        case "hardware":
            deployment.hardware_id = change.hardware(text).id if text else None
        case "endpoint":
            may_link_local = fields.allow_link_local
            endpoint = clean_address(text, "The endpoint", allow_link_local=may_link_local) if text.strip() else ""
            if deployment.credential and "credential" not in fields.values:
                check_credential_stays(deployment.endpoint, endpoint)
            deployment.endpoint = endpoint
        case "protocol":
            if text not in ("", *PROTOCOLS):
                raise Invalid(f"protocol must be one of {', '.join(PROTOCOLS)}.")
            deployment.protocol = text
        case "upstream_model":
            deployment.upstream_model = clean_name(text, "The model's name upstream") if text.strip() else ""
        case "credential":
            deployment.credential = fields.vault.lock(text) if text else None


def _shown(change: Change, row: DeploymentRow) -> dict[str, Any]:
    """For the audit log: of the credential, only whether there is one."""
    hardware = change.session.get(HardwareRow, row.hardware_id) if row.hardware_id else None
    return {
        "hardware": hardware.name if hardware else None,
        "credits_per_replica_hour": row.credits_per_replica_hour,
        "endpoint": row.endpoint,
        "protocol": row.protocol,
        "upstream_model": row.upstream_model,
        "credential": "set" if row.credential else "none",
    }
