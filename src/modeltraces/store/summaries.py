"""Sums of runs by the hour (`summaries`), and which of them count.

They are made from the runs alone, hour by hour, and made again when an hour's runs changed; nothing is ever added to
them. So a run that is sent again, folded, or comes late cannot make them drift. What tells that runs changed is
`received_on`, which is newer than the last checkpoint for whatever was written since; until then the hour is read run by
run (`query/covered.py`). What changes runs without receiving them (rules asked again, removal, a copy) says so: `forget`.

An hour is first declared not covered, then summed up, then covered, then the checkpoint moves. Whatever breaks off in
between leaves hours that are read run by run, and are summed up the next time.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from modeltraces.store.engine import Store, StoreError

US_PER_HOUR: Final = 3_600_000_000
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
_AHEAD: Final = 1_000_000
"""Hours, so that a division rounds down before 1970 as well."""

COUNTED: Final = "isNotNull(response_time_ms) AND NOT response_time_clamped"
"""Which runs' response times percentiles are of."""
CLASS: Final = (
    "if(response_time_ms > 1e-9, toInt16(least(ceil(log(assumeNotNull(response_time_ms)) * 64), 32767.)), "
    "toInt16(-32768))"
)
"""The class of a response time. Each is 1.6 % wide, so that its middle is within 0.8 % of all that is in it."""
KEYS: Final = ("model", "status", "deployment_version", "connection_name", "source_type", "source")


def hour_of(us: str = "toUnixTimestamp64Micro(executed_on)") -> str:
    """SQL of the hour, since 1970, of an instant."""
    return f"toInt32(intDiv({us} + {_AHEAD * US_PER_HOUR}, {US_PER_HOUR}) - {_AHEAD})"


def time_of_class(name: str) -> str:
    """SQL of a response time in ms in the middle of a class."""
    return f"if({name} = -32768, 0., exp({name} / 64) * 2 / (1 + exp(1 / 64)))"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    as_of_us: int
    """All runs that were received until then are in the sums, or in hours that are not covered."""

    @property
    def closed(self) -> int:
        """The first hour that was not over."""
        return self.as_of_us // US_PER_HOUR


