"""The thread that sweeps: once a day, and when it is asked to. One per process; one of them all does it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
from prometheus_client import Counter, Gauge

from modeltraces.catalog import audit
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import CatalogError
from modeltraces.catalog.retention import sweeps
from modeltraces.catalog.retention.policy import Days, keep_of_all
from modeltraces.catalog.tables import AccountRow
from modeltraces.store.engine import Store, StoreError
from modeltraces.store.errors import told
from modeltraces.store.retention import Removed, Swept, sweep, wait_until_gone
from modeltraces.store.retention_limits import NEVER, Keep, Limits

log = structlog.get_logger(__name__)

RUNS = Counter("modeltraces_retention_removed_runs", "Runs removed for their age.")
PAYLOADS = Counter("modeltraces_retention_removed_payloads", "Payloads removed for their age, of runs that stay.")
FREED = Counter("modeltraces_retention_freed_bytes", "Bytes on disk that sweeps freed.")
LAST = Gauge(
    "modeltraces_retention_last_sweep_timestamp_seconds", "When this process last ended a sweep without an error."
)
FAILED = Counter("modeltraces_retention_failed_sweeps", "Sweeps that ended with an error, and are tried again.")

_LOOK_SECONDS: Final = 15.0
_BEAT_SECONDS: Final = sweeps.SILENT_SECONDS / 6
_PATIENCE_SECONDS: Final = 15.0
"""How long a server that stops waits for the week that is being swept. The engine ends it after the next start otherwise."""
_GONE_SECONDS: Final = 900.0
"""How long old parts are waited for: a long export may be reading one."""


@dataclass(slots=True)
class Sweeper:
    catalog: Catalog
    store: Store
    server: Days
    """What the settings say of every account."""
    hour: int
    """Of the day, UTC."""
    copies: Callable[[Limits], int] = lambda _: 0
    """Removes the copies of payloads beside the store that are past these limits; how many bytes."""
    _copies_removed_us: int = 0
    """The turn at which it was last done."""
    _stopping: bool = False
    _wake: threading.Condition = field(default_factory=threading.Condition)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._work, name="retention", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join(_PATIENCE_SECONDS)

    def ask(self) -> None:
        """Sweep as soon as it can be."""
        sweeps.ask(self.catalog)
        with self._wake:
            self._wake.notify_all()

    def _work(self) -> None:
        while not self._stopping:
            try:
                # Asked before, for the beginning makes it anew.
                is_again = sweeps.is_broken_off(self.catalog)
                holder = sweeps.begin(self.catalog, self.hour)
                if holder is not None:
                    self._sweep(holder, is_again)
                    continue
                self._remove_copies()
            except CatalogError as error:
                log.warning("whether a sweep is due cannot be seen", error=str(error))
            except Exception as error:
                log.error("sweeping failed", error=str(error), exc_info=error)
            with self._wake:
                if not self._stopping:
                    self._wake.wait(_LOOK_SECONDS)

    def _remove_copies(self) -> None:
        """Once a day. Each process has a directory of its own, and removes from it, whoever sweeps the store."""
        now = self.catalog.clock()
        turn = sweeps.last_turn(self.hour, now)
        if turn > self._copies_removed_us:
            keep = keep_of_all(self.catalog, self.server, now)
            if keep.payloads.latest > NEVER:
                FREED.inc(self.copies(keep.payloads))
            self._copies_removed_us = turn

    def _sweep(self, holder: str, is_again: bool) -> None:
        ended = threading.Event()
        lost = threading.Event()
        threading.Thread(target=self._beat, args=(holder, ended, lost), name="retention beat", daemon=True).start()
        error, swept = "", Swept()
        try:
            now = self.catalog.clock()
            keep = keep_of_all(self.catalog, self.server, now)

            def newest() -> Keep:
                return keep_of_all(self.catalog, self.server, now)

            def go_on() -> bool:
                return not (self._stopping or lost.is_set())

            swept = sweep(self.store, keep, now, go_on, newest=newest, is_again=is_again)
            error = self._after(newest(), swept, go_on)
        except Exception as failure:
            known = isinstance(failure, StoreError | CatalogError)
            log.error("a sweep failed", error=str(failure), exc_info=None if known else failure)
            error = told(failure)
        finally:
            ended.set()
        if self._stopping and not error:
            error = "The server was stopped meanwhile; the rest is done after its start."
        self._say(holder, swept, error)

    def _after(self, keep: Keep, swept: Swept, go_on: Callable[[], bool]) -> str:
        """Look whether what was removed has left the disk. What is wrong, or ''."""
        left = 0
        if swept.old_parts:
            left = wait_until_gone(self.store, swept.old_parts, _GONE_SECONDS, go_on)
        if keep.payloads.latest > NEVER:
            swept.freed_bytes += self.copies(keep.payloads)
        if left and go_on():
            return f"What was removed is still on disk in {left} old parts: somebody reads them, such as a long export."
        return ""

    def _say(self, holder: str, swept: Swept, error: str) -> None:
        runs = sum(one.runs for one in swept.accounts.values())
        payloads = sum(one.payloads for one in swept.accounts.values())
        RUNS.inc(runs)
        PAYLOADS.inc(payloads)
        FREED.inc(swept.freed_bytes)
        is_ours = sweeps.end(self.catalog, holder, swept.accounts, error)
        if not is_ours:
            error = error or "another process has taken it over"
        say = log.warning if error else log.info if swept.accounts else log.debug
        say("swept", runs=runs, payloads=payloads, freed_bytes=swept.freed_bytes, **({"error": error} if error else {}))
        if error:
            FAILED.inc()
        else:
            LAST.set(self.catalog.clock() / 1e6)
        if not is_ours:
            # The other one counts what it finds, and writes it down.
            return
        with self.catalog.writing() as session:
            for account_id, one in swept.accounts.items():
                if session.get(AccountRow, account_id) is not None:
                    audit.record(
                        session, account_id=account_id, at_us=self.catalog.clock(), actor="server", action="retention.sweep",
                        object="retention", after=shown(one),
                    )  # fmt: skip

    def _beat(self, holder: str, ended: threading.Event, lost: threading.Event) -> None:
        while not ended.wait(_BEAT_SECONDS):
            try:
                if not sweeps.alive(self.catalog, holder):
                    lost.set()
                    return
            except CatalogError as error:
                log.warning("a sweep's sign of life could not be given", error=str(error))


def shown(removed: Removed) -> dict[str, int]:
    return {"runs": removed.runs, "payloads": removed.payloads, "text_bytes": removed.text_bytes}
