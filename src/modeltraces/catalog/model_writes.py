"""What ingest writes into the catalog: models on their first run, and what later runs add to them."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from itertools import islice

import orjson
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from modeltraces.catalog import audit
from modeltraces.catalog.model_kinds import infer_kind
from modeltraces.catalog.tables import ConnectionRow, DeploymentRow, ModelConnectionRow, ModelNameRow, ModelRow
from modeltraces.catalog.text import is_storable
from modeltraces.run import ModelKind

MOST_VERSIONS = 500
"""Versions and connections of one model that are kept from its runs, for a sender that makes one up for each."""
_CHUNK = 500


@dataclass(slots=True)
class SeenModel:
    """What the runs of one recorded name in a batch say of their model."""

    provider: str = ""
    base_model: str = ""
    first_run_on_us: int = 0
    deployment_versions: set[str] = field(default_factory=set)
    connection_names: set[str] = field(default_factory=set)
    kind: ModelKind | None = None
    """Said outright by the sender; else it is inferred."""
    is_known_upstream: bool = True
    """Whether the name is more than what somebody typed: an upstream took it."""

    def storable(self, longest: int) -> "SeenModel":
        """Without what no column can keep."""
        return SeenModel(
            provider=self.provider if is_storable(self.provider, longest) else "",
            base_model=self.base_model if is_storable(self.base_model, longest) else "",
            first_run_on_us=self.first_run_on_us,
            deployment_versions={name for name in self.deployment_versions if is_storable(name, longest)},
            connection_names={name for name in self.connection_names if is_storable(name, longest)},
            kind=self.kind,
            is_known_upstream=self.is_known_upstream,
        )


@dataclass(slots=True)
class KnownModel:
    """What the catalog says of a recorded name and the model behind it."""

    id: str
    name: str
    kind: str
    kind_is_inferred: bool
    provider: str
    base_model: str
    first_run_on_us: int | None
    is_borne: bool
    """Whether runs are known to bear the recorded name."""
    versions: set[str] = field(default_factory=set)
    connections: set[str] = field(default_factory=set)

    def covers(self, seen: SeenModel) -> bool:
        """Whether `seen` says nothing new."""
        return (
            self.is_borne
            and self.first_run_on_us is not None
            and self.first_run_on_us <= seen.first_run_on_us
            and (self.base_model != "" or seen.base_model == "")
            and (self.provider != "" or seen.provider == "")
            and (seen.deployment_versions <= self.versions or len(self.versions) >= MOST_VERSIONS)
            and (seen.connection_names <= self.connections or len(self.connections) >= MOST_VERSIONS)
        )


def read_known(session: Session, account_id: str, names: Iterable[str]) -> dict[str, KnownModel]:
    """The models behind those recorded names that the catalog has."""
    known: dict[str, KnownModel] = {}
    for chunk in _chunks(names):
        rows = session.execute(
            select(ModelNameRow.recorded_name, ModelNameRow.is_borne, ModelRow)
            .join(ModelRow, ModelRow.id == ModelNameRow.model_id)
            .where(ModelNameRow.account_id == account_id, ModelNameRow.recorded_name.in_(chunk))
        )
        known |= {
            name: KnownModel(
                row.id,
                row.name,
                row.kind,
                row.kind_is_inferred,
                row.provider,
                row.base_model,
                row.first_run_on_us,
                is_borne,
            )
            for name, is_borne, row in rows
        }
    by_id: dict[str, list[KnownModel]] = defaultdict(list)
    for model in known.values():
        by_id[model.id].append(model)
    for chunk in _chunks(by_id):
        versions = select(DeploymentRow.model_id, DeploymentRow.version).where(DeploymentRow.model_id.in_(chunk))
        for model_id, version in session.execute(versions):
            for model in by_id[model_id]:
                model.versions.add(version)
        connections = (
            select(ModelConnectionRow.model_id, ConnectionRow.name)
            .join(ConnectionRow, ConnectionRow.id == ModelConnectionRow.connection_id)
            .where(ModelConnectionRow.model_id.in_(chunk))
        )
        for model_id, connection in session.execute(connections):
            for model in by_id[model_id]:
                model.connections.add(connection)
    return known


def names_of_models(session: Session, account_id: str, names: Iterable[str]) -> set[str]:
    """Those of the names that are names of models in the catalog, whether runs ever bore them or not."""
    found: set[str] = set()
    for chunk in _chunks(names):
        found.update(
            session.scalars(select(ModelRow.name).where(ModelRow.account_id == account_id, ModelRow.name.in_(chunk)))
        )
    return found


def names_of_connections(session: Session, account_id: str, names: Iterable[str]) -> set[str]:
    """Those of the names that connections list, in any case."""
    rows = session.scalars(select(ConnectionRow.reaches).where(ConnectionRow.account_id == account_id))
    listed = {name.lower() for reaches in rows for name in orjson.loads(reaches)}
    return {name for name in names if name.lower() in listed}


def has_runs(session: Session, account_id: str) -> bool:
    """Whether any model of the account has."""
    found = select(ModelRow.id).where(ModelRow.account_id == account_id, ModelRow.first_run_on_us.is_not(None)).limit(1)
    return session.scalar(found) is not None


def apply(
    session: Session, account_id: str, todo: Mapping[str, SeenModel], known: Mapping[str, KnownModel], now_us: int
) -> dict[str, KnownModel]:
    """Write what `todo` says beyond `known`. The caller holds the account's lock. Returns the state after it."""
    new = {name: seen for name, seen in sorted(todo.items()) if name not in known}
    known = {**known, **_add(session, account_id, new, now_us)} if new else known
    _bear(session, account_id, (name for name in sorted(todo) if not known[name].is_borne))
    # Two recorded names of one merged model share what is known of it.
    by_id: dict[str, KnownModel] = {}
    after = {name: by_id.setdefault(known[name].id, known[name]) for name in sorted(todo)}
    for name, model in after.items():
        _widen(session, account_id, model, todo[name], now_us)
        model.is_borne = True
    return after


