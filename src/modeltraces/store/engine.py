"""The engine that runs live in: ClickHouse, embedded (chDB) or a server, behind one small Protocol.

Both are reached through clickhouse-connect. A client of the embedded engine serialises its calls, and holds its lock
for the whole life of a stream, so clients are pooled: a call takes one, a stream keeps one until it is closed.
Every call gives its bound parameters (`{name:Type}` in the SQL) apart from the SQL; nothing from outside is ever put
into SQL text. All methods block: call them from a thread.
"""

import math
import os
import queue
import secrets
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from io import RawIOBase
from typing import Any, Final, Protocol, TypeAlias, TypeVar, cast

import clickhouse_connect
from clickhouse_connect.driver import options as driver_options
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from clickhouse_connect.driver.httpclient import HttpClient
from urllib3 import Timeout
from urllib3.exceptions import HTTPError

from modeltraces.store.address import Embedded, parse_address, shown
from modeltraces.store.cluster import on_cluster
from modeltraces.store.connecting import GRACE_SECONDS, EngineLimits, client_settings, connect_options
from modeltraces.store.directory import check_room, lock, make_private
from modeltraces.store.errors import (
    DirectoryInUse,
    QueryLimitExceeded,
    StoreError,
    StoreUnavailable,
    explained,
    may_pass,
    reason_of,
)
from modeltraces.store.parameters import in_pieces
from modeltraces.store.piping import piped

__all__ = [
    "ClickHouseStore", "DirectoryInUse", "EngineLimits", "QueryLimitExceeded", "Rows", "Store", "StoreError",
    "StoreUnavailable", "make_private", "open_store",
]  # fmt: skip

# The first insert would import pandas (0.7 s, 50 MB) to see whether it was given a data frame. It never is.
vars(driver_options).update(pd=None, pd_time_test=None)

Rows: TypeAlias = Sequence[Sequence[Any]]
Params: TypeAlias = Mapping[str, Any]
T = TypeVar("T")

_SIZE_SECONDS: Final = 10.0
_MOST_FOUND: Final = 200
_MOST_NOTED: Final = 5000
_STREAM_SECONDS: Final = 300.0
_COMMAND_SECONDS: Final = 3600.0
"""Mutations are waited for."""


class Store(Protocol):
    """What the rest of the program may ask of an engine."""

    embedded: bool
    cluster: str
    """The cluster whose shards hold the tables; '' for one server."""
    limits: EngineLimits

    def local(self, table: str) -> str:
        """What stands for a table in ALTER TABLE and DELETE FROM: on a cluster its parts, on every shard."""
        ...

    def query(self, sql: str, params: Params | None = None, *, surface: str = "") -> Rows:
        """The result's rows. `surface` names who asked (`page.metrics`), in the engine's own query log.

        Raises QueryLimitExceeded, StoreUnavailable or StoreError.
        """
        ...

    def command(self, sql: str, params: Params | None = None) -> None:
        """Run a statement that gives no rows."""
        ...

    def insert(self, table: str, columns: Mapping[str, tuple[str, Sequence[Any]]]) -> None:
        """Insert columns (name → ClickHouse type, values) as one block; durable when it returns."""
        ...

    def insert_block(self, table: str, columns: Sequence[str], block: bytes) -> None:
        """Insert what `stream` gave in the format Native; durable when it returns."""
        ...

    def stream(
        self, sql: str, params: Params | None = None, *, format: str, mark: str = ""
    ) -> AbstractContextManager[Iterator[bytes]]:
        """The result, chunk by chunk, in Parquet or a ClickHouse format that has neither header nor footer (CSV, JSONEachRow).

        `mark`: the SQL's setting `log_comment`; Parquet needs one.
        """
        ...

    def end(self, mark: str) -> None:
        """Break the queries off whose `log_comment` this is; one that has not begun yet is not found."""
        ...

    def rows_about(self, table: str) -> int:
        """How many rows a table held some seconds ago at most, those that are replaced counted too."""
        ...

    def unchanged(self, key: Hashable, find: Callable[[], T]) -> T:
        """What `find` finds, remembered until anything is written, and found once for all who ask at the same time; asked anew
        each time where other processes write as well."""
        ...

    def note(self, key: Hashable, value: object) -> None:
        """Keep a guess that may spare reading, for as long as the store is open and others do not take its place."""
        ...

    def noted(self, key: Hashable) -> object:
        """None: nothing was noted, or it is forgotten."""
        ...

    def check_writable(self) -> None:
        """Raises StoreError when the store cannot be reached or cannot be written to."""
        ...

    def close(self) -> None: ...


