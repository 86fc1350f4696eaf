"""The engine that runs live in: ClickHouse, embedded (chDB) or a server, behind one small Protocol.

Both are reached through clickhouse-connect. A client of the embedded engine serialises its calls, and holds its lock
for the whole life of a stream, so clients are pooled: a call takes one, a stream keeps one until it is closed.
Every call gives its bound parameters (`{name:Type}` in the SQL) apart from the SQL; nothing from outside is ever put
into SQL text. All methods block: call them from a thread.
"""

import fcntl
import os
import queue
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from io import RawIOBase
from pathlib import Path
from typing import Any, Protocol, TypeAlias, cast

import clickhouse_connect
from clickhouse_connect.driver import options as driver_options
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError, StreamFailureError

from modeltraces.store.parameters import in_pieces

# The first insert would import pandas (0.7 s, 50 MB) to see whether it was given a data frame. It never is.
vars(driver_options).update(pd=None, pd_time_test=None)

Rows: TypeAlias = Sequence[Sequence[Any]]
Params: TypeAlias = Mapping[str, Any]

_TIMEOUT_EXCEEDED = 159
_TOO_SLOW = 160
_MEMORY_LIMIT_EXCEEDED = 241
_NOT_ENOUGH_SPACE = 243
_LEAST_FREE_BYTES = 4 << 20
"""Less room than this on the disk is none: a commit writes its rows twice before it is done."""


class StoreError(Exception):
    """The store could not do what was asked; the text is for the operator's log."""


class StoreUnavailable(StoreError):
    """The store cannot be reached, opened or written to; the text says what to do."""


class DirectoryInUse(StoreUnavailable):
    """Another process has the embedded engine's directory open."""


class QueryLimitExceeded(StoreError):
    """A query ran into its time or memory limit; the text says which, and what to narrow."""


class Store(Protocol):
    """What the rest of the program may ask of an engine."""

    embedded: bool

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

    def insert_blocks(self, table: str, columns: Sequence[str], blocks: Iterator[bytes]) -> None:
        """Insert what `stream` gave in the format Native; durable when it returns, half-done when it raises."""
        ...

    def stream(self, sql: str, params: Params | None = None, *, format: str) -> AbstractContextManager[Iterator[bytes]]:
        """The result in a ClickHouse format that has neither header nor footer (CSV, JSONEachRow), chunk by chunk."""
        ...

    def check_writable(self) -> None:
        """Raises StoreError when the store cannot be reached or cannot be written to."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """What queries may use; see `settings.py` for each number's reason."""

    query_timeout_seconds: float = 20
    query_memory_bytes: int = 600 << 20
    engine_memory_bytes: int = 1800 << 20
    threads: int = 0
    clients: int = 8


@dataclass(slots=True)
class ClickHouseStore:
    """A pool of clickhouse-connect clients to one engine."""

    url: str
    embedded: bool
    limits: EngineLimits
    _connect_with: Mapping[str, Any]
    _idle: "queue.LifoQueue[Client]" = field(default_factory=queue.LifoQueue)
    _permits: "queue.Queue[None]" = field(default_factory=queue.Queue)
    _lock_file: int | None = None

    def query(self, sql: str, params: Params | None = None, *, surface: str = "") -> Rows:
        tagged = f"/* {surface} */ {sql}" if surface else sql
        with self._client() as client:
            sql, sent = self._sent(tagged, params)
            return client.query(sql, parameters=sent).result_rows

    def command(self, sql: str, params: Params | None = None) -> None:
        with self._client() as client:
            sql, sent = self._sent(sql, params)
            if self.embedded or not sent:
                client.command(sql, parameters=sent)
            else:
                # `command` puts its parameters into the address, whatever their length.
                client.raw_query(sql, parameters=sent)

    def insert(self, table: str, columns: Mapping[str, tuple[str, Sequence[Any]]]) -> None:
        with self._client() as client:
            client.insert(
                table,
                [values for _, values in columns.values()],
                column_names=list(columns),
                column_type_names=[type_name for type_name, _ in columns.values()],
                column_oriented=True,
            )

    def insert_blocks(self, table: str, columns: Sequence[str], blocks: Iterator[bytes]) -> None:
        with self._client() as client:
            client.raw_insert(table, columns, (block for block in blocks), fmt="Native")

    @contextmanager
    def stream(self, sql: str, params: Params | None = None, *, format: str) -> Iterator[Iterator[bytes]]:
        with self._client() as client:
            sql, sent = self._sent(sql, params)
            source = cast(RawIOBase, client.raw_stream(sql, parameters=sent, fmt=format))
            try:
                yield iter(lambda: source.read(1 << 18), b"")
            finally:
                source.close()

    def check_writable(self) -> None:
        self.query("SELECT count() FROM migrations", surface="readyz")
        if self._lock_file is not None:
            try:
                os.pwrite(self._lock_file, b"ready", 0)
                os.fsync(self._lock_file)
                disk = os.fstatvfs(self._lock_file)
            except OSError as error:
                raise StoreUnavailable(f"the data directory cannot be written to: {error.strerror}") from error
            if disk.f_bavail * disk.f_frsize < _LEAST_FREE_BYTES:
                raise StoreUnavailable("the disk is full: free space in the data directory")

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

    @contextmanager
    def _client(self) -> Iterator[Client]:
        self._permits.get()
        try:
            try:
                client = self._idle.get_nowait()
            except queue.Empty:
                client = self._connect()
            try:
                yield client
            finally:
                self._idle.put(client)
        except ClickHouseError as error:
            raise _explained(error) from error
        finally:
            self._permits.put(None)

    def _connect(self) -> Client:
        client = clickhouse_connect.get_client(**self._connect_with)
        settings: dict[str, Any] = {
            "max_execution_time": self.limits.query_timeout_seconds,
            "max_memory_usage": self.limits.query_memory_bytes,
            # The partition is a function of the sort key, so duplicates never lie in different partitions.
            "do_not_merge_across_partitions_select_final": 1,
            # A batch may hold runs of any months (imports).
            "max_partitions_per_insert_block": 0,
            "output_format_json_quote_64bit_integers": 0,
        }
        if self.limits.threads:
            settings["max_threads"] = self.limits.threads
        for name, value in settings.items():
            client.set_client_setting(name, value)
        return client


