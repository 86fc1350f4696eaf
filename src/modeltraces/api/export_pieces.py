"""The pieces of one export, taken in threads, of which one may be waiting when the export is given up."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Final

import structlog

from modeltraces.store.engine import StoreError

log = structlog.get_logger(__name__)

_AGAIN_SECONDS: Final = 0.2
_MOST_SECONDS: Final = 5.0


class Pieces:
    def __init__(self, make: Callable[[], AbstractContextManager[Iterator[bytes]]], end: Callable[[], None]) -> None:
        """`end`: breaks off the wait for a piece; called until it has."""
        self._make, self._end = make, end
        self._opened = ExitStack()
        self._pieces: Iterator[bytes] | None = None
        self._is_closed = False
        self._taking = threading.Lock()

    def take(self) -> bytes:
        """The next piece, b"" after the last one."""
        with self._taking:
            if self._is_closed:
                return b""
            if self._pieces is None:
                self._pieces = self._opened.enter_context(self._make())
            return next(self._pieces, b"")

    def close(self) -> None:
        wait, was_told = _AGAIN_SECONDS, False
        while not self._taking.acquire(timeout=wait):
            try:
                self._end()
            except StoreError as error:
                if not was_told:
                    log.warning("an export that nobody takes is waited for: it could not be ended", error=str(error))
                wait, was_told = min(wait * 2, _MOST_SECONDS), True
        try:
            self._is_closed = True
            self._opened.close()
        finally:
            self._taking.release()
