"""Opening the catalog's database: what its address may be, and how each connection of the pool is set up.

SQLite is a file of ours alone. PostgreSQL is somebody's server, over a network: a connection that is lost is made anew,
and nothing waits for another process for ever.
"""

import os
import sqlite3
import time
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from modeltraces.catalog.errors import CatalogUnavailable

BUSY_TIMEOUT_MS = 10_000
"""How long a writer waits for another process's transaction. Ours take milliseconds; a migration may take seconds."""
CONNECTIONS: Final = 20
POOL_SECONDS: Final = 10.0
"""How long a request waits for a connection of the pool before it is told that there is none."""
WRITING: Final = "modeltraces_writing"
"""The execution option of the engine that `Catalog.writing` uses."""

_POSTGRESQL: Final = "postgresql+psycopg"
_NETWORK: Final = {
    "connect_timeout": "10",
    # A server that vanished without a word, as in a failover, is noticed within half a minute instead of two hours.
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
    "application_name": "modeltraces",
}
"""What libpq is told, unless the address says otherwise."""


def parse(address: str) -> URL:
    """The address of a catalog. Raises CatalogUnavailable with what may be used; never with the password."""
    try:
        # As Heroku and others spell it.
        url = make_url(
            address.replace("postgres://", "postgresql://", 1) if address.startswith("postgres:") else address
        )
    except (ArgumentError, ValueError):
        raise CatalogUnavailable(
            "The catalog's address cannot be read. Use sqlite:///path/catalog.db or postgresql://user:password@host/db."
        ) from None
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise CatalogUnavailable(
            f"The catalog cannot be kept in {url.get_backend_name()!r}. Use sqlite:///path or postgresql://…"
        )
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise CatalogUnavailable("The catalog needs a file: sqlite:///path/catalog.db.")
    if url.get_backend_name() == "postgresql":
        if url.drivername not in ("postgresql", _POSTGRESQL):
            raise CatalogUnavailable(
                f"The catalog cannot be reached through {url.get_driver_name()!r}. Use postgresql://…, or sqlite:///path."
            )
        url = url.set(drivername=_POSTGRESQL)
    return url


def open_engine(url: URL, connections: int) -> Engine:
    """An engine over `url` that holds at most so many connections. Raises CatalogUnavailable; connects to nothing."""
    kept = min(10, connections)
    pool: dict[str, Any] = {
        "pool_size": kept, "max_overflow": connections - kept, "pool_timeout": POOL_SECONDS, "hide_parameters": True,
    }  # fmt: skip
    if url.get_backend_name() == "sqlite":
        _prepare_file(url)
        engine = create_engine(url, **pool)
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    given = {name: value for name, value in _NETWORK.items() if name not in url.query}
    # The last one used is used again: those over what is needed fall idle, and a pooler in front may close them.
    engine = create_engine(url, pool_pre_ping=True, pool_use_lifo=True, connect_args=given, **pool)
    event.listen(engine, "connect", _configure_postgresql)
    return engine


def snapshots(engine: Engine) -> Engine:
    """The engine for transactions that read: each sees one moment, as it does in SQLite anyway."""
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ")


def _configure_postgresql(connection: Any, _record: object) -> None:
    # Not as startup parameters, which poolers refuse.
    connection.autocommit = True
    connection.execute(f"SET lock_timeout = {BUSY_TIMEOUT_MS}")
    # A process that hangs in mid-transaction holds rows that the others need.
    connection.execute("SET idle_in_transaction_session_timeout = 60000")
    connection.autocommit = False


def _prepare_file(url: URL) -> None:
    """Make the file before SQLite does, readable by its owner alone: it holds password and key digests."""
    path = Path(url.database or "")
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise CatalogUnavailable(
            f"The catalog {path} cannot be opened: {error.strerror}. Check that this user may write there."
        ) from None


def _configure_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # sqlite3 begins nothing by itself: `_begin_sqlite` does
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    _use_wal(cursor)
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _use_wal(cursor: sqlite3.Cursor) -> None:
    # The switch to WAL does not wait for the busy timeout, and several processes may start at once.
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get(WRITING, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
