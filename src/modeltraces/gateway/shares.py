"""What a key may use where several processes serve it, over PostgreSQL: exact together, and cheap for each.

A process takes a share of a key's minute from the database, as large as what it served lately and at most an eighth of
what is left, and lets calls pass by it without asking. What it does not need goes back within a quarter of a second. So
no call too many passes, and near the limit every call asks. Tokens are added up as soon as an answer has ended, and
what a process knows of the others' is as old as its share; past nine tenths of a day every call asks.
"""

import asyncio
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import structlog

from modeltraces.catalog import key_leases, key_usage
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.key_authenticator import KeyIdentity
from modeltraces.catalog.key_leases import Lease
from modeltraces.catalog.key_usage import DAY, MINUTE, NOTHING, Used, Window, window_of
from modeltraces.gateway.limits import over, tokens_of
from modeltraces.gateway.reading.outcome import Outcome
from modeltraces.gateway.share import Sent, Share

log = structlog.get_logger(__name__)

KEPT_SECONDS: Final = 0.25
"""How long a share, and what is known of the others, is good."""
WAIT_SECONDS: Final = 5.0
"""That a call waits for a share: longer than a busy database takes, for a call that does not wait may be one too many."""
_AWAY_SECONDS: Final = 1.0
_HANGS_SECONDS: Final = 15.0
"""How long a catalog that refused, or did not answer, is not asked again."""
_PART: Final = 8
_NEAR: Final = 0.9
"""Of the day's tokens."""
_CLEAN_SECONDS: Final = 60.0


