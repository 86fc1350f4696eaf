"""`modeltraces demo`: the server with an account that has a month of runs, a sign-in link, and live traffic."""

import secrets
import shlex
import sys
import threading
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from modeltraces.catalog import keys, links, users
from modeltraces.catalog.bootstrap import FirstOwner
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import CatalogError
from modeltraces.demo.hosting import lead_to_upstream, seed_hosting
from modeltraces.demo.seeding import Marker, NotADemo, seed_history
from modeltraces.demo.traffic import LiveTraffic
from modeltraces.demo.upstream import DemoUpstream
from modeltraces.parts import Parts
from modeltraces.serving import CannotStart, say, serve
from modeltraces.settings import DEMO_FILE, Settings
from modeltraces.store.engine import StoreError

OWNER_EMAIL = "demo@example.com"
KEY_NAME = "demo live traffic"
_ACTOR = "demo"


def serve_demo(settings: Settings) -> None:
    """Fill the default account unless an earlier start did, then serve until SIGTERM or SIGINT. Raises CannotStart."""
    stop = threading.Event()
    traffic: list[threading.Thread] = []
    upstreams: list[DemoUpstream] = []

    def start_upstream(port: int) -> str:
        upstreams.append(DemoUpstream(port=port).start())
        return upstreams[0].address

    def ready(parts: Parts, address: str) -> None:
        account_id = parts.first.account.id
        try:
            _seed(parts, account_id)
            lead_to_upstream(parts.catalog, parts.registry, parts.vault, account_id, start_upstream)
            link = sign_in_link(parts.catalog, account_id)
            key = traffic_key(parts.catalog, account_id)
        except (NotADemo, StoreError, CatalogError) as error:
            parts.close()
            raise CannotStart(str(error)) from error
        except KeyboardInterrupt as interrupt:
            parts.close()
            raise CannotStart("stopped before the demo was filled; the next start fills it anew.") from interrupt
        # The demo's owner is the account's; there is no first one to be made.
        parts.first = FirstOwner(parts.first.account, None)
        say(f"Sign in to the demo here, once: {address}{links.path_of(link)}")
        program, place = _program(), shlex.quote(str(settings.data_dir))
        say(f"For another link: {program} users link --email {OWNER_EMAIL} --data-dir {place}")
        say(f'For a key to send runs of your own: {program} keys create --name "my app" --data-dir {place}')
        traffic.append(LiveTraffic(address, key).start(stop))

    try:
        serve(settings, ready=ready)
    finally:
        stop.set()
        for thread in traffic:
            thread.join(timeout=5)
        for upstream in upstreams:
            upstream.stop()


def _program() -> str:
    """As it was called: what `make demo` runs need not be on the reader's path."""
    called = Path(sys.argv[0])
    return shlex.quote(str(called)) if called.name == "modeltraces" else "modeltraces"


def sign_in_link(catalog: Catalog, account_id: str) -> str:
    """A new one-time link's token for the demo's owner, who is made at the first start."""
    user = users.find(catalog, OWNER_EMAIL)
    if user is None:
        # Nobody needs the password: the link signs in. The owner can set one on the page.
        user = users.create(catalog, account_id, OWNER_EMAIL, "owner", actor=_ACTOR, password=secrets.token_urlsafe(24))
    return links.create(catalog, account_id, user.id)


def traffic_key(catalog: Catalog, account_id: str) -> str:
    """A key for the live traffic of this start; those of earlier starts end."""
    for key in keys.list_keys(catalog, account_id):
        if key.name == KEY_NAME:
            keys.revoke_key(catalog, account_id, key.id, actor=_ACTOR)
    return keys.create_key(catalog, account_id, KEY_NAME, actor=_ACTOR, scopes=["ingest"])[0]


def _seed(parts: Parts, account_id: str) -> None:
    console = Console(file=sys.stderr)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("runs"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("Filling the demo", total=None, visible=False)
        seed_history(
            parts.store,
            parts.registry,
            account_id,
            parts.settings.data_dir,
            progress=lambda stored, in_all: bar.update(task, completed=stored, total=in_all, visible=True),
        )
    marker = Marker.read(parts.settings.data_dir / DEMO_FILE)
    assert marker is not None
    seed_hosting(parts.catalog, parts.vault, account_id, end_us=marker.now_us, days=marker.days)
