"""What every change to an account's catalog does: hold the account, find what is meant, count the change, write it down."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from modeltraces.catalog import audit
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import NotFound
from modeltraces.catalog.nearest import nearest_names
from modeltraces.catalog.tables import (
    AccountRow,
    AuditRow,
    ConnectionRow,
    DeploymentEventRow,
    DeploymentRow,
    HardwareRow,
    ModelNameRow,
    ModelRow,
)
from modeltraces.catalog.text import is_storable

LONGEST_ASKED: Final = 512
"""Characters of the longest name that runs can bring in; a longer one is nobody's."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change to one account's catalog, in its transaction."""

    session: Session
    account_id: str
    actor: str
    now_us: int
    seen: dict[tuple[str, str], Any] = field(default_factory=dict)
    """What a change of thousands of things looks up again and again: the price list, by (what, name or id)."""
    at_once: bool = True
    """False: rows that are added, and entries of the audit log, are written together by `write`."""
    entries: list[dict[str, Any]] = field(default_factory=list)
    """Of the audit log, still to be written."""
    events: list[dict[str, Any]] = field(default_factory=list)
    """Of ledgers, still to be written."""

    def added(self) -> None:
        """After a row was added to the session."""
        if self.at_once:
            self.session.flush()

    def write(self) -> None:
        self.session.flush()
        if self.events:
            # With their nulls: otherwise each kind of event is a statement, and they alternate.
            every = insert(DeploymentEventRow).execution_options(render_nulls=True)
            self.session.execute(every, self.events)
        audit.record_all(self.session, self.entries)
        self.events.clear()
        self.entries.clear()

    def record(
        self, action: str, object: str, before: dict[str, Any] | None = None, after: dict[str, Any] | None = None
    ) -> None:
        """Into the audit log, in the same transaction. Never a credential: `set` or `none` stands for one."""
        entry = audit.columns(self.account_id, self.now_us, self.actor, action, object, before, after)
        if self.at_once:
            self.session.add(AuditRow(**entry))
        else:
            self.entries.append(entry)

    def model(self, name: str) -> ModelRow:
        """The model of that name, or the one that runs of that name are counted with. Raises NotFound."""
        return self.resolved(self._named(name))

    def _named(self, name: str) -> ModelRow:
        """The model that has or had that name itself, merged into another or not."""
        row = None
        if _can_be_asked_for(name):
            row = self.session.scalar(
                select(ModelRow).where(ModelRow.account_id == self.account_id, ModelRow.name == name)
            ) or self.session.scalar(
                select(ModelRow)
                .join(ModelNameRow, ModelNameRow.model_id == ModelRow.id)
                .where(ModelNameRow.account_id == self.account_id, ModelNameRow.recorded_name == name)
            )
        if row is None:
            raise NotFound(f"This account has no model {name[:200]!r}{self._instead(name)}")
        return row

    def _instead(self, name: str) -> str:
        """What to do about a model that there is not."""
        connections = self.session.execute(
            select(ConnectionRow.name, ConnectionRow.reaches).where(ConnectionRow.account_id == self.account_id)
        )
        wanted = name.lower()
        for connection, reaches in connections:
            if wanted in (one.lower() for one in json.loads(reaches)):
                return (
                    f" yet: {connection} reaches it, but nobody has called it. "
                    "Add it under Settings, Models, or by POST /api/v1/models, or call it once."
                )
        every = self.session.scalars(select(ModelRow.name).where(ModelRow.account_id == self.account_id))
        return f".{_hint(name, every)}"

    def resolved(self, row: ModelRow) -> ModelRow:
        """The model that this one was merged into, and so on to the last."""
        while row.merged_into_id is not None:
            row = self.session.get_one(ModelRow, row.merged_into_id)
        return row

    def family(self, model: ModelRow) -> list[ModelRow]:
        """The model and all that are merged into it."""
        members = [model]
        for member in members:
            members += self.session.scalars(select(ModelRow).where(ModelRow.merged_into_id == member.id))
        return members

    def deployed(self, name: str, version: str) -> tuple[ModelRow, DeploymentRow]:
        """The model that `name` stands for, and its deployment of that version. Raises NotFound.

        After a merge there may be several of one version: of those with a ledger, the one of the model that has or had that
        name itself, merged or not; else the one that counts first.
        """
        named = self._named(name)
        model = self.resolved(named)
        found = self.deployments(model, version)
        if not found:
            raise NotFound(f"The model {model.name!r} has no deployment {version[:200]!r}.")
        own = next((row for row, events in found if events and row.model_id == named.id), None)
        return model, own or found[0][0]

    def merged_from(self, model: ModelRow, deployment: DeploymentRow) -> dict[str, str]:
        """For the audit log: whose of several of one version it is, where it is not the model's own."""
        if deployment.model_id == model.id:
            return {}
        return {"merged_from": self.session.get_one(ModelRow, deployment.model_id).name}

    def deployments(self, model: ModelRow, version: str) -> list[tuple[DeploymentRow, int]]:
        """The rows of one version of the model and of all that are merged into it, the one that counts first; each with how
        many events its ledger has, struck-out ones too.

        First is one that is hosted, the model's own before others; then one whose events were struck out, then one that people
        described, then the model's own.
        """
        if not _can_be_asked_for(version):
            return []
        standing = func.count(DeploymentEventRow.id).filter(DeploymentEventRow.struck_on_us.is_(None))
        found = self.session.execute(
            select(DeploymentRow, standing, func.count(DeploymentEventRow.id))
            .outerjoin(DeploymentEventRow, DeploymentEventRow.deployment_id == DeploymentRow.id)
            .where(
                DeploymentRow.model_id.in_([member.id for member in self.family(model)]),
                DeploymentRow.version == version,
            )
            .group_by(DeploymentRow.id)
        ).all()
        ranked = sorted(
            found,
            key=lambda one: (
                one[1] == 0,
                one[2] == 0,
                one[1] == 0 and not is_described(one[0]),
                one[0].model_id != model.id,
                one[0].created_on_us,
                one[0].id,
            ),
        )
        return [(row, events) for row, _, events in ranked]

    def connection(self, name: str) -> ConnectionRow:
        """Raises NotFound."""
        row = None
        if _can_be_asked_for(name):
            row = self.session.scalar(
                select(ConnectionRow).where(ConnectionRow.account_id == self.account_id, ConnectionRow.name == name)
            )
        if row is None:
            every = self.session.scalars(select(ConnectionRow.name).where(ConnectionRow.account_id == self.account_id))
            raise NotFound(f"This account has no connection {name[:200]!r}.{_hint(name, every)}")
        return row

    def hardware(self, name: str) -> HardwareRow:
        """Raises NotFound."""
        row: HardwareRow | None = self.seen.get(("hardware", name))
        if row is None and _can_be_asked_for(name):
            row = self.session.scalar(
                select(HardwareRow).where(HardwareRow.account_id == self.account_id, HardwareRow.name == name)
            )
            self.seen["hardware", name] = row
        if row is None:
            every = self.session.scalars(select(HardwareRow.name).where(HardwareRow.account_id == self.account_id))
            raise NotFound(f"This account's price list has no hardware {name[:200]!r}.{_hint(name, every)}")
        return row


