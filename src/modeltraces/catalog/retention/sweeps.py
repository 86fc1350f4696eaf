"""When the next sweep is due, and who does it: one process of all that share the catalog, taken over when it falls silent."""

import uuid
from dataclasses import dataclass, field
from typing import Any, Final, cast

from sqlalchemy import CursorResult, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from modeltraces.catalog.db import Catalog
from modeltraces.catalog.tables import SweepRow
from modeltraces.days import US_PER_DAY
from modeltraces.store.retention import Removed

SILENT_SECONDS: Final = 60
_RETRY_SECONDS: Final = 600
_ONLY: Final = 1
_US_PER_HOUR: Final = 3_600_000_000
_STOPPED: Final = "The server was stopped meanwhile; it is done again."


@dataclass(frozen=True, slots=True)
class Sweep:
    """The last one, as an account may see it."""

    started_on_us: int = 0
    """0: there was none yet."""
    ended_on_us: int = 0
    """0 while it runs."""
    error: str = ""
    removed: Removed = field(default_factory=Removed)
    is_asked_for: bool = False
    """Another one comes as soon as it can."""

    @property
    def runs_now(self) -> bool:
        return self.started_on_us > 0 and self.ended_on_us == 0


def latest(catalog: Catalog, account_id: str) -> Sweep:
    with catalog.session() as session:
        row = session.get(SweepRow, _ONLY)
        if row is None:
            return Sweep()
        own = (row.removed or {}).get(account_id, {})
        silent = bool(row.holder) and row.alive_on_us < catalog.clock() - SILENT_SECONDS * 1_000_000
        return Sweep(
            row.started_on_us,
            row.alive_on_us if silent else row.ended_on_us,
            _STOPPED if silent else row.error,
            Removed(**own),
            row.asked_on_us > row.started_on_us,
        )


def next_on(sweep: Sweep, hour: int, now_us: int) -> int:
    """When the next one begins, by the hour of the day (UTC) that is set; not after now when it is due."""
    if sweep.is_asked_for or not sweep.started_on_us:
        return now_us
    return last_turn(hour, sweep.started_on_us) + US_PER_DAY


def ask(catalog: Catalog) -> None:
    """Have one soon, out of turn."""
    with catalog.writing() as session:
        _row(session).asked_on_us = catalog.clock()


def is_broken_off(catalog: Catalog) -> bool:
    """Whether the last one did not end well: the next one looks after what that removed, too."""
    with catalog.session() as session:
        row = session.get(SweepRow, _ONLY)
        return row is not None and bool(row.holder or row.error)


def begin(catalog: Catalog, hour: int) -> str | None:
    """The name to do it under when one is due and nobody is at it."""
    with catalog.writing() as session:
        now = catalog.clock()
        row = _row(session)
        if row.holder and row.alive_on_us >= now - SILENT_SECONDS * 1_000_000:
            return None
        due = (
            bool(row.holder)
            or row.started_on_us < last_turn(hour, now)
            or row.asked_on_us > row.started_on_us
            or (row.error and row.ended_on_us < now - _RETRY_SECONDS * 1_000_000)
        )
        if not due:
            return None
        row.holder, row.alive_on_us = uuid.uuid4().hex, now
        row.started_on_us, row.ended_on_us, row.error, row.removed = now, 0, "", None
        return row.holder


def alive(catalog: Catalog, holder: str) -> bool:
    """A sign of life. False when another has taken it over."""
    return _update(catalog, holder, alive_on_us=catalog.clock())


def end(catalog: Catalog, holder: str, removed: dict[str, Removed], error: str) -> bool:
    shown = {
        account_id: {"runs": one.runs, "payloads": one.payloads, "text_bytes": one.text_bytes}
        for account_id, one in removed.items()
    }
    return _update(catalog, holder, holder="", ended_on_us=catalog.clock(), error=error, removed=shown)


def abandon(catalog: Catalog) -> None:
    """At the start of an installation's only process: nobody is at it."""
    with catalog.writing() as session:
        session.execute(update(SweepRow).where(SweepRow.holder != "").values(alive_on_us=0))


def _update(catalog: Catalog, holder: str, /, **values: Any) -> bool:
    with catalog.writing() as session:
        changed = session.execute(update(SweepRow).where(SweepRow.holder == holder).values(**values))
        return cast(CursorResult[Any], changed).rowcount > 0


def _row(session: Session) -> SweepRow:
    """Locked against other processes."""
    locked = select(SweepRow).where(SweepRow.id == _ONLY).with_for_update()
    row = session.scalar(locked)
    if row is None:
        try:
            with session.begin_nested():
                session.add(SweepRow(id=_ONLY, removed=None))
        except IntegrityError:
            # Another process was first.
            pass
        row = session.scalars(locked).one()
    return row


def last_turn(hour: int, now_us: int) -> int:
    """When that hour of the day was last."""
    return now_us - (now_us - hour * _US_PER_HOUR) % US_PER_DAY
