"""Series side by side: one for each version, connection or model of a selection, on one axis."""

from dataclasses import dataclass, replace
from typing import Final
from zoneinfo import ZoneInfo

from modeltraces.query.filters import Bound, FilterContext
from modeltraces.query.selection import Selection, SelectionError
from modeltraces.query.series import STEPS_SECONDS, Point, axis_of
from modeltraces.query.totals import FAILED, REQUESTS, Question, Total, most, totals
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
    question = Question(
        selection, context, (REQUESTS,), percentiles=False,
        name=f"toString({context.model if by == 'model' else by})", fields=frozenset({by}),
    )  # fmt: skip
    largest = most(store, question, MAX_GROUPS, surface="metrics.series_by.totals")
    bound = Bound("g")
    among = f"{question.name} IN {bound([total.name for total in largest.totals], 'Array(String)')}"
    question = replace(
        question, measures=(REQUESTS, FAILED), percentiles=True, among=among, place=axis.place, edges=axis.edges,
        params={**axis.params, **bound.params}, unit=axis.unit,
    )  # fmt: skip
    found: dict[str, dict[int, Total]] = {}
    for total in totals(store, question, surface="metrics.series_by"):
        found.setdefault(total.name, {})[total.step] = total
    groups = [Group(total.name, total.numbers[0], axis.points(found.get(total.name, {}))) for total in largest.totals]
    return Groups(axis.step_seconds, groups, largest.of - len(largest.totals))
