"""What the account has and the file does not know: it stays, or is removed where that takes nobody's history."""

from functools import partial

from modeltraces.catalog import connections, model_edits
from modeltraces.catalog.changes import Change
from modeltraces.catalog.file.deployments import meant, named_deployment
from modeltraces.catalog.file.rules import absent_rules
from modeltraces.catalog.file.shape import CatalogPart, ModelPart
from modeltraces.catalog.file.state import DeploymentState, ModelState, that_count
from modeltraces.catalog.file.steps import Phase, Plan, shown
from modeltraces.catalog.hosting import deployments, hardware
from modeltraces.catalog.tables import ConnectionRow, DeploymentRow, ModelRow


def compare_absent(plan: Plan, file: CatalogPart) -> None:
    """What runs brought in by themselves always stays: a file that does not know it must not drop it."""
    parts = {part.name: part for part in file.models}
    joined = {name for part in file.models for name in part.merged}
    for name, model in plan.state.models.items():
        if name in parts:
            _absent_deployments(plan, parts[name], model)
        elif name not in joined:
            _absent_model(plan, name, model)
    known = {part.name for part in file.connections}
    for name, row in plan.state.connections.items():
        if name not in known:
            _absent_connection(plan, name, row)
    listed = {part.name for part in file.hardware}
    for name in plan.state.hardware:
        if name in listed:
            continue
        if plan.allow_removal:
            plan.step(Phase.REMOVE_HARDWARE, f"- hardware {shown(name)}", (), partial(_drop_hardware, name))
        else:
            plan.left.append(f"hardware {shown(name)}")
    absent_rules(plan, file.rules)


def _absent_deployments(plan: Plan, part: ModelPart, model: ModelState) -> None:
    listed = {known.row.id for known in meant(part, model.deployments) if known}
    for known in that_count(model.deployments):
        if known.row.id not in listed:
            named = named_deployment(part.name, known.row.version, "" if known.model == part.name else known.model)
            _absent_deployment(plan, f"deployment {named}", model, known)


def _absent_deployment(plan: Plan, told: str, model: ModelState, known: DeploymentState) -> None:
    if not plan.allow_removal or (known.only_seen and model.has_runs):
        plan.left.append(told)
    elif known.events:
        _refuse(plan, told, "it was hosted")
    elif model.has_runs:
        # Which version they bear only the store knows.
        _refuse(plan, told, "its model has runs, which may bear this version")
    else:
        plan.step(Phase.REMOVE_DEPLOYMENT, f"- {told}", (), partial(_drop_deployment, model.row, known.row))


def _absent_model(plan: Plan, name: str, model: ModelState) -> None:
    told = f"model {shown(name)}"
    said = not model.row.kind_is_inferred or model.merged or not all(one.only_seen for one in model.deployments)
    if not plan.allow_removal or (model.has_runs and not said):
        plan.left.append(told)
    elif model.is_hosted:
        _refuse(plan, told, "it was hosted")
    elif model.has_runs:
        _refuse(plan, told, "it has runs")
    else:
        plan.step(Phase.REMOVE, f"- {told}", (), partial(_drop_model, model.row, tuple(model.merged.values())))


def _absent_connection(plan: Plan, name: str, row: ConnectionRow) -> None:
    told, is_used = f"connection {shown(name)}", row.id in plan.state.used_connections
    if not plan.allow_removal or (is_used and not row.protocol):
        plan.left.append(told)
    elif is_used:
        _refuse(plan, told, "runs came through it")
    elif plan.state.is_full:
        _refuse(plan, told, "runs of models that are not listed may have come through it")
    else:
        plan.step(Phase.REMOVE, f"- {told}", (), partial(_drop_connection, row))


def _refuse(plan: Plan, told: str, why: str) -> None:
    plan.refuse((), f"the {told} is not in the file and cannot be removed: {why}. Put it into the file.")


def _drop_hardware(name: str, change: Change) -> None:
    hardware.drop(change, change.hardware(name))


def _drop_deployment(model: ModelRow, row: DeploymentRow, change: Change) -> None:
    deployments.drop(change, model, row, has_runs=False, with_others=False)


def _drop_model(row: ModelRow, merged: tuple[ModelRow, ...], change: Change) -> None:
    for one in merged:
        model_edits.part(change, one)
        model_edits.drop(change, one, has_runs=False)
    model_edits.drop(change, row, has_runs=False)


def _drop_connection(row: ConnectionRow, change: Change) -> None:
    connections.drop(change, row, has_runs=False)
