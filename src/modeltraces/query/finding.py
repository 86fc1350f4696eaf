"""When the runs of a page are far apart: the hours' sums tell which hours hold any.

Reading in order ends with the last run of the page. Of a rare model, or of a filter that few runs match, it would read
everything; so the sums are asked before, of the last two days first, where most pages end.
"""

from dataclasses import replace
from typing import Final

from modeltraces.query.covered import Cover, cover, fields_of, grain_of
from modeltraces.query.cursor import Position
from modeltraces.query.filters import Bound, FilterContext
from modeltraces.query.selection import Selection, among
from modeltraces.store.engine import Store

_NEAR_HOURS: Final = 48
_MOST_TIMES: Final = 100


def is_known_by_hour(selection: Selection) -> bool:
    """Whether the sums know which hours hold runs of the selection, and it stands in the order of time."""
    needs = _needs(selection)
    return selection.sort == "executed_on" and bool(needs) and grain_of(needs) is not None


def times_with_runs(
    store: Store,
    selection: Selection,
    context: FilterContext,
    position: Position | None,
    limit: int,
    bound: Bound,
    *,
    newest_first: bool,
) -> str:
    """SQL of the times that hold the first `limit` runs after a position, and few others; 'true' where that is not known."""
    if position is not None:
        at_us = position.executed_on_us
        selection = replace(selection, to_us=at_us + 1) if newest_first else replace(selection, from_us=at_us)
    covered = cover(store, selection, _needs(selection))
    if covered is None:
        return "true"
    near = _near(covered, newest_first=newest_first)
    hours, found = _hours(store, near, context, limit, newest_first=newest_first)
    if found < limit and near != covered:
        hours, found = _hours(store, covered, context, limit, newest_first=newest_first)
    if len(hours) > _MOST_TIMES:
        return "true"
    # Runs of hours that are not covered may be among them, wherever these are.
    return f"({covered.of_runs(bound, dict.fromkeys(hours, 'true')) or 'false'})"


def _near(covered: Cover, *, newest_first: bool) -> Cover:
    if newest_first:
        return replace(covered, first=max(covered.first, covered.last - _NEAR_HOURS))
    return replace(covered, last=min(covered.last, covered.first + _NEAR_HOURS))


def _hours(
    store: Store, covered: Cover, context: FilterContext, limit: int, *, newest_first: bool
) -> tuple[list[int], int]:
    """The first hours that hold so many runs, and how many they hold."""
    bound = Bound("s")
    needs = _needs(covered.selection)
    grain = grain_of(needs)
    assert grain is not None, needs
    conditions = [covered.of_hours(bound, grain), *among(covered.selection, context, bound)]
    rows = store.query(
        f"SELECT at, sum(requests) FROM summaries FINAL WHERE {' AND '.join(conditions)} GROUP BY at "
        f"ORDER BY at {'DESC' if newest_first else 'ASC'}",
        bound.params,
        surface="runs.hours",
    )
    hours: list[int] = []
    found = 0
    for at, requests in rows:
        hours.append(at)
        found += requests
        if found >= limit:
            break
    return hours, found


def _needs(selection: Selection) -> frozenset[str]:
    return frozenset(fields_of(selection.filter)) | ({"model"} if selection.models else set())
