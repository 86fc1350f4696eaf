"""A selection as a file: CSV, JSON lines or Parquet; every run of it, whole, in its order, in flat memory.

The engine formats, this passes on its pieces. What fails on the way raises out of the iterator: whoever sends the
pieces must then break the connection off, and not end the file.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from modeltraces.query import export_columns as columns
from modeltraces.query.filters import Bound, FilterContext
from modeltraces.query.order import Ordering
from modeltraces.query.selection import Selection, where
from modeltraces.store.engine import Store, StoreError

_SETTINGS: Final = {
    # The client sets the pace, and a slow one is no fault; one that has gone closes the stream.
    "max_execution_time": 0,
    "max_threads": 2,
    "preferred_block_size_bytes": 4 << 20,
    # An order that is not the table's own is sorted on disk.
    "max_bytes_before_external_sort": 128 << 20,
    "max_bytes_ratio_before_external_sort": 0,
    # Parquet's columns are named as the table's are, and the condition and the order mean the table's.
    "prefer_column_name_to_alias": 1,
    "format_csv_null_representation": "''",
    "output_format_csv_crlf_end_of_line": 1,
    "output_format_json_escape_forward_slashes": 0,
    "output_format_parquet_row_group_size": 20_000,
    "output_format_parquet_row_group_size_bytes": 32 << 20,
    # They are kept in memory until they are 128 MB: 10 M runs could not be written with them. Nothing we know of reads them.
    "output_format_parquet_write_bloom_filter": 0,
    # What the embedded engine writes Parquet to is there already: a pipe.
    "engine_file_truncate_on_insert": 1,
}
_EMBEDDED: Final = {
    # Of what it hands over the embedded engine's count of a query's memory keeps 30 MB a GB: an export broke off after 10 GB.
    # Its count of all queries is right, and bounded (`store_memory_megabytes`).
    "max_memory_usage": 0,
}
_BLOCK_BYTES: Final = 32 << 20
_BLOCK_RUNS: Final = (16, 1024)
"""Runs of one block, least and most. The engine bounds what FINAL gives by rows only, and a run may have megabytes; blocks
of a few small runs each cost time and, where parts overlap, memory too."""


def export(
    store: Store,
    selection: Selection,
    context: FilterContext,
    *,
    format: str,
    zone: ZoneInfo | None = None,
    raw: bool = False,
    mark: str = "",
) -> AbstractContextManager[Iterator[bytes]]:
    """The file's pieces, in order. `format`: one of FORMATS.

    `zone`: of the times in CSV (UTC when None). `raw`: leave CSV cells alone that a spreadsheet would run as formulas.
    `mark`: of `new_mark`; by it, and `Store.end`, another thread breaks off the wait for a piece.
    The iterator raises what the store raises; nothing that broke off looks whole.
    """
    return FORMATS[format](store, _Asked(selection, context, zone or UTC, raw, mark or new_mark()))


def new_mark() -> str:
    return f"export-{secrets.token_hex(8)}"


class _Asked:
    """One export: its SQL."""

    def __init__(self, selection: Selection, context: FilterContext, zone: tzinfo, raw: bool, mark: str) -> None:
        self.zone, self.raw, self.mark, self.context = zone, raw, mark, context
        self._selection = selection
        self.bound = Bound("x")

    def sql(self, store: Store, expressions: str) -> tuple[str, dict[str, object]]:
        """(SELECT of these expressions over the selection in its order, parameters)."""
        condition, params = where(self._selection, self.context)
        ordering = Ordering.of(self._selection, self.context, self.bound)
        rows = self._block_rows(store)
        chosen = {**_SETTINGS, **_block_settings(rows), "log_comment": f"'{self.mark}'"}
        if store.embedded:
            chosen |= _EMBEDDED
        settings = ", ".join(f"{name} = {value}" for name, value in chosen.items())
        sql = f"SELECT {expressions} FROM runs FINAL WHERE {condition} ORDER BY {ordering.by()} SETTINGS {settings}"
        return sql, {**params, **self.bound.params}

    def _block_rows(self, store: Store) -> int:
        # Sizes are columns of their own: no text is read for this. The filter is left out, for it might read some.
        condition, params = where(replace(self._selection, filter=None), self.context)
        ((average,),) = store.query(
            "SELECT avg(length(input) + length(output) + length(request) + length(response)) FROM runs "
            f"WHERE {condition}",
            params,
            surface="export.sizes",
        )
        least, most = _BLOCK_RUNS
        return most if not average or average != average else int(max(least, min(most, _BLOCK_BYTES // average)))


def _block_settings(rows: int) -> dict[str, int]:
    return {
        "max_block_size": rows,
        # What a Parquet file is written from is put together first, and that in memory.
        "min_insert_block_size_rows": rows,
        "min_insert_block_size_bytes": _BLOCK_BYTES,
        "output_format_parquet_batch_size": rows,
        "output_format_parquet_parallel_encoding": int(rows == _BLOCK_RUNS[1]),
    }


@contextmanager
def _csv(store: Store, asked: _Asked) -> Iterator[Iterator[bytes]]:
    sql, params = asked.sql(store, columns.csv(asked.zone, asked.raw, asked.context, asked.bound))
    with store.stream(sql, params, format="CSV") as pieces:
        yield _after(f"{columns.CSV_HEADER}\r\n".encode(), pieces)


@contextmanager
def _jsonl(store: Store, asked: _Asked) -> Iterator[Iterator[bytes]]:
    sql, params = asked.sql(store, columns.json_line(asked.context, asked.bound))
    # One text a row, without any escaping of its own: its length, its bytes.
    with store.stream(sql, params, format="RowBinary") as pieces:
        yield _lines(pieces)


@contextmanager
def _parquet(store: Store, asked: _Asked) -> Iterator[Iterator[bytes]]:
    sql, params = asked.sql(store, columns.parquet(asked.context, asked.bound))
    with store.stream(sql, params, format="Parquet", mark=asked.mark) as pieces:
        yield pieces


FORMATS: Final[dict[str, Callable[[Store, _Asked], AbstractContextManager[Iterator[bytes]]]]] = {
    "csv": _csv,
    "jsonl": _jsonl,
    "parquet": _parquet,
}


def _after(first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from pieces


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Texts of RowBinary (a varint of the length, then the bytes), each as a line."""
    rest = b""
    for piece in pieces:
        rest = rest + piece if rest else piece
        lines, start = [], 0
        while (found := _text_at(rest, start)) is not None:
            lines.append(rest[found[0] : found[1]])
            start = found[1]
        if lines:
            lines.append(b"")
            yield b"\n".join(lines)
        rest = rest[start:]
    if rest:
        raise StoreError("the store's answer broke off in the middle of a run")


def _text_at(data: bytes, offset: int) -> tuple[int, int] | None:
    """(start, end) of the text whose length begins at the offset, or None when it is not all there yet."""
    length = shift = 0
    while offset < len(data):
        byte = data[offset]
        offset += 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (offset, offset + length) if offset + length <= len(data) else None
        shift += 7
    return None
