"""Copies all that one store holds into another, slice of time by slice, and proves it by counts and checksums.

Nothing is remembered between two starts: a slice that the target has, row for row, is passed over, and one that was cut
off is written again. So a copy that was stopped is resumed by starting it again.
"""

import itertools
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from modeltraces.run import now_us
from modeltraces.store.coverage import forget
from modeltraces.store.engine import Store
from modeltraces.store.migrate import migrate

MOST_ROWS = 50_000
"""Of one slice: what is read and written again after a break, some seconds' worth."""
MOST_BYTES = 64 << 20
"""Of one slice's texts, which is held in memory between the two."""
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    time: str
    """The column that slices it."""
    key: str
    """What cuts a minute that is too large. Rows that replace each other have the same."""
    bytes_a_row: str
    final: str = "FINAL"


TABLES = (
    Table("runs", "executed_on", "request_id", "500 + 2 * (input_size + output_size)"),
    Table("span_contents", "received_on", "account_id, trace_id, span_id, part_id", "100 + length(body)"),
    Table("rejections", "rejected_on", "subject", "100 + length(subject)", final=""),
)


class CannotCopy(Exception):
    """Why the stores cannot be copied, and what to do."""


@dataclass(frozen=True, slots=True)
class Slice:
    """What a table holds from `start` (inclusive) to `end` (exclusive)."""

    table: Table
    start: datetime
    end: datetime
    rows: int
    piece: int = 0
    """Which of so many pieces."""
    pieces: int = 1

    @property
    def bounds(self) -> dict[str, Any]:
        return {"start": self.start, "end": self.end, "piece": self.piece, "pieces": self.pieces}

    def __str__(self) -> str:
        which = f", piece {self.piece + 1} of {self.pieces}" if self.pieces > 1 else ""
        return f"{self.table.name} from {self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M} UTC{which}"


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy did: rows by table that source and target both hold now, and how many of them had to be written."""

    rows: dict[str, int]
    written: int


def copy(source: Store, target: Store, on_progress: Callable[[int, int], None] = lambda done, total: None) -> Copied:
    """Copy every table; `on_progress(rows done, rows in all)` is told after each slice.

    Raises CannotCopy when a slice differs after it was written (the source takes runs, or the target had others), and
    StoreError when one of the two fails; both can be mended, and the copy started again.
    """
    for store in (source, target):
        migrate(store)
    columns_of = {table: _columns(source, table) for table in TABLES}
    slices = [part for table in TABLES for part in _slices(source, table)]
    total, done, written = sum(part.rows for part in slices), 0, 0
    rows = {table.name: 0 for table in TABLES}
    on_progress(0, total)
    # Before, too: a copy that is killed says nothing at its end.
    forget(target, now_us=now_us())
    try:
        for part in slices:
            columns = columns_of[part.table]
            expected = _checksum(source, part, columns)
            if _checksum(target, part, columns) != expected:
                _write(source, target, part, list(columns))
                written += expected[0]
                _compare(source, target, part, columns)
            rows[part.table.name] += expected[0]
            done += part.rows
            on_progress(done, total)
    finally:
        # They bear the times at which the source received them.
        forget(target, now_us=now_us())
    for table in TABLES:
        _compare_whole(target, table, rows[table.name])
    return Copied(rows, written)


def _slices(store: Store, table: Table) -> Iterator[Slice]:
    minutes = store.query(
        f"SELECT toStartOfMinute({table.time}) AS minute, count(), sum({table.bytes_a_row}) FROM {table.name} "
        "GROUP BY minute ORDER BY minute",
        surface="copy.slices",
    )
    start: datetime | None = None
    end = datetime.max
    rows = size = 0
    for at, count, weight in minutes:
        minute = at.replace(tzinfo=UTC)
        too_much = rows + count > MOST_ROWS or size + weight > MOST_BYTES
        if start is not None and too_much:
            yield Slice(table, start, end, rows)
            start, rows, size = None, 0, 0
        pieces = math.ceil(max(count / MOST_ROWS, weight / MOST_BYTES))
        if pieces > 1:
            # By hashes they are not quite alike: some to spare.
            yield from _cut(Slice(table, minute, minute + _MINUTE, count, pieces=pieces + 1))
            continue
        start = start or minute
        end, rows, size = minute + _MINUTE, rows + count, size + weight
    if start is not None:
        yield Slice(table, start, end, rows)


def _cut(minute: Slice) -> Iterator[Slice]:
    shares = [minute.rows * piece // minute.pieces for piece in range(minute.pieces + 1)]
    for piece, (before, until) in enumerate(itertools.pairwise(shares)):
        yield replace(minute, rows=until - before, piece=piece)


def _columns(store: Store, table: Table) -> dict[str, str]:
    """Name → type of what is stored of itself; the rest is computed from it."""
    found = store.query(
        "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = {table:String} "
        "AND default_kind NOT IN ('MATERIALIZED', 'ALIAS') ORDER BY name",
        {"table": table.name},
    )
    return {str(name): str(kind) for name, kind in found}


def _where(part: Slice) -> str:
    time = part.table.time
    piece = f" AND cityHash64({part.table.key}) % {{pieces:UInt32}} = {{piece:UInt32}}" if part.pieces > 1 else ""
    return f"WHERE {time} >= {{start:DateTime64(6, 'UTC')}} AND {time} < {{end:DateTime64(6, 'UTC')}}{piece}"


def _checksum(store: Store, part: Slice, columns: dict[str, str]) -> tuple[int, int]:
    """(rows, sum of their hashes). A hash of what may be NULL would itself be NULL, and not be counted."""
    hashed = ", ".join(
        f"ifNull(toString({name}), 'null')" if kind.startswith("Nullable") else name for name, kind in columns.items()
    )
    [(rows, checksum)] = store.query(
        f"SELECT count(), sum(cityHash64({hashed})) FROM {part.table.name} {part.table.final} {_where(part)}",
        part.bounds,
        surface="copy.verify",
    )
    return int(rows), int(checksum)


def _write(source: Store, target: Store, part: Slice, columns: Sequence[str]) -> None:
    table = part.table
    if not table.final:
        # Rows of this table do not replace each other: what an interrupted copy left is taken out first.
        target.command(f"DELETE FROM {target.local(table.name)} {_where(part)}", part.bounds)
    select = f"SELECT {', '.join(columns)} FROM {table.name} {table.final} {_where(part)}"
    with source.stream(select, part.bounds, format="Native") as blocks:
        block = b"".join(blocks)
    # Whole, not as a stream: what breaks off is sent again by the client, from its beginning.
    if block:
        target.insert_block(table.name, columns, block)


def _compare(source: Store, target: Store, part: Slice, columns: dict[str, str]) -> None:
    # Read again: a source that is in use may have got a run in the meantime, which is copied by the next start.
    there, here = _checksum(source, part, columns), _checksum(target, part, columns)
    if there == here:
        return
    more = here[0] - there[0]
    if more > 0:
        raise CannotCopy(
            f"{part}: the target holds {more:,} rows that the source has not. Copy into an empty store, or into one that "
            "holds an earlier copy of the same."
        )
    raise CannotCopy(
        f"{part}: source and target differ after copying. Stop what sends runs to the source, and start the copy again: "
        "it goes on where it was."
    )


def _compare_whole(target: Store, table: Table, expected: int) -> None:
    [(rows,)] = target.query(f"SELECT count() FROM {table.name} {table.final}", surface="copy.verify")
    if int(rows) > expected:
        raise CannotCopy(
            f"{table.name}: the target holds {int(rows) - expected:,} rows that the source has not. Everything was copied; "
            "the others were there before, or came while it was copied."
        )


def check_addresses(source: str, target: str) -> None:
    """Raises CannotCopy when the two addresses cannot be opened beside each other."""
    if re.sub("/+$", "", source) == re.sub("/+$", "", target):
        raise CannotCopy("source and target are the same store. Give two addresses.")
    # The engine would make one in any folder.
    if source.startswith("chdb:") and not (Path(source.removeprefix("chdb://")) / "metadata").is_dir():
        raise CannotCopy(f"there is no store at {source}. The embedded one is the folder `runs` in the data directory.")
    if source.startswith("chdb:") and target.startswith("chdb:"):
        raise CannotCopy(
            "a process can open one embedded store. To move one to another directory, stop the server and copy or move the "
            "directory itself."
        )
