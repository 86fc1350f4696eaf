"""Catalogs in SQLite that have their tables already: the file is made once a process, and copied.

To make one takes a tenth of a second, and some two thousand tests want one of their own. What makes them is tested in
tests/catalog/test_database.py, and by every server that is started on an empty directory.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from modeltraces.catalog.db import Catalog
from modeltraces.run import now_us


def new_catalog(path: Path, clock: Callable[[], int] = now_us) -> Catalog:
    """With the tables of the newest migration, and no row."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(0o600, exist_ok=False)
    path.write_bytes(_with_tables())
    return Catalog(f"sqlite:///{path}", clock=clock)


@cache
def _with_tables() -> bytes:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "catalog.db"
        made = Catalog(f"sqlite:///{path}")
        made.upgrade()
        made.close()
        assert [one.name for one in path.parent.iterdir()] == [path.name], "all of it is in the one file"
        return path.read_bytes()
