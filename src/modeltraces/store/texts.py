"""Which pieces of words occur near which runs (`text_grams`): made of hours that are over, for searches of rare words.

It may say that a piece is where it is not, never the other way round. A text is cut at what is no letter or digit in ASCII;
of a word there are all pieces of four ASCII characters, of three with another character among them, and of two in scripts
without spaces. Pieces are folded more than any search does (`_FOLDED`). What a search asks for is cut by the very same SQL.

An hour counts with the version of its sums (`store/summaries.py`): whatever makes them void makes this void. An hour is
first declared not made, then written, then made. Which runs have which words is made with it (`words.py`).

What cannot be made of an hour is read, holds up no other hour, and is tried again later. While the store is away all wait.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from modeltraces.store.cluster import patiently
from modeltraces.store.coverage import US_PER_HOUR, VERSIONS
from modeltraces.store.engine import Store, StoreError
from modeltraces.store.errors import QueryMemoryExceeded, StoreOverloaded, StoreUnavailable
from modeltraces.store.phrases import PATIENT, started_between
from modeltraces.store.words import BLOCK_BYTES, Stretch, blocks_of, remove_words, write_words

log = structlog.get_logger(__name__)

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
_LACKING: Final = 1
"""Not all of it could be made."""
_AGAIN_US: Final = 6 * US_PER_HOUR
"""After which that is tried again: it may have been the engine's other work, or be the hour itself, each time."""
_BROKEN_OFF_US: Final = 900_000_000
"""After which an hour is tried again that was begun and is not made: others come first, if it was what broke it off; and
another process may be at it."""
_MOST_STRETCHES: Final = 65_000
_NO_PLACE: Final = 65_535
_OF_HOUR: Final = f"account_id = {{account_id:String}} AND {started_between('first', 'last')}"

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
    """(account, hour, version of its sums) of hours that have sums and no index of the same version, the newest first;
    without those that were tried of late."""
    rows = store.query(
        "SELECT account_id, at, version FROM summary_hours FINAL WHERE account_id != '' AND covered AND at < {before:Int32} "
        "AND (account_id, at, version) GLOBAL NOT IN (SELECT account_id, at, version FROM text_hours FINAL "
        f"WHERE multiIf(NOT made, generation >= {{broken_off:UInt64}}, form = {_LACKING}, generation >= {{again:UInt64}}, "
        f"form = {_FORM})) ORDER BY at DESC LIMIT {{limit:UInt64}} {PATIENT}",
        {
            "before": (now_us - _QUIET_US) // US_PER_HOUR,
            "broken_off": (now_us - _BROKEN_OFF_US) * VERSIONS,
            "again": (now_us - _AGAIN_US) * VERSIONS,
            "limit": limit,
        },
        surface="texts.missing",
    )
    return [(row[0], row[1], row[2]) for row in rows]


def refresh_texts(
    store: Store, now_us: int, *, most_hours: int = MOST_HOURS, go_on: Callable[[], bool] = lambda: True
) -> bool:
    """Make what is missing, the newest hours first; whether there may be more. Raises StoreUnavailable while it is away."""
    hours = missing(store, now_us, most_hours + 1)
    failed: list[StoreError] = []
    for account_id, at, version in hours[:most_hours]:
        if not go_on():
            break
        generation = now_us * VERSIONS + random.randrange(1000) * 2
        error = _make(store, account_id, at, version, generation, BLOCK_BYTES[0])
        if isinstance(error, QueryMemoryExceeded | StoreOverloaded):
            error = _make(store, account_id, at, version, generation + VERSIONS, BLOCK_BYTES[1])
        failed += [error] if error else []
    if failed:
        log.warning(
            "words could not be indexed: searches read the texts of these hours; it is tried again in some hours",
            hours=len(failed),
            error=str(failed[0]),
        )
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


