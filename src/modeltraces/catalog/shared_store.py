"""One store for all processes over one database: else each would show the runs that were sent to it alone.

The database holds which it is. Of embedded stores every one is another; processes with a ClickHouse server are believed
to have the same one, for it may have many addresses.
"""

from pathlib import Path
from typing import Final

import structlog

from modeltraces.catalog import agreements
from modeltraces.catalog.agreements import agreed
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import CatalogUnavailable

log = structlog.get_logger(__name__)

ON_A_SERVER: Final = "server"
_NAME: Final = "store"


def embedded(identity: str, path: Path) -> str:
    """The name of an embedded store; the directory is for people, and may change."""
    return f"{identity} {path}"


def hold_to_one(catalog: Catalog, store: str) -> None:
    """Raises CatalogUnavailable when processes before this one had another store than `store`, and share the catalog (PostgreSQL).

    A catalog in a file (SQLite) has one process at a time: it is told in the log.
    """
    with catalog.writing() as session:
        row = agreed(catalog, session, _NAME, store)
        if row.value.partition(" ")[0] != store.partition(" ")[0]:
            line = (
                f"The catalog {catalog.shown_url} is used with the runs {_shown(row.value)}, and this process has others, "
                f"{_shown(store)}. Several processes need a ClickHouse server: give each the same MODELTRACES_STORE_URL. If those "
                "runs were moved here, or are given up: modeltraces catalog forget-store."
            )
            if not catalog.is_sqlite:
                raise CatalogUnavailable(line)
            log.warning(line)
        row.value = store


def forget(catalog: Catalog) -> None:
    """Let the next process bring another store."""
    agreements.forget(catalog, _NAME)


def _shown(store: str) -> str:
    _, _, path = store.partition(" ")
    return f"in {path}" if path else "on a ClickHouse server"
