"""The catalog's database: SQLite in WAL mode by default, PostgreSQL at scale, through the same SQL.

Transactions are short and of two kinds. `session()` reads a consistent snapshot. `writing()` holds, on SQLite, the
write lock from its start (`BEGIN IMMEDIATE`): a transaction that reads first and then writes would otherwise fail at
once, busy timeout or not, when another process wrote in between. On PostgreSQL rows are locked where it matters.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, func, inspect, select, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from modeltraces.catalog import in_use
from modeltraces.catalog.connecting import CONNECTIONS, WRITING, open_engine, parse, snapshots
from modeltraces.catalog.errors import CatalogUnavailable, Invalid
from modeltraces.catalog.troubles import explained
from modeltraces.run import now_us

HEAD = "0008"
"""The newest migration; a test compares it with the files. Known here so that a start needs no Alembic (60 ms)."""

_UPGRADE_LOCK = 0x6D6F64656C74  # PostgreSQL advisory lock: "modelt"


class Catalog:
    """A database of accounts and models. Thread-safe; one per process.

    `url`: `sqlite:///path` or `postgresql://…`. `clock`: microseconds since the epoch. `connections`: at most so many.
    Raises CatalogUnavailable for an address that cannot be used.
    """

    def __init__(self, url: str, *, clock: Callable[[], int] = now_us, connections: int = CONNECTIONS) -> None:
        self.clock = clock
        self._generations: Counter[str] = Counter()
        self._url = parse(url)
        try:
            self.engine: Engine = open_engine(self._url, connections)
        except ModuleNotFoundError as error:
            raise CatalogUnavailable(
                f"The catalog {self.shown_url} needs the Python package {error.name!r}: "
                "pip install 'modeltraces[postgres]'."
            ) from None
        self._reading_engine = snapshots(self.engine)
        self._writing_engine = self.engine.execution_options(**{WRITING: True})
        self._held: int | None = None

    @property
    def is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    def lies_in(self, directory: Path) -> bool:
        """Whether it is a file there, beside what else is kept, and goes where the directory goes."""
        return self.is_sqlite and Path(self._url.database or "").resolve().parent == directory.resolve()

    @property
    def shown_url(self) -> str:
        """The address without its password, nor what may hold another one."""
        shown = self._url.set(drivername=self._url.get_backend_name(), query={})
        return shown.render_as_string(hide_password=True)

    def upgrade(self) -> None:
        """Bring the schema to the newest migration. Safe to run again, and in many processes at once."""
        with self._explaining():
            with self.engine.connect() as connection:
                if _version(connection) == HEAD:
                    return
            with self._writing_engine.begin() as connection:
                if not self.is_sqlite:
                    # However long another process's migration takes.
                    connection.execute(text("SET LOCAL lock_timeout = 0"))
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
        with self._explaining(), Session(self._reading_engine, expire_on_commit=False, autoflush=False) as session:
            yield session

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """As `session`, for who asks of tables, not of rows."""
        with self._explaining(), self._reading_engine.connect() as connection:
            yield connection

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

    def hold(self) -> None:
        """Let who would copy the database know that a server uses it, until it is closed. Raises CatalogUnavailable."""
        if self.is_sqlite:
            self._held = in_use.hold(Path(self._url.database or ""))

    def close(self) -> None:
        self.engine.dispose()
        if self._held is not None:
            os.close(self._held)
            self._held = None

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
        except DBAPIError as error:
            raise explained(self.shown_url, error) from error


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return version
