"""Catalogs and data directories that have their tables already: made once a process, and copied.

To make a catalog's takes a tenth of a second of processor, to make the engine's too takes eight; some two thousand tests want
a catalog of their own, and fifty a server. What makes them is tested in tests/catalog/test_database.py, tests/faults/test_start.py
and wherever a server is started on a directory that is there already.
"""

import atexit
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from modeltraces.catalog.db import Catalog
from modeltraces.run import now_us
from modeltraces.store.engine import EngineLimits, open_store
from modeltraces.store.migrate import migrate
from tests.support.forking import start


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


@cache
def _directory() -> Path:
    made = Path(mkdtemp())
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    with open(os.devnull, "rb") as nothing, (made / "log").open("wb") as log:
        program = start(__name__, [str(made / "data")], os.environ, nothing, log, log)
    try:
        assert program.wait(60) == 0, (made / "log").read_text()
    except subprocess.TimeoutExpired:
        program.kill()
        raise
    return made / "data"


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
