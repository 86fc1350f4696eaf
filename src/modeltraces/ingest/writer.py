"""The one way into the store: group commit.

Senders hand over what they decoded and wait; one thread stores everything that waits as one commit and answers them
all. What `submit` promises when its future resolves: the runs are on disk (fsynced) and in the very next answer.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from prometheus_client import Counter, Gauge, Histogram

from modeltraces.catalog.errors import CatalogUnavailable
from modeltraces.catalog.matching.rules import RuleSet, apply, server_address, unmatch
from modeltraces.catalog.models import SeenModel
from modeltraces.ingest.doubtful import Doubtful
from modeltraces.ingest.linking import Linker
from modeltraces.ingest.links import LinkIndex
from modeltraces.ingest.others import Others
from modeltraces.ingest.recordings import Limits
from modeltraces.ingest.seen_models import seen_models
from modeltraces.run import ModelKind, Run, now_us
from modeltraces.seldom import Seldom
from modeltraces.store.contents import ContentPart, RejectionRow, insert_contents, insert_rejections
from modeltraces.store.coverage import checkpoint, forget_hours
from modeltraces.store.engine import Store, StoreError, StoreUnavailable
from modeltraces.store.rows import insert_runs, remove_twins
from modeltraces.store.summaries import SETTLED_SECONDS

log = structlog.get_logger(__name__)

RUNS_STORED = Counter("modeltraces_runs_stored", "Runs stored, by signal (traces, logs, runs, gateway).", ["signal"])
REJECTED = Counter("modeltraces_rejected", "Recordings refused as malformed, by signal.", ["signal"])
QUEUED_BYTES = Gauge("modeltraces_ingest_queue_bytes", "Bytes of decoded runs waiting to be stored.")
_LOOK_SECONDS = 1.0
"""Between looks at what other processes wrote, when there is nothing to store."""
_failed_looks = Seldom(60)
COMMIT_SECONDS = Histogram("modeltraces_commit_seconds", "Seconds of one commit to the store.")


class QueueFull(Exception):
    """More waits to be stored than the memory set aside for it; send again later."""


class StoreRefused(StoreUnavailable):
    """The store answers, and refuses this batch by itself. `__cause__` says why: for what it holds, or for a moment."""


def _refused(error: Exception) -> StoreRefused:
    refused = StoreRefused("the store refused the write; its log says why")
    refused.__cause__ = error
    return refused


class ModelRegistry(Protocol):
    def ensure(self, account_id: str, seen: dict[str, SeenModel]) -> None: ...


@dataclass(slots=True)
class Batch:
    """What one request brought."""

    account_id: str
    signal: str
    """`traces`, `logs` or `runs`: where it came in."""
    runs: list[Run] = field(default_factory=list)
    contents: list[ContentPart] = field(default_factory=list)
    rejections: list[RejectionRow] = field(default_factory=list)
    rejected: int = 0
    """How many were refused; `rejections` holds those that are kept for the page."""
    given_ids: frozenset[str] = frozenset()
    """Request IDs that the sender chose."""
    key_name: str = ""
    """The key that it came in with."""
    kinds: dict[str, ModelKind] = field(default_factory=dict)
    """Model → the kind that the sender says it is of."""
    size: int = 0
    """Bytes it occupies, about: the request's decompressed size."""