def _make(store: Store, account_id: str, at: int, version: int, generation: int, most_bytes: int) -> StoreError | None:
    """What went wrong with this hour. `most_bytes`: of texts that are gone through at a time."""
    starts: list[int] = []
    characters, blocks = "", 0
    failed: StoreError | None = None
    _declare(store, account_id, at, generation, version, made=False)
    try:
        stretches, characters = _stretches(store, account_id, at)
        parts = blocks_of(stretches, (at + 1) * US_PER_HOUR, most_bytes)
        begun = [stretch.start_us for stretch in stretches]
        _blank(store, account_id, at, len(begun), generation)
        for first, last in parts or [(at * US_PER_HOUR, (at + 1) * US_PER_HOUR)]:
            _write(store, account_id, at, begun, first, last, generation + 1)
        starts = begun
        blocks = write_words(store, account_id, at, parts, generation + 1)
    except StoreError as error:
        if isinstance(error, StoreUnavailable) and not isinstance(error, StoreOverloaded):
            raise
        failed = error
    _declare(
        store, account_id, at, generation + 1, version, made=True, starts=starts, characters=characters, blocks=blocks,
        form=_LACKING if failed else _FORM,
    )  # fmt: skip
    return failed


def _stretches(store: Store, account_id: str, at: int) -> tuple[list[Stretch], str]:
    """And what Request IDs are made of. Empty where the hour is as quickly read, or too large for the numbers of stretches."""
    rows = store.query(
        "SELECT min(us), count(), sum(size), groupUniqArrayArray(characters) FROM (SELECT toUnixTimestamp64Micro(executed_on) AS us, "
        f"arrayDistinct(ngrams({folded('request_id')}, 1)) AS characters, "
        f"greatest(length(input) + length(output), {_BYTES // _RUNS}) AS size, "
        f"intDiv(sum(size) OVER (ORDER BY executed_on ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW), {_BYTES}) AS number "
        f"FROM runs WHERE {_OF_HOUR}) GROUP BY number ORDER BY number {PATIENT}",
        {"account_id": account_id, "first": at * US_PER_HOUR, "last": (at + 1) * US_PER_HOUR},
        surface="texts.stretches",
    )
    if sum(row[1] for row in rows) < FEWEST_RUNS or len(rows) > _MOST_STRETCHES:
        return [], ""
    # Runs of one instant belong to one stretch, the last that has one of them.
    stretches: dict[int, Stretch] = {}
    for number, (start, runs, size, _) in enumerate(rows):
        begin = start if number else at * US_PER_HOUR
        before = stretches.get(begin, Stretch(begin, 0, 0))
        stretches[begin] = Stretch(begin, before.runs + runs, before.bytes + size)
    in_order = sorted(stretches.values(), key=lambda stretch: stretch.start_us)
    return in_order, "".join(sorted({one for row in rows for one in row[3]}))


def _blank(store: Store, account_id: str, at: int, stretches: int, generation: int) -> None:
    """Write as nothing what an earlier generation had more."""
    store.command(
        "INSERT INTO text_grams (account_id, segment, at, stretch, generation, places) "
        "SELECT account_id, segment, at, stretch, {generation:UInt64}, [] FROM text_grams WHERE account_id = {account_id:String} "
        f"AND at = {{at:Int32}} AND stretch >= {{stretches:UInt32}} AND notEmpty(places) {PATIENT}",
        {"account_id": account_id, "at": at, "stretches": stretches, "generation": generation},
    )


def _write(
    store: Store, account_id: str, at: int, starts: Sequence[int], first: int, last: int, generation: int
) -> None:
    """Of the stretches that begin from `first` until `last` (µs)."""
    numbers = {start: number for number, start in enumerate(starts) if first <= start < last}
    if not numbers:
        return
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
        f"GROUP BY stretch, segment {PATIENT}",
        {
            "account_id": account_id,
            "at": at,
            "first": first,
            "last": last,
            "starts": list(numbers),
            "numbers": list(numbers.values()),
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
    form: int = _FORM,
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
            "form": ("UInt8", [form]),
        },
    )
