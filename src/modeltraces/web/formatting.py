"""Numbers, durations and instants as the page writes them: the same everywhere, with tabular numerals in mind.

Unknown (None) is an em dash, never 0. Thousands are set apart by a narrow no-break space.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from ipaddress import IPv6Address
from typing import Final
from zoneinfo import ZoneInfo

UNKNOWN: Final = "—"
_THIN: Final = "\N{NARROW NO-BREAK SPACE}"
_MINUS: Final = "\N{MINUS SIGN}"
_BRACKETED: Final = re.compile(r"\[([^\[\]]+)\](?::\d+)?")
_DAY_SECONDS: Final = 86_400
_MOST_DAYS: Final = 9_999
_LEAST_CREDITS: Final = Decimal("0.01")


def count(value: int | None) -> str:
    """`12 400`."""
    if value is None:
        return UNKNOWN
    text = f"{abs(value):,}".replace(",", _THIN)
    return f"{_MINUS}{text}" if value < 0 else text


def credits_text(credits: Decimal) -> str:
    """`1 814.10`: two decimals, none from a hundred thousand on. What is not zero never reads as 0."""
    if 0 < credits < _LEAST_CREDITS:
        return f"<{_LEAST_CREDITS}"
    return hundredths(credits) if credits < 100_000 else count(round(credits))


def hundredths(value: Decimal) -> str:
    """`1 234.50`: amounts beside each other have their points below each other."""
    whole, _, rest = f"{value:.2f}".partition(".")
    return f"{count(int(whole))}.{rest}"


def duration_parts(milliseconds: float | None) -> tuple[str, str]:
    """The figure and its unit: `("1.24", "s")`, `("380", "ms")`; unknown is `("—", "")`."""
    if milliseconds is None:
        return UNKNOWN, ""
    if milliseconds < 9.95:
        return f"{milliseconds:.1f}".removesuffix(".0"), "ms"
    if milliseconds < 999.5:
        return f"{milliseconds:.0f}", "ms"
    seconds = milliseconds / 1000
    if seconds < 9.995:
        return f"{seconds:.2f}", "s"
    if seconds < 59.95:
        return f"{seconds:.1f}", "s"
    if seconds >= 2 * _DAY_SECONDS - 0.5:
        return _days(seconds / _DAY_SECONDS), "d"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d}", "min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}", "h"


def _days(days: float) -> str:
    """No longer than a card has room for, whatever a run said before its times were bounded."""
    if days >= _MOST_DAYS + 0.5:
        return f">{count(_MOST_DAYS)}"
    return f"{days:.1f}".removesuffix(".0") if days < 99.95 else count(round(days))


def duration(milliseconds: float | None) -> str:
    """`1.24 s`, `380 ms`, `1:04 min`."""
    return " ".join(part for part in duration_parts(milliseconds) if part)


def percent(fraction: float | None) -> str:
    """`4.2%` of 0.042. What is not zero never reads as 0, what is not all never as 100."""
    if fraction is None:
        return UNKNOWN
    value = fraction * 100
    if value == 0 or value == 100:
        return f"{value:.0f}%"
    if value < 0.01:
        return "<0.01%"
    digits = 2 if value < 1 else 1
    if value > 99.9:
        return ">99.9%"
    text = f"{value:.{digits}f}"
    return f"{text.removesuffix('.0')}%"


def size(byte_count: int) -> str:
    """`1.2 MB`, in units of 1000."""
    value = float(byte_count)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 999.5 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "B" or value >= 99.95 else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError("unreachable")


def at(instant_us: int, zone: tzinfo = UTC) -> datetime:
    """The instant as an aware datetime in the zone."""
    return (
        datetime.fromtimestamp(instant_us // 1_000_000, UTC)
        .replace(microsecond=instant_us % 1_000_000)
        .astimezone(zone)
    )


def instant(instant_us: int | None, zone: tzinfo = UTC, *, now_us: int | None = None) -> str:
    """`24 Nov, 14:38:28`; with the year, when `now_us` lies in another one or is not given."""
    if instant_us is None:
        return UNKNOWN
    moment = at(instant_us, zone)
    year = "" if now_us is not None and at(now_us, zone).year == moment.year else f" {moment.year}"
    return f"{moment.day} {moment:%b}{year}, {moment:%H:%M:%S}"


def day(instant_us: int | None, zone: tzinfo = UTC) -> str:
    """`24 Nov 2026`."""
    if instant_us is None:
        return UNKNOWN
    moment = at(instant_us, zone)
    return f"{moment.day} {moment:%b %Y}"


def removal(executed_on_us: int, removed_on_us: int, zone: tzinfo = UTC) -> str:
    """`Payload removed on 24 Nov 2026, after 14 days`."""
    days = (removed_on_us - executed_on_us) // 86_400_000_000
    return f"Payload removed on {day(removed_on_us, zone)}, after {count(days)} day{'s' if days != 1 else ''}"


def server_text(address: str) -> str:
    """`llm.internal:8000` of a host and port that were put in brackets together; an IPv6 address keeps its own."""
    found = _BRACKETED.fullmatch(address)
    if found is None:
        return address
    try:
        IPv6Address(found[1].partition("%")[0])
    except ValueError:
        return found[1]
    return address


def iso(instant_us: int) -> str:
    """RFC 3339 in UTC, to the millisecond: what `title` and `datetime` say."""
    moment = at(instant_us)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def zone_of(name: str | None) -> tzinfo:
    """The time zone of that IANA name; UTC for none, and for one that this machine does not know."""
    if not name or len(name) > 64:
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC


def zone_label(zone: tzinfo, instant_us: int) -> str:
    """`Europe/Berlin (UTC+1)`, as it holds at the instant."""
    offset = at(instant_us, zone).utcoffset() or timedelta()
    minutes = round(offset.total_seconds() / 60)
    name = zone.key if isinstance(zone, ZoneInfo) else "UTC"
    if name in ("UTC", "Etc/UTC"):
        return "UTC"
    sign = "+" if minutes >= 0 else _MINUS
    hours, rest = divmod(abs(minutes), 60)
    return f"{name} (UTC{sign}{hours}{f':{rest:02d}' if rest else ''})"