def _bear(session: Session, account_id: str, names: Iterable[str]) -> None:
    for chunk in _chunks(names):
        session.execute(
            update(ModelNameRow)
            .where(ModelNameRow.account_id == account_id, ModelNameRow.recorded_name.in_(chunk))
            .values(is_borne=True)
        )


def _add(session: Session, account_id: str, new: Mapping[str, SeenModel], now_us: int) -> dict[str, KnownModel]:
    # A model may have that name although no run bore it before (it was renamed to it): then this is a name of it.
    ids: dict[str, str] = {}
    for chunk in _chunks(new):
        named = select(ModelRow.name, ModelRow.id).where(ModelRow.account_id == account_id, ModelRow.name.in_(chunk))
        ids |= dict(session.execute(named).all())
    for name, seen in new.items():
        if name in ids:
            continue
        ids[name] = str(uuid.uuid4())
        kind = seen.kind or infer_kind(
            name,
            seen.provider,
            has_deployment=bool(seen.deployment_versions),
            has_connection=bool(seen.connection_names),
        )
        session.add(
            ModelRow(
                id=ids[name],
                account_id=account_id,
                name=name,
                kind=kind,
                kind_is_inferred=seen.kind is None,
                base_model=seen.base_model,
                provider=seen.provider,
                first_run_on_us=seen.first_run_on_us,
                created_on_us=now_us,
                archived_on_us=None,
            )
        )
        audit.record(
            session,
            account_id=account_id,
            at_us=now_us,
            actor="ingest",
            action="model.add",
            object=f"model:{name}",
            after={"kind": kind, "provider": seen.provider, "base_model": seen.base_model},
        )
    session.flush()
    session.execute(
        insert(ModelNameRow),
        [{"account_id": account_id, "recorded_name": name, "model_id": ids[name], "is_borne": True} for name in new],
    )
    return read_known(session, account_id, new)


def _widen(session: Session, account_id: str, model: KnownModel, seen: SeenModel, now_us: int) -> None:
    values: dict[str, object] = {}
    if model.first_run_on_us is None or seen.first_run_on_us < model.first_run_on_us:
        values["first_run_on_us"] = model.first_run_on_us = seen.first_run_on_us
    versions = sorted(seen.deployment_versions - model.versions)[: max(0, MOST_VERSIONS - len(model.versions))]
    # The first provider that is told and the first deployment say what the model is; later ones change it no more.
    tells = (seen.provider != "" and model.provider == "") or (bool(versions) and not model.versions)
    if seen.provider and not model.provider:
        values["provider"] = model.provider = seen.provider
    if seen.base_model and not model.base_model:
        values["base_model"] = model.base_model = seen.base_model
    if tells and model.kind_is_inferred and model.kind == "external":
        kind = infer_kind(
            model.name,
            model.provider,
            has_deployment=bool(versions),
            has_connection=bool(model.connections or seen.connection_names),
        )
        if kind != model.kind:
            values["kind"] = model.kind = kind
    if values:
        session.execute(update(ModelRow).where(ModelRow.id == model.id).values(**values))
    if versions:
        session.execute(
            insert(DeploymentRow),
            [
                {
                    "id": str(uuid.uuid4()),
                    "account_id": account_id,
                    "model_id": model.id,
                    "version": version,
                    "created_on_us": now_us,
                }
                for version in versions
            ],
        )
        model.versions.update(versions)
    names = sorted(seen.connection_names - model.connections)[: max(0, MOST_VERSIONS - len(model.connections))]
    if names:
        ids = _connection_ids(session, account_id, names, model.provider, now_us)
        session.execute(
            insert(ModelConnectionRow), [{"model_id": model.id, "connection_id": ids[name]} for name in names]
        )
        model.connections.update(names)


def unlink(session: Session, account_id: str, unused: Set[tuple[str, str]]) -> int:
    """Forget these connections of models (recorded name, connection); how many that were."""
    names = select(ModelNameRow.recorded_name, ModelNameRow.model_id).where(ModelNameRow.account_id == account_id)
    ids = dict(session.execute(names).all())
    gone = {(ids.get(model), connection) for model, connection in unused}
    linked = session.execute(
        select(ModelConnectionRow, ConnectionRow.name)
        .join(ConnectionRow, ConnectionRow.id == ModelConnectionRow.connection_id)
        .where(ConnectionRow.account_id == account_id)
    ).all()
    rows = [row for row, connection in linked if (row.model_id, connection) in gone]
    for row in rows:
        session.delete(row)
    return len(rows)


def _connection_ids(session: Session, account_id: str, names: list[str], provider: str, now_us: int) -> dict[str, str]:
    ids = dict(
        session.execute(
            select(ConnectionRow.name, ConnectionRow.id).where(
                ConnectionRow.account_id == account_id, ConnectionRow.name.in_(names)
            )
        ).all()
    )
    new = [
        {
            "id": str(uuid.uuid4()),
            "account_id": account_id,
            "name": name,
            "provider": provider,
            "created_on_us": now_us,
        }
        for name in names
        if name not in ids
    ]
    if new:
        session.execute(insert(ConnectionRow), new)
        ids |= {str(row["name"]): str(row["id"]) for row in new}
    return ids


def _chunks(names: Iterable[str]) -> Iterable[list[str]]:
    iterator = iter(names)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk
