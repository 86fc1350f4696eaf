"""Recorded calls on disk, between the caller, who does not wait for the store, and the store.

Files of a few MB, each record its length, its checksum and its bytes. A record is there when `append` returns: it outlives
the process (not a power cut of the last second). The oldest file is read, stored, and only then removed, so after a crash
some records are stored again: they bear their Request ID, and replace themselves.
"""

import os
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from prometheus_client import Counter, Gauge

from modeltraces.store.engine import make_private

WAITING = Gauge("modeltraces_gateway_journal_bytes", "Bytes of recorded calls that wait to be stored.")
UNRECORDED = Counter(
    "modeltraces_gateway_unrecorded",
    "Calls that were served unrecorded: the journal was full, or could not be written.",
)

_HEAD: Final = struct.Struct("<II")
FILE_BYTES: Final = 4 << 20
_UNREADABLE: Final = "unreadable"
_REFUSED: Final = "refused"
SUFFIX: Final = ".journal"
_EMPTY_SECONDS: Final = 2.0
"""That a file waits for its first record; a server without calls leaves none."""
_TRIAL: Final = "trial"
_TRIAL_BYTES: Final = 64 << 10
"""Written to see whether the disk takes records again: as much as a call of some length."""


class JournalFull(Exception):
    """More recorded calls wait to be stored than the disk space set aside for them."""


