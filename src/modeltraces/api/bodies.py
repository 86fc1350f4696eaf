"""JSON objects that people and tools send to change the catalog."""

import json
from collections.abc import Collection
from decimal import Decimal
from typing import Any, Final

import orjson
from starlette.requests import Request

from modeltraces.api.errors import Problem
from modeltraces.api.intake import arriving
from modeltraces.api.state import parts_of
from modeltraces.query.fields import nearest_names
from modeltraces.query.times import parse_instant

_MOST_BYTES: Final = 1 << 20


async def object_of(request: Request, known: Collection[str], *, required: Collection[str] = ()) -> dict[str, Any]:
    """The body's JSON object.

    Raises Problem: 415, 413, 408, 503, 400 for what is no object, 422 for an unknown or missing member.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Problem(415, f"Content-Type {media_type[:80]!r} is not read here; send application/json.")
    body = bytearray()
    async for piece in arriving(request, parts_of(request).arrivals):
        body += piece
        if len(body) > _MOST_BYTES:
            raise Problem(413, f"The body must have at most {_MOST_BYTES:,} bytes.")
    value = _parsed(body)
    if not isinstance(value, dict):
        raise Problem(400, "The body must be a JSON object.")
    for name in value:
        if name not in known:
            near = nearest_names(name, tuple(known))
            hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."
            raise Problem(422, f"Unknown member {name[:80]!r}. {hint}", parameter=name[:80])
    for name in required:
        if value.get(name) in (None, ""):
            raise Problem(422, f"{name} is missing.", parameter=name)
    return value


def _parsed(body: bytearray) -> Any:
    """Numbers with a fraction as decimals: a price that a float cannot hold would be kept as another. Raises Problem 400."""
    try:
        # Stricter than the library of the language, and says where.
        orjson.loads(body)
        return json.loads(body, parse_float=Decimal)
    except orjson.JSONDecodeError as error:
        raise Problem(400, f"The body is not JSON: {error}.") from error
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise Problem(400, "The body holds a number or a nesting that cannot be read.") from error


def instant_of(value: Any, name: str) -> int | None:
    """Microseconds of an RFC 3339 time, None when it is absent. Raises Problem 422."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise Problem(422, f"{name} must be an RFC 3339 time such as 2026-11-01T00:00:00Z.", parameter=name)
    try:
        return parse_instant(value)
    except ValueError as error:
        raise Problem(422, f"{name} {error}.", parameter=name) from error
