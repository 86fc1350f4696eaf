"""Which runs have which words (`text_words`): made with the index of pieces (`texts.py`), for searches of common words.

A text is cut where that index cuts it, at what is no letter or digit in ASCII, so what has no such character stands within
one word. Words keep their characters, ASCII ones in lower case: a search tests them as it tests texts. Runs of an hour are
numbered in the order of the sort key, in blocks; `text_runs` tells which run a number is of. Each word says how many words
its block has: with fewer, as where a replica lags behind, the block does not count.

It says of each run whether a word is in it, and nothing more is read; so it is made of the row that counts (FINAL), and
an hour counts, as for pieces, with the version of its sums.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from modeltraces.store.cluster import patiently
from modeltraces.store.engine import Store
from modeltraces.store.errors import QueryGroupsExceeded
from modeltraces.store.phrases import PATIENT, started_between

LONGEST_WORD: Final = 256
"""Bytes, of ASCII alone. What is longer is no word: runs that have one are read."""
LONGEST_WIDE: Final = 64
"""Bytes, with other characters. Where no spaces are written, a word is a sentence, and all of them would be the text."""
LONG: Final = ""
"""Stands for long words of ASCII alone."""
LONG_WIDE: Final = " "
"""Stands for long words with other characters; what is ASCII in them is listed."""
NO_WORD: Final = "-"
"""Stands in every block, of no run: a block of empty texts is told by it from one that has lost its words."""
BLOCK_BYTES: Final = (48 << 20, 12 << 20)
"""Of a block, unless one run alone has more; and where memory is too short for that. Random texts take thirty times their size."""
_MOST_RUNS: Final = 60_000
"""Of a block, by the stretches' own count, which may be short by one stretch; their numbers have 16 bits."""
_MOST_WORDS: Final = 400_000
"""Of a block. With more, the texts are random, and their words take more room than they do."""
_KEY_BITS: Final = 18
MOST_US: Final = 1 << (64 - _KEY_BITS)
"""Two years, of which one number holds start and first bits of the key."""
_OF_BLOCK: Final = f"FROM runs FINAL WHERE account_id = {{account_id:String}} AND {started_between('first', 'last')}"
_PLACE: Final = "{account_id:String} AS account_id, {at:Int32} AS at, {block:UInt16} AS block, {generation:UInt64}"


def _words_of(text: str) -> str:
    """SQL of the words of a text, each once."""
    listed = (
        "arrayFlatten(arrayMap(word -> multiIf(length(word) = lengthUTF8(word), "
        f"[if(length(word) <= {LONGEST_WORD}, word, '{LONG}')], length(word) <= {LONGEST_WIDE}, [word], "
        f"arrayPushBack(arrayMap(part -> if(length(part) <= {LONGEST_WORD}, part, '{LONG}'), "
        f"extractAll(word, '[\\\\x00-\\\\x7F]+')), '{LONG_WIDE}')), words))"
    )
    # Most texts have no long word, and need not be looked through for one.
    some = f"if(arrayExists(word -> length(word) > {LONGEST_WIDE}, words), arrayDistinct({listed}), words)"
    return f"arrayMap(words -> {some}, [arrayDistinct(splitByNonAlpha(lower({text})))])[1]"


_WORDS: Final = (
    "INSERT INTO text_words (account_id, at, block, generation, word, of_input, of_output, words) "
    f"SELECT {_PLACE}, word, arraySort(groupArrayIf(number, side = 1)), arraySort(groupArrayIf(number, side = 2)), "
    "count() OVER () FROM (SELECT number, found.1 AS side, found.2 AS word FROM (SELECT number, arrayJoin(arrayConcat("
    f"arrayMap(word -> (1, word), {_words_of('input')}), arrayMap(word -> (2, word), {_words_of('output')}))) AS found "
    "FROM (SELECT toUInt16(row_number() OVER (ORDER BY executed_on, request_key) - 1) AS number, input, output "
    f"{_OF_BLOCK})) UNION ALL SELECT toUInt16(0), 0, '{NO_WORD}') GROUP BY word"
)


def packed(time: str, key: str, since: str) -> str:
    """SQL of one number for the start (µs; Int64) of a run, within `MOST_US` after `since`, and the first bits of its key."""
    return f"bitOr(bitShiftLeft(toUInt64({time} - {since}), {_KEY_BITS}), bitShiftRight({key}, {64 - _KEY_BITS}))"


_RUNS: Final = (
    "INSERT INTO text_runs (account_id, at, block, generation, times, keys, apart) "
    f"SELECT {_PLACE}, arrayMap(run -> run.1, sorted), arrayMap(run -> run.2, sorted), "
    f"length(sorted) = length(arrayDistinct(arrayMap(run -> {packed('run.1', 'run.2', '{first:Int64}')}, sorted))) "
    "FROM (SELECT arraySort(groupArray((toUnixTimestamp64Micro(executed_on), request_key))) AS sorted "
    f"{_OF_BLOCK})"
)


@dataclass(frozen=True, slots=True)
class Stretch:
    start_us: int
    runs: int
    bytes: int
    """Of input and output, and for each run something more than nothing."""


def blocks_of(stretches: Sequence[Stretch], end_us: int, most_bytes: int) -> list[tuple[int, int]]:
    """(from, to) in µs of the blocks of an hour that ends at `end_us`, of some bytes each unless one stretch has more.

    Empty where more runs than can be numbered began at the same instant.
    """
    blocks = list(_parted(stretches, most_bytes))
    if any(sum(stretch.runs for stretch in block) > _MOST_RUNS for block in blocks):
        return []
    starts = [block[0].start_us for block in blocks]
    return list(zip(starts, [*starts[1:], end_us], strict=False))


def write_words(store: Store, account_id: str, at: int, blocks: Sequence[tuple[int, int]], generation: int) -> int:
    """Of one hour. How many blocks are known: none where one has too many words."""
    for block, (first, last) in enumerate(blocks):
        params = {
            "account_id": account_id, "at": at, "block": block, "generation": generation, "first": first, "last": last,
        }  # fmt: skip
        try:
            store.command(f"{_WORDS} {PATIENT}, max_rows_to_group_by = {_MOST_WORDS}", params)
        except QueryGroupsExceeded:
            return 0
        store.command(f"{_RUNS} {PATIENT}", params)
    return len(blocks)


def remove_words(store: Store, first: int, last: int) -> None:
    """Those of the hours from `first` to `last`, of every account."""
    # Without its runs a block does not count.
    for table in ("text_runs", "text_words"):
        store.command(
            f"ALTER TABLE {store.local(table)} DELETE WHERE at >= {{first:Int32}} AND at <= {{last:Int32}} "
            f"{patiently(store.cluster)}",
            {"first": first, "last": last},
        )


def _parted(stretches: Sequence[Stretch], most_bytes: int) -> Iterator[list[Stretch]]:
    block: list[Stretch] = []
    runs = held = 0
    for stretch in stretches:
        if block and (runs + stretch.runs > _MOST_RUNS or held + stretch.bytes > most_bytes):
            yield block
            block, runs, held = [], 0, 0
        block.append(stretch)
        runs, held = runs + stretch.runs, held + stretch.bytes
    if block:
        yield block
