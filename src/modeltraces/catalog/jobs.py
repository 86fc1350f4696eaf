"""Work on many runs: who started it, how far it is, how it ended."""

import uuid
from dataclasses import dataclass
from typing import Literal, cast

from sqlalchemy import select, update

from modeltraces.catalog import audit
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict, NotFound
from modeltraces.catalog.tables import JobRow

JobState = Literal["running", "done", "failed"]


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
        running = session.scalar(
            select(JobRow).where(JobRow.account_id == account_id, JobRow.kind == kind, JobRow.state == "running")
        )
        if running is not None:
            raise Conflict("This is being done already. Wait until it has ended.")
        row = JobRow(
            id=str(uuid.uuid4()), account_id=account_id, kind=kind, state="running", done=0, total=total, error="",
            actor=actor, started_on_us=now, ended_on_us=None,
        )  # fmt: skip
        session.add(row)
        audit.record(
            session, account_id=account_id, at_us=now, actor=actor, action=f"{kind}.start", object=f"job:{kind}",
            after={"runs": total},
        )  # fmt: skip
        return _job(row)


def progress(catalog: Catalog, job_id: str, done: int) -> None:
    with catalog.writing() as session:
        session.execute(update(JobRow).where(JobRow.id == job_id).values(done=done))


def end(catalog: Catalog, job_id: str, error: str = "") -> None:
    """`error`: one line, for the person who started it; '' when all is done."""
    with catalog.writing() as session:
        session.execute(
            update(JobRow)
            .where(JobRow.id == job_id)
            .values(state="failed" if error else "done", error=error, ended_on_us=catalog.clock())
        )


def abandon(catalog: Catalog) -> None:
    """At the start of an installation's only process: what was running when it ended runs no more."""
    with catalog.writing() as session:
        session.execute(
            update(JobRow)
            .where(JobRow.state == "running")
            .values(
                state="failed", error="The server was stopped meanwhile. Start it again.", ended_on_us=catalog.clock()
            )
        )


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


def _job(row: JobRow) -> Job:
    return Job(
        row.id, row.kind, cast(JobState, row.state), row.done, row.total, row.error, row.actor, row.started_on_us,
        row.ended_on_us,
    )  # fmt: skip
