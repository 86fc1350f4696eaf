"""Which pieces of words occur near which runs (`text_grams`): made of hours that are over, for searches of rare words.

It may say that a piece is where it is not, never the other way round. A text is cut at what is no letter or digit in ASCII;
of a word there are all pieces of four ASCII characters, of three with another character among them, and of two in scripts
without spaces. Pieces are folded more than any search does (`_FOLDED`). What a search asks for is cut by the very same SQL.

An hour counts with the version of its sums (`store/summaries.py`): whatever makes them void makes this void. An hour is
first declared not made, then written, then made. Which runs have which words is made with it (`words.py`).
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from modeltraces.store.cluster import patiently
from modeltraces.store.coverage import US_PER_HOUR, VERSIONS
from modeltraces.store.engine import QueryLimitExceeded, Store
from modeltraces.store.words import blocks_of, remove_words, write_words

SEGMENTS: Final = 64
_PLACE_BITS: Final = 14
FEWEST_RUNS: Final = 100
"""Of an hour; one with fewer is as quickly read."""
MOST_HOURS: Final = 12
"""Made at a time; the others are next."""
_RUNS: Final = 1000
_BYTES: Final = 1 << 20
"""Of a stretch, about. More of it, and every piece is in every stretch."""
_QUIET_US: Final = 600_000_000
"""After its end an hour gets late runs, and would be made again for each."""
_FORM: Final = 2
"""How an hour is made; what was made in another way is made again."""
_MOST_STRETCHES: Final = 65_000
_NO_PLACE: Final = 65_535
_OF_HOUR: Final = (
    "account_id = {account_id:String} AND executed_on >= fromUnixTimestamp64Micro({first:Int64}, 'UTC') "
    "AND executed_on < fromUnixTimestamp64Micro({last:Int64}, 'UTC')"
)
_PATIENT: Final = "SETTINGS max_execution_time = 0, max_threads = 1"

_WIDE: Final = "[\u3000-\U0010ffff]"
"""Scripts that are written without spaces, where a word is two characters."""


def folded(text: str) -> str:
    """SQL of a text without case. Of each character by itself, so that a part of a text is a part of it folded, too."""
    wide = f"replaceAll(lowerUTF8(upperUTF8(lowerUTF8(toValidUTF8({text})))), '\u03c2', '\u03c3')"
    return f"if(length({text}) = lengthUTF8({text}), lower({text}), {wide})"


def _grams(word: str) -> str:
    """SQL of the pieces of a word that is folded."""
    return (
        f"if(length({word}) = lengthUTF8({word}), ngrams({word}, 4), arrayConcat("
        f"arrayFilter(g -> length(g) = 4, ngrams({word}, 4)), "
        f"arrayFilter(g -> length(g) > 3 AND NOT match(g, '{_WIDE}'), ngrams({word}, 3)), "
        f"arrayFilter(g -> match(g, '^{_WIDE}{{2}}$'), ngrams({word}, 2))))"
    )


_HASH: Final = f"bitShiftRight(cityHash64(gram), {64 - 6 - _PLACE_BITS})"
# 64 segments: six bits.
_SEGMENT: Final = f"toUInt8(bitShiftRight({_HASH}, {_PLACE_BITS}))"
_PLACE: Final = f"toUInt16(bitAnd({_HASH}, {(1 << _PLACE_BITS) - 1}))"


@dataclass(frozen=True, slots=True)
class Needle:
    """What is looked for, as the index knows it."""

    places: frozenset[tuple[int, int]]
    """(segment, place) of each piece. None: it is too short."""
    characters: frozenset[str]


def needle(store: Store, texts: Sequence[str]) -> Needle:
    """Of texts that all occur in one text."""
    words = "arrayJoin(arrayFlatten(arrayMap(t -> splitByNonAlpha(t), {texts:Array(String)})))"
    rows = store.query(
        f"SELECT DISTINCT {_SEGMENT}, {_PLACE}, '' FROM (SELECT arrayJoin({_grams('word')}) AS gram "
        f"FROM (SELECT {folded('part')} AS word FROM (SELECT {words} AS part))) UNION ALL "
        f"SELECT DISTINCT toUInt8(0), toUInt16(0), arrayJoin(ngrams({folded('part')}, 1)) "
        "FROM (SELECT arrayJoin({texts:Array(String)}) AS part)",
        {"texts": list(texts)},
        surface="texts.needle",
    )
    return Needle(
        frozenset((segment, place) for segment, place, character in rows if not character),
        frozenset(character for _, _, character in rows if character),
    )


def missing(store: Store, now_us: int, limit: int) -> list[tuple[str, int, int]]:
    """(account, hour, version of its sums) of hours that have sums and no index of the same version, the newest first."""
    rows = store.query(
        "SELECT account_id, at, version FROM summary_hours FINAL WHERE account_id != '' AND covered AND at < {before:Int32} "
        "AND (account_id, at, version) GLOBAL NOT IN (SELECT account_id, at, version FROM text_hours FINAL "
        f"WHERE made AND form = {_FORM}) "
        f"ORDER BY at DESC LIMIT {{limit:UInt64}} {_PATIENT}",
        {"before": (now_us - _QUIET_US) // US_PER_HOUR, "limit": limit},
        surface="texts.missing",
    )
    return [(row[0], row[1], row[2]) for row in rows]


def refresh_texts(
    store: Store, now_us: int, *, most_hours: int = MOST_HOURS, go_on: Callable[[], bool] = lambda: True
) -> bool:
    """Make what is missing, the newest hours first; whether there may be more."""
    hours = missing(store, now_us, most_hours + 1)
    for account_id, at, version in hours[:most_hours]:
        if not go_on():
            break
        _make(store, account_id, at, version, now_us * VERSIONS + random.randrange(1000) * 2)
    return len(hours) > most_hours


def remove_texts(store: Store, from_us: int, to_us: int) -> None:
    """All that is known of the texts of a time, of every account: runs or their texts were removed. An hour whose rows are
    not all there is read."""
    first, last = from_us // US_PER_HOUR, to_us // US_PER_HOUR
    store.command(
        f"ALTER TABLE {store.local('text_grams')} DELETE WHERE at >= {{first:Int32}} AND at <= {{last:Int32}} "
        f"{patiently(store.cluster)}",
        {"first": first, "last": last},
    )
    remove_words(store, first, last)


def _make(store: Store, account_id: str, at: int, version: int, generation: int) -> None:
    stretches, characters = _stretches(store, account_id, at)
    starts = [start for start, _ in stretches][:_MOST_STRETCHES]
    _declare(store, account_id, at, generation, version, made=False)
    try:
        _blank(store, account_id, at, len(starts), generation)
        if starts:
            _write(store, account_id, at, starts, generation + 1)
    except QueryLimitExceeded:
        # Too large for the memory that a query may use: it is read.
        starts = []
    blocks = blocks_of(stretches, (at + 1) * US_PER_HOUR) if starts else []
    try:
        write_words(store, account_id, at, blocks, generation + 1)
    except QueryLimitExceeded:
        blocks = []
    _declare(
        store, account_id, at, generation + 1, version, made=True, starts=starts, characters=characters, blocks=len(blocks)
    )  # fmt: skip


def _stretches(store: Store, account_id: str, at: int) -> tuple[list[tuple[int, int]], str]:
    """Where each begins (µs), and its runs; and what Request IDs are made of."""
    rows = store.query(
        "SELECT min(us), count(), groupUniqArrayArray(characters) FROM (SELECT toUnixTimestamp64Micro(executed_on) AS us, "
        f"arrayDistinct(ngrams({folded('request_id')}, 1)) AS characters, "
        f"intDiv(sum(greatest(length(input) + length(output), {_BYTES // _RUNS})) OVER "
        f"(ORDER BY executed_on ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW), {_BYTES}) AS number "
        f"FROM runs WHERE {_OF_HOUR}) GROUP BY number ORDER BY number {_PATIENT}",
        {"account_id": account_id, "first": at * US_PER_HOUR, "last": (at + 1) * US_PER_HOUR},
        surface="texts.stretches",
    )
    if sum(row[1] for row in rows) < FEWEST_RUNS:
        return [], ""
    # Runs of one instant belong to one stretch, the last that has one of them.
    stretches: dict[int, int] = {}
    for number, (start, runs, _) in enumerate(rows):
        begin = start if number else at * US_PER_HOUR
        stretches[begin] = stretches.get(begin, 0) + runs
    return sorted(stretches.items()), "".join(sorted({one for row in rows for one in row[2]}))


def _blank(store: Store, account_id: str, at: int, stretches: int, generation: int) -> None:
    """Write as nothing what an earlier generation had more."""
    store.command(
        "INSERT INTO text_grams (account_id, segment, at, stretch, generation, places) "
        "SELECT account_id, segment, at, stretch, {generation:UInt64}, [] FROM text_grams WHERE account_id = {account_id:String} "
        f"AND at = {{at:Int32}} AND stretch >= {{stretches:UInt32}} AND notEmpty(places) {_PATIENT}",
        {"account_id": account_id, "at": at, "stretches": stretches, "generation": generation},
    )


def _write(store: Store, account_id: str, at: int, starts: Sequence[int], generation: int) -> None:
    # Of all rows, those that do not count too: which of a run's counts may change. Words first: few differ.
    words = (
        "SELECT transform(roundDown(toUnixTimestamp64Micro(executed_on), {starts:Array(Int64)}), {starts:Array(Int64)}, "
        "{numbers:Array(UInt16)}, toUInt16(0)) AS stretch, groupUniqArrayArray(splitByNonAlpha(input)) AS of_input, "
        f"groupUniqArrayArray(splitByNonAlpha(output)) AS of_output FROM runs WHERE {_OF_HOUR} GROUP BY stretch"
    )
    grams = (
        f"SELECT stretch, arrayJoin({_grams('word')}) AS gram FROM (SELECT stretch, {folded('part')} AS word "
        f"FROM (SELECT stretch, arrayJoin(arrayConcat(of_input, of_output)) AS part FROM ({words})))"
    )
    # A row for every stretch and segment, to see that none is missing.
    everywhere = (
        f"SELECT arrayJoin({{numbers:Array(UInt16)}}), toUInt8(arrayJoin(range({SEGMENTS}))), toUInt16({_NO_PLACE})"
    )
    store.command(
        "INSERT INTO text_grams (account_id, segment, at, stretch, generation, places) SELECT {account_id:String}, segment, "
        f"{{at:Int32}}, stretch, {{generation:UInt64}}, arraySort(groupUniqArrayIf(place, place != {_NO_PLACE})) FROM "
        f"(SELECT stretch, {_SEGMENT} AS segment, {_PLACE} AS place FROM ({grams}) UNION ALL {everywhere}) "
        f"GROUP BY stretch, segment {_PATIENT}",
        {
            "account_id": account_id,
            "at": at,
            "first": at * US_PER_HOUR,
            "last": (at + 1) * US_PER_HOUR,
            "starts": list(starts),
            "numbers": list(range(len(starts))),
            "generation": generation,
        },
    )


def _declare(
    store: Store,
    account_id: str,
    at: int,
    generation: int,
    version: int,
    *,
    made: bool,
    starts: Sequence[int] = (),
    characters: str = "",
    blocks: int = 0,
) -> None:
    store.insert(
        "text_hours",
        {
            "account_id": ("LowCardinality(String)", [account_id]),
            "at": ("Int32", [at]),
            "generation": ("UInt64", [generation]),
            "version": ("UInt64", [version]),
            "made": ("Bool", [made]),
            "starts": ("Array(Int64)", [list(starts)]),
            "id_characters": ("String", [characters]),
            "blocks": ("UInt16", [blocks]),
            "form": ("UInt8", [_FORM]),
        },
    )
