"""Shares of a key's minute: each process takes some calls of it from the database, where no more are given than there are.

A share is counted as used when it is given; what a process does not need of it goes back.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update

from modeltraces.catalog import key_usage
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.key_usage import NOTHING, Used, Window
from modeltraces.catalog.tables import KeyUsageRow


@dataclass(frozen=True, slots=True)
class Lease:
    calls: int
    """That the process may let pass."""
    requests: int
    """Of the minute, by all processes: used, or given to one."""
    tokens: int
    """Of the day, by all processes."""


def lease(
    catalog: Catalog,
    minute: Window,
    day: Window,
    used: Mapping[Window, Used],
    *,
    limit: int | None,
    back: int,
    share: Callable[[int, int], int],
) -> Lease:
    """Give back calls of the minute, add what was used, and take a share of what is left.

    `limit`: of the minute; None: its calls are not counted. `share`: of the calls that are left, and the day's tokens, how many to
    take. For PostgreSQL. Raises CatalogUnavailable.
    """
    with catalog.writing() as session:
        if limit is not None:
            # Holds the minute's row until the end: of two processes that want the last call one gets it. What passed without
            # a share, while the catalog was away, may be of this very minute.
            used = {**used, minute: used.get(minute, NOTHING) + Used(requests=-back)}
        key_usage.add_in(session, catalog, used)
        requests = (
            max(0, session.scalar(select(KeyUsageRow.requests).where(*_is(minute))) or 0) if limit is not None else 0
        )
        tokens = session.scalar(select(KeyUsageRow.tokens).where(*_is(day))) or 0
        left = None if limit is None else max(0, limit - requests)
        calls = share(left if left is not None else 1 << 30, tokens)
        if left is not None and calls:
            calls = min(calls, left)
            session.execute(update(KeyUsageRow).where(*_is(minute)).values(requests=KeyUsageRow.requests + calls))
        return Lease(calls, requests + calls, tokens)


def _is(window: Window) -> tuple[Any, ...]:
    return tuple(getattr(KeyUsageRow, name) == value for name, value in window._asdict().items())