class SharedLimiter:
    """Thread-safe; one per process. `timer`: seconds that never go back."""

    def __init__(self, catalog: Catalog, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._catalog = catalog
        self._timer = timer
        self._lock = threading.Lock()
        self._shares: dict[str, Share] = {}
        self._away_until = float("-inf")
        self._cleaned = float("-inf")
        self._executor = ThreadPoolExecutor(max_workers=4, thread_name_prefix="key-shares")
        self._stopping = False
        self._spent = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._work, name="key-shares", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """What was used is in the catalog then, and what was not has gone back, if it answers."""
        self._stopping = True
        self._spent.set()
        if self._thread is not None:
            self._thread.join()
        self._executor.shutdown(wait=True)
        self._try_to_settle(all_of_it=True)

    async def admit(self, key: KeyIdentity) -> None:
        """Count a call that is about to go upstream. Raises Refused when the key has used up its minute or day."""
        if not key.limits.counts:
            return
        with self._lock:
            share = self._share(key)
            share.calls += 1
        while not self._take(share, key):
            if self._timer() < self._away_until or not await self._renewed(share, key):
                self._take_alone(share, key)
                return

    def spend(self, key: KeyIdentity, outcome: Outcome) -> None:
        """Count what an answer took, when it has ended. What the upstream does not tell is 0."""
        tokens = tokens_of(outcome)
        if tokens and key.limits.counts:
            with self._lock:
                self._share(key).count(window_of(key.key_id, DAY, self._catalog.clock()), Used(tokens=tokens))
            # The other processes must know soon.
            self._spent.set()

    def _share(self, key: KeyIdentity) -> Share:
        share = self._shares.get(key.key_id)
        if share is None:
            share = self._shares[key.key_id] = Share(window_of(key.key_id, MINUTE, self._catalog.clock()))
        share.touched = self._timer()
        return share

    def _take(self, share: Share, key: KeyIdentity) -> bool:
        """Whether the call passes by what is known now; False: that must be asked for. Raises Refused."""
        now = self._catalog.clock()
        minute, day = window_of(key.key_id, MINUTE, now), window_of(key.key_id, DAY, now)
        with self._lock:
            share.turn(minute)
            self._refuse_by_tokens(share, key, day, now)
            if self._timer() >= share.until:
                return False
            if share.left:
                share.left -= 1
                share.count(day, Used(requests=1))
                return True
            limit = key.limits.requests_per_minute
            if limit is not None and share.known.requests >= limit:
                raise over("requests_per_minute", limit, share.known.requests, now)
            return False

    def _refuse_by_tokens(self, share: Share, key: KeyIdentity, day: Window, now: int) -> None:
        limit = key.limits.tokens_per_day
        if limit is None:
            return
        known = share.known.tokens if share.day == day else 0
        tokens = known + share.sending[day] + share.unsent.get(day, NOTHING).tokens
        if tokens >= limit:
            raise over("tokens_per_day", limit, tokens, now)

    def _take_alone(self, share: Share, key: KeyIdentity) -> None:
        """By what is known, while the catalog does not answer: calls go on. Raises Refused."""
        now, limit = self._catalog.clock(), key.limits.requests_per_minute
        minute, day = window_of(key.key_id, MINUTE, now), window_of(key.key_id, DAY, now)
        with self._lock:
            share.turn(minute)
            self._refuse_by_tokens(share, key, day, now)
            requests = share.known.requests + share.unsent.get(minute, NOTHING).requests
            if share.left:
                share.left -= 1
            elif limit is not None and requests >= limit:
                raise over("requests_per_minute", limit, requests, now)
            elif limit is not None:
                share.count(minute, Used(requests=1))
            share.count(day, Used(requests=1))

    async def _renewed(self, share: Share, key: KeyIdentity) -> bool:
        """Whether the catalog gave an answer; one look, however many calls wait for it."""
        with self._lock:
            share.waiting += 1
            if share.asking is None or share.asking.done():
                share.asking = self._executor.submit(self._renew, share, key)
            asking = share.asking
        try:
            await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(asking)), WAIT_SECONDS)
        except TimeoutError:
            self._away("the catalog does not answer", _HANGS_SECONDS)
        finally:
            with self._lock:
                share.waiting -= 1
        return self._timer() >= self._away_until

    def _renew(self, share: Share, key: KeyIdentity) -> None:
        now, began = self._catalog.clock(), self._timer()
        minute, day = window_of(key.key_id, MINUTE, now), window_of(key.key_id, DAY, now)
        with self._lock:
            back, share.left = share.back(minute), 0
            used, settlings = share.send(), share.settlings
            waiting = max(1, share.waiting)
            # As many as in the last quarter of a second; the first ones of a burst count five times.
            elapsed = max(began - share.since, KEPT_SECONDS / 5)
            wanted = math.ceil(share.calls * KEPT_SECONDS / elapsed)
            share.since, share.calls = began, 0

        def taken(left: int, tokens: int) -> int:
            most = key.limits.tokens_per_day
            if most is not None and tokens >= most:
                return 0
            near = most is not None and tokens >= most * _NEAR
            return min(left, waiting if near else max(waiting, min(wanted, left // _PART)))

        try:
            lease = key_leases.lease(
                self._catalog, minute, day, used, limit=key.limits.requests_per_minute, back=back, share=taken
            )
        # Whatever the catalog's trouble is: calls go on, by what is known.
        except Exception as error:
            with self._lock:
                share.put_back(minute, back, used)
            self._away(str(error))
            return
        with self._lock:
            share.sent(used)
            share.minute, share.left, share.is_limited = minute, lease.calls, key.limits.requests_per_minute is not None
            share.known, share.day, share.renewals = lease, day, share.renewals + 1
            share.until = self._timer() + KEPT_SECONDS
            if share.settlings != settlings and key.limits.tokens_per_day is not None:
                # What was read may lack what came to the catalog meanwhile: the next look has it.
                share.known, share.until = Lease(0, lease.requests, 0), float("-inf")

    def _away(self, error: str, seconds: float = _AWAY_SECONDS) -> None:
        self._away_until = self._timer() + seconds
        log.warning("what keys used could not be added up", error=error)

    def settle(self, *, all_of_it: bool = False) -> None:
        """Add to the catalog what was used here, and give back what is not needed any more. Raises CatalogUnavailable."""
        now, minute_us = self._timer(), key_usage.start_of(MINUTE, self._catalog.clock())
        taken: list[Sent] = []
        more: dict[Window, Used] = {}
        with self._lock:
            for key_id, share in tuple(self._shares.items()):
                is_old = all_of_it or now >= share.until
                minute = Window(key_id, MINUTE, minute_us)
                back = share.back(minute) if is_old else 0
                if back or (is_old and share.unsent) or any(used.tokens for used in share.unsent.values()):
                    used = share.send()
                    share.left -= back
                    taken.append(Sent(share, minute, back, used, share.renewals))
                    more |= used
                    if back:
                        more[minute] = more.get(minute, NOTHING) + Used(requests=-back)
                elif now - share.touched > _CLEAN_SECONDS and not share.waiting:
                    del self._shares[key_id]
        try:
            key_usage.add(self._catalog, more)
        except BaseException:
            with self._lock:
                for one in taken:
                    one.share.put_back(one.minute, one.back, one.used)
            raise
        with self._lock:
            for one in taken:
                one.share.settled(one)
        if taken and now - self._cleaned >= _CLEAN_SECONDS:
            self._cleaned = now
            key_usage.remove_old(self._catalog)

    def _try_to_settle(self, *, all_of_it: bool = False) -> None:
        try:
            self.settle(all_of_it=all_of_it)
        except Exception as error:
            self._away(str(error))

    def _work(self) -> None:
        while not self._stopping:
            if self._spent.wait(KEPT_SECONDS):
                self._spent.clear()
                # Answers that end together are added up together.
                time.sleep(0.01)
            if self._timer() >= self._away_until:
                self._try_to_settle()
