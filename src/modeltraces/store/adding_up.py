"""Sums made of finer ones: those of hours from their minutes', those of days from their hours'."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from modeltraces.store.coverage import HOUR, HOURS_PER_DAY, MINUTES_PER_HOUR, day_of, declare, ranges
from modeltraces.store.engine import Store
from modeltraces.store.phrases import PATIENT
from modeltraces.store.summing import DAYS_ABOVE, EXACT_BELOW, KEYS, MOST_SOURCES, blank, by_parts, into

_HOUR: Final = f"toInt32(floor(s.at / {MINUTES_PER_HOUR}))"


def add_up_hours(store: Store, account_id: str, minutes: Mapping[int, Sequence[int]], generation: int) -> list[int]:
    """The sums of hours, and that they are covered; which ones could be made. `minutes`: hour → those of its minutes that have
    runs, all of them covered. Of others there may be sums of runs that are gone."""

    def write(some: Sequence[int]) -> None:
        crowded = _crowded(store, account_id, _within(minutes, some))
        for source, those in (("source", sorted(set(some) - crowded)), ("''", sorted(crowded))):
            if those:
                _insert_hours(store, account_id, _within(minutes, those), generation + 1, source)
                blank(store, account_id, those, f"grain < {DAYS_ABOVE}", generation + 1)
        declare(store, [(account_id, at, at not in crowded) for at in some], generation + 1, covered=True)

    return by_parts(write, sorted(minutes))


def _crowded(store: Store, account_id: str, within: str) -> set[int]:
    """Those whose sources are not to be told apart: they are too many, or were not told apart in a minute."""
    rows = store.query(
        f"SELECT {_HOUR} AS hour FROM minute_sums AS s FINAL WHERE account_id = {{account_id:String}} AND grain = 2 "
        f"AND ({within}) AND s.requests > 0 GROUP BY hour HAVING uniq({', '.join(KEYS)}) > {MOST_SOURCES} "
        f"UNION DISTINCT SELECT {_HOUR} AS hour FROM minute_marks AS s FINAL WHERE account_id = {{account_id:String}} "
        f"AND ({within}) AND covered AND NOT detailed",
        {"account_id": account_id},
        surface="summaries.sources",
    )
    return {row[0] for row in rows}


def _insert_hours(store: Store, account_id: str, within: str, generation: int, source: str) -> None:
    keys = [f"{source} AS k_{key}" if key == "source" else f"s.{key} AS k_{key}" for key in KEYS]
    store.command(
        f"{into(HOUR)} grain, hour, {', '.join(f'k_{key}' for key in KEYS)}, all_requests, all_timed, ms, input, output, many.1, "
        f"many.2, if(grain = 2 AND all_timed <= {EXACT_BELOW}, some_times, []) FROM ("
        f"SELECT toUInt8(s.grain) AS grain, {_HOUR} AS hour, {', '.join(keys)}, sum(s.requests) AS all_requests, "
        "sum(s.timed) AS all_timed, sum(s.response_time_ms) AS ms, sum(s.input_tokens) AS input, sum(s.output_tokens) AS output, "
        "sumMap(s.classes, arrayMap(one -> toUInt64(one), s.counts)) AS many, "
        f"groupArrayArray({EXACT_BELOW + 1})(s.times) AS some_times FROM minute_sums AS s FINAL "
        f"WHERE account_id = {{account_id:String}} AND ({within}) AND s.requests > 0 "
        f"GROUP BY grain, hour, {', '.join(f'k_{key}' for key in KEYS)}) {PATIENT}",
        {"account_id": account_id, "generation": generation},
    )


def _within(minutes: Mapping[int, Sequence[int]], hours: Sequence[int]) -> str:
    """SQL of the sums, or marks, of the minutes of these hours."""
    return _in_ranges(ranges(at for hour in hours for at in minutes[hour]))


def _in_ranges(found: Iterable[tuple[int, int]]) -> str:
    return " OR ".join(f"(s.at >= {first} AND s.at < {last})" for first, last in found)


def add_up_days(store: Store, account_id: str, days: Sequence[int], version: int) -> None:
    """The sums of days all of whose hours are covered."""
    keys = ", ".join(KEYS)
    of_days = _in_ranges((first, first + HOURS_PER_DAY) for first in days)
    store.command(
        f"{into(HOUR)} grain, day, {keys}, requests, timed, ms, input_tokens, output_tokens, many.1, many.2, [] FROM ("
        f"SELECT toUInt8(grain) + {DAYS_ABOVE} AS grain, {day_of()} AS day, {keys}, sum(s.requests) AS requests, "
        "sum(s.timed) AS timed, sum(response_time_ms) AS ms, sum(s.input_tokens) AS input_tokens, "
        "sum(s.output_tokens) AS output_tokens, sumMap(classes, arrayMap(one -> toUInt64(one), counts)) AS many "
        f"FROM summaries AS s FINAL WHERE account_id = {{account_id:String}} AND ({of_days}) AND s.grain < {DAYS_ABOVE} "
        f"AND s.requests > 0 GROUP BY s.grain, day, {keys}) {PATIENT}",
        {"account_id": account_id, "generation": version},
    )
    blank(store, account_id, days, f"grain >= {DAYS_ABOVE}", version)
