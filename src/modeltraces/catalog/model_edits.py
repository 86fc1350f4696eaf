"""What people change about models: make, rename, say the kind, archive, merge and take a merge back."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import select

from modeltraces.catalog.changes import LONGEST_ASKED, Change, changing
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict, Invalid, NotFound, about
from modeltraces.catalog.routing import clean_routing, read_routing
from modeltraces.catalog.routing_edits import check_places, forget_parted
from modeltraces.catalog.tables import DeploymentEventRow, DeploymentRow, ModelNameRow, ModelRow
from modeltraces.catalog.text import clean_name, is_storable
from modeltraces.run import MODEL_KINDS

EDITABLE: Final = ("name", "kind", "base_model", "provider", "archived", "routing")


def create(
    catalog: Catalog,
    account_id: str,
    name: Any,
    kind: Any,
    *,
    base_model: Any = "",
    provider: Any = "",
    is_unborne: bool = False,
    actor: str,
) -> str:
    """Its name as it is kept. Raises Invalid, and Conflict when a model or runs have that name already.

    `is_unborne`: no run bears the name, so that one that another model had before is free.
    """
    given = _checked({"name": name, "kind": kind, "base_model": base_model, "provider": provider})
    named: str = given.pop("name")
    with changing(catalog, account_id, actor) as change:
        require_free(change, named, is_unborne=is_unborne)
        _require_told_apart(change, named)
        add(change, named, **given)
    return named


def add(
    change: Change,
    name: str,
    kind: str,
    *,
    base_model: str = "",
    provider: str = "",
    archived: bool = False,
) -> ModelRow:
    """As `create`, in a change that is under way and with values that were checked, the name for being free."""
    row = ModelRow(
        id=str(uuid.uuid4()), account_id=change.account_id, name=name, kind=kind, kind_is_inferred=False,
        base_model=base_model, provider=provider, first_run_on_us=None, created_on_us=change.now_us,
        archived_on_us=change.now_us if archived else None, merged_into_id=None, routing=None,
    )  # fmt: skip
    change.session.add(row)
    change.added()
    change.record("model.add", f"model:{name}", None, _shown(row))
    return row


def edit(
    catalog: Catalog,
    account_id: str,
    name: str,
    values: Mapping[str, Any],
    *,
    is_unborne: bool = False,
    actor: str,
) -> str:
    """Change what is given of `EDITABLE`; the model's name afterwards. Its runs keep the names they bear.

    `is_unborne`: as in `create`, of the new name.
    Raises Invalid, NotFound, and Conflict when the new name is another's or the kind contradicts what is hosted.
    """
    if unknown := sorted(set(values) - set(EDITABLE)):
        raise Invalid(
            f"A model has no field {unknown[0]!r} to change; it has {', '.join(EDITABLE)}.", parameter=unknown[0]
        )
    checked = _checked(values)
    with changing(catalog, account_id, actor) as change:
        row = _itself(change, name)
        if "name" in checked and checked["name"] != row.name:
            require_free(change, checked["name"], row, is_unborne=is_unborne)
            _require_told_apart(change, checked["name"], row)
        revise(change, row, checked)
        return row.name


def revise(change: Change, row: ModelRow, values: Mapping[str, Any]) -> None:
    """As `edit`, in a change that is under way and with values that were checked, the name for being free."""
    before, was_inferred = _shown(row), row.kind_is_inferred
    if "name" in values and values["name"] != row.name:
        _remember(change, row)
        row.name = values["name"]
    if "kind" in values:
        if values["kind"] == "external" and row.kind != "external" and _is_hosted(change, row):
            raise Conflict(
                f"{row.name} has hosted deployments, and external models have none. Strike their events out first."
            )
        row.kind, row.kind_is_inferred = values["kind"], False
    row.base_model = values.get("base_model", row.base_model)
    row.provider = values.get("provider", row.provider)
    if "archived" in values:
        row.archived_on_us = (row.archived_on_us or change.now_us) if values["archived"] else None
    if "routing" in values and values["routing"] != read_routing(row.routing):
        change.session.flush()
        if values["routing"] is not None:
            with about("routing"):
                check_places(change, row, values["routing"])
        row.routing = values["routing"] and values["routing"].stored
    after = _shown(row)
    if was_inferred and not row.kind_is_inferred:
        before["kind_is_inferred"], after["kind_is_inferred"] = True, False
    if before != after:
        change.record("model.edit", f"model:{before['name']}", before, after)


def merge(catalog: Catalog, account_id: str, name: str, into: str, *, actor: str) -> None:
    """Count `name`'s runs, past and to come, as `into`'s. Nothing is lost: `unmerge` takes it back.

    A version that both have is one version from then on, hosted twice: each keeps its ledger. Raises NotFound, and Conflict
    for the same model or another kind.
    """
    with changing(catalog, account_id, actor) as change:
        source, target = change.model(name), change.model(into)
        if source.id == target.id:
            raise Conflict(f"{name} and {into} are one model already.")
        if name != source.name and (merged := _merged(change, name)) is not None:
            raise Conflict(f"{merged.name} is merged into {source.name} already. Take that back first.")
        join(change, source, target)


def join(change: Change, source: ModelRow, target: ModelRow) -> None:
    """As `merge`, in a change that is under way; both stand for themselves and are not the same."""
    if source.kind != target.kind:
        raise Conflict(
            f"{source.name} is {_words(source.kind)}, {target.name} is {_words(target.kind)}. Make them of one kind first."
        )
    source.merged_into_id = target.id
    change.session.flush()
    change.record("model.merge", f"model:{source.name}", None, {"into": target.name})


def unmerge(catalog: Catalog, account_id: str, name: str, *, actor: str) -> None:
    """Make a model that was merged into another one of its own again. Raises NotFound."""
    with changing(catalog, account_id, actor) as change:
        row = _merged(change, name)
        if row is None:
            raise NotFound(f"This account has no merged model {name[:200]!r}.")
        part(change, row)


def part(change: Change, row: ModelRow) -> None:
    """As `unmerge`, in a change that is under way."""
    into = change.session.get(ModelRow, row.merged_into_id)
    row.merged_into_id = None
    change.session.flush()
    if into is not None:
        forget_parted(change, change.resolved(into))
    change.record("model.unmerge", f"model:{row.name}", {"into": into.name if into else ""}, None)


def delete(catalog: Catalog, account_id: str, name: str, *, has_runs: bool, actor: str) -> None:
    """Raises NotFound, and Conflict for one that has runs, was hosted, or holds merged ones: archive it instead."""
    with changing(catalog, account_id, actor) as change:
        drop(change, _itself(change, name), has_runs=has_runs)


def drop(change: Change, row: ModelRow, *, has_runs: bool) -> None:
    """As `delete`, in a change that is under way."""
    family = change.family(row)
    if has_runs or any(member.first_run_on_us is not None for member in family):
        raise Conflict(f"{row.name} has runs, which would lose their model. Archive it instead.")
    if _is_hosted(change, row):
        raise Conflict(f"{row.name} was hosted; its credits would be gone. Archive it instead.")
    if len(family) > 1:
        raise Conflict(f"Other models are merged into {row.name}. Take that back first.")
    change.record("model.delete", f"model:{row.name}", _shown(row))
    change.session.delete(row)
    change.session.flush()


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    checked: dict[str, Any] = {}
    for name in EDITABLE:
        if name in values:
            with about(name):
                checked[name] = _CLEAN[name](values[name])
    return checked


def _itself(change: Change, name: str) -> ModelRow:
    """Raises NotFound, and Conflict for the name of a merged model: the other one, which it leads to, is not meant."""
    row = change.model(name)
    if _merged(change, name) is not None:
        raise Conflict(f"{name} is merged into {row.name}. Change that one, or take the merge back first.")
    return row


def _merged(change: Change, name: str) -> ModelRow | None:
    """The model of exactly that name, if it is merged into another."""
    if not is_storable(name, LONGEST_ASKED):
        return None
    return change.session.scalar(
        select(ModelRow).where(
            ModelRow.account_id == change.account_id, ModelRow.name == name, ModelRow.merged_into_id.is_not(None)
        )
    )


def require_free(change: Change, name: str, but: ModelRow | None = None, *, is_unborne: bool = False) -> None:
    """Raises Conflict when the name is another model's than `but`, or counts runs as another's.

    `is_unborne` was asked of the runs before this change: one that bears the name may be on its way meanwhile, and is then
    counted as the model's that has the name now.
    """
    taken = change.session.scalar(
        select(ModelRow).where(ModelRow.account_id == change.account_id, ModelRow.name == name)
    )
    if taken is not None and (but is None or taken.id != but.id):
        if taken.merged_into_id is not None:
            into = change.resolved(taken).name
            raise Conflict(f"{name} is merged into {into}. Choose another name, or take that back first.")
        raise Conflict(f"This account has a model {name!r} already. Choose another name, or merge the two.")
    held = _held(change, name)
    # Not even a name of one that is merged into it: that would miss its own runs' name once it is taken out again.
    if held is None or (but is not None and held.model_id == but.id):
        return
    if not is_unborne:
        other = change.resolved(change.session.get_one(ModelRow, held.model_id))
        raise Conflict(f"Runs that bear the name {name!r} are counted as {other.name}'s. Choose another name.")
    change.session.delete(held)
    change.session.flush()


def _require_told_apart(change: Change, name: str, but: ModelRow | None = None) -> None:
    """Raises Conflict for a name that another model than `but` has in other case. Runs, and files, may bring such names in."""
    named = select(ModelRow.name, ModelRow.id).where(ModelRow.account_id == change.account_id)
    borne = select(ModelNameRow.recorded_name, ModelNameRow.model_id).where(
        ModelNameRow.account_id == change.account_id, ModelNameRow.is_borne
    )
    alike = name.casefold()
    for other, id_ in [*change.session.execute(named), *change.session.execute(borne)]:
        if other.casefold() != alike or other == name:
            continue
        if but is None or change.resolved(change.session.get_one(ModelRow, id_)).id != but.id:
            raise Conflict(
                f"{other!r} is a model's name already, and filters take no notice of case: they would not tell the two apart. "
                "Choose another name."
            )


def _remember(change: Change, row: ModelRow) -> None:
    """Keep the name that a model gives up, whether runs bear it or not: a file or a caller that still has it means this one."""
    if _held(change, row.name) is None:
        change.session.add(
            ModelNameRow(account_id=change.account_id, recorded_name=row.name, model_id=row.id, is_borne=False)
        )


def _held(change: Change, name: str) -> ModelNameRow | None:
    return change.session.get(ModelNameRow, (change.account_id, name))


def _is_hosted(change: Change, model: ModelRow) -> bool:
    ids = [member.id for member in change.family(model)]
    standing = (
        select(DeploymentEventRow.id)
        .join(DeploymentRow, DeploymentRow.id == DeploymentEventRow.deployment_id)
        .where(DeploymentRow.model_id.in_(ids), DeploymentEventRow.struck_on_us.is_(None))
    )
    return change.session.scalar(standing.limit(1)) is not None


def _shown(row: ModelRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "kind": row.kind,
        "base_model": row.base_model,
        "provider": row.provider,
        "archived": row.archived_on_us is not None,
        **({"routing": row.routing} if row.routing else {}),
    }


def _kind(value: Any) -> str:
    if value not in MODEL_KINDS:
        raise Invalid(f"kind must be one of {', '.join(MODEL_KINDS)}.")
    return str(value)


def _words(kind: str) -> str:
    return kind.replace("_", "-")


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise Invalid(f"{what} must be text.")
    return clean_name(value, what)


def _optional(value: Any, what: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Invalid(f"{what} must be text.")
    return clean_name(value, what) if value.strip() else ""


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Invalid("archived must be true or false.")
    return value


_CLEAN: Final[Mapping[str, Callable[[Any], Any]]] = {
    "name": lambda value: _text(value, "The model's name"),
    "kind": _kind,
    "base_model": lambda value: _optional(value, "The base model"),
    "provider": lambda value: _optional(value, "The provider"),
    "archived": _flag,
    "routing": clean_routing,
}
"""What each of `EDITABLE` must be."""
