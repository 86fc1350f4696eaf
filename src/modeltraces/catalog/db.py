"""The catalog's database: SQLite in WAL mode by default, PostgreSQL at scale, through the same SQL.

Transactions are short and of two kinds. `session()` reads a consistent snapshot. `writing()` holds, on SQLite, the
write lock from its start (`BEGIN IMMEDIATE`): a transaction that reads first and then writes would otherwise fail at
once, busy timeout or not, when another process wrote in between. On PostgreSQL rows are locked where it matters.
"""

import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, func, inspect, make_url, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DatabaseError, DataError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from modeltraces.catalog.errors import CatalogUnavailable, Invalid
from modeltraces.run import now_us

HEAD = "0007"
"""The newest migration; a test compares it with the files. Known here so that a start needs no Alembic (60 ms)."""

BUSY_TIMEOUT_MS = 10_000
"""How long a writer waits for another process's transaction. Ours take milliseconds; a migration may take seconds."""

_UPGRADE_LOCK = 0x6D6F64656C74  # PostgreSQL advisory lock: "modelt"


class Catalog:
    """A database of accounts and models. Thread-safe; one per process.

    `url`: `sqlite:///path` or `postgresql://…`. `clock`: microseconds since the epoch.
    Raises CatalogUnavailable for an address that cannot be used.
    """

    def __init__(self, url: str, *, clock: Callable[[], int] = now_us) -> None:
        self.clock = clock
        self._generations: Counter[str] = Counter()
        self._url = _parse(url)
        if self._url.get_backend_name() == "sqlite":
            _prepare_file(self._url)
        try:
            self.engine: Engine = create_engine(
                self._url, pool_size=10, max_overflow=20, pool_pre_ping=not self.is_sqlite, hide_parameters=True
            )
        except ModuleNotFoundError as error:
            raise CatalogUnavailable(
                f"The catalog {self.shown_url} needs the Python package {error.name!r}: pip install 'psycopg[binary]'."
            ) from None
        if self.is_sqlite:
            event.listen(self.engine, "connect", _configure_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        self._writing_engine = self.engine.execution_options(modeltraces_writing=True)

    @property
    def is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    @property
    def shown_url(self) -> str:
        """The address without its password."""
        return self._url.render_as_string(hide_password=True)

    def upgrade(self) -> None:
        """Bring the schema to the newest migration. Safe to run again, and in many processes at once."""
        with self._explaining():
            with self.engine.connect() as connection:
                if _version(connection) == HEAD:
                    return
            with self._writing_engine.begin() as connection:
                if not self.is_sqlite:
                    connection.execute(select(func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
                if _version(connection) != HEAD:
                    self._migrate(connection)

    def _migrate(self, connection: Connection) -> None:
        from alembic import command
        from alembic.config import Config
        from alembic.util import CommandError

        config = Config()
        # The parser of Alembic's configuration reads % as the start of a variable.
        config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise CatalogUnavailable(
                f"The catalog {self.shown_url} was made by another version of modeltraces ({error}). "
                "Run the newest version that ever opened it."
            ) from None

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction that only reads. Whatever was written in it is rolled back."""
        with self._explaining(), Session(self.engine, expire_on_commit=False, autoflush=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction that is committed at the end, or rolled back when anything is raised."""
        with (
            self._explaining(),
            Session(self._writing_engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    def check(self) -> None:
        """Raises CatalogUnavailable unless the database answers and its schema is current."""
        with self.session() as session:
            version = session.scalar(text("SELECT version_num FROM alembic_version"))
        if version != HEAD:
            raise CatalogUnavailable(f"The catalog {self.shown_url} has schema {version}; this version needs {HEAD}.")

    def changed(self, what: str) -> None:
        """Tell this process's caches that `what` (`keys`) changed. Other processes see it when theirs expire."""
        self._generations[what] += 1

    def generation(self, what: str) -> int:
        return self._generations[what]

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise
        except DataError:
            # PostgreSQL's word for NUL in a text, say from an address of ours that somebody made up.
            raise Invalid("A value holds characters that cannot be kept.") from None
        except PoolTimeout:
            raise CatalogUnavailable(f"The catalog {self.shown_url} is overloaded. Try again in a moment.") from None
        except (OperationalError, DatabaseError) as error:
            raise CatalogUnavailable(self._explain(str(error.orig))) from error

    def _explain(self, reason: str) -> str:
        first_line = reason.strip().partition("\n")[0]
        for sign, advice in _ADVICE.items():
            if sign in reason:
                return f"The catalog {self.shown_url} cannot be used: {first_line}. {advice}"
        return f"The catalog {self.shown_url} cannot be used: {first_line}."


_ADVICE = {
    "unable to open": "Check that its directory exists and that this user may write there.",
    "readonly": "Let this user write the file and its directory.",
    "locked": "Another process holds it: end that process, or try again.",
    "full": "Free some disk space.",
    "disk I/O": "Check the disk.",
    "not a database": "The file is something else or damaged: restore it from a backup, or choose another path.",
    "malformed": "The file is damaged: restore it from a backup.",
    "no such table": "Start the server once, which creates the tables.",
    "connection": "Check that PostgreSQL runs and takes this address, user and password.",
}


def _parse(address: str) -> URL:
    try:
        url = make_url(address)
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
    return url


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
    writing = connection.get_execution_options().get("modeltraces_writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return version
