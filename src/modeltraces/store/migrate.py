"""Bring the store's tables to this version: the files of `migrations/`, in order, each once.

Any number of processes may do it at once. Nothing says whose turn it is; so every statement must do no harm when it is
run twice, also at the same time.
"""

import re
import time
from collections.abc import Callable
from importlib.resources import files
from typing import Final

from modeltraces.store.cluster import for_cluster
from modeltraces.store.engine import Store, StoreError, StoreUnavailable
from modeltraces.store.errors import code_of

_ENGINES: Final = {"engine": "MergeTree", "replacing_engine": "ReplacingMergeTree"}
_COMMENT: Final = re.compile(r"^\s*--.*$", re.MULTILINE)
_DONE: Final = (
    "CREATE TABLE IF NOT EXISTS migrations (name String, applied_on DateTime64(6, 'UTC') DEFAULT now64(6)) "
    "ENGINE = MergeTree ORDER BY name"
)
_MEANWHILE: Final = frozenset((57, 15, 44, 517, 524, 529, 723))
"""ClickHouse's codes for what another process has just done, or is doing, to the same table."""
_WAITS: Final = (0.2, 0.5, 1.0, 2.0, 4.0)


def migrations() -> list[tuple[str, str]]:
    """(name, SQL) of every migration, in the order they are applied."""
    folder = files("modeltraces.store").joinpath("migrations")
    return sorted((entry.name, entry.read_text()) for entry in folder.iterdir() if entry.name.endswith(".sql"))


def statements(sql: str, cluster: str = "") -> list[str]:
    """The statements of one migration, for a single server or for a cluster."""
    for name, engine in _ENGINES.items():
        sql = sql.replace("{" + name + "}", engine)
    single = [part.strip() for part in _COMMENT.sub("", sql).split(";") if part.strip()]
    return [one for statement in single for one in for_cluster(statement, cluster)] if cluster else single


def migrate(store: Store) -> list[str]:
    """Apply what is not applied yet; returns the names applied.

    Raises StoreUnavailable when the tables were made for a cluster and are asked for without it, or the other way round.
    """
    _check_kind(store)
    for statement in statements(_DONE, store.cluster):
        _run(store, statement)
    done = {row[0] for row in store.query("SELECT name FROM migrations")}
    applied = []
    for name, sql in migrations():
        if name in done:
            continue
        for statement in statements(sql, store.cluster):
            _run(store, statement)
        store.command("INSERT INTO migrations (name) SELECT {name:String}", {"name": name})
        applied.append(name)
    return applied


def _check_kind(store: Store) -> None:
    if store.embedded:
        return
    found = store.query("SELECT engine FROM system.tables WHERE database = currentDatabase() AND name = 'runs'")
    if found and (found[0][0] == "Distributed") != bool(store.cluster):
        made = "for one server" if store.cluster else "for a cluster"
        raise StoreUnavailable(
            f"the tables of this database were made {made}: set MODELTRACES_STORE_CLUSTER as it was at the first start, or "
            "name another database and bring the runs over with `modeltraces store copy`."
        )


def _run(store: Store, statement: str, sleep: Callable[[float], None] = time.sleep) -> None:
    for wait in _WAITS:
        try:
            store.command(statement)
            return
        except StoreError as error:
            if store.embedded or code_of(error.__cause__ or error) not in _MEANWHILE:
                raise
        sleep(wait)
    store.command(statement)
