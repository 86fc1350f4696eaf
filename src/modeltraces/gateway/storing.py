"""From the journal into the store, the oldest file first; what cannot be stored for good is set aside and holds up nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson
import structlog
from prometheus_client import Counter

from modeltraces.gateway.journal import Journal
from modeltraces.ingest.writer import Batch, StoreRefused, Writer
from modeltraces.run import RUN_FIELDS, Run, now_us
from modeltraces.store.contents import RejectionRow, insert_rejections

log = structlog.get_logger(__name__)

SET_ASIDE: Final = Counter(
    "modeltraces_gateway_set_aside",
    "Recorded calls that the store refused for good, kept in the journal's folder refused/.",
)
_TRIES: Final = 3
"""Of a run that the store refuses, a second apart: what is short of memory only for a moment takes it the next time."""
_FIELDS: Final = frozenset(RUN_FIELDS)


@dataclass(slots=True)
class _Read:
    key: str
    run: Run
    record: bytes


@dataclass(slots=True)
class Storing:
    """Used by one thread, the recorder's."""

    journal: Journal
    writer: Writer
    _stored: set[int] = field(default_factory=set)
    """Of the oldest file, by their places: not again while others are tried again."""
    _tries: dict[int, int] = field(default_factory=dict)

    def oldest(self) -> bool:
        """Store the oldest file and forget it; False when there is none. Raises StoreError, QueueFull, or what else the
        store's trouble is: the file is tried again then."""
        found = self.journal.oldest()
        if found is None:
            return False
        path, records = found
        readable: dict[int, _Read] = {}
        unreadable: list[tuple[bytes, Exception]] = []
        for place, record in enumerate(records):
            try:
                readable[place] = _read(record)
            except (ValueError, TypeError, LookupError) as error:
                # Tried for ever, it would hold up all that comes after it.
                unreadable.append((record, error))
        size = sum(len(one.record) for place, one in readable.items() if place not in self._stored)
        self.writer.reserve(size)
        try:
            self._try(readable)
        finally:
            self.writer.release(size)
        # Not before: the file is read again until the store has taken it.
        for record, why in unreadable:
            self.journal.set_aside(record)
            log.error("a record of the journal cannot be read, and was set aside", error=str(why))
        self._forget(path)
        return True

    def _forget(self, path: Path) -> None:
        self.journal.forget(path)
        self._stored.clear()
        self._tries.clear()

    def _try(self, readable: dict[int, _Read]) -> None:
        by_sender: dict[tuple[str, str], list[int]] = {}
        for place, one in readable.items():
            if place not in self._stored:
                by_sender.setdefault((one.run.account_id, one.key), []).append(place)
        refused = self._store(readable, list(by_sender.values()))
        for place, _ in refused:
            self._tries[place] = self._tries.get(place, 0) + 1
        for place, error in refused:
            if self._tries[place] < _TRIES:
                raise error
        for place, error in refused:
            self._set_aside(readable[place], error)
            self._stored.add(place)

    def _store(self, readable: dict[int, _Read], groups: Sequence[Sequence[int]]) -> list[tuple[int, StoreRefused]]:
        """Store these groups of places, each of one sender; those that the store refuses by themselves."""
        futures = [self.writer.submit(_batch([readable[place] for place in places])) for places in groups]
        refused: list[tuple[int, StoreRefused]] = []
        halves: list[Sequence[int]] = []
        for places, future in zip(groups, futures, strict=True):
            try:
                future.result()
            except StoreRefused as error:
                if len(places) == 1:
                    refused.append((places[0], error))
                else:
                    middle = len(places) // 2
                    halves += [places[:middle], places[middle:]]
            else:
                self._stored.update(places)
        return refused + (self._store(readable, halves) if halves else [])

    def _set_aside(self, one: _Read, error: StoreRefused) -> None:
        """Raises StoreError when the store takes nothing else either: then it is not the run's fault."""
        reason = str(error.__cause__ or error)[:1000]
        row = RejectionRow(
            one.run.account_id, now_us(), "gateway", f"the store refuses this run: {reason}", one.run.request_id[:500], one.key
        )  # fmt: skip
        insert_rejections(self.writer.store, [row])
        self.journal.refuse(one.record)
        SET_ASIDE.inc()
        log.error(
            "the store refuses a recorded call, which was set aside in the journal's folder refused/",
            request_id=one.run.request_id, error=reason,
        )  # fmt: skip


def _batch(read: Sequence[_Read]) -> Batch:
    first = read[0]
    size = sum(len(one.record) for one in read)
    return Batch(first.run.account_id, "gateway", [one.run for one in read], key_name=first.key, size=size)


def _read(record: bytes) -> _Read:
    """Raises ValueError, TypeError or LookupError."""
    value = orjson.loads(record)
    # Another version may have written more.
    run = Run(**{name: one for name, one in value["run"].items() if name in _FIELDS})
    must: list[tuple[object, type]] = [(run.account_id, str), (run.model, str), (run.executed_on_us, int)]
    if not all(isinstance(one, kind) for one, kind in must):
        raise ValueError("its run has no account, model or time")
    return _Read(str(value["key"]), run, record)
