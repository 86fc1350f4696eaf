"""What a search for a text leaves to be read: few times of a rare text; of a common word, no text at all.

Of a rare one it is known when its runs may have been (`searching.py`), and their texts are read. Of a word, or a part of
one, it is known which runs have it (`store/words.py`): they are looked up, and only texts of which that is not known are read.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from modeltraces.query.covered import fields_of, grain_of, within_times
from modeltraces.query.filters import And, Bound, Filter, FilterContext, Pattern, Term, contains
from modeltraces.query.searching import (
    MOST_TIMES,
    Search,
    Times,
    generations_of,
    look_up,
    parts_of,
    search_of,
    times_of_ids,
)
from modeltraces.query.selection import Selection, where
from modeltraces.store.coverage import ranges
from modeltraces.store.engine import Rows, Store
from modeltraces.store.errors import QueryMemoryExceeded
from modeltraces.store.words import LONG, LONG_WIDE

FEWEST_STRETCHES: Final = 200
"""To be read, of some thousand runs each; fewer are read as quickly as words are looked up."""
_MOST_HOLES: Final = 60
_TRIES: Final = 2
"""Hours are made anew when late runs come: the next time those are read."""
MOST_LISTED: Final = 2_500_000
"""Inputs and outputs that have the word. Their runs are held in memory: up to 440 MB for so many."""
_MOST_LONG: Final = 500
"""Runs with words too long to be listed. Each is read with a thousand around it."""


@dataclass(frozen=True, slots=True)
class Narrowed:
    """The same runs, with less to be read."""

    selection: Selection
    """Perhaps of another filter."""
    condition: str
    """SQL that goes with it."""
    holds: Callable[[], bool] = lambda: True
    """Asked after it was used: whether what it is made of is still there."""


def ask_narrowed(
    store: Store, selection: Selection, context: FilterContext, bound: Bound, ask: Callable[[Selection, str], Rows]
) -> Rows:
    """What `ask` gives of a selection, and SQL of a condition; `bound` holds the condition's parameters."""
    for _ in range(_TRIES):
        found = narrowed(store, selection, context, bound)
        try:
            rows = ask(found.selection, found.condition)
        except QueryMemoryExceeded:
            if found.selection == selection:
                raise
            # Others need memory, too. To read takes longer, and less of it.
            break
        if found.holds():
            return rows
    return ask(selection, "true")


def narrowed(store: Store, selection: Selection, context: FilterContext, bound: Bound) -> Narrowed:
    """The same runs, with less to be read where that is known."""
    search = search_of(store, selection)
    if search is None:
        return Narrowed(selection, "true")
    found = look_up(search)
    if found is None or found.stretches > FEWEST_STRETCHES:
        by_words = _by_words(search, selection, context, bound)
        if by_words is not None:
            return by_words
    if found is None or len(found.times) > MOST_TIMES:
        return Narrowed(selection, "true")
    return Narrowed(selection, search.condition(found.times, bound))


def _by_words(search: Search, selection: Selection, context: FilterContext, bound: Bound) -> Narrowed | None:
    rest = _without(selection.filter, search.term)
    # What the sums do not know, a user or an id, leaves few runs, whose texts are quicker read.
    if not _is_part_of_a_word(search.term) or grain_of(fields_of(rest)) is None:
        return None
    known, long = _with_words(search)
    ids = times_of_ids(search) if search.term.field == "text" else []
    holes = [at for at in range(known.covered.first, known.covered.last) if at not in known.hours]
    if ids is None or len(known.hours) * 2 < len(search.hours) or len(list(ranges(holes))) > _MOST_HOLES:
        return None
    if long > _MOST_LONG or _listed(known) > MOST_LISTED:
        return None
    known_hours = _hours(known, bound)
    listed = _runs_with_word(known, known_hours, bound)
    condition, _ = where(selection, context, bound)
    at = "toUnixTimestamp64Micro(executed_on)"
    # Hours whose words are not known, ids, and runs with words too long to be listed: what is there is read.
    places = [_times_to_read(known, ids, bound)]
    if long:
        # By the key itself: little else is read.
        long_ones = f"SELECT fromUnixTimestamp64Micro(at_us, 'UTC'), request_key FROM ({_runs_with_long_words(known, known_hours)})"
        places.append(f"(executed_on, request_key) GLOBAL IN ({long_ones})")
    reads = [f"SELECT {at}, request_key FROM runs FINAL WHERE {condition} AND ({place})" for place in places if place]

    def holds() -> bool:
        # An hour that is made anew, or removed, meanwhile may have lost some of its words before they were read.
        generations = generations_of(known)
        same = all(generations.get(at) == hour.generation for at, hour in known.hours.items())
        return same and len(_with_words(known)[0].hours) == len(known.hours)

    return Narrowed(
        replace(selection, filter=rest),
        f"({at}, request_key) GLOBAL IN ({' UNION ALL '.join([listed, *reads])})",
        holds,
    )