@dataclass(slots=True)
class Journal:
    directory: Path
    max_bytes: int
    _file: int = -1
    _number: int = 0
    _given: int = 0
    """The highest number of a file; of two that are opened at once the lower is not written to."""
    _opened_on: float = 0.0
    _written: int = 0
    _held: int = 0
    _turned_away: bool = False
    """Whether a record did not fit, and nothing has gone since."""
    _trouble: str = ""
    """Why the last record could not be written; '' when it was."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _news: threading.Event = field(default_factory=threading.Event)

    def open(self) -> None:
        make_private(self.directory)
        files = self._files()
        self._held = sum(path.stat().st_size for path in files)
        # Never on at the end of a file that a crash may have cut.
        self._number = self._given = int(files[-1].stem) if files else 0
        # Asked for when it is read, not told with each record.
        WAITING.set_function(lambda: self._held)
        if files:
            self._news.set()

    @property
    def is_full(self) -> bool:
        return self._turned_away or self._held >= self.max_bytes

    @property
    def held_bytes(self) -> int:
        return self._held

    @property
    def trouble(self) -> str:
        """Why nothing can be written at the moment, whatever room there is: in the system's words. '' when it can."""
        return self._trouble

    def try_again(self) -> None:
        """Whether the trouble is over: without calls, no record would tell."""
        path = self.directory / _TRIAL
        try:
            path.write_bytes(bytes(_TRIAL_BYTES))
        except OSError as error:
            self._trouble = _reason(error)
        else:
            self._trouble = ""
        with suppress(OSError):
            path.unlink()

    def append(self, record: bytes, *, was_let_in: bool = False) -> None:
        """Raises JournalFull, and OSError when the disk is. `was_let_in`: there was room when its call began, and what was
        let in is kept: the bound is passed by the calls under way, at most."""
        data = _framed(record)
        with self._lock:
            if not was_let_in and self._held + len(data) > self.max_bytes:
                # With nothing waiting it fits never: room is not what is lacking.
                self._turned_away = self._held > 0
                raise JournalFull
            try:
                if self._file < 0 or self._written >= FILE_BYTES:
                    self._next_file()
                self._write(data)
            except OSError as error:
                self._trouble = _reason(error)
                raise
            self._trouble = ""
            self._held += len(data)
        if not self._news.is_set():
            self._news.set()

    def oldest(self) -> tuple[Path, list[bytes]] | None:
        """The oldest file and its records; None when there is none. What is being written is closed first."""
        # Before looking: what comes while this looks sets it again.
        self._news.clear()
        files = self._files()
        if not files:
            return None
        with self._lock:
            is_current = self._file >= 0 and int(files[0].stem) == self._number
            if is_current and not self._written:
                if time.monotonic() - self._opened_on > _EMPTY_SECONDS:
                    self._end_file()
                    files[0].unlink()
                return None
        if is_current:
            self._turn()
        return files[0], list(records_of(files[0].read_bytes()))

    def _turn(self) -> None:
        """To the next file. It is opened here, beside the calls: that takes the system half a millisecond, and many while
        the store syncs its own."""
        with self._lock:
            number = self._given = self._given + 1
        try:
            file = self._opened(number)
        except OSError:
            # The next record finds out by itself, and says so.
            file = -1
        with self._lock:
            is_late = self._number > number
            if not is_late:
                self._end_file()
                if file >= 0:
                    self._begin(file, number)
        if is_late and file >= 0:
            os.close(file)
            self._path(number).unlink()

    def forget(self, path: Path) -> None:
        """Its records are stored."""
        size = path.stat().st_size
        path.unlink()
        with self._lock:
            self._held -= size
            self._turned_away = False

    def set_aside(self, record: bytes) -> None:
        """Keep what cannot be read where it holds up nothing, for a person to look at."""
        with suppress(OSError), (self.directory / _UNREADABLE).open("ab") as file:
            file.write(record + b"\n")

    def refuse(self, record: bytes) -> None:
        """Keep what the store refuses in a file of its own: moved into the journal's directory, it is tried again at the next
        start. Raises OSError."""
        directory = self.directory / _REFUSED
        make_private(directory)
        unfinished = directory / _TRIAL
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(_framed(record))
        unfinished.rename(directory / f"{time.time_ns()}{SUFFIX}")

    @property
    def refused(self) -> int:
        """How many records are kept that the store refused."""
        return sum(1 for _ in (self.directory / _REFUSED).glob(f"*{SUFFIX}"))

    def wait(self, seconds: float) -> bool:
        """Until there may be something to read."""
        return self._news.wait(seconds)

    def close(self) -> None:
        with self._lock:
            is_empty = self._file >= 0 and not self._written
            self._end_file()
            if is_empty:
                self._path(self._number).unlink(missing_ok=True)

    def _end_file(self) -> None:
        if self._file >= 0:
            # Its number is the system's again, whatever comes: closed twice, it would be another's file.
            file, self._file = self._file, -1
            os.close(file)

    def _next_file(self) -> None:
        self._end_file()
        self._given += 1
        self._begin(self._opened(self._given), self._given)

    def _opened(self, number: int) -> int:
        return os.open(self._path(number), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_EXCL, 0o600)

    def _path(self, number: int) -> Path:
        return self.directory / f"{number:012d}{SUFFIX}"

    def _begin(self, file: int, number: int) -> None:
        self._file, self._number, self._written = file, number, 0
        self._opened_on = time.monotonic()

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        done = 0
        try:
            while done < len(data):
                done += os.write(self._file, view[done:])
        except OSError:
            # Half a record would hide what is written after it.
            try:
                os.ftruncate(self._file, self._written)
            except OSError:
                self._held += done
                self._end_file()
            raise
        self._written += len(data)

    def _files(self) -> list[Path]:
        return sorted(self.directory.glob(f"*{SUFFIX}"))


def _framed(record: bytes) -> bytes:
    return _HEAD.pack(len(record), zlib.crc32(record)) + record


def _reason(error: OSError) -> str:
    return (os.strerror(error.errno) if error.errno else type(error).__name__).lower()


def records_of(data: bytes) -> Iterator[bytes]:
    """The whole records of a file; what a crash cut off at its end is left."""
    place = 0
    while place + _HEAD.size <= len(data):
        length, checksum = _HEAD.unpack_from(data, place)
        record = data[place + _HEAD.size : place + _HEAD.size + length]
        if len(record) < length or zlib.crc32(record) != checksum:
            return
        yield record
        place += _HEAD.size + length
