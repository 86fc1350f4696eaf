"""The merges that a model of the file has, against the account's."""

from functools import partial

from modeltraces.catalog import model_edits
from modeltraces.catalog.changes import Change
from modeltraces.catalog.file.ledgers import ModelOf
from modeltraces.catalog.file.problems import Where
from modeltraces.catalog.file.shape import ModelPart
from modeltraces.catalog.file.state import DeploymentState, ModelState, State, ranked
from modeltraces.catalog.file.steps import Phase, Plan, shown
from modeltraces.catalog.tables import ModelRow


def compare_merges(
    plan: Plan, part: ModelPart, kind: str, known: ModelState | None, model_of: ModelOf, where: Where
) -> None:
    """Merge what the file has merged. What is merged beyond that stays, unless removals are allowed."""
    state = plan.state
    for position, name in enumerate(part.merged):
        here = (*where, "merged", position)
        into = f"into {shown(part.name)}"
        if name in state.models:
            source = state.models[name].row
            plan.step(Phase.MERGE, f"+ merge of {shown(name)} {into}", here, partial(_join, source, model_of))
        elif state.borne.get(name) == part.name and name not in state.merged_into:
            continue  # Runs of that name are counted as this model's already.
        elif name not in state.merged_into:
            text = f"+ model {shown(name)} ({kind}), merged {into}"
            plan.step(Phase.MERGE, text, here, partial(_add, plan, name, kind, model_of))
        elif state.merged_into[name] != part.name:
            plan.refuse(
                here,
                f"{shown(name)} is merged into {shown(state.merged_into[name])} in this account. Take that back first, on the page Models.",
            )
    if known is None:
        return
    for name, row in known.merged.items():
        if name in part.merged:
            continue
        told = f"merge of {shown(name)} into {shown(part.name)}"
        if not (plan.allow_removal and part.says("merged")):
            plan.left.append(told)
        elif any(one.row.model_id == row.id for one in known.deployments):
            plan.refuse(
                (*where, "merged"),
                f"{told}: it brought deployments along. Take it back on the page Models, or put it into the file.",
            )
        else:
            plan.step(Phase.UNMERGE, f"- {told}", (*where, "merged"), partial(_part, row))


def with_merged(state: State, part: ModelPart) -> tuple[DeploymentState, ...]:
    """The deployments that the model has once the file's merges are made."""
    joined = (state.models.get(name) for name in (part.name, *part.merged))
    return ranked((one for model in joined if model for one in model.deployments), part.name)


def _join(source: ModelRow, model_of: ModelOf, change: Change) -> None:
    model_edits.join(change, source, model_of(change))


def _add(plan: Plan, name: str, kind: str, model_of: ModelOf, change: Change) -> None:
    model_edits.require_free(change, name)
    plan.made_models[name] = model_edits.add(change, name, kind)
    model_edits.join(change, plan.made_models[name], model_of(change))


def _part(row: ModelRow, change: Change) -> None:
    model_edits.part(change, row)
