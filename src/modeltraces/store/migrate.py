"""Bring the store's tables to this version: the files of `migrations/`, in order, each once."""

import re
from importlib.resources import files

from modeltraces.store.engine import Store

_ENGINES = {"engine": "MergeTree", "replacing_engine": "ReplacingMergeTree"}
_COMMENT = re.compile(r"^\s*--.*$", re.MULTILINE)


def migrations() -> list[tuple[str, str]]:
    """(name, SQL) of every migration, in the order they are applied."""
    folder = files("modeltraces.store").joinpath("migrations")
    return sorted((entry.name, entry.read_text()) for entry in folder.iterdir() if entry.name.endswith(".sql"))


def statements(sql: str) -> list[str]:
    """The statements of one migration, for a single node."""
    for name, engine in _ENGINES.items():
        sql = sql.replace("{" + name + "}", engine)
    return [part.strip() for part in _COMMENT.sub("", sql).split(";") if part.strip()]


def migrate(store: Store) -> list[str]:
    """Apply what is not applied yet; returns the names applied. Every statement is safe to run twice."""
    store.command(
        "CREATE TABLE IF NOT EXISTS migrations (name String, applied_on DateTime64(6, 'UTC') DEFAULT now64(6)) "
        "ENGINE = MergeTree ORDER BY name"
    )
    done = {row[0] for row in store.query("SELECT name FROM migrations")}
    applied = []
    for name, sql in migrations():
        if name in done:
            continue
        for statement in statements(sql):
            store.command(statement)
        store.command("INSERT INTO migrations (name) SELECT {name:String}", {"name": name})
        applied.append(name)
    return applied
