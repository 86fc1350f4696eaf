"""A selection of runs as a file, from the command line.

The embedded engine belongs to one process. While a server runs on the data directory, the export is asked of it, with
a key made for this one command; otherwise the store is opened here.
"""

import http.client
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import orjson
from rich.console import Console
from rich.progress import DownloadColumn, Progress, SpinnerColumn, TransferSpeedColumn

from modeltraces.api.run_json import ModelFacts
from modeltraces.catalog import accounts, keys
from modeltraces.catalog.accounts import Account
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import CatalogError
from modeltraces.catalog.models import ModelRegistry
from modeltraces.installation import NoInstallation, existing_catalog
from modeltraces.query.export import FORMATS
from modeltraces.query.export import export as export_runs
from modeltraces.query.selection import Selection, SelectionError, parse_selection
from modeltraces.run import now_us
from modeltraces.settings import ADDRESS_FILE, Settings
from modeltraces.store.engine import DirectoryInUse, StoreError, open_store
from modeltraces.store.migrate import migrate

_KEY_US = 86_400_000_000
_PIECE = 1 << 20
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Past any proxy of the environment: the server is on this machine, and the key is nobody else's."""


class CannotExport(Exception):
    """Nothing was exported; the text is one line that says why."""


def export_to(
    output: Path,
    settings: Settings,
    account: str,
    pairs: list[tuple[str, str]],
    *,
    format: str,
    tz: str | None = None,
    raw: bool = False,
) -> None:
    """Write the runs that query parameters (`pairs`) select to a file, or to standard output for `-`.

    The file appears when it is whole. Raises CannotExport with one line that says why.
    """
    zone = _zone(tz)
    if format not in FORMATS:
        raise CannotExport(f"--format: must be one of {', '.join(FORMATS)}")
    try:
        catalog = existing_catalog(settings)
        found = accounts.find(catalog, account)
        if found is None:
            raise CannotExport(f"--account: there is no account {account!r}")
        selection = parse_selection(pairs, account_id=found.id, now_us=now_us())
        with _target(output) as file:
            try:
                _write(_from_store(settings, catalog, selection, format, zone, raw), file)
            except DirectoryInUse:
                options = [("format", format), *([("tz", tz)] if tz else []), *([("raw", "1")] if raw else [])]
                _write(_from_server(settings, catalog, found, [*pairs, *options]), file)
    except SelectionError as error:
        where = f" (at position {error.position})" if error.position is not None else ""
        raise CannotExport(f"--{error.parameter}: {error.message}{where}") from error
    except (CatalogError, NoInstallation, StoreError, OSError) as error:
        raise CannotExport(str(error)) from error


def _from_store(
    settings: Settings, catalog: Catalog, selection: Selection, format: str, zone: ZoneInfo | None, raw: bool
) -> Iterator[bytes]:
    from modeltraces.parts import engine_limits

    store = open_store(settings.store_url, engine_limits(settings), cluster=settings.store_cluster)
    try:
        migrate(store)
        context = ModelFacts.of(ModelRegistry(catalog).list_models(selection.account_id, archived=True)).context
        with export_runs(store, selection, context, format=format, zone=zone, raw=raw) as pieces:
            yield from pieces
    finally:
        store.close()


def _from_server(
    settings: Settings, catalog: Catalog, account: Account, pairs: list[tuple[str, str]]
) -> Iterator[bytes]:
    try:
        address = orjson.loads((settings.data_dir / ADDRESS_FILE).read_bytes())["address"]
    except (OSError, ValueError, KeyError) as error:
        raise CannotExport(
            "another process works on the data directory and says no address; stop it, and try again"
        ) from error
    plain, key = keys.create_key(
        catalog, account.id, "modeltraces export", actor="cli", scopes=["read"], expires_on_us=now_us() + _KEY_US
    )
    try:
        request = urllib.request.Request(
            f"{address}/api/v1/runs/export?{urlencode(pairs)}", headers={"Authorization": f"Bearer {plain}"}
        )
        with _OPENER.open(request) as answer:
            while piece := answer.read(_PIECE):
                yield piece
    except urllib.error.HTTPError as error:
        raise CannotExport(_detail(error)) from error
    except (http.client.HTTPException, urllib.error.URLError) as error:
        raise CannotExport(f"the server broke the export off: {error}") from error
    finally:
        keys.revoke_key(catalog, account.id, key.id, actor="cli")


def _detail(error: urllib.error.HTTPError) -> str:
    try:
        return str(orjson.loads(error.read())["detail"])
    except (ValueError, KeyError):
        return f"the server answered {error.code}"


def _write(pieces: Iterator[bytes], file: BinaryIO) -> None:
    columns = (SpinnerColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("export", total=None)
        for piece in pieces:
            file.write(piece)
            progress.advance(task, len(piece))


@contextmanager
def _target(output: Path) -> Iterator[BinaryIO]:
    """The file under another name until it is whole."""
    if str(output) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    partial = output.with_name(output.name + ".part")
    try:
        with partial.open("wb") as file:
            yield file
        os.replace(partial, output)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _zone(name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise CannotExport(f"--tz: {name!r} is not an IANA time zone such as Europe/Berlin") from None
