"""What one process knows, and may let pass, of one key: a share of its minute, and what was used and not added up yet.

Not thread-safe: `shares.py` holds a lock.
"""

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from modeltraces.catalog.key_leases import Lease
from modeltraces.catalog.key_usage import MINUTE, NOTHING, Used, Window

NONE: Final = Lease(0, 0, 0)


@dataclass(slots=True)
class Share:
    """Of one key, in this process."""

    minute: Window
    left: int = 0
    until: float = float("-inf")
    known: Lease = NONE
    day: Window | None = None
    """That `known.tokens` is of."""
    is_limited: bool = False
    """Whether calls of `left` were counted in the catalog when they were taken."""
    unsent: dict[Window, Used] = field(default_factory=dict)
    sending: Counter[Window] = field(default_factory=Counter)
    """Tokens on their way to the catalog."""
    renewals: int = 0
    settlings: int = 0
    """How often: what was read from the catalog meanwhile may or may not have what was written to it."""
    waiting: int = 0
    calls: int = 0
    """Since the last share was taken."""
    since: float = 0.0
    touched: float = 0.0
    """When it was last asked for."""
    asking: "Future[None] | None" = None

    def turn(self, minute: Window) -> None:
        """What was left of the minute before is gone with it."""
        if self.minute != minute:
            self.minute, self.left, self.until = minute, 0, float("-inf")
            self.known = Lease(0, 0, self.known.tokens)

    def count(self, window: Window, used: Used) -> None:
        self.unsent[window] = self.unsent.get(window, NOTHING) + used

    def send(self) -> dict[Window, Used]:
        used, self.unsent = self.unsent, {}
        self.sending.update({window: one.tokens for window, one in used.items()})
        return used

    def sent(self, used: Mapping[Window, Used]) -> None:
        self.sending.subtract({window: one.tokens for window, one in used.items()})
        self.sending = +self.sending

    def back(self, minute: Window) -> int:
        """Calls of that minute which can be given back."""
        return self.left if self.is_limited and self.minute == minute else 0

    def settled(self, sent: "Sent") -> None:
        """After what was sent came to the catalog."""
        self.sent(sent.used)
        self.settlings += 1
        if self.renewals != sent.renewals:
            # What was read may have it already: the next call asks.
            self.until = float("-inf")
        elif self.day is not None:
            tokens = sent.used.get(self.day, NOTHING).tokens
            known = self.known
            self.known = Lease(known.calls, known.requests - sent.back, known.tokens + tokens)

    def put_back(self, minute: Window, back: int, used: Mapping[Window, Used]) -> None:
        """After what was sent did not come to the catalog."""
        self.sent(used)
        if self.minute == minute:
            self.left += back
        for window, more in used.items():
            # Nobody asks for a minute that has gone by.
            if window.span_seconds != MINUTE or window == minute:
                self.count(window, more)


class Sent(NamedTuple):
    """What is on its way to the catalog of a share that is not needed any more, or of an answer that has ended."""

    share: Share
    minute: Window
    back: int
    used: dict[Window, Used]
    renewals: int
