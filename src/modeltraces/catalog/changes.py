"""What every change to an account's catalog does: hold the account, find what is meant, count the change, write it down."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from modeltraces.catalog import audit
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import NotFound
from modeltraces.catalog.tables import AccountRow, ConnectionRow, DeploymentRow, HardwareRow, ModelNameRow, ModelRow

_DEEPEST_MERGE = 50


@dataclass(frozen=True, slots=True)
class Change:
    """One change to one account's catalog, in its transaction."""

    session: Session
    account_id: str
    actor: str
    now_us: int

    def record(
        self, action: str, object: str, before: dict[str, Any] | None = None, after: dict[str, Any] | None = None
    ) -> None:
        """Into the audit log, in the same transaction. Never a credential: `set` or `none` stands for one."""
        audit.record(
            self.session,
            account_id=self.account_id,
            at_us=self.now_us,
            actor=self.actor,
            action=action,
            object=object,
            before=before,
            after=after,
        )

    def model(self, name: str) -> ModelRow:
        """The model of that name, or the one that runs of that name are counted with. Raises NotFound."""
        row = self.session.scalar(
            select(ModelRow).where(ModelRow.account_id == self.account_id, ModelRow.name == name)
        ) or self.session.scalar(
            select(ModelRow)
            .join(ModelNameRow, ModelNameRow.model_id == ModelRow.id)
            .where(ModelNameRow.account_id == self.account_id, ModelNameRow.recorded_name == name)
        )
        if row is None:
            raise NotFound(f"This account has no model {name[:200]!r}.")
        return self.resolved(row)

    def resolved(self, row: ModelRow) -> ModelRow:
        """The model that this one was merged into, and so on to the last."""
        for _ in range(_DEEPEST_MERGE):
            if row.merged_into_id is None:
                return row
            into = self.session.get(ModelRow, row.merged_into_id)
            assert into is not None
            row = into
        raise AssertionError("a model is merged into itself")

    def family(self, model: ModelRow) -> list[ModelRow]:
        """The model and all that are merged into it."""
        members = [model]
        for member in members:
            members += self.session.scalars(select(ModelRow).where(ModelRow.merged_into_id == member.id))
        return members

    def deployment(self, model: ModelRow, version: str) -> DeploymentRow:
        """Of several rows of one version (after a merge), the one that is hosted. Raises NotFound."""
        ids = [member.id for member in self.family(model)]
        rows = self.session.scalars(
            select(DeploymentRow).where(DeploymentRow.model_id.in_(ids), DeploymentRow.version == version)
        ).all()
        if not rows:
            raise NotFound(f"The model {model.name!r} has no deployment {version[:200]!r}.")
        return min(rows, key=lambda row: (not is_managed(row), row.model_id != model.id))

    def connection(self, name: str) -> ConnectionRow:
        """Raises NotFound."""
        row = self.session.scalar(
            select(ConnectionRow).where(ConnectionRow.account_id == self.account_id, ConnectionRow.name == name)
        )
        if row is None:
            raise NotFound(f"This account has no connection {name[:200]!r}.")
        return row

    def hardware(self, name: str) -> HardwareRow:
        """Raises NotFound."""
        row = self.session.scalar(
            select(HardwareRow).where(HardwareRow.account_id == self.account_id, HardwareRow.name == name)
        )
        if row is None:
            raise NotFound(f"This account's price list has no hardware {name[:200]!r}.")
        return row


def is_managed(row: DeploymentRow) -> bool:
    """Whether people made it, or it was only seen on runs."""
    return bool(row.hardware_id or row.credits_per_replica_hour or row.endpoint or row.protocol or row.credential)


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
