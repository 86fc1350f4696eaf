"""Sums of runs by the hour and by the day (`summaries`), and how they are made.

They are made from the runs alone, hour by hour, and made again when an hour's runs changed; nothing is ever added to
them. So a run that is sent again, folded, or comes late cannot make them drift. What tells that runs changed is
`received_on`, which is newer than the last checkpoint for whatever was written since; until then the hour is read run by
run (`query/covered.py`). What changes runs without receiving them (rules asked again, removal, a copy) says so: `forget`.

An hour is first declared not covered, then summed up, then covered, then the checkpoint moves; days are made from their
hours. Whatever breaks off in between leaves hours that are read run by run, and are summed up the next time.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import structlog

from modeltraces.store.coverage import (
    HOURS_PER_DAY,
    US_PER_HOUR,
    VERSIONS,
    Checkpoint,
    checkpoint,
    day_of,
    declare,
    declare_days,
    hour_of,
    ranges,
)
from modeltraces.store.engine import Store, StoreError
from modeltraces.store.errors import RightMissing

log = structlog.get_logger(__name__)

SETTLED_SECONDS: Final = 120.0
"""A commit that takes no longer than this is seen by the first checkpoint after it, in spite of clocks that differ; one that
takes longer says so (`forget`)."""
EXACT_BELOW: Final = 10_000
"""Up to so many response times percentiles are exact."""
MOST_HOURS: Final = 48
"""Summed up at a time; the others are next."""
_AT_ONCE: Final = 8
_MOST_SOURCES: Final = 2_000
"""Rows of one hour by source. With more (a source for every run) they would be no shorter than the runs: they are left out."""
DAYS_ABOVE: Final = 3
"""What the grain of a day is more than that of its hours."""

COUNTED: Final = "isNotNull(response_time_ms) AND NOT response_time_clamped"
"""Which runs' response times percentiles are of."""
CLASS: Final = (
    "if(response_time_ms > 1e-9, toInt16(least(ceil(log(assumeNotNull(response_time_ms)) * 64), 32767.)), "
    "toInt16(-32768))"
)
"""The class of a response time. Each is 1.6 % wide, so that its middle is within 0.8 % of all that is in it."""
KEYS: Final = ("model", "status", "deployment_version", "connection_name", "source_type", "source")
_INTO: Final = (
    f"INSERT INTO summaries (account_id, generation, grain, at, {', '.join(KEYS)}, requests, timed, response_time_ms, "
    "input_tokens, output_tokens, classes, counts, times) SELECT {account_id:String}, {generation:UInt64}, "
)


def time_of_class(name: str) -> str:
    """SQL of a response time in ms in the middle of a class."""
    return f"if({name} = -32768, 0., exp({name} / 64) * 2 / (1 + exp(1 / 64)))"


def refresh(
    store: Store, as_of_us: int, *, most_hours: int = MOST_HOURS, go_on: Callable[[], bool] = lambda: True
) -> int:
    """Sum up the hours that changed or came to their end until `as_of_us`; how many hours are left for the next time.

    `as_of_us`: an instant so long past that every commit which began before it is stored, or will say so. Without
    `go_on` the checkpoint stays where it was, and the next call begins there.
    """
    last = checkpoint(store)
    if as_of_us <= last.as_of_us or _is_being_changed(store):
        return 0
    now = Checkpoint(as_of_us)
    found = _changed(store, last, now)
    chosen = sorted(found, key=lambda hour: hour[1], reverse=True)[:most_hours]
    # One number for all rows of this call; another process that is at it at the same time has another.
    generation = as_of_us * VERSIONS + random.randrange(1000) * 2
    declare(store, [(*hour, False) for hour in found if found[hour]], generation)
    done = 0
    for account_id, hours in _by_account(chosen).items():
        for start in range(0, len(hours), _AT_ONCE):
            if not go_on():
                return len(found) - done
            done += _sum_up(store, account_id, hours[start : start + _AT_ONCE], generation)
    declare(store, [("", 0, True)], as_of_us * VERSIONS, covered=True)
    _sum_up_days(store, generation + 1, now, go_on)
    return len(found) - done


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


