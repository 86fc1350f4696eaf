"""The thread that keeps the hours' sums up to date, and what is known of their texts."""

import threading
import time
from dataclasses import dataclass, field
from typing import Final

import structlog

from modeltraces.run import now_us
from modeltraces.store.coverage import checkpoint
from modeltraces.store.engine import Store, StoreError
from modeltraces.store.summaries import SETTLED_SECONDS, refresh
from modeltraces.store.texts import refresh_texts

log = structlog.get_logger(__name__)

_SHARE: Final = 3.0
"""It rests this many times as long as it worked, so that a month which is brought in at once leaves room for others."""


@dataclass(slots=True)
class Summarizer:
    """One per process. Several over one store do no harm, and leave the work to whoever comes first."""

    store: Store
    seconds: float = 30.0
    settled_seconds: float = SETTLED_SECONDS
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._work, name="summarizer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the hours that are being summed up; what is left is done after the next start."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        rest = self.seconds / 10
        while not self._stopping.wait(rest):
            began = time.monotonic()
            left = False
            try:
                as_of_us = now_us() - int(self.settled_seconds * 1e6)
                if checkpoint(self.store).as_of_us < as_of_us - int(self.seconds * 0.5e6):
                    left = refresh(self.store, as_of_us, go_on=lambda: not self._stopping.is_set()) > 0
                if not left:
                    left = refresh_texts(self.store, now_us(), go_on=lambda: not self._stopping.is_set())
            except StoreError as error:
                # Nothing is wrong meanwhile: what is not summed up is read run by run.
                log.warning("runs could not be summed up; it is tried again", error=str(error))
            took = time.monotonic() - began
            # What is left comes with the next checkpoint.
            rest = max(self.seconds * (0.5 if left else 1.0), took * _SHARE)