def _without(filter: Filter | None, term: Term) -> Filter | None:
    parts = filter.parts if isinstance(filter, And) else (filter,)
    rest = [part for part in parts if part is not None and part != term]
    return And(tuple(rest)) if len(rest) > 1 else next(iter(rest), None)


def _is_part_of_a_word(term: Term) -> bool:
    """Whether it is looked for anywhere in a text, and stands within one word there."""
    parts = parts_of(term)
    if len(parts) != 1 or term.values[0] not in (Pattern((parts[0],)), Pattern(("", parts[0], ""))):
        return False
    # At the end of a word the engine finds nothing that takes fewer bytes there than in what is looked for.
    if any(len(c.encode()) != len(other.encode()) for c in parts[0] for other in (c.lower(), c.upper())):
        return False
    return all(c.isalnum() or not c.isascii() for c in parts[0])


def _with_words(search: Search) -> tuple[Search, int]:
    """The same, in the hours of which words are known; and how many of their runs may have it in a word that is not listed."""
    bound = Bound("w")
    rows = search.store.query(
        f"SELECT at, generation, uniqExact(block), sum(length({_unlisted(search.term)})) FROM text_runs "
        f"WHERE {search.of_hours(bound)} GROUP BY at, generation",
        bound.params,
        surface="texts.blocks",
    )
    blocks = {(at, generation): (count, long) for at, generation, count, long in rows}
    hours, runs = {}, 0
    for at, hour in search.hours.items():
        count, long = blocks.get((at, hour.generation), (0, 0))
        # With fewer blocks than it had it is being removed, or made anew.
        if hour.blocks and count == hour.blocks:
            hours[at] = hour
            runs += long
    return replace(search, hours=hours), runs


def _listed(search: Search) -> int:
    """How many runs have it, on each side, in a word that is listed."""
    bound = Bound("w")
    words = _words(search.term, bound)
    ((count,),) = search.store.query(
        f"SELECT sum(length(of_input) + length(of_output)) FROM text_words WHERE {search.of_hours(bound)} AND {words}",
        bound.params,
        surface="texts.listed",
    )
    return int(count)


def _words(term: Term, bound: Bound) -> str:
    """The condition of the words that it is a part of."""
    return f"word NOT IN ('{LONG}', '{LONG_WIDE}') AND {contains('word', term, bound)}"


def _unlisted(term: Term) -> str:
    """SQL of the numbers of the runs of a block that may have it in a word which is too long to be listed."""
    # Some characters are other case of ASCII ones (the Kelvin sign).
    return "with_long" if parts_of(term)[0].isascii() else "arrayConcat(with_long, with_long_wide)"


_RUNS: Final = (
    "SELECT run.1 AS at_us, run.2 AS request_key FROM (SELECT arrayJoin(arrayZip(arrayMap(n -> times[n + 1], numbers), "
    "arrayMap(n -> keys[n + 1], numbers))) AS run FROM "
)
"""SQL, up to where the numbers come from: start and key of each run."""


def _hours(search: Search, bound: Bound) -> tuple[str, str]:
    """The conditions of rows of its account and time, and of those of its hours."""
    time = search.of_hours(bound)
    ats = bound(list(search.hours), "Array(Int32)")
    generations = bound([hour.generation for hour in search.hours.values()], "Array(UInt64)")
    return time, f"{time} AND (at, generation) IN (SELECT arrayJoin(arrayZip({ats}, {generations})))"


def _runs_with_word(search: Search, hours: tuple[str, str], bound: Bound) -> str:
    """SQL of those that have a word with it in the field that is looked at; some more than once."""
    sides = {"input": ["of_input"], "output": ["of_output"]}.get(search.term.field, ["of_input", "of_output"])
    numbers = f"arrayFlatten([{', '.join(f'groupArrayArray({side})' for side in sides)}])"
    words = _words(search.term, bound)
    # Put together before they meet the runs: those of a block would be copied for each of its words.
    return (
        f"{_RUNS}(SELECT at, block, generation, {numbers} AS numbers FROM text_words WHERE {hours[0]} AND {words} "
        "GROUP BY at, block, generation) AS words GLOBAL INNER JOIN (SELECT at, block, generation, times, keys FROM text_runs "
        f"WHERE {hours[1]}) AS runs USING (at, block, generation))"
    )


def _runs_with_long_words(search: Search, hours: tuple[str, str]) -> str:
    return f"{_RUNS}(SELECT times, keys, {_unlisted(search.term)} AS numbers FROM text_runs WHERE {hours[1]}))"


def _times_to_read(search: Search, ids: Times, bound: Bound) -> str:
    """SQL; '' where there are none."""
    covered = search.covered
    holes = frozenset(at for at in range(covered.first, covered.last) if at not in search.hours)
    parts = [replace(covered, holes=holes).of_runs(bound), within_times(ids, bound) if ids else ""]
    return " OR ".join(part for part in parts if part)
