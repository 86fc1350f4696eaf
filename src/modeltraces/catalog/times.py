"""Instants in the catalog's words for people: RFC 3339, UTC."""

from datetime import UTC, datetime


def instant_text(at_us: int) -> str:
    """`2026-11-01T10:00:00Z`, with as many decimals as there are."""
    at = datetime.fromtimestamp(at_us // 1_000_000, UTC).replace(microsecond=at_us % 1_000_000)
    return at.isoformat().replace("+00:00", "Z")
