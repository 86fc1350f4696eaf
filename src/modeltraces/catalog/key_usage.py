"""What limited keys have used of the minute and the day, added up over all processes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import and_, delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import Insert

from modeltraces.catalog.db import Catalog
from modeltraces.catalog.tables import ApiKeyRow, KeyUsageRow

MINUTE: Final = 60
DAY: Final = 86_400
SPANS: Final = (MINUTE, DAY)
_KEPT: Final = {MINUTE: 600, DAY: DAY}
"""Seconds after their end that rows stay: the clocks of processes may differ."""


class Window(NamedTuple):
    """One minute or day, UTC, of one key."""

    key_id: str
    span_seconds: int
    starts_on_us: int


@dataclass(frozen=True, slots=True)
class Used:
    requests: int = 0
    tokens: int = 0

    def __add__(self, other: "Used") -> "Used":
        return Used(self.requests + other.requests, self.tokens + other.tokens)


NOTHING: Final = Used()


def start_of(span_seconds: int, at_us: int) -> int:
    return at_us - at_us % (span_seconds * 1_000_000)


def window_of(key_id: str, span_seconds: int, at_us: int) -> Window:
    return Window(key_id, span_seconds, start_of(span_seconds, at_us))


def add(catalog: Catalog, more: Mapping[Window, Used]) -> None:
    """Add to what is there, all of it or nothing. Raises CatalogUnavailable."""
    if more:
        with catalog.writing() as session:
            add_in(session, catalog, more)


def add_in(session: Session, catalog: Catalog, more: Mapping[Window, Used]) -> None:
    """As `add`, inside a transaction."""
    if not more:
        return
    # In one order: two processes that hold each other's rows would wait for ever.
    rows = [
        {**window._asdict(), "requests": used.requests, "tokens": used.tokens} for window, used in sorted(more.items())
    ]
    known = set(session.scalars(select(ApiKeyRow.id).where(ApiKeyRow.id.in_({row["key_id"] for row in rows}))))
    # Of a key that went with its account nobody asks any more.
    if left := [row for row in rows if row["key_id"] in known]:
        session.execute(adding(is_sqlite=catalog.is_sqlite), left)


def adding(*, is_sqlite: bool) -> Insert:
    """The statement that adds one row's numbers to the row that is there, or puts it."""
    insert: Any = (sqlite.insert if is_sqlite else postgresql.insert)(KeyUsageRow)
    statement: Insert = insert.on_conflict_do_update(
        index_elements=list(Window._fields),
        set_={
            "requests": KeyUsageRow.requests + insert.excluded.requests,
            "tokens": KeyUsageRow.tokens + insert.excluded.tokens,
        },
    )
    return statement


def current(catalog: Catalog, account_id: str = "") -> dict[Window, Used]:
    """What has been used of this minute and this day; of one account's keys, or of all. Raises CatalogUnavailable."""
    now = catalog.clock()
    query = select(KeyUsageRow).where(
        or_(
            *(and_(KeyUsageRow.span_seconds == span, KeyUsageRow.starts_on_us >= start_of(span, now)) for span in SPANS)
        )
    )
    if account_id:
        query = query.join(ApiKeyRow, ApiKeyRow.id == KeyUsageRow.key_id).where(ApiKeyRow.account_id == account_id)
    with catalog.session() as session:
        return {
            Window(row.key_id, row.span_seconds, row.starts_on_us): Used(row.requests, row.tokens)
            for row in session.scalars(query)
        }


def remove_old(catalog: Catalog) -> None:
    """Forget minutes and days that have gone by. Raises CatalogUnavailable."""
    now = catalog.clock()
    past = or_(
        *(
            and_(
                KeyUsageRow.span_seconds == span,
                KeyUsageRow.starts_on_us < start_of(span, now) - _KEPT[span] * 1_000_000,
            )
            for span in SPANS
        )
    )
    with catalog.writing() as session:
        session.execute(delete(KeyUsageRow).where(past))