def open_store(url: str, limits: EngineLimits | None = None) -> ClickHouseStore:
    """Open `chdb:///path` or `clickhouse://user:pw@host:port/db` (`clickhouses://` for TLS).

    Raises StoreUnavailable, with one line that says what to do.
    """
    limits = limits or EngineLimits()
    lock = None
    if url.startswith("chdb:"):
        path = Path(url.removeprefix("chdb://"))
        lock = _lock(path)
        options = {
            "max_server_memory_usage": limits.engine_memory_bytes,
            "mark_cache_size": 64 << 20,
            "primary_index_cache_size": 64 << 20,
            "index_mark_cache_size": 64 << 20,
            "text_index_postings_cache_size": 64 << 20,
            "query_condition_cache_size": 32 << 20,
        }
        connect_with: dict[str, Any] = {"interface": "chdb", "path": str(path), "chdb_options": options}
        embedded = True
    elif url.startswith(("clickhouse://", "clickhouses://", "http://", "https://")):
        dsn = url.replace("clickhouses://", "https://").replace("clickhouse://", "http://")
        # Parameters in the body: proxies take addresses of some kilobytes.
        connect_with = {"dsn": dsn, "autogenerate_session_id": False, "form_encode_query_params": True}
        embedded = False
    else:
        raise StoreUnavailable(
            f"the store's address must begin with chdb:// or clickhouse://; it is {url.split(':')[0]}:…"
        )
    store = ClickHouseStore(url, embedded, limits, connect_with, _lock_file=lock)
    for _ in range(limits.clients):
        store._permits.put(None)
    try:
        store.query("SELECT 1")
    except Exception as error:
        store.close()
        raise StoreUnavailable(f"the store at {_shown(url)} cannot be opened: {_reason(error)}") from error
    return store


def make_private(path: Path) -> None:
    """Make a directory that only this user may enter: prompts stand in it. One that is there is left as it is."""
    if not path.is_dir():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)


def _lock(path: Path) -> int:
    """Hold the data directory's lock, or say who has it: two engines on one directory would destroy it."""
    try:
        make_private(path)
        descriptor = os.open(path / "modeltraces.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreUnavailable(
            f"the data directory {path} cannot be written to: {error.strerror}. Choose another with --data-dir, or mend its rights."
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise DirectoryInUse(
            f"the data directory {path} is in use by another modeltraces process. Stop it, or choose another with --data-dir."
        ) from error
    return descriptor


def _explained(error: ClickHouseError) -> StoreError:
    code = getattr(error, "code", None)
    if code in (_TIMEOUT_EXCEEDED, _TOO_SLOW):
        return QueryLimitExceeded("The query took too long. Choose a shorter period or a narrower filter.")
    if code == _MEMORY_LIMIT_EXCEEDED:
        return QueryLimitExceeded("The query needed too much memory. Choose a shorter period or a narrower filter.")
    if code == _NOT_ENOUGH_SPACE:
        return StoreUnavailable("the disk is full: free space in the data directory")
    if code is None and isinstance(error, OperationalError) and not isinstance(error, StreamFailureError):
        return StoreUnavailable(f"the store does not answer: {_reason(error)}")
    return StoreError(_first_line(error))


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:500]


def _reason(error: BaseException) -> str:
    """The cause at the bottom of a driver's nested message, when it is the network's."""
    found = re.search(r"\[Errno -?\d+\] ([^\"'()]+)", str(error))
    return found[1].strip().lower() if found else _first_line(error)


def _shown(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
