"""Work on many runs: one at a time for an account, and nobody waits for a process that is gone."""

from functools import partial

import pytest

from modeltraces.catalog import jobs
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict, NotFound
from tests.catalog.cast import Cast, Clock
from tests.catalog.threads import in_threads

pytestmark = pytest.mark.postgresql

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


def test_the_job_of_a_process_that_is_gone_is_taken_over_by_one_other(
    catalog: Catalog, other_process: Catalog, cast: Cast, clock: Clock
) -> None:
    job = jobs.start(catalog, cast.account_a.id, KIND, 10, actor="alice@example.com", basis="rules")
    clock.advance(jobs.SILENT_SECONDS)
    assert jobs.alive(catalog, job.id)
    clock.advance(jobs.SILENT_SECONDS)
    assert jobs.take_over(other_process, KIND) is None, "it gave a sign of life"
    clock.advance(1)
    assert jobs.take_over(other_process, "another kind") is None
    taken = in_threads(*(partial(jobs.take_over, one, KIND) for one in (catalog, other_process) * 3))
    assert [one for one in taken if one] == [job], "as it was begun, by one"
    assert jobs.again(other_process, job.id, 20)
    seen = jobs.latest(catalog, cast.account_a.id, KIND)
    assert seen is not None
    assert (seen.state, seen.done, seen.total) == ("running", 0, 20)
    with pytest.raises(Conflict, match="Wait"):
        jobs.start(catalog, cast.account_a.id, KIND, 10, actor="bob@example.com")
    jobs.end(other_process, job.id)
    # It was only slow: its end is not written over the other's.
    assert not jobs.progress(catalog, job.id, 10)
    jobs.end(catalog, job.id, "too late")
    assert jobs.get(catalog, cast.account_a.id, job.id).state == "done"


def test_a_process_that_stops_lets_its_jobs_go_at_once(catalog: Catalog, other_process: Catalog, cast: Cast) -> None:
    job = jobs.start(catalog, cast.account_a.id, KIND, 10, actor="alice@example.com")
    ended = jobs.start(catalog, cast.account_b.id, KIND, 10, actor="charlie@example.com")
    jobs.end(catalog, ended.id)
    jobs.let_go(catalog, job.id)
    jobs.let_go(catalog, ended.id)
    taken = jobs.take_over(other_process, KIND)
    assert taken is not None
    assert (taken.id, taken.account_id) == (job.id, cast.account_a.id)
    assert jobs.take_over(other_process, KIND) is None
    jobs.let_all_go(catalog)
    assert jobs.take_over(other_process, KIND) is not None


def test_who_does_not_want_to_wait_for_that_starts_it_again(
    catalog: Catalog, other_process: Catalog, cast: Cast, clock: Clock
) -> None:
    job = jobs.start(catalog, cast.account_a.id, KIND, 10, actor="alice@example.com")
    clock.advance(jobs.SILENT_SECONDS + 1)
    other = jobs.start(other_process, cast.account_a.id, KIND, 10, actor="bob@example.com")
    assert jobs.take_over(catalog, KIND) is None
    assert not jobs.progress(catalog, job.id, 10)
    assert not jobs.alive(catalog, job.id)
    jobs.end(catalog, job.id)
    seen = jobs.get(catalog, cast.account_a.id, job.id)
    assert (seen.state, seen.error) == ("failed", "The server was stopped meanwhile, and it was started again.")
    assert jobs.get(catalog, cast.account_a.id, other.id).state == "running"
