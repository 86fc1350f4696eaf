"""Whether there is an installation where the settings point: a command must not make another one that no server knows."""

import socket
from pathlib import Path
from urllib.parse import urlsplit

import orjson
from sqlalchemy import inspect, make_url

from modeltraces.catalog.db import Catalog
from modeltraces.settings import ADDRESS_FILE, DEMO_DATA_DIR, DEMO_FILE, Settings


class NoInstallation(Exception):
    """No server ever ran there; the text is one line that says how to name the right place."""


def existing_catalog(settings: Settings) -> Catalog:
    """The catalog of an installation, its schema up to date. The caller closes it.

    Raises NoInstallation, and CatalogUnavailable for a database that cannot be used.
    """
    _look_for_file(settings)
    catalog = Catalog(settings.catalog_url)
    try:
        if not catalog.is_sqlite:
            with catalog.session() as session:
                if not inspect(session.connection()).has_table("alembic_version"):
                    raise NoInstallation(
                        f"There is no installation in {catalog.shown_url}: no server ever used it. Name the server's own "
                        "with MODELTRACES_CATALOG_URL; `modeltraces serve` makes a new one."
                    )
        catalog.upgrade()
    except BaseException:
        catalog.close()
        raise
    return catalog


def running_address(settings: Settings) -> str:
    """Where the server of this directory is; '' when none says so, or when nobody answers there any more."""
    try:
        address = str(orjson.loads((settings.data_dir / ADDRESS_FILE).read_bytes())["address"])
        at = urlsplit(address)
        # One that was killed leaves its file behind.
        with socket.create_connection((at.hostname or "", at.port or 80), timeout=1):
            return address
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _look_for_file(settings: Settings) -> None:
    # What is no SQLite address is the catalog's to judge.
    scheme, _, _ = settings.catalog_url.partition("://")
    if not scheme.startswith("sqlite"):
        return
    path = Path(make_url(settings.catalog_url).database or "")
    try:
        if path.stat().st_size > 0:
            return
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError:
        # It is there, or may be: the catalog says what is wrong with it.
        return
    inside = path.parent == settings.data_dir.absolute()
    place = settings.data_dir.absolute() if inside else path
    names = "--data-dir or MODELTRACES_DATA_DIR" if inside else "MODELTRACES_CATALOG_URL"
    demo = (
        f"; the demo's is here, too: --data-dir {DEMO_DATA_DIR}"
        if "data_dir" not in settings.model_fields_set and (DEMO_DATA_DIR / DEMO_FILE).exists()
        else ""
    )
    raise NoInstallation(
        f"There is no installation in {place}: no server ever ran there. Name the server's own with {names}{demo}. "
        "`modeltraces serve` makes a new one."
    )