def _changed(store: Store, last: Checkpoint, now: Checkpoint) -> dict[tuple[str, int], bool]:
    """Hours to be summed up: those that runs came to, those that came to their end, and those that are not covered. And
    whether they have to be declared as not covered."""
    params = {
        "last": last.as_of_us,
        "closed": now.closed * US_PER_HOUR,
        "was_closed": last.closed * US_PER_HOUR,
        "version": now.as_of_us * VERSIONS,
    }
    changed = store.query(
        f"SELECT account_id, {hour_of()} AS at FROM runs WHERE executed_on < fromUnixTimestamp64Micro({{closed:Int64}}, 'UTC') "
        "AND (received_on > fromUnixTimestamp64Micro({last:Int64}, 'UTC') "
        "OR executed_on >= fromUnixTimestamp64Micro({was_closed:Int64}, 'UTC')) GROUP BY account_id, at "
        "SETTINGS max_execution_time = 0, max_threads = 1",
        params,
        surface="summaries.changed",
    )
    # One that was declared after `as_of_us` would win over what is summed up here.
    left = store.query(
        "SELECT account_id, at FROM summary_hours FINAL WHERE account_id != '' AND NOT covered AND version < {version:UInt64}",
        params,
        surface="summaries.left",
    )
    return {(row[0], row[1]): False for row in left} | {(row[0], row[1]): True for row in changed}


def _sum_up(store: Store, account_id: str, hours: Sequence[int], generation: int) -> int:
    """How many hours were."""
    try:
        crowded = _crowded(store, account_id, hours)
        for source, some in (("source", sorted(set(hours) - crowded)), ("''", sorted(crowded))):
            if some:
                _insert(store, account_id, some, generation, source)
    except StoreError:
        if len(hours) == 1:
            # It stays as it is, not covered: too large for the memory that a query may use.
            return 0
        return sum(_sum_up(store, account_id, [hour], generation) for hour in hours)
    rows = [(account_id, hour, hour not in crowded) for hour in hours]
    declare(store, rows, generation + 1, covered=True)
    return len(hours)


def _crowded(store: Store, account_id: str, hours: Sequence[int]) -> set[int]:
    condition, params = _of_hours(account_id, hours)
    rows = store.query(
        f"SELECT {hour_of()} AS at FROM runs WHERE {condition} GROUP BY at "
        f"HAVING uniq({', '.join(KEYS)}) > {_MOST_SOURCES} SETTINGS max_execution_time = 0, max_threads = 1",
        params,
        surface="summaries.sources",
    )
    return {row[0] for row in rows}


def _insert(store: Store, account_id: str, hours: Sequence[int], generation: int, source: str) -> None:
    condition, params = _of_hours(account_id, hours)
    keys = [source if key == "source" else key for key in KEYS]
    # By class first: what is held in memory are classes, not runs, but for the response times themselves.
    by_class = (
        f"SELECT {hour_of()} AS at, {', '.join(f'{key} AS key_{name}' for key, name in zip(keys, KEYS, strict=True))}, "
        f"if({COUNTED}, {CLASS}, NULL) AS class, "
        "count() AS requests, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens, "
        f"sumIf(assumeNotNull(response_time_ms), {COUNTED}) AS ms, "
        f"groupArrayIf(assumeNotNull(response_time_ms), {COUNTED}) AS times "
        f"FROM runs FINAL WHERE {condition} AND superseded_by = '' GROUP BY at, {', '.join(f'key_{name}' for name in KEYS)}, class"
    )
    grained = [
        "key_status" if name == "status" else f"if(grain >= {1 if name == 'model' else 2}, key_{name}, '')"
        for name in KEYS
    ]
    names = ", ".join(f"k_{name}" for name in KEYS)
    sums = (
        f"SELECT grain, at, {names}, sum(requests) AS all_requests, sumIf(requests, isNotNull(class)) AS all_timed, "
        "sum(ms), sum(input_tokens), sum(output_tokens), groupArrayIf(assumeNotNull(class), isNotNull(class)), "
        "groupArrayIf(toUInt32(requests), isNotNull(class)), "
        f"if(grain = 2 AND all_timed <= {EXACT_BELOW}, groupArrayArray(times), []) "
        f"FROM (SELECT grain, at, {', '.join(f'{value} AS k_{name}' for value, name in zip(grained, KEYS, strict=True))}, "
        "class, sum(r.requests) AS requests, sum(r.ms) AS ms, sum(r.input_tokens) AS input_tokens, "
        "sum(r.output_tokens) AS output_tokens, groupArrayArray(if(grain = 2, r.times, [])) AS times "
        f"FROM ({by_class}) AS r ARRAY JOIN [0, 1, 2] AS grain GROUP BY grain, at, {names}, class) GROUP BY grain, at, {names}"
    )
    store.command(
        f"{_INTO} * FROM ({sums}) SETTINGS max_execution_time = 0, max_threads = 1",
        {**params, "generation": generation + 1},
    )
    _blank(store, account_id, hours, f"grain < {DAYS_ABOVE}", generation + 1)


