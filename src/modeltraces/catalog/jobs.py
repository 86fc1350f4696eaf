"""Work on many runs: who started it, how far it is, how it ended.

The process that does it gives a sign of life now and then. One that is silent for `SILENT_SECONDS` has ended, however
it did: its job has failed, and may be started again by any process.
"""

import uuid
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from sqlalchemy import CursorResult, select, update

from modeltraces.catalog import audit
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict, NotFound
from modeltraces.catalog.tables import JobRow

JobState = Literal["running", "done", "failed"]
SILENT_SECONDS: Final = 60
_STOPPED: Final = "The server was stopped meanwhile. Start it again."


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


def start(catalog: Catalog, account_id: str, kind: str, total: int, *, actor: str) -> Job:
    """Raises Conflict while another job of that kind runs for the account."""
    with catalog.writing() as session:
        now = catalog.clock()
        # Of two that are started at once, one is refused.
        audit.hold_account(session, account_id)
        for running in session.scalars(
            select(JobRow).where(JobRow.account_id == account_id, JobRow.kind == kind, JobRow.state == "running")
        ):
            if not _is_silent(running, now):
                raise Conflict("This is being done already. Wait until it has ended.")
            running.state, running.error, running.ended_on_us = "failed", _STOPPED, now
        row = JobRow(
            id=str(uuid.uuid4()), account_id=account_id, kind=kind, state="running", done=0, total=total, error="",
            actor=actor, started_on_us=now, ended_on_us=None, alive_on_us=now,
        )  # fmt: skip
        session.add(row)
        audit.record(
            session, account_id=account_id, at_us=now, actor=actor, action=f"{kind}.start", object=f"job:{kind}",
            after={"runs": total},
        )  # fmt: skip
        return _job(row, now)


def progress(catalog: Catalog, job_id: str, done: int) -> bool:
    """Says how far it is. False when the job has ended meanwhile: it was taken for dead, and another may be at it."""
    return _alive(catalog, job_id, done=done)


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


def abandon(catalog: Catalog) -> None:
    """At the start of an installation's only process: what was running when it ended runs no more."""
    with catalog.writing() as session:
        session.execute(
            update(JobRow)
            .where(JobRow.state == "running")
            .values(state="failed", error=_STOPPED, ended_on_us=catalog.clock())
        )


def get(catalog: Catalog, account_id: str, job_id: str) -> Job:
    """Raises NotFound."""
    with catalog.session() as session:
        row = session.get(JobRow, job_id)
        if row is None or row.account_id != account_id:
            raise NotFound("This account has no such job.")
        return _job(row, catalog.clock())


def latest(catalog: Catalog, account_id: str, kind: str) -> Job | None:
    with catalog.session() as session:
        row = session.scalar(
            select(JobRow)
            .where(JobRow.account_id == account_id, JobRow.kind == kind)
            .order_by(JobRow.started_on_us.desc())
            .limit(1)
        )
        return _job(row, catalog.clock()) if row else None


def _is_silent(row: JobRow, now_us: int) -> bool:
    return row.state == "running" and row.alive_on_us < now_us - SILENT_SECONDS * 1_000_000


def _job(row: JobRow, now_us: int) -> Job:
    state, error, ended_on_us = cast(JobState, row.state), row.error, row.ended_on_us
    if _is_silent(row, now_us):
        state, error, ended_on_us = "failed", _STOPPED, row.alive_on_us
    return Job(row.id, row.kind, state, row.done, row.total, error, row.actor, row.started_on_us, ended_on_us)
