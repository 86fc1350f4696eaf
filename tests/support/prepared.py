"""Catalogs, stores and data directories that have their tables already: made once a run of the tests, and copied.

To make a catalog's takes a tenth of a second of processor, to make the engine's too takes eight; some two thousand tests want
a catalog of their own, and fifty a server. What makes them is tested in tests/catalog/test_database.py, tests/faults/test_start.py
and wherever a server is started on a directory that is there already.
"""

import atexit
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import IO

from modeltraces.catalog.db import Catalog
from modeltraces.run import now_us
from modeltraces.store.engine import EngineLimits, open_store
from modeltraces.store.migrate import migrate
from tests.support.forking import start

_SHARED = "TESTS_PREPARED"


def share() -> None:
    """Have the processes that this one starts copy what the first of them makes."""
    os.environ[_SHARED] = _own_directory()


def new_catalog(path: Path, clock: Callable[[], int] = now_us) -> Catalog:
    """With the tables of the newest migration, and no row."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(0o600, exist_ok=False)
    path.write_bytes(_catalog())
    return Catalog(f"sqlite:///{path}", clock=clock)


def new_directory(path: Path) -> None:
    """Of a server that stopped before anybody used it, but for what it makes at every start when it is missing."""
    shutil.copytree(_directory(), path, symlinks=True)


@cache
def _catalog() -> bytes:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "catalog.db"
        _make_catalog(path)
        return path.read_bytes()


def new_store(path: Path) -> None:
    """The engine's part of such a directory."""
    shutil.copytree(_directory() / "runs", path, symlinks=True)


@cache
def _directory() -> Path:
    place = Path(os.environ.get(_SHARED) or _own_directory())
    data = place / "data"
    with (place / "log").open("ab") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        # Its name says that it is whole.
        if not data.exists():
            _make_directory(place / "half", log)
            (place / "half").rename(data)
    return data


def _own_directory() -> str:
    made = mkdtemp()
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def _make_directory(path: Path, log: IO[bytes]) -> None:
    with open(os.devnull, "rb") as nothing:
        program = start(__name__, [str(path)], os.environ, nothing, log, log)
    try:
        assert program.wait(120) == 0, path.with_name("log").read_text()
    except subprocess.TimeoutExpired:
        program.kill()
        raise


def _make_catalog(path: Path) -> None:
    catalog = Catalog(f"sqlite:///{path}")
    catalog.upgrade()
    catalog.close()
    assert not [*path.parent.glob(f"{path.name}-*")], "all of it is in the one file"


def main(directory: Path) -> None:
    directory.mkdir(0o700)
    # One engine a process.
    store = open_store(f"chdb://{directory}/runs", EngineLimits())
    migrate(store)
    store.close()
    _make_catalog(directory / "catalog.db")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
