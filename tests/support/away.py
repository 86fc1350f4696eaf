"""A server whose store can be taken away: it is away as long as a file exists.

As a module (`python -m tests.support.away serve …`) it is that server's process.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from modeltraces import parts
from modeltraces.cli import app
from modeltraces.store.engine import ClickHouseStore, EngineLimits, StoreUnavailable, open_store
from tests.support.server import Server

_FLAG: Final = "STORE_IS_AWAY_WHILE_THERE_IS"
_ASKED: Final = frozenset({"query", "command", "insert", "stream", "check_writable"})


class AwayStore:
    """The store, when it is there."""

    def __init__(self, store: ClickHouseStore, flag: Path) -> None:
        self._store, self._flag = store, flag

    def __getattr__(self, name: str) -> Any:
        if name in _ASKED and self._flag.exists():
            raise StoreUnavailable("The store does not answer.")
        return getattr(self._store, name)


class AwayServer(Server):
    @property
    def flag(self) -> Path:
        return self.data_dir.with_name(self.data_dir.name + ".away")

    def take_store_away(self) -> None:
        self.flag.touch()

    def bring_store_back(self) -> None:
        self.flag.unlink(missing_ok=True)


@contextmanager
def serving(directory: Path, **environment: str) -> Iterator[AwayServer]:
    server = AwayServer(directory / "data", module="tests.support.away")
    server.environment = {**environment, _FLAG: str(server.flag)}
    try:
        server.start()
        server.cast()
        yield server
        server.bring_store_back()
        assert server.stop() == 0, server.log
    finally:
        server.close()


def _open(url: str, limits: EngineLimits | None = None, **options: Any) -> Any:
    return AwayStore(open_store(url, limits, **options), Path(os.environ[_FLAG]))


if __name__ == "__main__":
    parts.__dict__["open_store"] = _open
    app()
