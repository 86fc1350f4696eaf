"""When the runs of a page are far apart: the hours' sums tell which hours hold any.

Reading in order ends with the last run of the page, and mostly at once. Of a rare model, or of a filter that few runs match,
it would read everything; so it is stopped soon, and goes on only through hours that hold such runs.
"""

from dataclasses import replace
from typing import Final

from modeltraces.query.covered import cover, fields_of, grain_of
from modeltraces.query.cursor import Position
from modeltraces.query.filters import Bound, FilterContext
from modeltraces.query.selection import Selection, among
from modeltraces.store.engine import Store

SOON_SECONDS: Final = 0.06
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
    known = Bound("s")
    grain = grain_of(_needs(selection))
    conditions = [covered.of_sums(known), f"grain = {grain}", *among(selection, context, known)]
    rows = store.query(
        f"SELECT at, sum(requests) FROM summaries FINAL WHERE {' AND '.join(conditions)} GROUP BY at "
        f"ORDER BY at {'DESC' if newest_first else 'ASC'}",
        known.params,
        surface="runs.hours",
    )
    hours: dict[int, str] = {}
    found = 0
    for at, requests in rows:
        hours[at] = "true"
        found += requests
        if found >= limit:
            break
    if len(hours) > _MOST_TIMES:
        return "true"
    # Runs of hours that are not covered may be among them, wherever these are.
    return f"({covered.of_runs(bound, hours) or 'false'})"


def _needs(selection: Selection) -> frozenset[str]:
    return frozenset(fields_of(selection.filter)) | ({"model"} if selection.models else set())
