"""Where the runs of a search for a rare text may be: the times that its pieces occur in (`store/texts.py`).

What is found there is read as ever; what is not known of (hours without an index, or that changed since) is read too.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from modeltraces.query.covered import Cover, cover
from modeltraces.query.cursor import Position
from modeltraces.query.filters import And, Bound, Filter, Pattern, Term, contains
from modeltraces.query.selection import Selection
from modeltraces.store.coverage import US_PER_HOUR, ranges
from modeltraces.store.engine import Store
from modeltraces.store.texts import Needle, needle

_FIELDS: Final = frozenset({"input", "output", "text"})
_NEAR_HOURS: Final = 12
_MOST_PIECES: Final = 8
"""Of what is looked for; each is a segment to be read."""
_MOST_HOLES: Final = 60
MOST_TIMES: Final = 150
"""One condition of so many times is looked through quickly."""
_FIRST_TIMES: Final = 60
_MOST_IDS: Final = 100

Times = list[tuple[int, int]]
"""(from, to) in µs, in the order of time."""


@dataclass(frozen=True, slots=True)
class Hour:
    """What is known of the texts of an hour."""

    generation: int
    starts: Sequence[int]
    id_characters: str
    blocks: int
    """0: which runs have which words is not known (`store/words.py`)."""


@dataclass(frozen=True, slots=True)
class Asked:
    store: Store
    term: Term
    wanted: Needle
    covered: Cover


@dataclass(frozen=True, slots=True)
class Search:
    """A text that is looked for in hours whose texts are known."""

    store: Store
    term: Term
    wanted: Needle
    covered: Cover
    """Its holes are the hours that are to be read."""
    hours: dict[int, Hour]

    @property
    def key(self) -> Hashable:
        """What is asked of these hours is the same for all searches that have the same."""
        of_hours = tuple((at, hour.generation) for at, hour in self.hours.items())
        return (self.covered.selection.account_id, self.covered.first, self.covered.last, self.term, of_hours)

    @property
    def stretches(self) -> int:
        return sum(len(hour.starts) for hour in self.hours.values())

    def of_hours(self, bound: Bound) -> str:
        """The condition of the rows of its account and time in what is known by the hour."""
        return (
            f"account_id = {bound.text(self.covered.selection.account_id)} AND at >= {bound(self.covered.first, 'Int32')} "
            f"AND at < {bound(self.covered.last, 'Int32')}"
        )

    def condition(self, times: Times, bound: Bound) -> str:
        beside = self.covered.of_runs(bound)
        parts = [beside] if beside else []
        parts += [
            f"(executed_on >= {bound.instant(start)} AND executed_on < {bound.instant(end)})" for start, end in times
        ]
        return f"({' OR '.join(parts) or 'false'})"


def search_of(store: Store, selection: Selection) -> Search | None:
    """For the longest text that all runs of a selection have; None where nothing is known of their texts."""
    asked = _asked(store, selection)
    return _search(asked, asked.covered.first, asked.covered.last) if asked else None


@dataclass(frozen=True, slots=True)
class Found:
    """When runs that have a text may have been."""

    times: Times
    stretches: int
    """So many of those that the hours are cut into are in it."""


def steps_to_text(
    store: Store, selection: Selection, position: Position | None, bound: Bound, *, newest_first: bool
) -> list[str]:
    """SQL of times to be read one after the other, until there are enough runs: each holds the one before it, and the last
    all runs of the selection. For what is in the order of time."""
    if text_term(selection.filter) is None:
        return ["true"]
    if position is not None:
        at_us = position.executed_on_us
        selection = replace(selection, to_us=at_us + 1) if newest_first else replace(selection, from_us=at_us)
    asked = _asked(store, selection)
    if asked is None or not asked.wanted.places:
        return ["true"]
    first, last = asked.covered.first, asked.covered.last
    nearest = (max(first, last - _NEAR_HOURS), last) if newest_first else (first, min(last, first + _NEAR_HOURS))
    near = _search(asked, *nearest)
    if near is not None and ((found := _looked_up(near)) is None or found.stretches * 2 > near.stretches):
        return ["true"]
    search = _search(asked, first, last)
    if search is None or (found := _looked_up(search)) is None:
        return ["true"]
    times = found.times
    if len(times) <= _FIRST_TIMES:
        return [search.condition(times, bound)]
    some = times[-_FIRST_TIMES:] if newest_first else times[:_FIRST_TIMES]
    side = (
        f"executed_on >= {bound.instant(some[0][0])}" if newest_first else f"executed_on < {bound.instant(some[-1][1])}"
    )
    rest = search.condition(times, bound) if len(times) <= MOST_TIMES else "true"
    return [f"({side} AND {search.condition(some, bound)})", rest]


def text_term(filter: Filter | None) -> Term | None:
    """The longest text that every run of a filter has in its input or output (or Request ID)."""
    terms = filter.parts if isinstance(filter, And) else (filter,)
    found = [
        term
        for term in terms
        if isinstance(term, Term) and term.field in _FIELDS and term.operator == "is" and len(term.values) == 1
    ]
    return max(found, key=lambda term: len(max(parts_of(term), key=len, default="")), default=None)


def parts_of(term: Term) -> list[str]:
    return [part for value in term.values if isinstance(value, Pattern) for part in value.parts if part]


def _asked(store: Store, selection: Selection) -> Asked | None:
    term = text_term(selection.filter)
    covered = cover(store, selection, ()) if term else None
    if term is None or covered is None:
        return None
    wanted = store.unchanged(("texts.needle", term), lambda: needle(store, parts_of(term)))
    if not wanted.characters:
        return None
    return Asked(store, term, wanted, covered)


def _search(asked: Asked, first: int, last: int) -> Search | None:
    """In the hours from `first` until `last`."""
    hours = _known(asked, first, last)
    # An hour without stretches has few runs.
    holes = frozenset(at for at in range(first, last) if at not in hours or not hours[at].starts)
    if len(holes) == last - first or len(list(ranges(holes))) > _MOST_HOLES:
        return None
    covered = replace(asked.covered, first=first, last=last, holes=holes)
    return Search(asked.store, asked.term, asked.wanted, covered, {at: hours[at] for at in hours if at not in holes})


def _known(asked: Asked, first: int, last: int) -> dict[int, Hour]:
    bound, covered = Bound("h"), asked.covered
    condition = (
        f"account_id = {bound.text(covered.selection.account_id)} AND at >= {bound(first, 'Int32')} "
        f"AND at < {bound(last, 'Int32')}"
    )
    sql = (
        f"SELECT at, generation, starts, id_characters, blocks FROM text_hours FINAL WHERE {condition} AND made "
        f"AND (at, version) GLOBAL IN (SELECT at, version FROM summary_hours FINAL WHERE {condition} AND covered)"
    )
    # A page asks several questions of one search at the same time; this and what follows is found once for them.
    rows = asked.store.unchanged(
        ("texts.hours", covered.selection.account_id, first, last),
        lambda: asked.store.query(sql, bound.params, surface="texts.hours"),
    )
    return {row[0]: Hour(*row[1:]) for row in rows if row[0] not in covered.holes}


def look_up(search: Search, ids: Times) -> Found | None:
    """With the times of `ids`; None where it is too short for pieces."""
    if not search.wanted.places:
        return None
    found = search.store.unchanged(("texts.pieces", search.key), lambda: _of_pieces(search))
    merged: Times = []
    for start, end in sorted(found + ids):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return Found(merged, len(found))


def _looked_up(search: Search) -> Found | None:
    ids = times_of_ids(search)
    return None if ids is None else look_up(search, ids)


def _of_pieces(search: Search) -> Times:
    places = sorted(search.wanted.places)
    places = places[:: -(-len(places) // _MOST_PIECES)]
    bound = Bound("t")
    by_segment: dict[int, list[str]] = {}
    for segment, place in places:
        by_segment.setdefault(segment, []).append(f"has(places, {bound(place, 'UInt16')})")
    cases = ", ".join(f"segment = {segment}, {' AND '.join(tests)}" for segment, tests in by_segment.items())
    rows = search.store.query(
        "SELECT at, generation, sum(rows), groupArrayIf(stretch, held = rows) FROM (SELECT at, generation, stretch, "
        f"countIf(multiIf({cases}, false)) AS held, count() AS rows FROM text_grams "
        f"WHERE account_id = {bound.text(search.covered.selection.account_id)} "
        f"AND segment IN {bound(list(by_segment), 'Array(UInt8)')} AND at >= {bound(search.covered.first, 'Int32')} "
        f"AND at < {bound(search.covered.last, 'Int32')} GROUP BY at, generation, stretch) GROUP BY at, generation",
        bound.params,
        surface="texts.pieces",
    )
    of_hour = {(at, generation): (count, stretches) for at, generation, count, stretches in rows}
    found: Times = []
    for at, hour in search.hours.items():
        ends = [*hour.starts[1:], (at + 1) * US_PER_HOUR]
        count, stretches = of_hour.get((at, hour.generation), (0, []))
        if count != len(hour.starts) * len(by_segment):
            # Not all rows are there: they are being removed, or made anew.
            found.append((at * US_PER_HOUR, (at + 1) * US_PER_HOUR))
        else:
            found += [(hour.starts[stretch], ends[stretch]) for stretch in stretches]
    return found


def times_of_ids(search: Search) -> Times | None:
    """Of runs that have it in their Request ID, where that is looked at, in hours whose ids have all its characters; None
    where they are too many."""
    if search.term.field != "text":
        return []
    hours = [at for at, hour in search.hours.items() if search.wanted.characters.issubset(hour.id_characters)]
    if not hours:
        return []
    bound = Bound("i")
    times = " OR ".join(
        f"(executed_on >= {bound.instant(first * US_PER_HOUR)} AND executed_on < {bound.instant(last * US_PER_HOUR)})"
        for first, last in ranges(hours)
    )
    sql = (
        "SELECT DISTINCT toUnixTimestamp64Micro(executed_on) FROM runs "
        f"WHERE account_id = {bound.text(search.covered.selection.account_id)} AND ({times}) "
        f"AND {contains('request_id', search.term, bound)} LIMIT {_MOST_IDS + 1}"
    )
    rows = search.store.unchanged(
        ("texts.ids", search.key), lambda: search.store.query(sql, bound.params, surface="texts.ids")
    )
    return None if len(rows) > _MOST_IDS else [(row[0], row[0] + 1) for row in rows]
