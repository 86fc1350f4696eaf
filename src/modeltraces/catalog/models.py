"""The account's models: read by pages and filters, filled by ingest.

`ensure` is called with every batch of runs, so what is known costs a look into memory. What the database said is
believed for a minute; changes to models are serialized per account by a lock on its row, so that two processes never
add the same model twice.
"""

import time
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from modeltraces.catalog.db import Catalog
from modeltraces.catalog.model_entries import ModelEntry, Snapshot, read_snapshot
from modeltraces.catalog.model_writes import (
    KnownModel,
    SeenModel,
    apply,
    has_runs,
    names_of_connections,
    names_of_models,
    read_known,
    unlink,
)
from modeltraces.catalog.tables import AccountRow, ModelRow
from modeltraces.catalog.text import is_storable
from modeltraces.run import ModelKind

__all__ = ["ModelEntry", "ModelRegistry", "SeenModel"]

log = structlog.get_logger(__name__)

_BELIEVED_SECONDS = 60.0
_MOST_CACHED = 50_000
_MOST_SNAPSHOTS = 256
LONGEST_NAME = 512
"""Characters of a model's, version's or connection's name; longer ones cannot be indexed by PostgreSQL."""


MOST_LISTED = 5_000
"""Models of one account that ingest adds by itself."""


@dataclass(slots=True)
class _Believed:
    model: KnownModel
    until: float


