"""Which runs have a word with a part of a text in it: from the lists by word (`store/words.py`), without their texts.

It is looked first, in one go, in which blocks all words are there and how many of them have it: in other blocks texts are
read. The lists are read within the question that they are for, and compared with that there: where one has gone in between,
the question ends with QueryOutdated.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from modeltraces.query.filters import Bound, Term, contains
from modeltraces.query.searching import Search, parts_of
from modeltraces.store.coverage import US_PER_HOUR
from modeltraces.store.words import LONG, LONG_WIDE, MOST_US, packed

_MOST_WORDS: Final = 100
"""Of a block, that are looked for as they are: their order leads to them. Of more every word is tested once more."""
_BYTES: Final = 100
_BYTES_BY_TWO: Final = 250
"""Of memory for each input and output that has it, where its run is one number, and where it is two; they took 65 and 120."""
_OF_BLOCK: Final = "at, generation, block"
_PAIRS: Final = "arrayZip(times, keys)"
_AT_US: Final = "toUnixTimestamp64Micro(executed_on)"


@dataclass(frozen=True, slots=True)
class Block:
    at: int
    generation: int
    number: int
    runs: int
    is_apart: bool
    words: int
    """So many have it."""
    long_words: int
    """So many stand for words too long to be listed, which may have it."""


@dataclass(frozen=True, slots=True)
class WordLists:
    search: Search
    """In the hours of which all words are known."""
    blocks: Sequence[Block]
    words: frozenset[str] | None
    """Those that have it; None: too many to be named."""

    @property
    def most_places(self) -> int:
        """In no more inputs and outputs it is in words that are listed, each counted for every one that it has."""
        return len(_sides(self.search.term)) * sum(block.words * block.runs for block in self.blocks)

    def memory(self, places: int) -> int:
        """Bytes that a question takes with so many of them."""
        by_two = sum(block.runs for block in self.blocks if block.words and not self._is_one_number(block))
        of_both = sum(block.runs for block in self.blocks if block.words)
        return places * (_BYTES + (_BYTES_BY_TWO - _BYTES) * by_two // (of_both or 1))

    def places(self) -> tuple[int, int]:
        """How many inputs and outputs have it in words that are listed, and how many have words that are too long."""
        return self.search.store.unchanged(("texts.places", self.search.key), self._places)

    def _places(self) -> tuple[int, int]:
        bound = Bound("w")
        length = " + ".join(f"length({side})" for side in _sides(self.search.term))
        long = _long(self.search.term)
        ((listed, others),) = self.search.store.query(
            f"SELECT sumIf({length}, NOT {long}), sumIf({length}, {long}) FROM text_words "
            f"WHERE {self.search.of_hours(bound)} AND ({self._condition(bound)} OR {long})",
            bound.params,
            surface="texts.places",
        )
        return int(listed), int(others)

    def conditions(self, bound: Bound) -> list[str]:
        """SQL: of the runs that have it in words that are listed, and of no others, one of these holds."""
        since, until = self._since_until
        conditions: list[str] = []
        by_number: list[tuple[Block, int]] = []
        by_two: list[tuple[Block, int]] = []
        for block in self.blocks:
            if block.words:
                (by_number if self._is_one_number(block) else by_two).append((block, block.words))
        if by_number:
            start = bound(since, "Int64")
            runs = f"arrayMap((time, key) -> {packed('time', 'key', start)}, times, keys)"
            conditions.append(
                f"executed_on >= {bound.instant(since)} AND executed_on < {bound.instant(until)} AND "
                f"{packed(_AT_US, 'request_key', start)} GLOBAL IN ({self._runs(self._condition(bound), by_number, runs, bound)})"
            )
        if by_two:
            pairs = self._runs(self._condition(bound), by_two, _PAIRS, bound)
            conditions.append(f"({_AT_US}, request_key) GLOBAL IN (SELECT run.1, run.2 FROM ({pairs}))")
        return conditions

    def condition_of_long(self, bound: Bound) -> str:
        """The same of the runs with words too long to be listed; '' where there are none."""
        blocks = [(block, block.long_words) for block in self.blocks if block.long_words]
        if not blocks:
            return ""
        pairs = self._runs(_long(self.search.term), blocks, _PAIRS, bound)
        # By the key itself: little else is read.
        return f"(executed_on, request_key) GLOBAL IN (SELECT fromUnixTimestamp64Micro(run.1, 'UTC'), run.2 FROM ({pairs}))"

    @property
    def _since_until(self) -> tuple[int, int]:
        return self.search.covered.first * US_PER_HOUR, self.search.covered.last * US_PER_HOUR

    def _is_one_number(self, block: Block) -> bool:
        """Which is looked up in half the time that two take."""
        since, until = self._since_until
        return block.is_apart and until - since <= MOST_US

    def _condition(self, bound: Bound) -> str:
        if self.words is None:
            return contains("word", self.search.term, bound)
        return f"word IN {bound(sorted(self.words), 'Array(String)')}"

    def _runs(self, condition: str, blocks: Sequence[tuple[Block, int]], runs: str, bound: Bound) -> str:
        """SQL of `run`: what `runs` makes of those of the blocks' runs of which a word meets a condition. `blocks`: and how many
        of their words do."""
        known = ", ".join(
            bound(values, f"Array({kind})")
            for kind, values in (
                ("Int32", [block.at for block, _ in blocks]),
                ("UInt64", [block.generation for block, _ in blocks]),
                ("UInt16", [block.number for block, _ in blocks]),
                ("UInt64", [words for _, words in blocks]),
            )
        )
        of_hours = self.search.of_hours(bound)
        numbers = ", ".join(f"groupArrayArray({side})" for side in _sides(self.search.term))
        # The numbers are put together before they meet the runs: those of a block would be copied for each of its words.
        return (
            "SELECT arrayJoin(if(throwIf(held != wanted OR empty(runs)), [], arrayMap(n -> runs[n + 1], numbers))) AS run FROM "
            "(SELECT known.1 AS at, known.2 AS generation, known.3 AS block, known.4 AS wanted "
            f"FROM (SELECT arrayJoin(arrayZip({known})) AS known)) AS blocks "
            f"GLOBAL LEFT JOIN (SELECT {_OF_BLOCK}, count() AS held, arrayDistinct(arrayConcat({numbers})) AS numbers "
            f"FROM text_words WHERE {of_hours} AND {condition} GROUP BY {_OF_BLOCK}) AS words USING ({_OF_BLOCK}) "
            f"GLOBAL LEFT JOIN (SELECT {_OF_BLOCK}, {runs} AS runs FROM text_runs WHERE {of_hours}) AS runs USING ({_OF_BLOCK})"
        )


def word_lists(search: Search) -> WordLists:
    whole = search.store.unchanged(("texts.words", search.key), lambda: _whole_blocks(search))
    counted = Counter((block.at, block.generation) for block, _ in whole)
    # With fewer blocks than it had it is being removed, or made anew, or a replica lags behind.
    hours = {
        at: hour for at, hour in search.hours.items() if hour.blocks and counted[at, hour.generation] == hour.blocks
    }
    known = [
        (block, words) for block, words in whole if block.at in hours and hours[block.at].generation == block.generation
    ]
    few = all(block.words <= _MOST_WORDS for block, _ in known)
    return WordLists(
        replace(search, hours=hours),
        [block for block, _ in known],
        frozenset(word for _, words in known for word in words) if few else None,
    )


def _whole_blocks(search: Search) -> list[tuple[Block, Sequence[str]]]:
    """Those of which all words are there, and some of the words that have it."""
    bound = Bound("w")
    of_hours, listed = search.of_hours(bound), contains("word", search.term, bound)
    rows = search.store.query(
        # Of more than are named none is kept: what is found is remembered.
        f"SELECT {_OF_BLOCK}, many, apart, found, long, if(found > {_MOST_WORDS}, [], some) FROM (SELECT {_OF_BLOCK}, countIf({listed}) AS found, "
        f"countIf({_long(search.term)}) AS long, groupArrayIf({_MOST_WORDS})(word, {listed}) AS some "
        f"FROM text_words WHERE {of_hours} GROUP BY {_OF_BLOCK} HAVING count() = any(words)) AS words "
        f"GLOBAL INNER JOIN (SELECT {_OF_BLOCK}, length(times) AS many, apart FROM text_runs WHERE {of_hours}) AS runs "
        f"USING ({_OF_BLOCK})",
        bound.params,
        surface="texts.words",
    )
    return [(Block(*row[:7]), row[7]) for row in rows]


def _long(term: Term) -> str:
    """The condition of what stands for words that are too long to be listed and may have it."""
    # Some characters are other case of ASCII ones (the Kelvin sign).
    return f"word = '{LONG}'" if parts_of(term)[0].isascii() else f"(word = '{LONG}' OR word = '{LONG_WIDE}')"


def _sides(term: Term) -> list[str]:
    return {"input": ["of_input"], "output": ["of_output"]}.get(term.field, ["of_input", "of_output"])
