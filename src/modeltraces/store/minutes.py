"""Hours of many runs, summed up by their minutes: the one that is not over, and those of the last two days.

A minute counts while it is covered (`minute_marks`), no run of it was received after the checkpoint, and its hour's runs were
not changed since (`changed_hours`). As with hours, its sums are made from its runs alone, again whenever one came to it. So
one late run has a minute read run by run, and summed up again, not an hour. Hours are made of their minutes (`adding_up.py`).
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from modeltraces.run import now_us
from modeltraces.store.coverage import (
    HOUR,
    MINUTE,
    MINUTES_PER_HOUR,
    VERSIONS,
    Checkpoint,
    Unit,
    declare,
    minutes_count_since,
    ranges,
)
from modeltraces.store.engine import Store
from modeltraces.store.phrases import PATIENT, started_between

FEWEST_RUNS: Final = 100_000
"""Of an account in an hour; fewer are as quickly read."""
_AT_ONCE: Final = 10
_MOST_STRETCHES: Final = 100
"""Of minutes that follow one another. What lies in others is read run by run."""


@dataclass(frozen=True, slots=True)
class _Minute:
    account_id: str
    at: int
    received_us: int
    """When the last of its runs was."""
    runs: int

    @property
    def hour(self) -> tuple[str, int]:
        return self.account_id, self.at // MINUTES_PER_HOUR


def refresh_minutes(
    store: Store,
    now: Checkpoint,
    changed: Collection[tuple[str, int]],
    chosen: Collection[tuple[str, int]],
    generation: int,
    go_on: Callable[[], bool],
    write: Callable[[str, Sequence[int], Unit], Collection[int]],
) -> dict[tuple[str, int], list[int]] | None:
    """With `write`, sum up the minutes that ended, or that runs came to, until the checkpoint that is to be: of the (account,
    hour) that are chosen among those that changed, and of the hour that was not over. What changed and is not summed up is
    declared as not covered.

    Those of the chosen hours that are now covered by their minutes, and which minutes of theirs have runs; None when it was
    broken off.
    """
    lately = {hour for hour in changed if hour[1] >= minutes_count_since(now.as_of_us)}
    of_hours = sorted({at for _, at in lately})
    marks = _marks(store, of_hours, now)
    voided = _voided(store, of_hours, now)
    left = lately.difference(chosen)
    lately -= left
    marked = {(account_id, at // MINUTES_PER_HOUR) for account_id, at in marks}
    minutes = _with_runs(store, lately | left & marked, now)
    runs = Counter[tuple[str, int]]()
    for minute in minutes:
        runs[minute.hour] += minute.runs
    due: dict[str, list[int]] = defaultdict(list)
    void: list[tuple[str, int, bool]] = []
    for minute in minutes:
        version, since = marks.get((minute.account_id, minute.at)), voided.get(minute.hour, 0)
        if version is not None and version > since and minute.received_us <= version // VERSIONS:
            continue
        if version is not None:
            void.append((minute.account_id, minute.at, False))
        if minute.hour in left:
            continue
        # One whose hour was changed after this checkpoint would not count.
        if runs[minute.hour] >= FEWEST_RUNS and since < generation:
            due[minute.account_id].append(minute.at)
        else:
            lately.discard(minute.hour)
    declare(store, void, generation, unit=MINUTE)
    for account_id, ats in due.items():
        for start in range(0, len(ats), _AT_ONCE):
            if not go_on():
                return None
            some = sorted(ats)[start : start + _AT_ONCE]
            done = write(account_id, some, MINUTE)
            lately -= {(account_id, at // MINUTES_PER_HOUR) for at in some if at not in done}
    found: dict[tuple[str, int], list[int]] = defaultdict(list)
    for minute in minutes:
        if minute.hour in lately:
            found[minute.hour].append(minute.at)
    return found


def _marks(store: Store, hours: Sequence[int], now: Checkpoint) -> dict[tuple[str, int], int]:
    """(account, minute) → the version with which it was covered."""
    rows = store.query(
        "SELECT account_id, at, version FROM minute_marks FINAL WHERE covered AND at >= {first:Int32} "
        f"AND (at >= {{closed:Int32}} OR has({{hours:Array(Int32)}}, intDiv(at, {MINUTES_PER_HOUR})))",
        {
            "first": min(hours, default=now.closed) * MINUTES_PER_HOUR,
            "closed": now.closed * MINUTES_PER_HOUR,
            "hours": hours,
        },
        surface="minutes.marks",
    )
    return {(account_id, at): version for account_id, at, version in rows}


def _voided(store: Store, hours: Sequence[int], now: Checkpoint) -> dict[tuple[str, int], int]:
    """(account, hour) → the version with which its runs were changed."""
    rows = store.query(
        "SELECT account_id, at, version FROM changed_hours FINAL WHERE at >= {first:Int32}",
        {"first": min(hours, default=now.closed)},
        surface="minutes.voided",
    )
    return {(account_id, at): version for account_id, at, version in rows}


def _with_runs(store: Store, hours: Collection[tuple[str, int]], now: Checkpoint) -> list[_Minute]:
    """Those of these (account, hour), and those of the hour that was not over which were."""
    # Each hour of its own accounts: another's may have millions of runs to be looked at for nothing.
    accounts: dict[int, list[str]] = defaultdict(list)
    for account_id, at in hours:
        accounts[at].append(account_id)
    params: dict[str, Any] = {"from": now.closed * HOUR.us, "to": now.as_of_us // MINUTE.us * MINUTE.us}
    parts = [started_between("from", "to")]
    for n, (at, some) in enumerate(accounts.items()):
        params |= {f"some_{n}": some, f"from_{n}": at * HOUR.us, f"to_{n}": (at + 1) * HOUR.us}
        parts.append(f"account_id IN {{some_{n}:Array(String)}} AND {started_between(f'from_{n}', f'to_{n}')}")
    rows = store.query(
        f"SELECT account_id, {MINUTE.of()} AS at, toUnixTimestamp64Micro(max(received_on)), count() FROM runs "
        f"WHERE ({') OR ('.join(parts)}) GROUP BY account_id, at {PATIENT}",
        params,
        surface="minutes.changed",
    )
    return [_Minute(*row) for row in rows]


def minutes_of(store: Store, account_id: str, *, by_source: bool) -> list[tuple[int, int]]:
    """(first, after the last) of an account's minutes whose sums hold. `by_source`: sources are to be told apart."""
    first = minutes_count_since(now_us()) * MINUTES_PER_HOUR
    marks = store.query(
        "WITH (SELECT max(version) FROM summary_hours WHERE account_id = '') AS mark "
        "SELECT mark, at, version FROM minute_marks FINAL WHERE account_id = {account_id:String} AND at >= {first:Int32} "
        "AND covered" + (" AND detailed" if by_source else ""),
        {"account_id": account_id, "first": first},
        surface="minutes.coverage",
    )
    if not marks:
        return []
    void = store.query(
        "SELECT at, version FROM changed_hours FINAL WHERE account_id = {account_id:String} AND at >= {hour:Int32} "
        f"UNION ALL SELECT DISTINCT {MINUTE.of()}, toUInt64(0) FROM runs "
        "WHERE account_id = {account_id:String} AND executed_on >= fromUnixTimestamp64Micro({first:Int64}, 'UTC') "
        "AND received_on > fromUnixTimestamp64Micro({as_of:Int64}, 'UTC')",
        {
            "account_id": account_id,
            "hour": first // MINUTES_PER_HOUR,
            "first": first * MINUTE.us,
            "as_of": marks[0][0] // VERSIONS,
        },
        surface="minutes.coverage",
    )
    late = {at for at, version in void if not version}
    voided = {at: version for at, version in void if version}
    found = list(
        ranges(at for _, at, version in marks if at not in late and version > voided.get(at // MINUTES_PER_HOUR, 0))
    )
    return sorted(sorted(found, key=lambda one: one[0] - one[1])[:_MOST_STRETCHES])
