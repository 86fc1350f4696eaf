"""Saying something in the log, but not each time: a client that keeps on making a mistake must not fill the disk."""

import time
from collections.abc import Hashable
from threading import Lock
from typing import Final

_MOST_KEYS: Final = 1000


class Seldom:
    """Whether it is time to say a thing again. `seconds`: between two lines about the same. Thread-safe."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._said: dict[Hashable, tuple[float, int]] = {}
        self._lock = Lock()

    def due(self, about: Hashable) -> int | None:
        """How often it happened unsaid since the last line; None when it is too soon for another."""
        now = time.monotonic()
        with self._lock:
            last = self._said.get(about)
            if last is not None and now - last[0] < self._seconds:
                self._said[about] = (last[0], last[1] + 1)
                return None
            if len(self._said) >= _MOST_KEYS:
                self._said.clear()
            self._said[about] = (now, 0)
            return last[1] if last else 0