@dataclass(slots=True)
class ModelRegistry:
    """Thread-safe; one per process.

    `max_models`: models of one account that ingest adds by itself. A sender that puts something unique into the
    model's name would otherwise fill the catalog; its runs are kept all the same.
    `timer`: seconds that never go back.
    """

    catalog: Catalog
    max_models: int = MOST_LISTED
    timer: Callable[[], float] = time.monotonic
    _known: dict[tuple[str, str], _Believed] = field(default_factory=dict)
    _full: dict[str, float] = field(default_factory=dict)
    _snapshots: dict[str, Snapshot] = field(default_factory=dict)

    def ensure(self, account_id: str, seen: Mapping[str, SeenModel]) -> None:
        """Let the catalog have every model in `seen` (by recorded name), with what its runs say of it.

        Names that cannot be kept (empty, too long, not text) and those over `max_models` are left out with a warning; so
        are, without one, those that no upstream took and nobody else told of.
        Raises CatalogUnavailable.
        """
        now = self.timer()
        unknown = {name: model for name, model in seen.items() if not self._is_known(account_id, name, model, now)}
        if not unknown:
            return
        unknown = {
            name: model.storable(LONGEST_NAME) for name, model in unknown.items() if is_storable(name, LONGEST_NAME)
        }
        with self.catalog.session() as session:
            known = read_known(session, account_id, unknown)
        todo = {name: model for name, model in unknown.items() if name not in known or not known[name].covers(model)}
        typed = {name for name, model in todo.items() if name not in known and not model.is_known_upstream}
        for name in typed - self._told_of(account_id, typed):
            del todo[name]
        if self._full.get(account_id, now) > now:
            listed = self._listed(account_id, todo.keys() - known.keys())
            todo = {name: model for name, model in todo.items() if name in known or name in listed}
        if todo:
            known |= self._write(account_id, todo, now)
        if len(self._known) + len(known) > _MOST_CACHED:
            self._known.clear()
        for name, model in known.items():
            self._known[account_id, name] = _Believed(model, now + _BELIEVED_SECONDS)

    def forget_connections(self, account_id: str, unused: Set[tuple[str, str]]) -> None:
        """Let no model be known to have used the connections of `unused` (recorded name, connection)."""
        with self.catalog.writing() as session:
            if unlink(session, account_id, unused):
                session.execute(
                    update(AccountRow)
                    .where(AccountRow.id == account_id)
                    .values(models_revision=AccountRow.models_revision + 1)
                )
        # What was believed of them would keep a connection that is used again from being added again.
        for known in [one for one in self._known.copy() if one[0] == account_id]:
            self._known.pop(known, None)

    def _is_known(self, account_id: str, name: str, model: SeenModel, now: float) -> bool:
        believed = self._known.get((account_id, name))
        return believed is not None and believed.until > now and believed.model.covers(model)

    def _write(self, account_id: str, todo: dict[str, SeenModel], now: float) -> dict[str, KnownModel]:
        with self.catalog.writing() as session:
            # Locks the account's row (PostgreSQL) and tells other processes that their copy is old.
            changed = session.scalars(
                update(AccountRow)
                .where(AccountRow.id == account_id)
                .values(models_revision=AccountRow.models_revision + 1)
                .returning(AccountRow.id)
                .execution_options(synchronize_session=False)
            ).all()
            if not changed:
                log.warning("runs of an account that is gone", account_id=account_id)
                return {}
            known = read_known(session, account_id, todo)
            new = todo.keys() - known.keys()
            new -= names_of_models(session, account_id, new)
            for name in self._left_out(session, account_id, sorted(new), now):
                del todo[name]
            return apply(session, account_id, todo, known, self.catalog.clock())

    def _listed(self, account_id: str, names: Set[str]) -> set[str]:
        """Those of the names that people gave to models: runs that bear them need no room."""
        with self.catalog.session() as session:
            return names_of_models(session, account_id, names)

    def _told_of(self, account_id: str, typed: Set[str]) -> set[str]:
        """Those of the names, which no upstream took, that somebody gave to a model or a connection all the same."""
        if not typed:
            return set()
        with self.catalog.session() as session:
            if not has_runs(session, account_id):
                # The first run of all: pages take an account of whose models none has a run for one that is still empty.
                return set(typed)
            return names_of_models(session, account_id, typed) | names_of_connections(session, account_id, typed)

    def _left_out(self, session: Session, account_id: str, new: list[str], now: float) -> list[str]:
        """Those of the new names that there is no room for."""
        if not new:
            return []
        count = session.scalar(select(func.count()).where(ModelRow.account_id == account_id)) or 0
        left_out = new[max(self.max_models - count, 0) :]
        if left_out:
            self._full[account_id] = now + _BELIEVED_SECONDS
            log.warning(
                "the account has as many models as ingest adds by itself; further names are not listed",
                account_id=account_id,
                max_models=self.max_models,
                left_out=len(left_out),
            )
        return left_out

    def list_models(self, account_id: str, *, archived: bool = False) -> list[ModelEntry]:
        """The account's models: open-source, fine-tuned, external; by name within each. Archived ones only if asked."""
        return [entry for entry in self._snapshot(account_id).entries if archived or not entry.archived]

    def get_model(self, account_id: str, name: str) -> ModelEntry | None:
        """The model of that name, or the one that runs of that name belong to; None in another account."""
        return self._snapshot(account_id).by_name.get(name)

    def names_of_kind(self, account_id: str) -> dict[ModelKind, list[str]]:
        """For every kind, the names that runs of its models bear."""
        return {kind: list(names) for kind, names in self._snapshot(account_id).names_of_kind.items()}

    def revision(self, account_id: str) -> int:
        """Counts the changes to the account's catalog: what was made from it holds as long as this stands."""
        with self.catalog.session() as session:
            return session.scalar(select(AccountRow.models_revision).where(AccountRow.id == account_id)) or 0

    def _snapshot(self, account_id: str) -> Snapshot:
        kept = self._snapshots.get(account_id)
        with self.catalog.session() as session:
            # One small read in place of four large ones: the copy is good as long as the account's counter stands.
            revision = session.scalar(select(AccountRow.models_revision).where(AccountRow.id == account_id))
            if kept is not None and kept.revision == revision:
                return kept
            snapshot = read_snapshot(session, account_id, revision or 0)
        if len(self._snapshots) >= _MOST_SNAPSHOTS:
            self._snapshots.clear()
        self._snapshots[account_id] = snapshot
        return snapshot
