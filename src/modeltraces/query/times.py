"""Times as they are written: RFC 3339 in and out, and periods."""

import re
from datetime import UTC, datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

US_PER_SECOND: Final = 1_000_000
US_PER_DAY: Final = 86_400 * US_PER_SECOND
PERIODS: Final[dict[str, int | None]] = {
    "24h": US_PER_DAY,
    "7d": 7 * US_PER_DAY,
    "30d": 30 * US_PER_DAY,
    "90d": 90 * US_PER_DAY,
    "all": None,
}
"""Name → length in microseconds; None: from the first run on."""
DEFAULT_PERIOD: Final = "7d"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
# Only the shape, to say what is missing; the library reads the value.
_CLOCK: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?", re.ASCII)
_OFFSET: Final = re.compile(r"[Zz]|[+-]\d\d:\d\d", re.ASCII)
_FIRST: Final = datetime(1900, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(2299, 1, 1, tzinfo=UTC)


FIRST_US: Final = -2_208_988_800_000_000
"""1900: what the store can hold begins here (a period before the one asked for may not)."""
LAST_US: Final = 10_413_705_600_000_000
"""The last day of 2299: what the store can hold ends with it."""


def us_of(at: datetime) -> int:
    """Microseconds since the epoch of an aware datetime, exactly."""
    delta = at - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * US_PER_SECOND + delta.microseconds


def datetime_of(us: int) -> datetime:
    return datetime.fromtimestamp(us // US_PER_SECOND, UTC).replace(microsecond=us % US_PER_SECOND)


def rfc3339(us: int, zone: tzinfo = UTC) -> str:
    """`2026-11-01T12:00:00.250000Z`, to the microsecond; with the zone's offset for another zone."""
    text = datetime_of(us).astimezone(zone).isoformat(timespec="microseconds")
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def parse_instant(text: str) -> int:
    """Microseconds of an RFC 3339 time with an offset. Raises ValueError saying what is wrong with it."""
    clock = _CLOCK.match(text)
    if not clock:
        raise ValueError("must be an RFC 3339 time such as 2026-11-01T00:00:00Z")
    offset = text[clock.end() :]
    if not offset:
        raise ValueError("has no offset: end it with Z for UTC, or with one such as +02:00")
    if offset.startswith(" "):
        raise ValueError("has a space where the offset begins: a + in an address is written %2B")
    if not _OFFSET.fullmatch(offset):
        raise ValueError("must end with Z for UTC, or with an offset such as +02:00")
    try:
        at = datetime.fromisoformat(text.upper())
        inside = _FIRST <= at <= _LAST
    except (ValueError, OverflowError) as error:
        raise ValueError("is not a time that exists") from error
    if not inside:
        raise ValueError("must lie between the years 1900 and 2298")
    return us_of(at)


def parse_day(text: str) -> int | None:
    """Microseconds of a date's first instant in UTC; None when the text is not a date.

    Raises ValueError for a date that does not exist.
    """
    if not _DATE.fullmatch(text):
        return None
    return parse_instant(f"{text}T00:00:00Z")


def parse_zone(name: str) -> ZoneInfo:
    """The IANA time zone of that name. Raises ValueError."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"the time zone {name!r} is not known; use an IANA name such as Europe/Berlin") from error
