"""Series side by side: one for each version, connection or model of a selection, on one axis."""

from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from modeltraces.query.filters import Bound, FilterContext
from modeltraces.query.metrics import PERCENTILES
from modeltraces.query.selection import Selection, SelectionError, where
from modeltraces.query.series import STEPS_SECONDS, Point, axis_of
from modeltraces.store.engine import Store

MAX_GROUPS: Final = 10
"""More lines than this tell nothing apart; the ones with most requests are given."""
COMPARABLE: Final = ("deployment_version", "connection_name", "model", "source_type", "source")


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    """The value; '' for runs that have none."""
    total_requests: int
    points: list[Point]


@dataclass(frozen=True, slots=True)
class Groups:
    step_seconds: int
    groups: list[Group]
    """Most requests first."""
    left_out: int
    """How many further values there are."""


def series_by(
    store: Store,
    selection: Selection,
    context: FilterContext,
    by: str,
    *,
    step_seconds: int | None = None,
    tz: ZoneInfo | None = None,
) -> Groups:
    """The selection over time, one series for each value of the field `by`. Raises SelectionError."""
    if by not in COMPARABLE:
        raise SelectionError("by", f"by must be one of {', '.join(COMPARABLE)}.")
    axis = axis_of(store, selection, context, step_seconds=step_seconds, tz=tz)
    if axis is None:
        return Groups(step_seconds or STEPS_SECONDS[0], [], 0)
    condition, params = where(selection, context)
    value = f"toString({context.model if by == 'model' else by})"
    totals = store.query(
        # How many values there are is counted there: a source may be another for every run.
        f"SELECT name, requests, count() OVER () FROM (SELECT {value} AS name, count() AS requests FROM runs FINAL "
        f"WHERE {condition} GROUP BY name) ORDER BY requests DESC, name LIMIT {MAX_GROUPS}",
        params,
        surface="metrics.series_by.totals",
    )
    bound = Bound("g")
    names = bound([name for name, *_ in totals], "Array(String)")
    rows = store.query(
        f"SELECT {value} AS name, {axis.place} AS point, count(), countIf(status = 'failed'), {PERCENTILES} "
        f"FROM runs FINAL WHERE {condition} AND {value} IN {names} GROUP BY name, point",
        {**params, **axis.params, **bound.params},
        surface="metrics.series_by",
    )
    found: dict[str, dict[int, tuple[object, ...]]] = {}
    for name, point, *numbers in rows:
        found.setdefault(name, {})[point] = tuple(numbers)
    groups = [Group(name, int(total), axis.points(found.get(name, {}))) for name, total, _ in totals]
    return Groups(axis.step_seconds, groups, totals[0][2] - len(totals) if totals else 0)
