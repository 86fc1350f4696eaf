"""The hour that is not over, summed up by its minutes where it has many runs: it would be read run by run until it is.

A minute counts while it is covered (`minute_marks`), no run of it was received after the checkpoint, and its hour was not
declared as not covered since (`coverage.py`). As with hours, a minute's sums are made from its runs alone, again whenever one
came to it. Once its hour is over they are of no use, and go a day later.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from modeltraces.run import now_us
from modeltraces.store.coverage import HOUR, MINUTE, MINUTES_PER_HOUR, VERSIONS, Checkpoint, Unit, declare, ranges
from modeltraces.store.engine import Store

FEWEST_RUNS: Final = 100_000
"""Of an account in the hour; fewer are as quickly read."""
_AT_ONCE: Final = 10
_LONGEST_US: Final = 12 * HOUR.us
"""Since the checkpoint. Sums and what says that they hold go with their age, a day, each at its own time."""
_PATIENT: Final = "SETTINGS max_execution_time = 0, max_threads = 1"


@dataclass(frozen=True, slots=True)
class _Minute:
    account_id: str
    at: int
    received_us: int
    """When the last of its runs was."""
    runs: int


def refresh_minutes(
    store: Store,
    now: Checkpoint,
    generation: int,
    go_on: Callable[[], bool],
    write: Callable[[str, Sequence[int], Unit], int],
) -> bool:
    """With `write`, sum up the minutes that ended, or that runs came to, until the checkpoint that is to be; whether all were looked at. What
    is not summed up is declared as not covered."""
    marks = {
        (account_id, at): version
        for account_id, at, version in store.query(
            "SELECT account_id, at, version FROM minute_marks FINAL WHERE at >= {first:Int32} AND covered",
            {"first": now.closed * MINUTES_PER_HOUR},
            surface="minutes.marks",
        )
    }
    voided = _voided(store, now)
    minutes = _with_runs(store, now)
    of_account: dict[str, int] = {}
    for minute in minutes:
        of_account[minute.account_id] = of_account.get(minute.account_id, 0) + minute.runs
    changed: dict[str, list[int]] = {}
    void: list[tuple[str, int, bool]] = []
    for minute in minutes:
        version = marks.get((minute.account_id, minute.at))
        since = voided.get((minute.account_id, minute.at // MINUTES_PER_HOUR), 0)
        if version is not None and version > since and minute.received_us <= version // VERSIONS:
            continue
        if version is not None:
            void.append((minute.account_id, minute.at, False))
        # One whose hour was voided after this checkpoint would not count.
        if of_account[minute.account_id] >= FEWEST_RUNS and since < generation:
            changed.setdefault(minute.account_id, []).append(minute.at)
    declare(store, void, generation, unit=MINUTE)
    for account_id, ats in changed.items():
        for start in range(0, len(ats), _AT_ONCE):
            if not go_on():
                return False
            write(account_id, sorted(ats)[start : start + _AT_ONCE], MINUTE)
    return True


def _voided(store: Store, now: Checkpoint) -> dict[tuple[str, int], int]:
    """(account, hour) → the version with which it was declared as not covered."""
    rows = store.query(
        "SELECT account_id, at, version FROM summary_hours FINAL WHERE account_id != '' AND at >= {first:Int32}",
        {"first": now.closed},
        surface="minutes.voided",
    )
    return {(account_id, at): version for account_id, at, version in rows}


def _with_runs(store: Store, now: Checkpoint) -> list[_Minute]:
    """Those of the hour that were over."""
    rows = store.query(
        f"SELECT account_id, {MINUTE.of()} AS at, toUnixTimestamp64Micro(max(received_on)), count() FROM runs "
        "WHERE executed_on >= fromUnixTimestamp64Micro({first:Int64}, 'UTC') "
        f"AND executed_on < fromUnixTimestamp64Micro({{last:Int64}}, 'UTC') GROUP BY account_id, at {_PATIENT}",
        {"first": now.closed * HOUR.us, "last": now.as_of_us // MINUTE.us * MINUTE.us},
        surface="minutes.changed",
    )
    return [_Minute(*row) for row in rows]


def minutes_of(store: Store, account_id: str, closed: int, as_of_us: int, *, by_source: bool) -> list[tuple[int, int]]:
    """(first, after the last) of an account's minutes from the hour `closed` on whose sums hold, as of a checkpoint that was read
    before. `by_source`: sources are to be told apart."""
    if now_us() - as_of_us > _LONGEST_US:
        return []
    marks = store.query(
        "SELECT at, version FROM minute_marks FINAL WHERE account_id = {account_id:String} AND at >= {first:Int32} AND covered"
        + (" AND detailed" if by_source else ""),
        {"account_id": account_id, "first": closed * MINUTES_PER_HOUR},
        surface="minutes.coverage",
    )
    if not marks:
        return []
    void = store.query(
        "SELECT at, version FROM summary_hours FINAL WHERE account_id = {account_id:String} AND at >= {closed:Int32} "
        f"UNION ALL SELECT DISTINCT {MINUTE.of()}, toUInt64(0) FROM runs "
        "WHERE account_id = {account_id:String} AND executed_on >= fromUnixTimestamp64Micro({first:Int64}, 'UTC') "
        "AND received_on > fromUnixTimestamp64Micro({as_of:Int64}, 'UTC')",
        {"account_id": account_id, "closed": closed, "first": closed * HOUR.us, "as_of": as_of_us},
        surface="minutes.coverage",
    )
    late = {at for at, version in void if not version}
    voided = {at: version for at, version in void if version}
    return list(
        ranges(at for at, version in marks if at not in late and version > voided.get(at // MINUTES_PER_HOUR, 0))
    )
