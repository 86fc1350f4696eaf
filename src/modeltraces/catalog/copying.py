"""Moving a catalog to another database: every row, with its id, in one transaction, compared with its origin before it is kept."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    MappingResult,
    Text,
    bindparam,
    cast,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy import Table as SqlTable

from modeltraces.catalog.connecting import parse
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import CatalogError
from modeltraces.catalog.in_use import CatalogInUse, without_servers
from modeltraces.catalog.tables import Table

_AT_ONCE: Final = 1_000


class CannotCopy(CatalogError):
    """Nothing was copied; the text says why and what to do."""


def check_addresses(source: str, target: str) -> None:
    """Before either is opened, which would make a missing file. Raises CannotCopy, CatalogUnavailable."""
    there, here = parse(source), parse(target)
    if there == here:
        raise CannotCopy("--from and --to are the same catalog.")
    if there.get_backend_name() == "sqlite" and not Path(there.database or "").is_file():
        raise CannotCopy(f"There is no catalog at {there.database}.")


def copy(source: Catalog, target: Catalog, *, while_running: bool = False) -> dict[str, int]:
    """All rows of `source` into `target`, which must be empty; how many of each table.

    The servers of both must have stopped, unless `while_running`. Raises CannotCopy, CatalogUnavailable.
    """
    source.check()
    if while_running:
        return _copy(source, target)
    try:
        with without_servers(source.engine):
            return _copy(source, target)
    except CatalogInUse as error:
        raise CannotCopy(
            f"{error} Stop it first, for what changes there afterwards would be missing in the copy; or copy what is there now "
            "with --while-running. Nothing was copied."
        ) from None


def _copy(source: Catalog, target: Catalog) -> dict[str, int]:
    target.upgrade()
    with source.snapshot() as there, target.writing() as session:
        here = session.connection()
        if not target.is_sqlite:
            # A server that starts meanwhile makes an account.
            here.execute(text("LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE"))
        _refuse_unless_empty(target, here)
        copied = {table.name: _copy_table(table, there, here) for table in Table.metadata.sorted_tables}
        for table in Table.metadata.sorted_tables:
            _compare(table, there, here)
            if not target.is_sqlite:
                _go_on_numbering(table, here)
    return copied


def _refuse_unless_empty(target: Catalog, here: Connection) -> None:
    for table in Table.metadata.sorted_tables:
        if here.scalar(select(func.count()).select_from(table)):
            raise CannotCopy(
                f"The catalog {target.shown_url} is not empty: its table {table.name} has rows, as after a server used it. "
                "Copy into a new database; nothing was changed."
            )


def _copy_table(table: SqlTable, there: Connection, here: Connection) -> int:
    """Rows that refer to rows of the same table do so when all are there."""
    own = [column.name for column in table.columns if any(key.column.table is table for key in column.foreign_keys)]
    putting = insert(table).values({column.name: _bound(column, here) for column in table.columns})
    copied, later = 0, list[dict[str, Any]]()
    with _rows(table, there) as found:
        for rows in found.partitions(_AT_ONCE):
            values = [dict(row) for row in rows]
            for value in values:
                if own and any(value[name] is not None for name in own):
                    later.append({f"to_{name}": value[name] for name in own} | _key_of(table, value))
                    value.update(dict.fromkeys(own))
            here.execute(putting, values)
            copied += len(values)
    if later:
        same = (column == bindparam(f"key_{column.name}") for column in table.primary_key)
        here.execute(update(table).where(*same).values({name: bindparam(f"to_{name}") for name in own}), later)
    return copied


def _key_of(table: SqlTable, value: dict[str, Any]) -> dict[str, Any]:
    return {f"key_{column.name}": value[column.name] for column in table.primary_key}


@contextmanager
def _rows(table: SqlTable, connection: Connection) -> Iterator[MappingResult]:
    """In the order of their keys, which is the same in both databases. JSON as it is written, so that it stays so."""
    columns: Sequence[ColumnElement[Any]] = [
        cast(column, Text).label(column.name) if isinstance(column.type, JSON) else column for column in table.columns
    ]
    every = select(*columns).order_by(*table.primary_key).execution_options(yield_per=_AT_ONCE)
    with connection.execute(every) as found:
        yield found.mappings()


def _bound(column: Any, here: Connection) -> Any:
    if not isinstance(column.type, JSON):
        return bindparam(column.name, type_=column.type)
    written = bindparam(column.name, type_=Text())
    return written if here.dialect.name == "sqlite" else cast(written, JSON)


def _compare(table: SqlTable, there: Connection, here: Connection) -> None:
    with _rows(table, there) as rows, _rows(table, here) as copies:
        for row, copied in zip_longest(rows, copies):
            if row != copied:
                raise CannotCopy(
                    f"A row of {table.name} is not there as it was. Nothing was copied; report this as an error of ours."
                )


def _go_on_numbering(table: SqlTable, here: Connection) -> None:
    column = table.autoincrement_column
    if column is not None:
        sequence = func.pg_get_serial_sequence(table.name, column.name)
        last = select(func.max(column)).scalar_subquery()
        here.execute(select(func.setval(sequence, last)).where(last.is_not(None)))