@dataclass(slots=True)
class ClickHouseStore:
    """A pool of clickhouse-connect clients to one engine."""

    url: str
    embedded: bool
    limits: EngineLimits
    _connect_with: Mapping[str, Any]
    cluster: str = ""
    """The cluster whose shards hold the tables; '' for one server."""
    _idle: "queue.LifoQueue[Client]" = field(repr=False, default_factory=queue.LifoQueue)
    _permits: "queue.Queue[None]" = field(repr=False, default_factory=queue.Queue)
    _lock_file: int | None = None
    _sizes: dict[str, tuple[float, int]] = field(repr=False, default_factory=dict)
    """Table → when its rows were counted, and how many they were."""
    _counting: threading.Lock = field(repr=False, default_factory=threading.Lock)
    _writes: int = 0
    """How many writes began or ended."""
    _found: dict[Hashable, tuple[int, Any]] = field(repr=False, default_factory=dict)
    """What was found, and after how many writes."""
    _finding: dict[Hashable, threading.Lock] = field(repr=False, default_factory=dict)
    _notes: dict[Hashable, object] = field(repr=False, default_factory=dict)

    def local(self, table: str) -> str:
        return on_cluster(table, self.cluster) if self.cluster else table

    def query(self, sql: str, params: Params | None = None, *, surface: str = "") -> Rows:
        tagged, sent = self._sent(f"/* {surface} */ {sql}" if surface else sql, params)

        def ask(client: Client) -> Rows:
            return client.query(tagged, parameters=sent).result_rows

        return self._asked(ask, self.limits.query_timeout_seconds + GRACE_SECONDS, self.limits.read_waits)

    def command(self, sql: str, params: Params | None = None) -> None:
        sql, sent = self._sent(sql, params)

        def run(client: Client) -> None:
            if self.embedded or not sent:
                client.command(sql, parameters=sent)
            else:
                # `command` puts its parameters into the address, whatever their length.
                client.raw_query(sql, parameters=sent)

        # Not again by itself: not all of them are safe to run twice.
        with self._write():
            self._asked(run, _COMMAND_SECONDS, (), writing=True)

    def insert(self, table: str, columns: Mapping[str, tuple[str, Sequence[Any]]]) -> None:
        settings = _named()

        def write(client: Client) -> None:
            data = [values for _, values in columns.values()]
            try:
                client.insert(
                    table,
                    data,
                    column_names=list(columns),
                    column_type_names=[type_name for type_name, _ in columns.values()],
                    column_oriented=True,
                    settings=settings,
                )
            finally:
                # The driver's own note of an insert refers to itself, and held whole payloads until cycles were looked for.
                data.clear()

        with self._write():
            self._asked(write, self.limits.insert_timeout_seconds, self.limits.write_waits, writing=True)

    def insert_block(self, table: str, columns: Sequence[str], block: bytes) -> None:
        settings = _named()

        def write(client: Client) -> None:
            client.raw_insert(table, columns, block, settings=settings, fmt="Native")

        with self._write():
            self._asked(write, _STREAM_SECONDS, self.limits.write_waits, writing=True)

    def stream(
        self, sql: str, params: Params | None = None, *, format: str, mark: str = ""
    ) -> AbstractContextManager[Iterator[bytes]]:
        if not (self.embedded and format == "Parquet"):
            return self._stream(sql, params, format)
        assert mark, "what is piped must be found to be ended"

        def write(path: str) -> None:
            into = {**(params or {}), "piped_to": path}
            with self._client() as client:
                client.command(f"INSERT INTO FUNCTION file({{piped_to:String}}, '{format}') {sql}", parameters=into)

        return piped(write, partial(self.end, mark))

    def end(self, mark: str) -> None:
        self.query("KILL QUERY WHERE Settings['log_comment'] = {mark:String} ASYNC", {"mark": mark}, surface="end")

    @contextmanager
    def _stream(self, sql: str, params: Params | None, format: str) -> Iterator[Iterator[bytes]]:
        sql, sent = self._sent(sql, params)
        with self._client(_STREAM_SECONDS) as client:
            source = cast(RawIOBase, client.raw_stream(sql, parameters=sent, fmt=format))

            def read() -> bytes:
                try:
                    return source.read(1 << 18) or b""
                except HTTPError as error:
                    raise StoreUnavailable("the store's answer broke off") from error

            try:
                yield iter(read, b"")
            finally:
                source.close()

    def rows_about(self, table: str) -> int:
        counted_at, rows = self._sizes.get(table, (-math.inf, 0))
        if time.monotonic() - counted_at > _SIZE_SECONDS:
            ((rows,),) = self.query(f"SELECT count() FROM {table}", surface="size")
            self._sizes[table] = time.monotonic(), rows
        return rows

    def unchanged(self, key: Hashable, find: Callable[[], T]) -> T:
        if not self.embedded:
            return find()
        asked_after = self._writes
        with self._finding.setdefault(key, threading.Lock()):
            known = self._found.get(key)
            # What was begun after this was asked for knows of every write that this does.
            if known is not None and known[0] >= asked_after:
                return cast(T, known[1])
            writes = self._writes
            found = find()
            if len(self._found) >= _MOST_FOUND:
                self._found.clear()
                self._finding.clear()
            self._found[key] = writes, found
            return found

    def note(self, key: Hashable, value: object) -> None:
        with self._counting:
            if len(self._notes) >= _MOST_NOTED:
                self._notes.clear()
            self._notes[key] = value

    def noted(self, key: Hashable) -> object:
        return self._notes.get(key)

    def check_writable(self) -> None:
        self.query("SELECT count() FROM migrations", surface="readyz")
        if self._lock_file is not None:
            check_room(self._lock_file)
        else:
            self.insert("readiness", {"process": ("String", [str(os.getpid())])})

    def close(self) -> None:
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                break
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def _sent(self, sql: str, params: Params | None) -> tuple[str, dict[str, Any]]:
        return (sql, dict(params or {})) if self.embedded else in_pieces(sql, params or {})

    def _asked(
        self, ask: Callable[[Client], T], patience: float, waits: Sequence[float], *, writing: bool = False
    ) -> T:
        """`patience`: seconds that a server may be silent. `waits`: seconds before each further try."""
        for wait in () if self.embedded else waits:
            try:
                with self._client(patience, writing=writing) as client:
                    return ask(client)
            except StoreUnavailable as error:
                if error.__cause__ is None or not may_pass(error.__cause__):
                    raise
            time.sleep(wait)
        with self._client(patience, writing=writing) as client:
            return ask(client)

    @contextmanager
    def _write(self) -> Iterator[None]:
        # Before, for what can be seen before the engine says so, and after, for whoever looked in between.
        with self._counting:
            self._writes += 1
        try:
            yield
        finally:
            with self._counting:
                self._writes += 1

    @contextmanager
    def _client(self, patience: float = _COMMAND_SECONDS, *, writing: bool = False) -> Iterator[Client]:
        self._permits.get()
        try:
            try:
                client = self._idle.get_nowait()
            except queue.Empty:
                client = self._connect()
            if isinstance(client, HttpClient):
                client.timeout = Timeout(connect=self.limits.connect_timeout_seconds, read=patience)
            try:
                yield client
            except BaseException:
                # The embedded engine gives what it had put out before it failed to whoever asks the same client next.
                client.close() if self.embedded else self._idle.put(client)
                raise
            self._idle.put(client)
        except ClickHouseError as error:
            raise explained(error, embedded=self.embedded, writing=writing) from error
        finally:
            self._permits.put(None)

    def _connect(self) -> Client:
        client = clickhouse_connect.get_client(**self._connect_with)
        for name, value in client_settings(self.limits, self.embedded, self.cluster).items():
            client.set_client_setting(name, value)
        return client


