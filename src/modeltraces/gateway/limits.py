"""What a key may call and how much of it, held to before anything goes upstream.

Counted in memory, exactly, by an installation's only process; what it counted before it was started, and what a process that
it replaces still counts, comes from the catalog about once a second. So no restart begins a day anew. Where several
processes serve a key, `shares.py` counts. A key without limits is not counted.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Final, Literal, Protocol

import structlog

from modeltraces.catalog import key_usage
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.key_authenticator import KeyIdentity
from modeltraces.catalog.key_usage import DAY, MINUTE, NOTHING, SPANS, Used, Window, start_of, window_of
from modeltraces.gateway.errors import REFUSED, Refused
from modeltraces.gateway.reading.outcome import Outcome

log = structlog.get_logger(__name__)

_SPAN_OF: Final = {"requests_per_minute": MINUTE, "tokens_per_day": DAY}
WAIT_SECONDS: Final = 1.0
"""That a call may wait for the catalog to say what other processes counted; then what is known must do."""


class Limiter(Protocol):
    def start(self) -> None: ...

    def stop(self) -> None: ...

    async def admit(self, key: KeyIdentity) -> None:
        """Count a call that is about to go upstream. Raises Refused when the key has used up its minute or day."""

    def spend(self, key: KeyIdentity, outcome: Outcome) -> None:
        """Count what an answer took, when it has ended. What the upstream does not tell is 0."""


class KeyLimiter:
    """For an installation's only process. Thread-safe; one per process. `timer`: seconds that never go back."""

    def __init__(
        self, catalog: Catalog, *, every_seconds: float = 1.0, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._catalog = catalog
        self._every = every_seconds
        self._timer = timer
        self._lock = threading.Lock()
        self._syncing = threading.Lock()
        self._known: dict[Window, Used] = {}
        """What the catalog has of the running minute and day."""
        self._unsent: dict[Window, Used] = {}
        self._sending: dict[Window, Used] = {}
        self._tried = float("-inf")
        self._asked = float("-inf")
        self._cleaned = float("-inf")
        self._catching: Future[None] | None = None
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="key-limits")
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._work, name="key-limits", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """What was counted is in the catalog then, if it answers."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self._executor.shutdown(wait=True)
        self._try_to_sync()

    async def admit(self, key: KeyIdentity) -> None:
        """Count a call that is about to go upstream. Raises Refused when the key has used up its minute or day."""
        if not key.limits.counts:
            return
        self._asked = self._timer()
        if self._asked - self._tried > 2 * self._every:
            await self._catch_up()
        self.take(key)

    def take(self, key: KeyIdentity) -> None:
        """As `admit`, by what is known now."""
        now, limits = self._catalog.clock(), key.limits
        with self._lock:
            tokens = self._used(key, DAY, now).tokens
            if limits.tokens_per_day is not None and tokens >= limits.tokens_per_day:
                raise over("tokens_per_day", limits.tokens_per_day, tokens, now)
            requests = self._used(key, MINUTE, now).requests
            if limits.requests_per_minute is not None and requests >= limits.requests_per_minute:
                raise over("requests_per_minute", limits.requests_per_minute, requests, now)
            self._count(key, Used(requests=1), now)

    def spend(self, key: KeyIdentity, outcome: Outcome) -> None:
        """Count what an answer took, when it has ended. What the upstream does not tell is 0."""
        tokens = tokens_of(outcome)
        if tokens and key.limits.counts:
            with self._lock:
                self._count(key, Used(tokens=tokens), self._catalog.clock())

    def sync(self) -> None:
        """Add to the catalog what was counted here, and read what all have. Raises CatalogUnavailable."""
        with self._syncing:
            began = self._tried = self._timer()
            with self._lock:
                self._sending, self._unsent = self._unsent, {}
            try:
                key_usage.add(self._catalog, self._sending)
            except BaseException:
                self._put_back()
                raise
            with self._lock:
                for window, used in self._sending.items():
                    self._known[window] = self._known.get(window, NOTHING) + used
                self._sending = {}
            known = key_usage.current(self._catalog)
            with self._lock:
                self._known = known
            if began - self._cleaned >= MINUTE:
                self._cleaned = began
                key_usage.remove_old(self._catalog)

    def _put_back(self) -> None:
        """What could not be sent waits for the next time; nobody asks for a minute that has gone by."""
        minute = start_of(MINUTE, self._catalog.clock())
        with self._lock:
            for window, used in self._sending.items():
                if window.span_seconds != MINUTE or window.starts_on_us >= minute:
                    self._unsent[window] = self._unsent.get(window, NOTHING) + used
            self._sending = {}

    async def _catch_up(self) -> None:
        """One look at the catalog, however many calls wait for it."""
        if self._catching is None or self._catching.done():
            self._catching = self._executor.submit(self._try_to_sync)
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(self._catching)), WAIT_SECONDS)

    def _try_to_sync(self) -> None:
        # Whatever the catalog's trouble is: calls go on, by what is known.
        try:
            self.sync()
        except Exception as error:
            log.warning("what keys used could not be added up", error=str(error))

    def _work(self) -> None:
        while not self._stopping.wait(self._every):
            # The first call after a pause reads by itself: an idle server asks the catalog nothing.
            if self._unsent or self._timer() - self._asked < 5 * self._every:
                self._try_to_sync()

    def _used(self, key: KeyIdentity, span: int, now: int) -> Used:
        window = window_of(key.key_id, span, now)
        return sum((part.get(window, NOTHING) for part in (self._known, self._sending, self._unsent)), NOTHING)

    def _count(self, key: KeyIdentity, used: Used, now: int) -> None:
        for span in SPANS:
            window = window_of(key.key_id, span, now)
            self._unsent[window] = self._unsent.get(window, NOTHING) + used


def tokens_of(outcome: Outcome) -> int:
    return (outcome.input_tokens or 0) + (outcome.output_tokens or 0)


def over(reason: Literal["requests_per_minute", "tokens_per_day"], limit: int, used: int, now: int) -> Refused:
    """The answer to a call of a key that has used up its minute or day."""
    REFUSED.labels(reason).inc()
    span = _SPAN_OF[reason]
    left = start_of(span, now) + span * 1_000_000 - now
    seconds = -(-left // 1_000_000)
    what = f"{limit:,} {reason.replace('_per_', ' a ')}"
    return Refused(
        429,
        f"This key may use {what}, and has used {used:,}. Try again in {_time_words(seconds)}, or ask an admin to raise its limit.",
        {"Retry-After": str(seconds)},
    )


def _time_words(seconds: int) -> str:
    if seconds < 2 * MINUTE:
        return f"{seconds} s"
    hours, minutes = divmod(-(-seconds // 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
