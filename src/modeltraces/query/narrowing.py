"""What a search for a text leaves to be read: few times of a rare text; of a common word, no text at all.

Of a rare one it is known when its runs may have been (`searching.py`), and their texts are read. Of a word, or a part of
one, it is known which runs have it (`word_lists.py`): they are looked up, and only texts of which that is not known are read.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from modeltraces.query.covered import fields_of, grain_of, within_times
from modeltraces.query.filters import And, Bound, Filter, FilterContext, Pattern, Term
from modeltraces.query.searching import (
    MOST_TIMES,
    Search,
    Times,
    look_up,
    parts_of,
    search_of,
    times_of_ids,
)
from modeltraces.query.selection import Selection, where
from modeltraces.query.word_lists import WordLists, word_lists
from modeltraces.store.coverage import ranges
from modeltraces.store.engine import Rows, Store
from modeltraces.store.errors import QueryMemoryExceeded, QueryOutdated

FEWEST_STRETCHES: Final = 200
"""To be read, of some thousand runs each; fewer are read as quickly as words are looked up."""
_MOST_HOLES: Final = 60
_TRIES: Final = 2
"""Hours are made anew when late runs come: the next time those are read."""
_MOST_LONG: Final = 500
"""Inputs and outputs with words too long to be listed. Each is read with a thousand around it."""
_AT_US: Final = "toUnixTimestamp64Micro(executed_on)"


@dataclass(frozen=True, slots=True)
class Narrowed:
    """The same runs, with less to be read."""

    selection: Selection
    """Perhaps of another filter."""
    condition: str
    """SQL that goes with it. A question ends with QueryOutdated where what it was made of is gone."""


def ask_narrowed(
    store: Store, selection: Selection, context: FilterContext, bound: Bound, ask: Callable[[Selection, str], Rows]
) -> Rows:
    """What `ask` gives of a selection, and SQL of a condition; `bound` holds the condition's parameters."""
    for _ in range(_TRIES):
        found = narrowed(store, selection, context, bound)
        try:
            return ask(found.selection, found.condition)
        except QueryOutdated:
            continue
        except QueryMemoryExceeded:
            if found.selection == selection:
                raise
            # Others need memory, too. To read takes longer, and less of it.
            break
    return ask(selection, "true")


def narrowed(store: Store, selection: Selection, context: FilterContext, bound: Bound) -> Narrowed:
    """The same runs, with less to be read where that is known."""
    search = search_of(store, selection)
    if search is None:
        return Narrowed(selection, "true")
    is_listed = _is_listed(search.term, selection.filter)
    if not (is_listed or search.wanted.places) or (ids := times_of_ids(search)) is None:
        return Narrowed(selection, "true")
    found = look_up(search, ids)
    if is_listed and (found is None or found.stretches > FEWEST_STRETCHES):
        by_words = _by_words(search, ids, selection, context, bound)
        if by_words is not None:
            return by_words
    if found is None or len(found.times) > MOST_TIMES:
        return Narrowed(selection, "true")
    return Narrowed(selection, search.condition(found.times, bound))


def _by_words(
    search: Search, ids: Times, selection: Selection, context: FilterContext, bound: Bound
) -> Narrowed | None:
    lists = word_lists(search)
    known = lists.search
    holes = [at for at in range(known.covered.first, known.covered.last) if at not in known.hours]
    if len(known.hours) * 2 < len(search.hours) or len(list(ranges(holes))) > _MOST_HOLES or not _is_little(lists):
        return None
    condition, _ = where(selection, context, bound)
    # Hours whose words are not known, ids, and runs with words too long to be listed: what is there is read.
    places = [_times_to_read(known, ids, bound), lists.condition_of_long(bound)]
    reads = [
        f"SELECT {_AT_US}, request_key FROM runs FINAL WHERE {condition} AND ({place})" for place in places if place
    ]
    parts = lists.conditions(bound)
    if reads:
        parts.append(f"({_AT_US}, request_key) GLOBAL IN ({' UNION ALL '.join(reads)})")
    either = " OR ".join(f"({part})" for part in parts)
    rest = _without(selection.filter, search.term)
    return Narrowed(replace(selection, filter=rest), f"({either or 'false'})")


def _is_little(lists: WordLists) -> bool:
    """Whether what is listed can be held in memory, and what is not is quickly read."""
    memory = lists.search.store.limits.query_memory_bytes
    long = any(block.long_words for block in lists.blocks)
    if not long and lists.memory(lists.most_places) <= memory:
        return True
    listed, others = lists.places()
    return lists.memory(listed) <= memory and others <= _MOST_LONG


def _without(filter: Filter | None, term: Term) -> Filter | None:
    parts = filter.parts if isinstance(filter, And) else (filter,)
    rest = [part for part in parts if part is not None and part != term]
    return And(tuple(rest)) if len(rest) > 1 else next(iter(rest), None)


def _is_listed(term: Term, filter: Filter | None) -> bool:
    """Whether lists of runs by word tell which have it, and are quicker than to read what the other terms leave."""
    # What the sums do not know, a user or an id, leaves few runs.
    return _is_part_of_a_word(term) and grain_of(fields_of(_without(filter, term))) is not None


def _is_part_of_a_word(term: Term) -> bool:
    """Whether it is looked for anywhere in a text, and stands within one word there."""
    parts = parts_of(term)
    if len(parts) != 1 or term.values[0] not in (Pattern((parts[0],)), Pattern(("", parts[0], ""))):
        return False
    # At the end of a word the engine finds nothing that takes fewer bytes there than in what is looked for.
    if any(len(c.encode()) != len(other.encode()) for c in parts[0] for other in (c.lower(), c.upper())):
        return False
    return all(c.isalnum() or not c.isascii() for c in parts[0])


def _times_to_read(search: Search, ids: Times, bound: Bound) -> str:
    """SQL; '' where there are none."""
    covered = search.covered
    holes = frozenset(at for at in range(covered.first, covered.last) if at not in search.hours)
    parts = [replace(covered, holes=holes).of_runs(bound), within_times(ids, bound) if ids else ""]
    return " OR ".join(part for part in parts if part)