_BEFORE_ALL: Final = Checkpoint(-_AHEAD * US_PER_HOUR // 2)


def checkpoint(store: Store) -> Checkpoint:
    return uncovered(store, "", 0, 0)[0]


def uncovered(
    store: Store, account_id: str, first: int, last: int, *, by_source: bool = False
) -> tuple[Checkpoint, list[int]]:
    """The checkpoint, and the hours before it whose sums do not hold, from `first` until `last`."""
    coarse = " OR NOT detailed" if by_source else ""
    rows = store.query(
        "SELECT account_id = '', at, intDiv(version, 2000) FROM summary_hours FINAL WHERE account_id = '' "
        "OR (account_id = {account_id:String} AND at >= {first:Int32} AND at < {last:Int32} "
        f"AND (NOT covered{coarse}))",
        {"account_id": account_id, "first": first, "last": last},
        surface="summaries.uncovered",
    )
    found = [Checkpoint(as_of_us) for is_checkpoint, _, as_of_us in rows if is_checkpoint]
    return found[0] if found else _BEFORE_ALL, [at for is_checkpoint, at, _ in rows if not is_checkpoint]


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
    generation = as_of_us * 2000 + random.randrange(1000) * 2
    _declare(store, [(*hour, False) for hour in found if found[hour]], generation)
    done = 0
    for account_id, hours in _by_account(chosen).items():
        for start in range(0, len(hours), _AT_ONCE):
            if not go_on():
                return len(found) - done
            done += _sum_up(store, account_id, hours[start : start + _AT_ONCE], generation)
    _declare(store, [("", 0, True)], as_of_us * 2000, covered=True)
    return len(found) - done


def forget(
    store: Store, *, account_id: str | None = None, from_us: int | None = None, to_us: int | None = None, now_us: int
) -> None:
    """Take the hours of a time for not covered until they are summed up anew: runs were changed, removed or brought in.

    To be called before such a change, so that sums of before are not taken for those of now, and after it, for what was
    summed up in the meantime. `now_us`: the clock, as in `received_on`.
    """
    conditions, params = ["true"], dict[str, Any]()
    if account_id is not None:
        conditions.append("account_id = {account_id:String}")
        params["account_id"] = account_id
    for name, sign, limit in (("from_us", ">=", from_us), ("to_us", "<=", to_us)):
        if limit is not None:
            conditions.append(f"at {sign} {{{name}:Int64}}")
            params[name] = limit // US_PER_HOUR
    store.command(
        "INSERT INTO summary_hours (account_id, at, version, covered, detailed) "
        "SELECT account_id, at, {version:UInt64}, false, false FROM ("
        f"SELECT account_id, {hour_of()} AS at FROM runs WHERE {' AND '.join(conditions)} GROUP BY account_id, at "
        f"UNION DISTINCT SELECT account_id, at FROM summary_hours WHERE {' AND '.join(conditions)})",
        {**params, "version": now_us * 2000},
    )


def forget_hours(store: Store, hours: Iterable[tuple[str, int]], now_us: int) -> None:
    """The same for (account, start in µs) of runs."""
    pairs = {(account_id, start // US_PER_HOUR) for account_id, start in hours}
    _declare(store, [(account_id, at, False) for account_id, at in sorted(pairs)], now_us * 2000)


def _is_being_changed(store: Store) -> bool:
    ((changes,),) = store.query(
        "SELECT count() FROM system.mutations WHERE database = currentDatabase() AND startsWith(table, 'runs') AND NOT is_done",
        surface="summaries.changes",
    )
    return bool(changes)


def _changed(store: Store, last: Checkpoint, now: Checkpoint) -> dict[tuple[str, int], bool]:
    """Hours to be summed up: those that runs came to, those that came to their end, and those that are not covered. And
    whether they have to be declared as not covered."""
    params = {
        "last": last.as_of_us,
        "closed": now.closed * US_PER_HOUR,
        "was_closed": last.closed * US_PER_HOUR,
        "version": now.as_of_us * 2000,
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
    _declare(store, rows, generation + 1, covered=True)
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
    inserted = (
        f"INSERT INTO summaries (account_id, generation, grain, at, {', '.join(KEYS)}, requests, timed, response_time_ms, "
        "input_tokens, output_tokens, classes, counts, times) SELECT {account_id:String}, {generation:UInt64}, "
    )
    # What was there and is no more is written as nothing first: no row of before is left to be read.
    store.command(
        f"{inserted} toUInt8(grain), at, {', '.join(KEYS)}, 0, 0, 0, NULL, NULL, [], [], [] FROM summaries "
        "WHERE account_id = {account_id:String} AND at IN {hours:Array(Int32)} AND requests > 0",
        {"account_id": account_id, "hours": hours, "generation": generation},
    )
    store.command(
        f"{inserted} * FROM ({sums}) SETTINGS max_execution_time = 0, max_threads = 1",
        {**params, "generation": generation + 1},
    )


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


def ranges(hours: Iterable[int]) -> Iterator[tuple[int, int]]:
    """(first, after the last) of hours that follow one another."""
    first = last = None
    for hour in sorted(hours):
        if first is None or last is None:
            first, last = hour, hour + 1
        elif hour <= last:
            last = hour + 1
        else:
            yield first, last
            first, last = hour, hour + 1
    if first is not None and last is not None:
        yield first, last


def _declare(store: Store, hours: Sequence[tuple[str, int, bool]], version: int, *, covered: bool = False) -> None:
    if hours:
        store.insert(
            "summary_hours",
            {
                "account_id": ("LowCardinality(String)", [account_id for account_id, _, _ in hours]),
                "at": ("Int32", [at for _, at, _ in hours]),
                "version": ("UInt64", [version] * len(hours)),
                "covered": ("Bool", [covered] * len(hours)),
                "detailed": ("Bool", [detailed for _, _, detailed in hours]),
            },
        )


def _by_account(hours: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    grouped: dict[str, list[int]] = defaultdict(list)
    for account_id, hour in hours:
        grouped[account_id].append(hour)
    return {account_id: sorted(some) for account_id, some in grouped.items()}
