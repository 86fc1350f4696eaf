"""The attempts of a call through the gateway, as its run's page shows them."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from modeltraces.gateway.exchange import ATTEMPTS
from modeltraces.web.contexts import AttemptLine
from modeltraces.web.formatting import duration

_LONGEST: Final = 300


def attempts(attributes: Mapping[str, str]) -> tuple[AttemptLine, ...]:
    """One line for each, when there were several. Any sender may write the attribute: what cannot be read is left."""
    try:
        listed = orjson.loads(attributes.get(ATTEMPTS, ""))
    except orjson.JSONDecodeError:
        return ()
    if not isinstance(listed, list) or len(listed) < 2 or not all(isinstance(one, dict) for one in listed):
        return ()
    return tuple(_line(one) for one in listed)


def _line(one: Mapping[str, Any]) -> AttemptLine:
    status, error, ms = one.get("status"), one.get("error"), one.get("ms")
    is_status = isinstance(status, int) and not isinstance(status, bool)
    outcome = f"HTTP {status}" if is_status else str(error or "")[:_LONGEST]
    return AttemptLine(
        place=str(one.get("place") or "")[:_LONGEST],
        outcome=outcome,
        time=duration(float(ms)) if isinstance(ms, int | float) and 0 <= ms < 1e12 else "",
        failed=not (isinstance(status, int) and is_status and status < 400),
    )