def _blank(store: Store, account_id: str, hours: Sequence[int], grains: str, generation: int) -> None:
    """Write as nothing what an earlier generation had more. Afterwards: whoever began to read while these sums counted finds no
    gap. `hours`: where the rows stand, those of days at their first. `grains`: SQL of which."""
    store.command(
        f"{_INTO} toUInt8(grain), at, {', '.join(KEYS)}, 0, 0, 0, NULL, NULL, [], [], [] FROM summaries FINAL "
        f"WHERE account_id = {{account_id:String}} AND at IN {{hours:Array(Int32)}} AND {grains} AND requests > 0 "
        "AND generation < {generation:UInt64}",
        {"account_id": account_id, "hours": hours, "generation": generation},
    )


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
            _insert_days(store, account_id, some, version)
            declare_days(store, account_id, some, version)


def _insert_days(store: Store, account_id: str, days: Sequence[int], version: int) -> None:
    keys = ", ".join(KEYS)
    of_days = " OR ".join(f"(at >= {first} AND at < {first + HOURS_PER_DAY})" for first in days)
    store.command(
        f"{_INTO} grain, day, {keys}, requests, timed, ms, input_tokens, output_tokens, many.1, many.2, [] FROM ("
        f"SELECT toUInt8(grain) + {DAYS_ABOVE} AS grain, {day_of()} AS day, {keys}, sum(s.requests) AS requests, "
        "sum(s.timed) AS timed, sum(response_time_ms) AS ms, sum(s.input_tokens) AS input_tokens, "
        "sum(s.output_tokens) AS output_tokens, sumMap(classes, arrayMap(one -> toUInt64(one), counts)) AS many "
        f"FROM summaries AS s FINAL WHERE account_id = {{account_id:String}} AND ({of_days}) AND s.grain < {DAYS_ABOVE} "
        f"AND s.requests > 0 GROUP BY s.grain, day, {keys}) SETTINGS max_execution_time = 0, max_threads = 1",
        {"account_id": account_id, "generation": version},
    )
    _blank(store, account_id, days, f"grain >= {DAYS_ABOVE}", version)


def _of_hours(account_id: str, hours: Sequence[int]) -> tuple[str, dict[str, Any]]:
    """The condition of the runs of an account in some hours; ranges, for the engine to find them by its key."""
    params: dict[str, Any] = {"account_id": account_id}
    parts = []
    for number, (first, last) in enumerate(ranges(hours)):
        params |= {f"from_{number}": first * US_PER_HOUR, f"to_{number}": last * US_PER_HOUR}
        parts.append(
            f"(executed_on >= fromUnixTimestamp64Micro({{from_{number}:Int64}}, 'UTC') "
            f"AND executed_on < fromUnixTimestamp64Micro({{to_{number}:Int64}}, 'UTC'))"
        )
    return f"account_id = {{account_id:String}} AND ({' OR '.join(parts)})", params


def _by_account(hours: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    grouped: dict[str, list[int]] = defaultdict(list)
    for account_id, hour in hours:
        grouped[account_id].append(hour)
    return {account_id: sorted(some) for account_id, some in grouped.items()}
