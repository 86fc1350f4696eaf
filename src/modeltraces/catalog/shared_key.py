"""One secret key for all processes over one database: what one locks or signs, the others must be able to read.

The database holds a digest of it, which the first process puts there.
"""

import hashlib
from typing import Final

import structlog

from modeltraces.catalog import agreements
from modeltraces.catalog.agreements import agreed
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import CatalogUnavailable

log = structlog.get_logger(__name__)

_NAME: Final = "secret_key"


def hold_to_one(catalog: Catalog, secret: bytes) -> None:
    """Raises CatalogUnavailable when processes before this one had another key, and share it (PostgreSQL).

    A key in one directory with its catalog (SQLite) can only have been lost, and a new one is no mistake.
    """
    mine = hashlib.sha256(b"modeltraces secret key\0" + secret).hexdigest()
    with catalog.writing() as session:
        row = agreed(catalog, session, _NAME, mine)
        if row.value == mine:
            return
        if not catalog.is_sqlite:
            raise CatalogUnavailable(
                f"The catalog {catalog.shown_url} is used with another secret key. Give every process the same "
                "MODELTRACES_SECRET_KEY, or MODELTRACES_SECRET_KEY_FILE. If that key is lost: modeltraces catalog forget-key."
            )
        log.warning("the secret key is another one than before: stored credentials must be entered again")
        row.value = mine


def forget(catalog: Catalog) -> None:
    """Let the next process bring another key."""
    agreements.forget(catalog, _NAME)
