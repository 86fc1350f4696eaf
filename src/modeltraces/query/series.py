"""Metrics over time: one point a step, empty steps included."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

from modeltraces.query.filters import FilterContext
from modeltraces.query.metrics import Percentiles, percentiles_of
from modeltraces.query.selection import Selection, SelectionError, where
from modeltraces.query.times import US_PER_SECOND, datetime_of, us_of
from modeltraces.query.totals import Question, Total, totals
from modeltraces.store.coverage import HOUR, MINUTE, Unit
from modeltraces.store.engine import Store

MAX_POINTS: Final = 200
"""Points of a chosen step (contract)."""
MAX_POINTS_ASKED: Final = 2000
"""Points of a step that was asked for."""
_DAY: Final = 86_400
STEPS_SECONDS: Final = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200,
    _DAY, 2 * _DAY, 7 * _DAY, 14 * _DAY, 28 * _DAY, 91 * _DAY, 364 * _DAY, 1820 * _DAY,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Point:
    at_us: int
    """Where the step begins; the first may begin before the selection does."""
    total_requests: int
    failed_requests: int
    response_time_ms: Percentiles


@dataclass(frozen=True, slots=True)
class Series:
    step_seconds: int
    points: list[Point]


_NONE: Final = Percentiles(None, None, None)


def series(
    store: Store,
    selection: Selection,
    context: FilterContext,
    *,
    step_seconds: int | None = None,
    tz: ZoneInfo | None = None,
) -> Series:
    """The selection over time. Steps of days begin at midnight in `tz` (UTC when None), shorter ones at whole steps in UTC.

    Raises SelectionError for a step that gives more than 2000 points.
    """
    axis = axis_of(store, selection, context, step_seconds=step_seconds, tz=tz)
    if axis is None:
        return Series(step_seconds or STEPS_SECONDS[0], [])
    question = Question(selection, context, place=axis.place, edges=axis.edges, params=axis.params, unit=axis.unit)
    found = totals(store, question, surface="metrics.series")
    return Series(axis.step_seconds, axis.points({total.step: total for total in found}))


@dataclass(frozen=True, slots=True)
class Axis:
    """The steps of a series, and how a run finds its own."""

    step_seconds: int
    edges: list[int]
    """Where each step begins (µs)."""
    place: Callable[[str], str]
    """SQL: the number, from 1, of the step of an instant that is given as SQL of microseconds."""

    @property
    def unit(self) -> Unit | None:
        """The longest of which none belongs to two steps."""
        return next((unit for unit in (HOUR, MINUTE) if all(edge % unit.us == 0 for edge in self.edges)), None)

    @property
    def params(self) -> dict[str, Any]:
        return {"edges": self.edges, "first": self.edges[0], "step_us": self.step_seconds * US_PER_SECOND}

    def points(self, found: Mapping[int, Total]) -> list[Point]:
        """One a step. `found`: number → requests and failed ones."""
        return [
            Point(at_us, total.numbers[0], total.numbers[1], percentiles_of(total.percentiles))
            if (total := found.get(number))
            else Point(at_us, 0, 0, _NONE)
            for number, at_us in enumerate(self.edges, start=1)
        ]


def axis_of(
    store: Store,
    selection: Selection,
    context: FilterContext,
    *,
    step_seconds: int | None = None,
    tz: ZoneInfo | None = None,
) -> Axis | None:
    """The steps that a selection spans; None when it holds nothing and has no beginning. Raises SelectionError."""
    extent = _extent(store, selection, context)
    if extent is None:
        return None
    start_us, end_us = extent
    step = _chosen_step(start_us, end_us) if step_seconds is None else _checked_step(step_seconds, start_us, end_us)
    place = _place_of_day if _is_irregular(step, tz) else _place
    return Axis(step, _edges(start_us, end_us, step, tz), place)


def _place(us: str) -> str:
    return f"intDiv({us} - {{first:Int64}}, {{step_us:Int64}}) + 1"


def _place_of_day(us: str) -> str:
    # By the edges themselves: days are 23 to 25 hours long where clocks change.
    return f"arrayLastIndex(edge -> edge <= {us}, {{edges:Array(Int64)}})"


def _extent(store: Store, selection: Selection, context: FilterContext) -> tuple[int, int] | None:
    """From the selection's start, or its first run, to its end, or the later of now and its last run.

    The filter is left out: the axis stays where it is while a filter is typed, and finding it reads next to nothing.
    """
    start, end = selection.from_us, selection.to_us
    unfiltered = replace(selection, filter=None, filter_text="")
    if start is None:
        start = _outermost(store, unfiltered, context, "ASC")
        if start is None:
            return None
    if end is None:
        end = selection.now_us
        # Only what lies ahead of now, by a sender's clock, moves it; mostly nothing of anybody does.
        if store.unchanged("newest start", partial(_newest, store)) >= end:
            ahead = replace(unfiltered, from_us=max(start, end))
            last = _outermost(store, ahead, context, "DESC")
            end = end if last is None else last + 1
    return start, max(end, start + 1)


def _newest(store: Store) -> int:
    """The latest start of all accounts' runs (µs), which the engine knows without reading them."""
    ((at_us,),) = store.query("SELECT toUnixTimestamp64Micro(max(executed_on)) FROM runs", surface="metrics.newest")
    return int(at_us)


def _outermost(store: Store, selection: Selection, context: FilterContext, way: str) -> int | None:
    condition, params = where(selection, context)
    rows = store.query(
        f"SELECT toUnixTimestamp64Micro(executed_on) FROM runs FINAL WHERE {condition} "
        f"ORDER BY account_id {way}, executed_on {way}, request_id {way} LIMIT 1",
        params,
        surface="metrics.extent",
    )
    return int(rows[0][0]) if rows else None


def _chosen_step(start_us: int, end_us: int) -> int:
    for step in STEPS_SECONDS:
        if _point_count(start_us, end_us, step) <= MAX_POINTS:
            return step
    return STEPS_SECONDS[-1]


def _checked_step(step: int, start_us: int, end_us: int) -> int:
    if step < 1:
        raise SelectionError("step_seconds", "step_seconds must be at least 1.")
    if step > _DAY and step % _DAY:
        raise SelectionError("step_seconds", "step_seconds over a day must be whole days (a multiple of 86400).")
    if _point_count(start_us, end_us, step) > MAX_POINTS_ASKED:
        raise SelectionError(
            "step_seconds",
            f"step_seconds of {step} gives more than {MAX_POINTS_ASKED} points; choose a longer step or a shorter period.",
        )
    return step


def _point_count(start_us: int, end_us: int, step: int) -> int:
    # Both ends may lie inside a step, and a day may be an hour short.
    return (end_us - start_us) // (step * US_PER_SECOND) + 2


def _is_irregular(step: int, tz: ZoneInfo | None) -> bool:
    return step % _DAY == 0 and tz is not None


def _edges(start_us: int, end_us: int, step: int, tz: ZoneInfo | None) -> list[int]:
    """The starts of all steps that touch [start, end)."""
    if step % _DAY or tz is None:
        step_us = step * US_PER_SECOND
        first = start_us // step_us * step_us
        if step % _DAY == 0:
            first = start_us // (_DAY * US_PER_SECOND) * (_DAY * US_PER_SECOND)
        return list(range(first, end_us, step_us))
    edges = []
    day = datetime_of(start_us).astimezone(tz).date()
    while (at_us := us_of(datetime(day.year, day.month, day.day, tzinfo=tz).astimezone(UTC))) < end_us:
        edges.append(at_us)
        day += timedelta(days=step // _DAY)
    return edges
