"""Days, UTC, as microseconds since the epoch."""

from datetime import date
from typing import Final

US_PER_DAY: Final = 86_400_000_000
_EPOCH: Final = date(1970, 1, 1)


def start_of(day: date) -> int:
    return (day - _EPOCH).days * US_PER_DAY
