"""Days, and what a sweep removes, in words; and the days that people type."""

from typing import Final

from modeltraces.catalog.errors import Invalid
from modeltraces.catalog.retention.policy import FOR_EVER, MOST_DAYS, Days
from modeltraces.store.retention import Removed
from modeltraces.web.formatting import count, size

TOO_MANY: Final = "more than could be counted in time"
"""In place of `removed_words`."""

_FOR_EVER = "for ever"


def days_words(days: int) -> str:
    if days == FOR_EVER:
        return _FOR_EVER
    return f"{count(days)} day{'s' if days != 1 else ''}"


def payload_words(days: Days) -> str:
    return "as long as the run" if days.capped.payloads == days.capped.runs else days_words(days.payloads)


def days_typed(days: int | None) -> str:
    """As a field holds it; '' for what is left open."""
    return "" if days is None else _FOR_EVER if days == FOR_EVER else str(days)


def days_of(text: str, what: str) -> int | None:
    """None for nothing typed. Raises Invalid."""
    typed = " ".join(text.lower().split()).removesuffix(" days").removesuffix(" day")
    if not typed:
        return None
    if typed in (_FOR_EVER, "forever"):
        return FOR_EVER
    if not (typed.isascii() and typed.isdigit() and len(typed) < 10 and int(typed) <= MOST_DAYS):
        raise Invalid(
            f"{what} must be kept for 1 to {MOST_DAYS:,} days, or “{_FOR_EVER}” (or 0, which is the same); "
            f"{text.strip()[:40]!r} is none of them."
        )
    return int(typed)


def removed_words(removed: Removed) -> str:
    """`1 200 runs, and 30 payloads of runs that stay (1.2 MB of text)`; '' for nothing."""
    parts = []
    if removed.runs:
        parts.append(f"{count(removed.runs)} run{'s' if removed.runs != 1 else ''}")
    if removed.payloads:
        one = removed.payloads == 1
        parts.append(
            f"{count(removed.payloads)} payload{'' if one else 's'} of {'a run that stays' if one else 'runs that stay'}"
        )
    if not parts:
        return ""
    text = f" ({size(removed.text_bytes)} of text)" if removed.text_bytes else ""
    return ", and ".join(parts) + text
