"""Whether a server uses a catalog: who copies one must know, for what changes afterwards would be missing in the copy.

Each server holds a shared lock on a file beside the SQLite database, which the system lets go of however it ends. Not on the
database itself: SQLite's own locks end when any descriptor of it is closed. A PostgreSQL server knows who is connected.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, text

from modeltraces.catalog.errors import CatalogError, CatalogUnavailable

_PATIENCE_SECONDS: Final = 2.0
"""PostgreSQL shows connections for a moment after their program has ended."""


class CatalogInUse(CatalogError):
    """A server uses the database."""


def hold(path: Path) -> int:
    """A server's hold on the SQLite database at `path`: a descriptor, to be closed at its end. Raises CatalogUnavailable."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise CatalogUnavailable(
            f"The catalog {path} is being copied by another process. Wait until it has ended."
        ) from None
    except OSError:
        # A file system without locks: a server runs there all the same.
        pass
    return descriptor


@contextmanager
def without_servers(engine: Engine) -> Iterator[None]:
    """No server uses the database, and on SQLite none starts until the block ends. Raises CatalogInUse."""
    if engine.dialect.name != "sqlite":
        _wait_for_others(engine)
        yield
        return
    path = Path(engine.url.database or "")
    descriptor = _open(path)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CatalogInUse(f"A server uses the catalog {path}.") from None
        except OSError as error:
            raise CatalogInUse(f"Whether a server uses the catalog {path} cannot be told: {error.strerror}.") from None
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    lock = path.with_name(path.name + ".lock")
    try:
        return os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise CatalogUnavailable(
            f"{lock} cannot be opened: {error.strerror}. Check that this user may write there."
        ) from None


def _wait_for_others(engine: Engine) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        with engine.connect() as connection:
            others = connection.scalar(
                text(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                    "AND application_name = current_setting('application_name') AND pid <> pg_backend_pid()"
                )
            )
        if not others:
            return
        if time.monotonic() > deadline:
            raise CatalogInUse("A server uses the catalog's database.")
        time.sleep(0.1)
