"""Hours of many runs, for tests of how they are summed up by their minutes."""

from random import Random

from modeltraces.query.filters import Bound
from modeltraces.query.selection import Selection
from modeltraces.query.summed import summed
from modeltraces.run import Run, now_us
from modeltraces.store.coverage import HOUR, checkpoint
from modeltraces.store.engine import Store
from modeltraces.store.rows import insert_runs
from tests.query.runs import DAY_US, SECOND_US
from tests.query.sums import made

HOURS = 5
"""Before the one that is not over, of which `some` are."""


def an_hour(store: Store) -> int:
    """The beginning (µs) of an hour that nothing is summed up of. Those long over would be removed with their age."""
    return (max(checkpoint(store).as_of_us, now_us()) // HOUR.us + 1) * HOUR.us


def some(account_id: str, chance: Random, first: int, many: int, clock: int) -> list[Run]:
    """Mostly of the last minutes before `clock`."""
    back = (60 * SECOND_US, 600 * SECOND_US, 3000 * SECOND_US, HOURS * HOUR.us)
    return [
        made(account_id, chance, first + n, clock, executed_on_us=clock - chance.randrange(chance.choice(back)))
        for n in range(many)
    ]


def of(account_id: str, clock: int) -> Selection:
    return Selection(account_id, from_us=clock - DAY_US, to_us=clock + DAY_US, now_us=clock)


def minutes_of(store: Store, selection: Selection, *fields: str) -> int:
    """How many are read by their sums."""
    found = summed(store, selection, fields)
    return sum(last - first for first, last in found.minutes) if found else 0


def busy(store: Store, account_id: str, clock: int, *, seconds: int = 7200, step: int = 10) -> None:
    """Runs every few seconds until then, received then."""
    starts = range(clock - seconds * SECOND_US, clock, step * SECOND_US)
    insert_runs(store, [made(account_id, Random(at), n, clock, executed_on_us=at) for n, at in enumerate(starts)])


def read_run_by_run(store: Store, selection: Selection) -> int:
    """How many runs of an account are not read by sums."""
    found = summed(store, selection, ())
    assert found
    bound = Bound("s")
    condition = found.of_runs(bound) or "false"
    ((count,),) = store.query(
        f"SELECT count() FROM runs WHERE account_id = {bound.text(selection.account_id)} AND ({condition})",
        bound.params,
    )
    return int(count)
