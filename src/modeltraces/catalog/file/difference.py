"""A catalog file against an account: what would have to change."""

import json
from functools import partial
from typing import Any

from modeltraces.catalog import connections, model_edits
from modeltraces.catalog.addresses import is_elsewhere
from modeltraces.catalog.amounts import amount_text
from modeltraces.catalog.changes import Change
from modeltraces.catalog.file.deployments import compare_deployments
from modeltraces.catalog.file.ledgers import ModelOf
from modeltraces.catalog.file.merges import compare_merges, with_merged
from modeltraces.catalog.file.problems import Misplaced, Where
from modeltraces.catalog.file.removals import compare_absent
from modeltraces.catalog.file.routing import compare_routing
from modeltraces.catalog.file.rules import compare_rules
from modeltraces.catalog.file.shape import CatalogPart, ConnectionPart, HardwarePart, ModelPart
from modeltraces.catalog.file.state import ModelState
from modeltraces.catalog.file.steps import Phase, Plan, difference_text, shown
from modeltraces.catalog.hosting import hardware
from modeltraces.catalog.tables import ConnectionRow, ModelRow


def compare(plan: Plan, file: CatalogPart) -> None:
    """Fill the plan with the steps that lead from the account to the file."""
    for position, one in enumerate(file.hardware):
        _compare_hardware(plan, one, ("hardware", position))
    for position, connection in enumerate(file.connections):
        _compare_connection(plan, connection, ("connections", position))
    for position, model in enumerate(file.models):
        _compare_model(plan, model, ("models", position))
    compare_rules(plan, file.rules)
    compare_absent(plan, file)


def _compare_hardware(plan: Plan, part: HardwarePart, where: Where) -> None:
    price, known = part.credits_per_replica_hour, plan.state.hardware.get(part.name)
    make = partial(_put_hardware, part)
    if known is None:
        text = f"+ hardware {shown(part.name)} at {amount_text(price)} credits per replica-hour"
        plan.step(Phase.HARDWARE, text, where, make)
    elif known != price:
        told = difference_text({"credits_per_replica_hour": known}, {"credits_per_replica_hour": price})
        plan.step(Phase.HARDWARE, f"~ hardware {shown(part.name)}: {told}", where, make)


def _put_hardware(part: HardwarePart, change: Change) -> None:
    hardware.put(change, part.name, part.credits_per_replica_hour)


def _compare_connection(plan: Plan, part: ConnectionPart, where: Where) -> None:
    row = plan.state.connections.get(part.name)
    before: dict[str, Any] = {
        "provider": row.provider if row else "",
        "protocol": row.protocol if row else "",
        "base_url": row.base_url if row else "",
        "models": json.loads(row.reaches) if row else [],
        "archived": row is not None and row.archived_on_us is not None,
    }
    wanted = before | {name: getattr(part, name) for name in before if part.says(name)}
    if bool(wanted["protocol"]) != bool(wanted["base_url"]):
        missing = "base_url" if wanted["protocol"] else "protocol"
        plan.refuse(where, f"the connection {shown(part.name)} lacks {missing!r}.")
        return
    if wanted["protocol"] and not wanted["models"]:
        wanted["models"] = [connections.EVERY_MODEL]
    changed = {name: value for name, value in wanted.items() if value != before[name]}
    credential, told_credential = None, False
    if part.names_credential:
        stored = row.credential if row else None
        try:
            credential = plan.credentials.changed(part.credential_env, part.credential_file, stored, where)
            told_credential = credential is not None
            if credential is None and is_elsewhere(before["base_url"], wanted["base_url"]):
                # The file knows the credential, so it may go along to another server.
                credential = plan.credentials.read(part.credential_env, part.credential_file, where)
        except Misplaced as problem:
            plan.problems.append(problem)
    columns = connections.Columns(**changed)  # type: ignore[typeddict-item]
    if credential is not None:
        columns["credential"] = plan.credentials.vault.lock(credential)
    if row is None:
        reached = f"{part.protocol}, {part.base_url}" if part.protocol else "without an address"
        text = f"+ connection {shown(part.name)} ({reached})"
        plan.step(Phase.CONNECTION, text, where, partial(_add_connection, part.name, columns))
    elif columns:
        told = [difference_text(before, changed)] if changed else []
        told += ["another credential"] if told_credential else []
        text = f"~ connection {shown(part.name)}: {', '.join(told)}"
        plan.step(Phase.CONNECTION, text, where, partial(_revise_connection, row, columns))