@dataclass(slots=True)
class Writer:
    store: Store
    registry: ModelRegistry
    queue_bytes: int = 256 << 20
    commit_wait_seconds: float = 0.02
    max_commit_runs: int = 20_000
    max_commit_bytes: int = 64 << 20
    link_window_seconds: float = 1800
    limits: Limits = field(default_factory=Limits)
    name: str = ""
    """What it writes under, where several processes write to one store; '' where it is the only one."""
    rules: Callable[[str], RuleSet] | None = None
    """The account's rules of which model, deployment or connection a run belongs to."""
    on_commit: list[Callable[[set[str]], None]] = field(default_factory=list)
    """Called from the writer's thread with the accounts that have new rows."""
    _queue: "deque[tuple[Batch, Future[None]]]" = field(default_factory=deque)
    _company: int = 1
    """How many batches the last commit had, and came while it lasted: when as many are there again, nobody is waited for. A
    sender that is alone waits for none; those that send at the same time are stored together."""
    _waiting: int = 0
    _reserved: int = 0
    _closing: bool = False
    _wake: threading.Condition = field(default_factory=threading.Condition)
    _thread: threading.Thread | None = None
    _linker: Linker | None = None
    _others: Others | None = None
    _last_received_us: int = 0
    _doubtful: Doubtful = field(init=False)

    def __post_init__(self) -> None:
        self._doubtful = Doubtful(self.store)

    def start(self) -> None:
        index = LinkIndex(self.link_window_seconds)
        self._linker = Linker(self.store, index, self.limits)
        # What comes is newer than what is summed up, also when the clock was set back meanwhile.
        self._last_received_us = checkpoint(self.store).as_of_us
        self._others = Others(self.store, index, self.name)
        self._others.begin(now_us())
        self._linker.recall(now_us() - int(self.link_window_seconds * 1e6))
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Store what was accepted, then end."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join()

    def reserve(self, size: int) -> None:
        """Set memory aside for a request that is being read. Raises QueueFull."""
        with self._wake:
            if self._waiting + self._reserved + size > self.queue_bytes:
                raise QueueFull
            self._reserved += size
            QUEUED_BYTES.set(self._waiting + self._reserved)

    def release(self, size: int) -> None:
        with self._wake:
            self._reserved -= size
            QUEUED_BYTES.set(self._waiting + self._reserved)

    def submit(self, batch: Batch) -> "Future[None]":
        """Hand over a batch whose memory was reserved. The future raises StoreUnavailable when it could not be stored."""
        future: Future[None] = Future()
        if not batch.runs and not batch.contents and not batch.rejections:
            future.set_result(None)
            return future
        with self._wake:
            if self._closing:
                future.set_exception(StoreUnavailable("the server is stopping; send again"))
                return future
            self._queue.append((batch, future))
            self._waiting += batch.size
            self._wake.notify_all()
        return future

    def _work(self) -> None:
        while True:
            with self._wake:
                if not self._queue and not self._closing:
                    self._wake.wait(_LOOK_SECONDS if self.name else None)
                if not self._queue and self._closing:
                    return
                if self._queue and not self._closing:
                    self._wake.wait_for(self._enough, self.commit_wait_seconds)
                taken = self._take() if self._queue else []
            if not taken:
                self._look_around()
                continue
            self._commit_all(taken)
            with self._wake:
                self._company = len(taken) + len(self._queue)
                self._waiting -= sum(batch.size for batch, _ in taken)
                QUEUED_BYTES.set(self._waiting + self._reserved)

    def _enough(self) -> bool:
        return (
            self._closing
            or len(self._queue) >= self._company
            or sum(len(batch.runs) for batch, _ in self._queue) >= self.max_commit_runs
            or self._waiting >= self.max_commit_bytes
        )

    def _take(self) -> "list[tuple[Batch, Future[None]]]":
        """The next commit: at least one batch, and as many as fit. The queue's lock is held."""
        taken = [self._queue.popleft()]
        runs, size = len(taken[0][0].runs), taken[0][0].size
        while self._queue:
            batch = self._queue[0][0]
            runs, size = runs + len(batch.runs), size + batch.size
            if runs > self.max_commit_runs or size > self.max_commit_bytes:
                break
            taken.append(self._queue.popleft())
        for _, future in taken:
            # From here on nobody can cancel it: setting the result of a cancelled one would end this thread.
            future.set_running_or_notify_cancel()
        return taken

    def _commit_all(self, taken: "list[tuple[Batch, Future[None]]]") -> None:
        try:
            self._commit([batch for batch, _ in taken])
        except Exception as error:
            known = isinstance(error, StoreUnavailable | CatalogUnavailable)
            if len(taken) > 1 and not known:
                # One batch that the store refuses must not take its company down with it.
                for one in taken:
                    self._commit_all([one])
                return
            log.error(
                "commit failed", error=str(error), exc_info=not isinstance(error, StoreError | CatalogUnavailable)
            )
            for _, future in taken:
                if not future.cancelled():
                    future.set_exception(error if known else _refused(error))
            return
        for _, future in taken:
            if not future.cancelled():
                future.set_result(None)

    def _commit(self, batches: list[Batch]) -> None:
        assert self._linker is not None
        assert self._others is not None
        began = time.perf_counter()
        self._fold_with_others()
        received = self._last_received_us = max(now_us(), self._last_received_us + 1)
        runs = [run for batch in batches for run in batch.runs]
        for batch in batches:
            for run in batch.runs:
                # A commit that failed may have matched it already: recordings are linked by what they say themselves.
                unmatch(run)
                run.received_on_us = received
                run.key_name = batch.key_name
                run.server_address = server_address(run.attributes)
        new_ids = self._linker.settle_given_ids(
            [run for batch in batches for run in batch.runs if run.request_id in batch.given_ids]
        )
        contents = [part for batch in batches for part in batch.contents]
        if contents:
            insert_contents(self.store, contents, received, self.name)
            self._others.own.remember((), contents)
        rows = self._linker.settle(runs, contents)
        self._insert(rows, received, {(batch.account_id, *item) for batch in batches for item in batch.kinds.items()})
        if self.name:
            self._remove_twins(new_ids)
        COMMIT_SECONDS.observe(time.perf_counter() - began)
        self._afterwards(batches, {row.account_id for row in rows})

    def _insert(self, rows: Sequence[Run], received_us: int, kinds: Iterable[tuple[str, str, ModelKind]] = ()) -> None:
        assert self._others is not None
        if not rows:
            return
        self._match(rows)
        # Unknown models enter the catalog before their runs can be seen.
        for account_id, models in seen_models(rows, kinds).items():
            self.registry.ensure(account_id, models)
        for row in rows:
            row.received_on_us = received_us
        try:
            insert_runs(self.store, rows, self.name)
        except StoreError:
            if self.name:
                self._doubtful.add(rows)
            raise
        if now_us() - received_us > SETTLED_SECONDS * 0.5e6:
            # So late that their hours may have been summed up without them.
            forget_hours(self.store, [(row.account_id, row.executed_on_us) for row in rows], now_us())
        self._others.own.remember(rows, ())

    def _fold_with_others(self) -> None:
        """Take up what other processes wrote, and store what becomes of it."""
        assert self._linker is not None
        assert self._others is not None
        self._doubtful.settle()
        if not self._others.is_due():
            return
        self._others.look(now_us())
        if self._others.pending:
            rows = self._linker.settle_stored(self._others.pending)
            self._last_received_us = max(now_us(), self._last_received_us + 1)
            self._insert(rows, self._last_received_us)
            self._others.pending.clear()
            self._announce({row.account_id for row in rows})
        self._remove_twins(self._others.twins)
        self._others.twins.clear()

    def _remove_twins(self, ids: Mapping[str, Collection[str]]) -> None:
        assert self._linker is not None
        for account_id, request_ids in ids.items():
            self._linker.learn_starts(account_id, remove_twins(self.store, account_id, request_ids))

    def _look_around(self) -> None:
        try:
            self._fold_with_others()
        except Exception as error:
            if _failed_looks.due("look") is not None:
                log.warning("cannot look at what other processes wrote", error=str(error))

    def _match(self, rows: Sequence[Run]) -> None:
        if self.rules is None or not rows:
            return
        rules = {account_id: self.rules(account_id) for account_id in {row.account_id for row in rows}}
        for row in rows:
            apply(rules[row.account_id], row)

    def _afterwards(self, batches: list[Batch], accounts: set[str]) -> None:
        """What follows a commit. Its failure is no failure of the runs: they are stored, and sent again they might
        be stored twice."""
        for batch in batches:
            RUNS_STORED.labels(batch.signal).inc(len(batch.runs))
            REJECTED.labels(batch.signal).inc(batch.rejected)
        try:
            if rejections := [row for batch in batches for row in batch.rejections]:
                insert_rejections(self.store, rejections)
            self._announce(accounts)
        except Exception as error:
            log.error("the runs are stored, but not what was refused beside them", error=str(error))

    def _announce(self, accounts: set[str]) -> None:
        for listener in self.on_commit:
            listener(accounts)
