"""Work on many runs: one at a time for an account, and nobody waits for a process that is gone."""

import pytest

from modeltraces.catalog import jobs
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict, NotFound
from tests.catalog.cast import Cast, Clock

KIND = "rematch"


def test_while_one_runs_no_other_process_starts_it(catalog: Catalog, other_process: Catalog, cast: Cast) -> None:
    job = jobs.start(catalog, cast.account_a.id, KIND, 10, actor="alice@example.com")
    with pytest.raises(Conflict, match="Wait"):
        jobs.start(other_process, cast.account_a.id, KIND, 10, actor="bob@example.com")
    assert jobs.progress(catalog, job.id, 5)
    assert jobs.get(other_process, cast.account_a.id, job.id).done == 5
    jobs.end(catalog, job.id)
    assert jobs.get(other_process, cast.account_a.id, job.id).state == "done"
    assert jobs.start(other_process, cast.account_a.id, KIND, 10, actor="bob@example.com").state == "running"
    with pytest.raises(NotFound):
        jobs.get(catalog, cast.account_b.id, job.id)


def test_the_job_of_a_process_that_is_gone_has_failed_and_can_be_started_again(
    catalog: Catalog, other_process: Catalog, cast: Cast, clock: Clock
) -> None:
    job = jobs.start(catalog, cast.account_a.id, KIND, 10, actor="alice@example.com")
    clock.advance(jobs.SILENT_SECONDS)
    assert jobs.alive(catalog, job.id)
    clock.advance(jobs.SILENT_SECONDS)
    assert jobs.get(other_process, cast.account_a.id, job.id).state == "running"
    clock.advance(1)
    seen = jobs.latest(other_process, cast.account_a.id, KIND)
    assert seen is not None
    assert (seen.state, seen.id) == ("failed", job.id)
    assert "Start it again" in seen.error
    assert seen.ended_on_us is not None
    other = jobs.start(other_process, cast.account_a.id, KIND, 10, actor="bob@example.com")
    # It was only slow: it learns that another is at it, and its end is not written over that.
    assert not jobs.progress(catalog, job.id, 10)
    assert not jobs.alive(catalog, job.id)
    jobs.end(catalog, job.id)
    assert jobs.get(catalog, cast.account_a.id, job.id).state == "failed"
    assert jobs.get(catalog, cast.account_a.id, other.id).state == "running"
