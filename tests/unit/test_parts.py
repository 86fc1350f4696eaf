"""A server that cannot be started lets go of what it had opened by then."""

import threading
from pathlib import Path
from typing import Any

import pytest

from modeltraces import parts
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.in_use import without_servers
from modeltraces.parts import build
from modeltraces.settings import Settings
from modeltraces.store.engine import Store, StoreUnavailable


class Closing:
    """The tests' own store, which stays open: the engine takes one directory a process."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.closed = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("late", [False, True], ids=["with the first owner", "with the last part"])
def test_what_was_opened_is_closed_and_no_thread_stays(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    closing = Closing(store)

    def fails(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable("it cannot be")

    monkeypatch.setattr(parts, "open_store", lambda *_, **__: closing)
    monkeypatch.setattr(parts, "migrate", lambda _: [])
    monkeypatch.setattr(parts, "Sweeper" if late else "first_owner", fails)
    before = set(threading.enumerate())
    with pytest.raises(StoreUnavailable, match="it cannot be"):
        build(Settings(data_dir=tmp_path))
    assert closing.closed == 1
    assert [one.name for one in threading.enumerate() if one not in before] == []
    with without_servers(Catalog(f"sqlite:///{tmp_path}/catalog.db").engine):
        pass  # It would raise CatalogInUse.
