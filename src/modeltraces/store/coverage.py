"""Which hours and days are summed up, and what makes them count no more.

An hour counts while it is covered (`summary_hours`) and no run of it was received after the checkpoint; a day while all its
hours do, and its sums (`summary_days`) are as new as each of them. See `summaries.py` for how they are made.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from modeltraces.store.engine import Store
from modeltraces.store.phrases import started_between

US_PER_HOUR: Final = 3_600_000_000
HOURS_PER_DAY: Final = 24
VERSIONS: Final = 2000
"""Versions a microsecond: `version` is the instant times this, and a number that tells calls apart."""
_AHEAD: Final = 960_000
"""Hours, whole days, so that a division rounds down before 1970 as well."""
_BEFORE_ALL_US: Final = -_AHEAD * US_PER_HOUR // 2


@dataclass(frozen=True, slots=True)
class Unit:
    """What runs are summed up by."""

    us: int
    sums: str
    """The table of its sums."""
    marks: str
    """The table that says which of them hold."""

    def of(self, us: str = "toUnixTimestamp64Micro(executed_on)") -> str:
        """SQL of its number, since 1970, at an instant."""
        ahead_us = _AHEAD * US_PER_HOUR
        return f"toInt32(intDiv({us} + {ahead_us}, {self.us}) - {ahead_us // self.us})"


HOUR: Final = Unit(US_PER_HOUR, "summaries", "summary_hours")
MINUTE: Final = Unit(60_000_000, "minute_sums", "minute_marks")
MINUTES_PER_HOUR: Final = HOUR.us // MINUTE.us
MINUTES_COUNT_HOURS: Final = 48
"""So long after it an hour's minutes may count."""


def hour_of(us: str = "toUnixTimestamp64Micro(executed_on)") -> str:
    """SQL of the hour, since 1970, of an instant."""
    return HOUR.of(us)


def day_of(hour: str = "at") -> str:
    """SQL of the first hour of the day of an hour."""
    return f"toInt32(intDiv({hour} + {_AHEAD}, {HOURS_PER_DAY}) * {HOURS_PER_DAY} - {_AHEAD})"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    as_of_us: int
    """All runs that were received until then are in the sums, or in hours that are not covered."""

    @property
    def closed(self) -> int:
        """The first hour that was not over."""
        return self.as_of_us // US_PER_HOUR


@dataclass(frozen=True, slots=True)
class Coverage:
    """What holds of an account's hours from one until another."""

    closed: int
    """The first hour that was not over."""
    holes: frozenset[int]
    """Hours whose sums do not hold."""
    days: frozenset[int]
    """The first hours of days whose sums hold."""