def _named() -> dict[str, str]:
    """Of one insert: tried again after a break, the server knows by it what it has already; and what is written again after
    it was deleted is not taken for what was there, as it would be by what it holds."""
    return {"insert_deduplication_token": secrets.token_hex(16)}


def open_store(url: str, limits: EngineLimits | None = None, *, cluster: str = "") -> ClickHouseStore:
    """Open `chdb:///path` or `clickhouse://user:pw@host:port/db` (`clickhouses://` for TLS).

    `cluster`: the cluster of that server whose shards hold the tables.
    Raises StoreUnavailable, with one line that says what to do.
    """
    limits = limits or EngineLimits()
    address = parse_address(url)
    if cluster and isinstance(address, Embedded):
        raise StoreUnavailable("MODELTRACES_STORE_CLUSTER needs a ClickHouse server in MODELTRACES_STORE_URL")
    lock_file = lock(address.path) if isinstance(address, Embedded) else None
    store = ClickHouseStore(
        url, isinstance(address, Embedded), limits, connect_options(address, limits), cluster, _lock_file=lock_file
    )
    for _ in range(limits.clients):
        store._permits.put(None)
    try:
        store.query("SELECT 1")
    except Exception as error:
        store.close()
        said = error if isinstance(error, StoreUnavailable) else reason_of(error)
        raise StoreUnavailable(f"the store at {shown(url)} cannot be opened: {said}") from error
    return store
