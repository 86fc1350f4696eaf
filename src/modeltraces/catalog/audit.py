"""The audit log: who changed what, with the values before and after. Digests and tokens never enter it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from modeltraces.catalog.db import Catalog
from modeltraces.catalog.tables import AuditRow


@dataclass(frozen=True, slots=True)
class AuditEntry:
    id: int
    at_us: int
    actor: str
    """An email, `key:NAME`, `cli`, `ingest` or `server`."""
    action: str
    object: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


def record(
    session: Session,
    *,
    account_id: str,
    at_us: int,
    actor: str,
    action: str,
    object: str,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Add an entry to the transaction of the change itself: neither is there without the other."""
    session.add(
        AuditRow(
            account_id=account_id, at_us=at_us, actor=actor, action=action, object=object, before=before, after=after
        )
    )


def list_entries(
    catalog: Catalog, account_id: str, *, limit: int = 100, before_id: int | None = None
) -> list[AuditEntry]:
    """Newest first. `before_id`: the last id of the page before."""
    query = select(AuditRow).where(AuditRow.account_id == account_id).order_by(AuditRow.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(AuditRow.id < before_id)
    with catalog.session() as session:
        return [
            AuditEntry(row.id, row.at_us, row.actor, row.action, row.object, row.before, row.after)
            for row in session.scalars(query)
        ]