def checkpoint(store: Store) -> Checkpoint:
    ((version,),) = store.query(
        "SELECT max(version) FROM summary_hours WHERE account_id = ''", surface="summaries.checkpoint"
    )
    return Checkpoint(version // VERSIONS if version else _BEFORE_ALL_US)


def coverage(store: Store, account_id: str, first: int, last: int, *, by_source: bool = False) -> Coverage | None:
    """Of the hours from `first` until `last`; None when none of them is known. `by_source`: sources are to be told apart."""
    hole = "NOT covered OR NOT detailed" if by_source else "NOT covered"
    of_account = "account_id = {account_id:String} AND at >= {first:Int32} AND at < {last:Int32}"
    # The checkpoint is read before all else: whatever is summed up meanwhile was received before it, or is looked for here.
    rows = store.query(
        "WITH (SELECT max(version) FROM summary_hours WHERE account_id = '') AS mark "
        f"SELECT mark, {day_of()} AS day, groupUniqArrayIf(at, hole), max(made) <= max(summed) FROM ("
        f"SELECT at, {hole} AS hole, version AS made, toUInt64(0) AS summed FROM summary_hours FINAL WHERE {of_account} "
        f"UNION ALL SELECT at, false, toUInt64(0), version FROM summary_days FINAL WHERE {of_account} "
        f"UNION ALL SELECT DISTINCT {hour_of()}, true, toUInt64(0), toUInt64(0) FROM runs WHERE account_id = {{account_id:String}} "
        f"AND {started_between('first_us', 'last_us')} AND received_on > fromUnixTimestamp64Micro(toInt64(intDiv(mark, {VERSIONS})), 'UTC')) GROUP BY day",
        {
            "account_id": account_id,
            "first": first,
            "last": last,
            "first_us": first * US_PER_HOUR,
            "last_us": last * US_PER_HOUR,
        },
        surface="summaries.coverage",
    )
    # Without rows no hour of the account was summed up, nor did any run come: none that is over has one.
    mark = Checkpoint(rows[0][0] // VERSIONS) if rows else checkpoint(store)
    if mark.as_of_us <= 0:
        return None
    closed = mark.closed
    last = min(last, closed)
    return Coverage(
        closed,
        frozenset(at for _, _, holes, _ in rows for at in holes if first <= at < last),
        frozenset(
            day
            for _, day, holes, is_summed in rows
            if is_summed and not holes and first <= day and day + HOURS_PER_DAY <= last
        ),
    )


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
    params["version"] = now_us * VERSIONS
    store.command(
        f"INSERT INTO summary_hours (account_id, at, version, covered, detailed) "
        f"SELECT account_id, at, {{version:UInt64}}, false, false FROM ({_hours_of(conditions)})",
        params,
    )
    lately = [*conditions, "at >= {since:Int64}"]
    store.command(
        f"INSERT INTO changed_hours (account_id, at, version) SELECT account_id, at, {{version:UInt64}} FROM ({_hours_of(lately)})",
        {**params, "since": _changes_matter_since(now_us)},
    )


def _hours_of(conditions: Sequence[str]) -> str:
    """SQL of those that have runs, or sums."""
    condition = " AND ".join(conditions)
    return (
        f"SELECT account_id, {hour_of()} AS at FROM runs WHERE {condition} GROUP BY account_id, at "
        f"UNION DISTINCT SELECT account_id, at FROM summary_hours WHERE account_id != '' AND {condition}"
    )


def minutes_count_since(now_us: int) -> int:
    """The first hour whose minutes may count."""
    return now_us // US_PER_HOUR - MINUTES_COUNT_HOURS


def _changes_matter_since(now_us: int) -> int:
    """The first hour of which one must know that its runs were changed: by a clock that is behind, minutes count for longer."""
    return minutes_count_since(now_us) - 1


def forget_hours(store: Store, hours: Iterable[tuple[str, int]], now_us: int) -> None:
    """The same for (account, start in µs) of runs."""
    pairs = sorted({(account_id, start // US_PER_HOUR) for account_id, start in hours})
    declare(store, [(account_id, at, False) for account_id, at in pairs], now_us * VERSIONS)
    declare_changed(store, pairs, now_us * VERSIONS)


def declare_changed(store: Store, hours: Sequence[tuple[str, int]], version: int) -> None:
    """That sums of the minutes of these (account, hour) do not hold which were made before."""
    # Of the others none count, and each day is a part of its own: years of them would take seconds.
    first = _changes_matter_since(version // VERSIONS)
    if hours := [hour for hour in hours if hour[1] >= first]:
        store.insert(
            "changed_hours",
            {
                "account_id": ("LowCardinality(String)", [account_id for account_id, _ in hours]),
                "at": ("Int32", [at for _, at in hours]),
                "version": ("UInt64", [version] * len(hours)),
            },
        )


def declare(
    store: Store, units: Sequence[tuple[str, int, bool]], version: int, *, covered: bool = False, unit: Unit = HOUR
) -> None:
    """(account, hour, whether its sources are told apart) of hours, or minutes, that are covered, or are not."""
    if units:
        store.insert(
            unit.marks,
            {
                "account_id": ("LowCardinality(String)", [account_id for account_id, _, _ in units]),
                "at": ("Int32", [at for _, at, _ in units]),
                "version": ("UInt64", [version] * len(units)),
                "covered": ("Bool", [covered] * len(units)),
                "detailed": ("Bool", [detailed for _, _, detailed in units]),
            },
        )


def declare_days(store: Store, account_id: str, days: Sequence[int], version: int) -> None:
    """That the sums of days were made."""
    store.insert(
        "summary_days",
        {
            "account_id": ("LowCardinality(String)", [account_id] * len(days)),
            "at": ("Int32", days),
            "version": ("UInt64", [version] * len(days)),
        },
    )


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
