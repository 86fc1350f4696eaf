"""From a call that has ended to its run in the store, without anybody waiting: into the journal, and from there on."""

import dataclasses
import threading
import time
from dataclasses import dataclass, field
from typing import Final

import orjson
import structlog

from modeltraces.gateway.exchange import Exchange
from modeltraces.gateway.journal import UNRECORDED, Journal, JournalFull
from modeltraces.gateway.reading.outcome import Outcome
from modeltraces.ingest.recordings import Limits
from modeltraces.ingest.writer import Batch, QueueFull, Writer
from modeltraces.run import Run
from modeltraces.store.engine import StoreError

log = structlog.get_logger(__name__)

_RETRY_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 0.2


@dataclass(slots=True)
class Recorder:
    journal: Journal
    writer: Writer
    limits: Limits
    refuses_when_full: bool
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self.journal.open()
        self._thread = threading.Thread(target=self._work, name="gateway-recorder", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Before the writer stops: what is in the journal by now is stored, if the store takes it."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self.journal.close()

    @property
    def must_refuse(self) -> bool:
        return self.refuses_when_full and self.journal.is_full

    def record(self, exchange: Exchange, outcome: Outcome) -> None:
        """Never raises: the caller has its answer."""
        try:
            run = exchange.run(outcome, self.limits)
            record = {"key": exchange.key.name, "run": {f.name: getattr(run, f.name) for f in dataclasses.fields(Run)}}
            self.journal.append(orjson.dumps(record))
        except JournalFull:
            UNRECORDED.inc()
            log.warning("the journal is full: a call was served unrecorded", request_id=exchange.request_id)
        except Exception as error:
            UNRECORDED.inc()
            log.error("a call could not be recorded", request_id=exchange.request_id, error=str(error), exc_info=error)

    def _work(self) -> None:
        while True:
            stopping = self._stopping.is_set()
            try:
                more = self._store_oldest()
            except Exception as error:
                if not isinstance(error, StoreError | QueueFull):
                    log.error("the journal cannot be stored", error=str(error), exc_info=error)
                if stopping:
                    return
                time.sleep(_RETRY_SECONDS)
                continue
            if not more:
                if stopping:
                    return
                self.journal.wait(_LOOK_SECONDS)

    def _store_oldest(self) -> bool:
        found = self.journal.oldest()
        if found is None:
            return False
        path, records = found
        by_sender: dict[tuple[str, str], list[Run]] = {}
        size = 0
        for record in records:
            value = orjson.loads(record)
            run = Run(**value["run"])
            by_sender.setdefault((run.account_id, value["key"]), []).append(run)
            size += len(record)
        self.writer.reserve(size)
        try:
            futures = [
                self.writer.submit(Batch(account_id, "gateway", runs, key_name=key, size=size // len(by_sender)))
                for (account_id, key), runs in by_sender.items()
            ]
            for future in futures:
                future.result()
        finally:
            self.writer.release(size)
        self.journal.forget(path)
        return True
