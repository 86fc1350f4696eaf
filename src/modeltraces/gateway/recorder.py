"""From a call that has ended to its run in the store, without anybody waiting: into the journal, and from there on."""

import dataclasses
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import orjson
import structlog
from prometheus_client import Counter

from modeltraces.catalog.errors import CatalogUnavailable
from modeltraces.gateway.errors import REFUSED
from modeltraces.gateway.exchange import Exchange
from modeltraces.gateway.journal import FILE_BYTES, UNRECORDED, Journal, JournalFull
from modeltraces.gateway.limits import Limiter
from modeltraces.gateway.reading.outcome import Outcome
from modeltraces.gateway.storing import Storing
from modeltraces.ingest.recordings import Limits
from modeltraces.ingest.writer import QueueFull, Writer
from modeltraces.run import now_us
from modeltraces.store.engine import StoreError

log = structlog.get_logger(__name__)

NOT_RECORDED: Final = Counter(
    "modeltraces_gateway_not_recorded", "Calls that were not recorded because their key says so (recording: off)."
)

LARGE_BYTES: Final = 1 << 20
"""Of a call, asked and answered: what is larger is read and recorded beside the event loop."""
_RETRY_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 0.2
_REST_SECONDS: Final = 0.5
"""Between two commits while more comes in: each costs the engine 10 ms, and half of a busy gateway's time at one in 50 ms."""
_ALARMING: Final = 0.8
"""Of the journal's room: what is left lasts a quarter as long as what was taken, so there is time to act."""


@dataclass(frozen=True, slots=True)
class Pressure:
    """A journal that is filling up, or full, or that cannot be written."""

    held_bytes: int
    max_bytes: int
    is_full: bool
    refuses: bool
    """What happens to calls when it takes no more: they are refused, or served unrecorded."""
    missed: int
    """Calls that this happened to, since `missed_since_us`."""
    missed_since_us: int | None
    store_away_since_us: int | None
    """None while the store takes what it is given, if slowly."""
    trouble: str = ""
    """Why it cannot be written, however much room it has; '' when it can."""


@dataclass(slots=True)
class Recorder:
    journal: Journal
    writer: Writer
    limits: Limits
    refuses_when_full: bool
    limiter: Limiter
    _storing: Storing = field(init=False)
    _without_content: Limits = field(init=False)
    _large: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(max_workers=1, thread_name_prefix="gateway-large")
    )
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _missed: int = 0
    _missed_since_us: int | None = None
    _away_since_us: int | None = None

    def __post_init__(self) -> None:
        self._storing = Storing(self.journal, self.writer)
        self._without_content = dataclasses.replace(self.limits, record_content=False)

    def start(self) -> None:
        self.journal.open()
        self._thread = threading.Thread(target=self._work, name="gateway-recorder", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Before the writer stops: what is in the journal by now is stored, if the store takes it."""
        self._large.shutdown(wait=True)
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self.journal.close()

    def later(self, record: Callable[[], None]) -> "Future[None]":
        """Record in a thread, one call after another: each takes several times its size of memory."""
        return self._large.submit(record)

    def lets_in(self) -> bool:
        """Whether a call may go upstream, as far as its record goes; one that may not is counted."""
        if not self.refuses_when_full or not (self.journal.is_full or self.journal.trouble):
            return True
        REFUSED.labels("journal_unwritable" if self.journal.trouble else "journal_full").inc()
        self._miss()
        return False

    @property
    def pressure(self) -> Pressure | None:
        """None while there is room enough."""
        held, most = self.journal.held_bytes, self.journal.max_bytes
        if held < most * _ALARMING and not self.journal.is_full and not self.journal.trouble:
            return None
        return Pressure(
            held, most, self.journal.is_full, self.refuses_when_full, self._missed, self._missed_since_us,
            self._away_since_us, self.journal.trouble,
        )  # fmt: skip

    def _miss(self) -> None:
        self._missed_since_us = self._missed_since_us or now_us()
        self._missed += 1

    def begin(self, exchange: Exchange) -> None:
        """What can be recorded of a call whose answer is not there yet. Never raises: what is in its way is told at its end."""
        if exchange.key.limits.recording != "off":
            with suppress(Exception):
                exchange.begin(self._limits_of(exchange))

    def _limits_of(self, exchange: Exchange) -> Limits:
        return self.limits if exchange.key.limits.recording == "full" else self._without_content

    def record(self, exchange: Exchange, outcome: Outcome) -> None:
        """Never raises: the caller has its answer."""
        self._spend(exchange, outcome)
        if exchange.key.limits.recording == "off":
            NOT_RECORDED.inc()
            return
        try:
            run = exchange.run(outcome, self._limits_of(exchange))
            record = {"key": exchange.key.name, "run": run}
            self.journal.append(orjson.dumps(record), was_let_in=self.refuses_when_full)
        except JournalFull:
            UNRECORDED.inc()
            self._miss()
            log.warning("the journal is full: a call was served unrecorded", request_id=exchange.request_id)
        except OSError as error:
            UNRECORDED.inc()
            self._miss()
            log.error(
                "the journal cannot be written: a call was served unrecorded",
                request_id=exchange.request_id, error=str(error),
            )  # fmt: skip
        except Exception as error:
            UNRECORDED.inc()
            log.error("a call could not be recorded", request_id=exchange.request_id, error=str(error), exc_info=error)

    def _spend(self, exchange: Exchange, outcome: Outcome) -> None:
        if not exchange.key.limits.counts:
            return
        try:
            self.limiter.spend(exchange.key, exchange.spent(outcome))
        except Exception as error:
            log.error("a call could not be counted", request_id=exchange.request_id, error=str(error), exc_info=error)

    def _work(self) -> None:
        while True:
            stopping = self._stopping.is_set()
            if self.journal.trouble:
                self.journal.try_again()
                self._forget_missed()
            try:
                more = self._storing.oldest()
            except Exception as error:
                self._away_since_us = self._away_since_us or now_us()
                if not isinstance(error, StoreError | QueueFull):
                    # Where the catalog is away, its own words say all there is.
                    trace = None if isinstance(error, CatalogUnavailable) else error
                    log.error("the journal cannot be stored", error=str(error), exc_info=trace)
                if stopping:
                    return
                time.sleep(_RETRY_SECONDS)
                continue
            if more:
                self._away_since_us = None
                self._forget_missed()
            if not more:
                if stopping:
                    return
                self.journal.wait(_LOOK_SECONDS)
            else:
                self._stopping.wait(_REST_SECONDS if self.journal.held_bytes < FILE_BYTES else 0)

    def _forget_missed(self) -> None:
        """When there is room again, for the next time."""
        if self.pressure is None:
            self._missed, self._missed_since_us = 0, None
