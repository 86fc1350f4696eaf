"""`GET …/models` and `…/models/NAME`: what a key may call, in the shape that the caller's library knows."""

from typing import Any

from modeltraces.gateway.targets import Family


def listing(names: list[str], family: Family) -> dict[str, Any]:
    if family == "anthropic":
        return {
            "data": [entry(name, family) for name in names],
            "has_more": False,
            "first_id": names[0] if names else None,
            "last_id": names[-1] if names else None,
        }
    return {"object": "list", "data": [entry(name, family) for name in names]}


def entry(name: str, family: Family) -> dict[str, Any]:
    if family == "anthropic":
        return {"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"}
    return {"id": name, "object": "model", "created": 0, "owned_by": "modeltraces"}
