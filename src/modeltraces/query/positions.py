"""Where the runs of one page stand: their keys, from the columns alone that filter and order them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from modeltraces.query.cursor import Direction, Position
from modeltraces.query.filters import Bound, FilterContext
from modeltraces.query.finding import is_known_by_hour, times_with_runs
from modeltraces.query.lately import note, steps_near
from modeltraces.query.narrowing import ask_narrowed
from modeltraces.query.order import Ordering
from modeltraces.query.searching import steps_to_text
from modeltraces.query.selection import Selection, where
from modeltraces.store.engine import Rows, Store


def positions(
    store: Store,
    selection: Selection,
    context: FilterContext,
    position: Position | None,
    direction: Direction,
    limit: int,
) -> list[Position]:
    """Of the first `limit` runs of a selection behind a position, or (`before`) in front of it, the nearest first."""
    bound = Bound("k")
    ordering = Ordering.of(selection, context, bound)
    condition, params = where(selection, context)
    if selection.sort != "executed_on":
        asked = _Asked(store, ordering, direction, position, limit, condition, bound, params)

        def ask(fewer: Selection, also: str) -> Rows:
            quick, more = where(fewer, context)
            return _values(replace(asked, condition=f"{quick} AND {also}", params=more))

        near = ask_narrowed(store, selection, context, bound, ask)
        return [Position(*row) for row in _by_value(asked, near)]
    newest_first = (selection.order == "desc") == (direction == "after")

    def steps() -> Iterator[str]:
        yield from steps_near(store, selection, position, limit, bound, newest_first=newest_first)
        if is_known_by_hour(selection):
            yield times_with_runs(store, selection, context, position, limit, bound, newest_first=newest_first)
        else:
            yield from steps_to_text(store, selection, position, bound, newest_first=newest_first)

    rows: Rows = []
    for times in steps():
        rows = _keys(_Asked(store, ordering, direction, position, limit, f"{condition} AND {times}", bound, params))
        if len(rows) >= limit:
            break
    found = [Position(*row) for row in rows]
    if len(found) >= limit:
        note(store, selection, limit, found, newest_first=newest_first)
    return found


@dataclass(frozen=True, slots=True)
class _Asked:
    """For the first `limit` runs behind a position."""

    store: Store
    ordering: Ordering
    direction: Direction
    position: Position | None
    limit: int
    condition: str
    bound: Bound
    params: Mapping[str, Any]

    def query(self, columns: str, also: str, limit: int, *, to_id: bool) -> Rows:
        beyond = "true"
        if self.position is not None:
            beyond = self.ordering.beyond(self.position, self.direction, self.bound, to_id=to_id)
        sql = (
            f"SELECT {self.ordering.value}, toUnixTimestamp64Micro(executed_on){columns} FROM runs FINAL "
            f"WHERE {self.condition} AND {beyond} AND {also} ORDER BY {self.ordering.by(self.direction, to_id=to_id)} "
            f"LIMIT {self.bound(limit, 'UInt64')}"
        )
        return self.store.query(sql, {**self.params, **self.bound.params}, surface="runs.keys")


def _keys(asked: _Asked, also: str = "true") -> Rows:
    """Rows of value, start (µs) and Request ID."""
    return asked.query(", request_id", also, asked.limit, to_id=True)


def _values(asked: _Asked) -> Rows:
    """Rows of value and start (µs)."""
    return asked.query("", "true", asked.limit, to_id=False)


def _by_value(asked: _Asked, near: Rows) -> Rows:
    """The same where the order is not of time, so that all runs of the selection are looked at: values and starts first
    (`near`), as Request IDs take longer to read than all else, and then the ids of the runs that have those starts."""
    places = {(value, at) for value, at in near}
    if asked.position is not None:
        # Behind the run at the position there may be others of its value and start.
        places.add((asked.position.value, asked.position.executed_on_us))
    if not places:
        return []
    starts = asked.bound(sorted({at for _, at in places}), "Array(Int64)")
    rows = _keys(asked, f"executed_on IN (SELECT fromUnixTimestamp64Micro(arrayJoin({starts}), 'UTC'))")
    if len(rows) >= min(asked.limit, len(near)) and all((value, at) in places for value, at, _ in rows):
        return rows
    # A run changed meanwhile.
    return _keys(asked)