def _add_connection(name: str, columns: connections.Columns, change: Change) -> None:
    connections.add(change, name, columns)


def _revise_connection(row: ConnectionRow, columns: connections.Columns, change: Change) -> None:
    connections.revise(change, row, columns)


def _compare_model(plan: Plan, part: ModelPart, where: Where) -> None:
    known = plan.state.models.get(part.name)
    if known is None and part.name in plan.state.merged_into:
        into = plan.state.merged_into[part.name]
        plan.refuse(
            (*where, "name"),
            f"{shown(part.name)} is merged into {shown(into)} in this account. "
            f"List it under {shown(into)}'s 'merged', or take the merge back first, on the page Models.",
        )
        return
    if known is None and part.name in plan.state.borne:
        new = plan.state.borne[part.name]
        plan.refuse(
            (*where, "name"),
            f"{shown(part.name)} is a name that {shown(new)} had before, or that its runs bear. Write {shown(new)} in its "
            f"place. For another model of that name, if no run bears it, add one on the page Models first.",
        )
        return
    if known is None and part.kind is None:
        plan.refuse(where, f"the model {shown(part.name)} lacks 'kind': open_source, fine_tuned or external.")
        return
    kind = _compare_entry(plan, part, known, where)
    model_of: ModelOf = partial(_model_of, plan, part.name, known)
    compare_merges(plan, part, kind, known, model_of, where)
    compare_deployments(plan, part, kind, with_merged(plan.state, part), model_of, where)
    compare_routing(plan, part, known, model_of, where)


def _compare_entry(plan: Plan, part: ModelPart, known: ModelState | None, where: Where) -> str:
    """The model itself, without what belongs to it; its kind once the file is applied."""
    if part.archived and (known is None or known.row.archived_on_us is None):
        plan.archived.append(part.name)
    if known is None:
        assert part.kind is not None
        plan.step(Phase.MODEL, f"+ model {shown(part.name)} ({part.kind})", where, partial(_add_model, plan, part))
        return part.kind
    row = known.row
    before: dict[str, Any] = {
        "kind": row.kind,
        "base_model": row.base_model,
        "provider": row.provider,
        "archived": row.archived_on_us is not None,
    }
    changed = {name: getattr(part, name) for name in before if part.says(name) and getattr(part, name) != before[name]}
    if part.kind_is_inferred or part.kind is None:
        # Runs may have taught more since the file was written.
        changed.pop("kind", None)
    told = [difference_text(before, changed)] if changed else []
    if row.kind_is_inferred and part.kind is not None and not part.kind_is_inferred:
        changed["kind"] = part.kind
        if part.kind == row.kind:
            told.append(f'kind is "{part.kind}" for good (it was inferred)')
    if changed:
        text = f"~ model {shown(part.name)}: {', '.join(told)}"
        plan.step(Phase.MODEL, text, where, partial(_revise_model, row, changed))
    return str(changed.get("kind", row.kind))


def _model_of(plan: Plan, name: str, known: ModelState | None, _: Change) -> ModelRow:
    return known.row if known else plan.made_models[name]


def _add_model(plan: Plan, part: ModelPart, change: Change) -> None:
    row = model_edits.add(
        change, part.name, str(part.kind), base_model=part.base_model, provider=part.provider, archived=part.archived,
    )  # fmt: skip
    row.kind_is_inferred = part.kind_is_inferred
    plan.made_models[part.name] = row


def _revise_model(row: ModelRow, changed: dict[str, Any], change: Change) -> None:
    model_edits.revise(change, row, changed)
