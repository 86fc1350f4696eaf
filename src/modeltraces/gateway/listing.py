"""`GET …/models`: what a key may call, in the shape that the caller's library knows."""

from typing import Any

from modeltraces.gateway.targets import Family


def listing(names: list[str], family: Family) -> dict[str, Any]:
    if family == "anthropic":
        data = [
            {"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"} for name in names
        ]
        return {
            "data": data,
            "has_more": False,
            "first_id": names[0] if names else None,
            "last_id": names[-1] if names else None,
        }
    return {
        "object": "list",
        "data": [{"id": name, "object": "model", "created": 0, "owned_by": "modeltraces"} for name in names],
    }
