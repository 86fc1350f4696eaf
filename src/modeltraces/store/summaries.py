"""Sums of runs by the hour and by the day (`summaries`), and how they are made.

They are made from the runs alone, hour by hour, and made again when an hour's runs changed; nothing is ever added to
them. So a run that is sent again, folded, or comes late cannot make them drift. What tells that runs changed is
`received_on`, which is newer than the last checkpoint for whatever was written since; until then the hour is read run by
run (`query/covered.py`). What changes runs without receiving them (rules asked again, removal, a copy) says so: `forget`.

An hour is first declared not covered, then summed up, then covered, then the checkpoint moves; days are made from their
hours. Whatever breaks off in between leaves hours that are read run by run, and are summed up the next time. Where an hour
has many runs its minutes are summed up first, while it lasts and later, and it is made of theirs (`minutes.py`).
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import structlog

from modeltraces.run import now_us
from modeltraces.store.adding_up import add_up_days, add_up_hours
from modeltraces.store.coverage import (
    HOUR,
    HOURS_PER_DAY,
    US_PER_HOUR,
    VERSIONS,
    Checkpoint,
    Unit,
    checkpoint,
    day_of,
    declare,
    declare_days,
    forget_hours,
    hour_of,
)
from modeltraces.store.engine import Store
from modeltraces.store.errors import RightMissing
from modeltraces.store.minutes import refresh_minutes
from modeltraces.store.phrases import PATIENT
from modeltraces.store.summing import sum_up

log = structlog.get_logger(__name__)

SETTLED_SECONDS: Final = 120.0
"""A commit that takes no longer than this is seen by the first checkpoint after it, in spite of clocks that differ; one that
takes longer says so (`forget`)."""
MOST_HOURS: Final = 48
"""Summed up at a time; the others are next."""
_AT_ONCE: Final = 8


def refresh(
    store: Store, as_of_us: int, *, most_hours: int = MOST_HOURS, go_on: Callable[[], bool] = lambda: True
) -> int:
    """Sum up the hours that changed or came to their end until `as_of_us`; how many hours wait for the next time.

    `as_of_us`: an instant so long past that every commit which began before it is stored, or will say so. Without
    `go_on` the checkpoint stays where it was, and the next call begins there.
    """
    last = checkpoint(store)
    if as_of_us <= last.as_of_us or _is_being_changed(store):
        return 0
    now = Checkpoint(as_of_us)
    found, later = _changed(store, last, now)
    due = found.keys() - later
    chosen = sorted(due, key=lambda hour: hour[1], reverse=True)[:most_hours]
    # One number for all rows of this call; another process that is at it at the same time has another.
    generation = as_of_us * VERSIONS + random.randrange(1000) * 2
    declare(store, [(*hour, False) for hour in found if found[hour]], generation)
    done = 0

    def is_ours() -> bool:
        # Another process that came later has newer sums. Where a kind of run is gone in those, what is written here would stay.
        return go_on() and checkpoint(store).as_of_us == last.as_of_us

    def forget_if_overtaken(account_id: str, ats: Iterable[int], unit: Unit) -> None:
        if (newest := checkpoint(store).as_of_us) != last.as_of_us:
            # It came while these were being written.
            forget_hours(store, [(account_id, at * unit.us) for at in ats], max(now_us(), newest) + 1)

    def write(account_id: str, ats: Sequence[int], unit: Unit) -> list[int]:
        written = sum_up(store, account_id, ats, generation, unit)
        forget_if_overtaken(account_id, ats, unit)
        return written

    by_minutes = refresh_minutes(store, now, found, chosen, generation, is_ours, write)
    if by_minutes is None:
        return len(due)
    for account_id, hours in _by_account(chosen).items():
        for start in range(0, len(hours), _AT_ONCE):
            if not is_ours():
                return len(due) - done
            some = hours[start : start + _AT_ONCE]
            if minutes := {at: by_minutes[account_id, at] for at in some if (account_id, at) in by_minutes}:
                done += len(add_up_hours(store, account_id, minutes, generation))
                forget_if_overtaken(account_id, minutes, HOUR)
            if others := [at for at in some if at not in minutes]:
                done += len(write(account_id, others, HOUR))
    if not is_ours():
        return len(due) - done
    declare(store, [("", 0, True)], as_of_us * VERSIONS, covered=True)
    _sum_up_days(store, generation + 1, now, go_on)
    # One that was too large is tried again, but nothing waits for it: the next time it is mostly no smaller.
    return len(due) - len(chosen)


def _is_being_changed(store: Store) -> bool:
    try:
        ((changes,),) = store.query(
            "SELECT count() FROM system.mutations "
            "WHERE database = currentDatabase() AND startsWith(table, 'runs') AND NOT is_done",
            surface="summaries.changes",
        )
    except RightMissing as error:
        # It saves work that is done again: whoever changes runs says so after.
        log.warning("changes of the store cannot be seen; grant SELECT ON system.mutations", error=str(error))
        return False
    return bool(changes)


def _changed(
    store: Store, last: Checkpoint, now: Checkpoint
) -> tuple[dict[tuple[str, int], bool], set[tuple[str, int]]]:
    """Hours to be summed up: those that runs came to, those that came to their end, and those that are not covered. And
    whether they have to be declared as not covered. Then those that were declared so after the checkpoint that is to be: what
    is summed up now would not count."""
    params = {
        "last": last.as_of_us,
        "closed": now.closed * US_PER_HOUR,
        "closed_hour": now.closed,
        "was_closed": last.closed * US_PER_HOUR,
        "version": now.as_of_us * VERSIONS,
    }
    changed = store.query(
        f"SELECT account_id, {hour_of()} AS at FROM runs WHERE executed_on < fromUnixTimestamp64Micro({{closed:Int64}}, 'UTC') "
        "AND (received_on > fromUnixTimestamp64Micro({last:Int64}, 'UTC') "
        "OR executed_on >= fromUnixTimestamp64Micro({was_closed:Int64}, 'UTC')) GROUP BY account_id, at "
        f"{PATIENT}",
        params,
        surface="summaries.changed",
    )
    left = store.query(
        "SELECT account_id, at, version < {version:UInt64} FROM summary_hours FINAL WHERE account_id != '' AND NOT covered "
        "AND at < {closed_hour:Int32}",
        params,
        surface="summaries.left",
    )
    found = {(row[0], row[1]): False for row in left if row[2]} | {(row[0], row[1]): True for row in changed}
    return found, {(row[0], row[1]) for row in left if not row[2]}


def _sum_up_days(store: Store, version: int, now: Checkpoint, go_on: Callable[[], bool]) -> None:
    """Make the sums of days of which an hour was summed up since, and all are covered."""
    rows = store.query(
        f"SELECT account_id, day FROM (SELECT account_id, {day_of()} AS day, covered, version AS made, toUInt64(0) AS summed "
        "FROM summary_hours FINAL WHERE account_id != '' "
        "UNION ALL SELECT account_id, at, true, toUInt64(0), version FROM summary_days FINAL) GROUP BY account_id, day "
        f"HAVING min(covered) AND max(made) > max(summed) AND max(made) <= {{version:UInt64}} "
        f"AND day + {HOURS_PER_DAY} <= {{closed:Int64}} ORDER BY day DESC",
        {"version": version, "closed": now.closed},
        surface="summaries.days",
    )
    for account_id, days in _by_account((row[0], row[1]) for row in rows).items():
        for start in range(0, len(days), _AT_ONCE):
            if not go_on():
                return
            some = days[start : start + _AT_ONCE]
            add_up_days(store, account_id, some, version)
            declare_days(store, account_id, some, version)


def _by_account(hours: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    grouped: dict[str, list[int]] = defaultdict(list)
    for account_id, hour in hours:
        grouped[account_id].append(hour)
    return {account_id: sorted(some) for account_id, some in grouped.items()}
