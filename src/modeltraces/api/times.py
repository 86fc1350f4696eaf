"""Instants at the edge: RFC 3339 in UTC, to the microsecond."""

from datetime import UTC, datetime


def rfc3339(instant_us: int) -> str:
    """`2026-11-24T12:00:00.123456Z` of microseconds since the epoch."""
    whole = datetime.fromtimestamp(instant_us // 1_000_000, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{instant_us % 1_000_000:06d}Z"
