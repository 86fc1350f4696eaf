"""The audit log: who changed what, with the values before and after. Digests, keys and credentials never enter it."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Text, collate, func, insert, select, type_coerce
from sqlalchemy.orm import Session

from modeltraces.catalog.audit_secrets import without_secrets
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.tables import AccountRow, AuditRow


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


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries; what is '' or None does not narrow."""

    actor: str = ""
    """Exactly this one."""
    action: str = ""
    """Exactly this one, or with `*` at its end all that begin with what stands before it: `model.*`."""
    object: str = ""
    """Stands anywhere in the object, in any case."""
    from_us: int | None = None
    """Inclusive, µs since the epoch."""
    to_us: int | None = None
    """Exclusive, µs since the epoch."""


ALL: Final = AuditFilter()


@dataclass(frozen=True, slots=True)
class AuditChoices:
    """What stands in an account's log, in alphabetical order."""

    actors: tuple[str, ...]
    actions: tuple[str, ...]


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
    """Add an entry to the transaction of the change itself: neither is there without the other.

    Values that are secret by their name or their look are left out, see `audit_secrets`.
    """
    # Numbered in the order in which they can be read (PostgreSQL): who has read up to a number misses none below it.
    hold_account(session, account_id)
    session.add(AuditRow(**columns(account_id, at_us, actor, action, object, before, after)))


def hold_account(session: Session, account_id: str) -> None:
    """Let changes to an account happen one after the other (SQLite: they do anyway). Rows that refer to it can be added
    meanwhile."""
    session.execute(select(AccountRow.id).where(AccountRow.id == account_id).with_for_update(key_share=True))


def columns(
    account_id: str,
    at_us: int,
    actor: str,
    action: str,
    object: str,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
) -> dict[str, Any]:
    """An entry as it is kept, for `record_all`."""
    before, after = without_secrets(before, after)
    return {
        "account_id": account_id, "at_us": at_us, "actor": actor, "action": action, "object": object,
        "before": before, "after": after,
    }  # fmt: skip


def record_all(session: Session, entries: Sequence[dict[str, Any]]) -> None:
    """As `record`, of many: one statement, and no object for each."""
    if entries:
        session.execute(insert(AuditRow), entries)


def list_entries(
    catalog: Catalog,
    account_id: str,
    filter: AuditFilter = ALL,
    *,
    limit: int = 100,
    before_id: int | None = None,
    after_id: int | None = None,
) -> list[AuditEntry]:
    """At most `limit` entries of the account that the filter lets through, newest first.

    `before_id`: only older ones than this, say than the last of the page before. `after_id`: only newer ones than
    this, and of these the oldest.
    """
    query = select(AuditRow).where(AuditRow.account_id == account_id).limit(limit)
    if before_id is not None:
        query = query.where(AuditRow.id < before_id)
    if after_id is not None:
        query = query.where(AuditRow.id > after_id)
    upwards = after_id is not None
    with catalog.session() as session:
        query = query.where(*_conditions(catalog, session, filter))
        rows = session.scalars(query.order_by(AuditRow.id.asc() if upwards else AuditRow.id.desc()))
        entries = [
            AuditEntry(row.id, row.at_us, row.actor, row.action, row.object, row.before, row.after) for row in rows
        ]
    return entries[::-1] if upwards else entries


def pages(
    catalog: Catalog, account_id: str, filter: AuditFilter = ALL, *, size: int = 500
) -> Iterator[list[AuditEntry]]:
    """All entries that the filter lets through, newest first, `size` at a time, each page a transaction of its own.

    What is written meanwhile is newer than the first page, and not among them.
    """
    before_id: int | None = None
    while found := list_entries(catalog, account_id, filter, limit=size, before_id=before_id):
        yield found
        if len(found) < size:
            return
        before_id = found[-1].id


def choices(catalog: Catalog, account_id: str) -> AuditChoices:
    """The actors and actions of the account's log: what its filters can be set to."""
    mine = AuditRow.account_id == account_id
    with catalog.session() as session:
        return AuditChoices(
            tuple(sorted(session.scalars(select(AuditRow.actor).where(mine).distinct()))),
            tuple(sorted(session.scalars(select(AuditRow.action).where(mine).distinct()))),
        )


def _conditions(catalog: Catalog, session: Session, filter: AuditFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if filter.actor:
        found.append(AuditRow.actor == filter.actor)
    if filter.action.endswith("*"):
        # Not LIKE, which SQLite compares in any case.
        start = filter.action[:-1]
        found.append(func.substr(AuditRow.action, 1, len(start)) == start)
    elif filter.action:
        found.append(AuditRow.action == filter.action)
    if filter.object:
        found.append(_object_contains(catalog, session, unicodedata.normalize("NFC", filter.object)))
    if filter.from_us is not None:
        found.append(AuditRow.at_us >= filter.from_us)
    if filter.to_us is not None:
        found.append(AuditRow.at_us < filter.to_us)
    return found


def _object_contains(catalog: Catalog, session: Session, text: str) -> ColumnElement[bool]:
    if not catalog.is_sqlite:
        # The columns' own collation knows the case of ASCII only.
        return collate(type_coerce(AuditRow.object, Text()), "und-x-icu").icontains(text, autoescape=True)
    # SQLite's own lower() and LIKE know the case of ASCII only.
    connection = session.connection().connection.driver_connection
    assert connection is not None
    connection.create_function("contains_in_any_case", 2, _contains_in_any_case, deterministic=True)
    return func.contains_in_any_case(AuditRow.object, text) == 1


def _contains_in_any_case(text: str, part: str) -> bool:
    return part.lower() in text.lower()