def is_described(row: DeploymentRow) -> bool:
    """Whether people said something of it, or it was only seen on runs."""
    said = row.hardware_id or row.credits_per_replica_hour or row.endpoint or row.protocol or row.upstream_model
    return bool(said or row.credential)


def _hint(name: str, every: Iterable[str]) -> str:
    near = nearest_names(name[:LONGEST_ASKED], every)
    return f" Did you mean {near[0]!r}?" if near else ""


def _can_be_asked_for(name: str) -> bool:
    """Whether a database takes such a text at all: it comes from an address, and may be anything."""
    return is_storable(name, LONGEST_ASKED)


@contextmanager
def changing(catalog: Catalog, account_id: str, actor: str) -> Iterator[Change]:
    """A change that is whole or not there, one at a time an account. Raises NotFound when the account is gone."""
    with catalog.writing() as session:
        # Locks the account's row (PostgreSQL) and tells every process that its copy is old.
        counted = session.scalars(
            update(AccountRow)
            .where(AccountRow.id == account_id)
            .values(models_revision=AccountRow.models_revision + 1)
            .returning(AccountRow.id)
            .execution_options(synchronize_session=False)
        ).all()
        if not counted:
            raise NotFound("There is no such account.")
        yield Change(session, account_id, actor, catalog.clock())
    catalog.changed("models")
