"""Commits of which nobody knows whether the store has them: the answer was lost, and a server may yet store them.

They would bear an instant that the sums by the hour have passed by then. So their hours are taken for not summed up: as soon
as the store answers again, and later once more, for what it stored in between.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from modeltraces.run import Run, now_us
from modeltraces.store.coverage import US_PER_HOUR, forget_hours
from modeltraces.store.engine import Store

_AFTER_SECONDS: Final = (0.0, 120.0, 900.0)
"""An insert that goes on without its client ends by the server's own limits, within minutes."""

Hour = tuple[str, int]
"""Account, the hour's first microsecond."""


@dataclass(slots=True)
class Doubtful:
    """Used by the writer's thread only."""

    store: Store
    clock: Callable[[], float] = time.monotonic
    _due: dict[float, set[Hour]] = field(default_factory=dict)
    """When to say so of which hours. As many as there were outages, with the hours they met."""

    def add(self, rows: Iterable[Run]) -> None:
        hours = {(row.account_id, row.executed_on_us // US_PER_HOUR * US_PER_HOUR) for row in rows}
        for after in _AFTER_SECONDS:
            # By the minute: during an outage every try is one.
            at = (self.clock() + after) // 60 * 60 if after else 0.0
            self._due.setdefault(at, set()).update(hours)

    def settle(self) -> None:
        """Raises StoreError; what is not said then is said the next time."""
        for at in sorted(self._due):
            if at > self.clock():
                return
            forget_hours(self.store, self._due[at], now_us())
            del self._due[at]
