"""Work on many runs: who started it, how far it is, how it ended.

The process that does it gives a sign of life now and then. One that is silent for `SILENT_SECONDS` has ended, however
it did, and one that stops lets its jobs go: any process then takes them over, and begins them again.
"""

import uuid
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from sqlalchemy import ColumnElement, CursorResult, select, update

from modeltraces.catalog import audit
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict, NotFound
from modeltraces.catalog.tables import JobRow

JobState = Literal["running", "done", "failed"]
SILENT_SECONDS: Final = 30
_REPLACED: Final = "The server was stopped meanwhile, and it was started again."


@dataclass(frozen=True, slots=True)
class Job:
    id: str
    kind: str
    state: JobState
    done: int
    total: int
    """Runs."""
    error: str
    actor: str
    started_on_us: int
    ended_on_us: int | None
    account_id: str
    basis: str
    """A digest of what it was started with."""


def start(catalog: Catalog, account_id: str, kind: str, total: int, *, actor: str, basis: str = "") -> Job:
    """Raises Conflict while another job of that kind runs for the account."""
    with catalog.writing() as session:
        now = catalog.clock()
        # Of two that are started at once, one is refused.
        audit.hold_account(session, account_id)
        for running in session.scalars(
            select(JobRow).where(JobRow.account_id == account_id, JobRow.kind == kind, JobRow.state == "running")
        ):
            if running.alive_on_us >= _silent_since(now):
                raise Conflict("This is being done already. Wait until it has ended.")
            running.state, running.error, running.ended_on_us = "failed", _REPLACED, now
        row = JobRow(
            id=str(uuid.uuid4()), account_id=account_id, kind=kind, state="running", done=0, total=total, error="",
            actor=actor, started_on_us=now, ended_on_us=None, alive_on_us=now, basis=basis,
        )  # fmt: skip
        session.add(row)
        audit.record(
            session, account_id=account_id, at_us=now, actor=actor, action=f"{kind}.start", object=f"job:{kind}",
            after={"runs": total},
        )  # fmt: skip
        return _job(row)


def progress(catalog: Catalog, job_id: str, done: int) -> bool:
    """Says how far it is. False when the job has ended meanwhile: it was taken for dead, and another has done it."""
    return _alive(catalog, job_id, done=done)


def again(catalog: Catalog, job_id: str, total: int) -> bool:
    """It begins again, with so many runs to go through; as `progress`."""
    return _alive(catalog, job_id, done=0, total=total)


def alive(catalog: Catalog, job_id: str) -> bool:
    """A sign of life; as `progress`."""
    return _alive(catalog, job_id)


def _alive(catalog: Catalog, job_id: str, **values: Any) -> bool:
    with catalog.writing() as session:
        changed = session.execute(
            update(JobRow)
            .where(JobRow.id == job_id, JobRow.state == "running")
            .values(alive_on_us=catalog.clock(), **values)
        )
        return cast(CursorResult[Any], changed).rowcount > 0


def end(catalog: Catalog, job_id: str, error: str = "") -> None:
    """`error`: one line, for the person who started it; '' when all is done."""
    with catalog.writing() as session:
        session.execute(
            update(JobRow)
            .where(JobRow.id == job_id, JobRow.state == "running")
            .values(state="failed" if error else "done", error=error, ended_on_us=catalog.clock())
        )


def take_over(catalog: Catalog, kind: str) -> Job | None:
    """A job whose process is gone: this one's now. None when there is none, or another process was faster."""
    now = catalog.clock()
    orphaned = (JobRow.kind == kind, JobRow.state == "running", JobRow.alive_on_us < _silent_since(now))
    with catalog.session() as session:
        found = session.scalar(select(JobRow.id).where(*orphaned).limit(1))
    if found is None:
        return None
    with catalog.writing() as session:
        row = session.scalar(select(JobRow).where(JobRow.id == found, *orphaned).with_for_update(skip_locked=True))
        if row is None:
            return None
        row.alive_on_us = now
        return _job(row)


def let_go(catalog: Catalog, job_id: str) -> None:
    """Its process stops: another may take it over at once."""
    _alive_at(catalog, 0, JobRow.id == job_id)


def let_all_go(catalog: Catalog) -> None:
    """At the start of an installation's only process: nobody does what was running when the one before ended."""
    _alive_at(catalog, 0, JobRow.state == "running")


def _alive_at(catalog: Catalog, at_us: int, which: ColumnElement[bool]) -> None:
    with catalog.writing() as session:
        session.execute(update(JobRow).where(which, JobRow.state == "running").values(alive_on_us=at_us))


def get(catalog: Catalog, account_id: str, job_id: str) -> Job:
    """Raises NotFound."""
    with catalog.session() as session:
        row = session.get(JobRow, job_id)
        if row is None or row.account_id != account_id:
            raise NotFound("This account has no such job.")
        return _job(row)


def latest(catalog: Catalog, account_id: str, kind: str) -> Job | None:
    with catalog.session() as session:
        row = session.scalar(
            select(JobRow)
            .where(JobRow.account_id == account_id, JobRow.kind == kind)
            .order_by(JobRow.started_on_us.desc())
            .limit(1)
        )
        return _job(row) if row else None


def _silent_since(now_us: int) -> int:
    return now_us - SILENT_SECONDS * 1_000_000


def _job(row: JobRow) -> Job:
    return Job(
        row.id, row.kind, cast(JobState, row.state), row.done, row.total, row.error, row.actor, row.started_on_us,
        row.ended_on_us, row.account_id, row.basis,
    )  # fmt: skip
