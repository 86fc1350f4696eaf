"""The parts of one server, built from the settings and held together."""

import asyncio
import os
import secrets
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter

from modeltraces.arrivals import Arrivals
from modeltraces.catalog import jobs, shared_key, shared_store
from modeltraces.catalog.bootstrap import FirstOwner, first_owner
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.key_authenticator import KeyAuthenticator
from modeltraces.catalog.matching.book import RuleBook
from modeltraces.catalog.matching.job import Rematcher
from modeltraces.catalog.models import ModelRegistry
from modeltraces.catalog.retention import sweeps
from modeltraces.catalog.retention.policy import Days
from modeltraces.catalog.retention.sweeper import Sweeper
from modeltraces.catalog.sessions import Sessions
from modeltraces.catalog.signin import SignIn
from modeltraces.catalog.vault import Vault
from modeltraces.gateway.journal import Journal
from modeltraces.gateway.limits import KeyLimiter, Limiter
from modeltraces.gateway.recorder import Recorder
from modeltraces.gateway.set_aside import remove_old
from modeltraces.gateway.shares import SharedLimiter
from modeltraces.ingest.decoders import Decoders
from modeltraces.ingest.recordings import Limits
from modeltraces.ingest.redaction import redactor
from modeltraces.ingest.writer import Writer
from modeltraces.secret_key import SecretKeyUnavailable, secret_key
from modeltraces.settings import Settings
from modeltraces.store.address import Embedded, parse_address
from modeltraces.store.directory import identity
from modeltraces.store.engine import (
    ClickHouseStore,
    EngineLimits,
    Store,
    StoreUnavailable,
    make_private,
    open_store,
)
from modeltraces.store.migrate import migrate
from modeltraces.store.summarizing import Summarizer

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class Commits:
    """Tells the live views of this process that an account has new runs."""

    stopping: bool = False
    _waiting: dict[str, list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = field(default_factory=dict)

    def stop(self) -> None:
        """End the live views: the server waits for its open connections before it stops."""
        self.stopping = True
        self.announce(set(self._waiting))

    def announce(self, accounts: set[str]) -> None:
        """Called from the writer's thread."""
        for account in accounts:
            for loop, event in tuple(self._waiting.get(account, ())):
                if not loop.is_closed():
                    loop.call_soon_threadsafe(event.set)

    def subscribe(self, account_id: str) -> asyncio.Event:
        event = asyncio.Event()
        self._waiting.setdefault(account_id, []).append((asyncio.get_running_loop(), event))
        return event

    def unsubscribe(self, account_id: str, event: asyncio.Event) -> None:
        kept = [entry for entry in self._waiting.get(account_id, ()) if entry[1] is not event]
        if kept:
            self._waiting[account_id] = kept
        else:
            self._waiting.pop(account_id, None)


@dataclass(slots=True)
class Workers:
    """Threads for what blocks, apart by purpose: a page never waits behind an export."""

    queries: CapacityLimiter
    exports: CapacityLimiter
    catalog: CapacityLimiter
    _looks: CapacityLimiter = field(init=False)

    def __post_init__(self) -> None:
        self._looks = CapacityLimiter(max(1, int(self.queries.total_tokens) // 4))

    async def query(self, ask: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await anyio.to_thread.run_sync(partial(ask, *args, **kwargs), limiter=self.queries)

    async def look(self, ask: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """A query of a live view, of which each commit may ask hundreds at once: it takes a quarter of the threads."""
        async with self._looks:
            return await self.query(ask, *args, **kwargs)

    async def look_up(self, ask: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Anything asked of the catalog."""
        return await anyio.to_thread.run_sync(partial(ask, *args, **kwargs), limiter=self.catalog)


@dataclass(slots=True)
class Parts:
    settings: Settings
    store: Store
    catalog: Catalog
    keys: KeyAuthenticator
    sessions: Sessions
    sign_in: SignIn
    registry: ModelRegistry
    rules: RuleBook
    rematcher: Rematcher
    sweeper: Sweeper
    summarizer: Summarizer
    writer: Writer
    recorder: Recorder
    limiter: Limiter
    commits: Commits
    arrivals: Arrivals
    workers: Workers
    decoders: Decoders
    limits: Limits
    secret: bytes
    vault: Vault
    first: FirstOwner
    opened: ExitStack
    """What is to be let go of, the last first."""

    def close(self) -> None:
        """Store what was accepted, then let go of everything."""
        self.opened.close()


def engine_limits(settings: Settings) -> EngineLimits:
    return EngineLimits(
        query_timeout_seconds=settings.query_timeout_seconds,
        query_memory_bytes=settings.query_memory_megabytes << 20,
        insert_timeout_seconds=settings.store_insert_seconds,
        connect_timeout_seconds=settings.store_connect_seconds,
        engine_memory_bytes=settings.store_memory_megabytes << 20,
        threads=settings.store_threads,
        # One each for the writer, for summing up, for removing by age and for applying rules to past runs, whose changes take as
        # long as they take; one to spare for the health check.
        clients=settings.query_concurrency + settings.export_concurrency + 5,
    )


def recording_limits(settings: Settings) -> Limits:
    return Limits(
        max_part_bytes=settings.max_part_kilobytes << 10,
        max_media_bytes=settings.max_media_kilobytes << 10,
        max_payload_bytes=settings.max_payload_kilobytes << 10,
        max_attributes=settings.max_attributes,
        record_content=settings.record_content,
        redact=redactor(settings.redact_patterns),
    )


def build(settings: Settings) -> Parts:
    """Open everything. Raises StoreUnavailable, CatalogUnavailable or catalog Invalid, each with one line to show."""
    _prepare_data_dir(settings.data_dir)
    try:
        secret = secret_key(settings)
    except SecretKeyUnavailable as error:
        raise StoreUnavailable(str(error)) from error
    store: ClickHouseStore = open_store(settings.store_url, engine_limits(settings), cluster=settings.store_cluster)
    with ExitStack() as opened:
        opened.callback(store.close)
        migrate(store)
        catalog = Catalog(settings.catalog_url, connections=settings.catalog_connections)
        opened.callback(catalog.close)
        catalog.hold()
        catalog.upgrade()
        shared_key.hold_to_one(catalog, secret)
        if not catalog.lies_in(settings.data_dir):
            shared_store.hold_to_one(catalog, _name_of(settings.store_url))
        password = settings.admin_password.get_secret_value() if settings.admin_password else ""
        first = first_owner(catalog, settings.admin_email, password)
        registry = ModelRegistry(catalog)
        rules = RuleBook(catalog, registry)
        if catalog.is_sqlite:
            # This is its only process.
            jobs.let_all_go(catalog)
            sweeps.abandon(catalog)
        keys = KeyAuthenticator(catalog)
        opened.callback(keys.close)
        limiter: Limiter = KeyLimiter(catalog) if catalog.is_sqlite else SharedLimiter(catalog)
        limiter.start()
        opened.callback(limiter.stop)
        commits = Commits()
        writer = Writer(
            store,
            registry,
            queue_bytes=settings.queue_megabytes << 20,
            commit_wait_seconds=settings.commit_wait_ms / 1000,
            max_commit_runs=settings.max_commit_runs,
            name="" if store.embedded else secrets.token_hex(4),
            max_commit_bytes=settings.max_commit_megabytes << 20,
            link_window_seconds=settings.link_window_minutes * 60,
            limits=recording_limits(settings),
            rules=rules.rules,
            on_commit=[commits.announce],
        )
        writer.start()
        opened.callback(writer.stop)
        recorder = Recorder(
            Journal(settings.data_dir / "journal", settings.gateway_journal_megabytes << 20),
            writer,
            recording_limits(settings),
            refuses_when_full=settings.gateway_journal_full == "refuse",
            limiter=limiter,
        )
        recorder.start()
        opened.callback(recorder.stop)
        sweeper = Sweeper(
            catalog,
            store,
            Days(settings.keep_runs_days, settings.keep_payloads_days),
            settings.sweep_hour,
            partial(remove_old, settings.data_dir / "journal"),
        )
        rematcher = Rematcher(catalog, store, rules)
        rematcher.watch()
        opened.callback(rematcher.stop)
        summarizer = Summarizer(store)
        summarizer.start()
        opened.callback(summarizer.stop)
        sweeper.start()
        opened.callback(sweeper.stop)
        return Parts(
            settings=settings,
            store=store,
            catalog=catalog,
            keys=keys,
            sessions=Sessions(catalog, lifetime_hours=settings.session_hours),
            sign_in=SignIn(catalog),
            registry=registry,
            rules=rules,
            rematcher=rematcher,
            sweeper=sweeper,
            summarizer=summarizer,
            writer=writer,
            recorder=recorder,
            limiter=limiter,
            commits=commits,
            arrivals=Arrivals(settings.body_idle_seconds),
            workers=Workers(
                queries=CapacityLimiter(settings.query_concurrency),
                exports=CapacityLimiter(settings.export_concurrency),
                catalog=CapacityLimiter(8),
            ),
            decoders=Decoders(settings.decode_processes),
            limits=recording_limits(settings),
            secret=secret,
            vault=Vault(secret),
            first=first,
            opened=opened.pop_all(),
        )


def _name_of(store_url: str) -> str:
    address = parse_address(store_url)
    if isinstance(address, Embedded):
        return shared_store.embedded(identity(address.path), address.path.absolute())
    return shared_store.ON_A_SERVER


def _prepare_data_dir(path: Path) -> None:
    try:
        make_private(path)
    except OSError as error:
        raise StoreUnavailable(
            f"the data directory {path} cannot be made: {error.strerror}. Choose another with --data-dir."
        ) from error
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise StoreUnavailable(
            f"the data directory {path} cannot be read and written. Choose another with --data-dir, or mend its rights."
        )
