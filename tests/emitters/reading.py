"""Asks the server for the runs of an account, whole."""

from collections.abc import Set
from typing import Any

import httpx


def whole_runs(client: httpx.Client, known: Set[str] = frozenset()) -> list[dict[str, Any]]:
    """The runs of the client's account but those of the `known` Request IDs, as `GET /api/v1/runs/{id}` tells them."""
    identifiers = _identifiers(client)
    assert len(set(identifiers)) == len(identifiers), "a run is listed twice"
    return [_whole(client, identifier) for identifier in identifiers if identifier not in known]


def _identifiers(client: httpx.Client) -> list[str]:
    found: list[str] = []
    parameters = {"period": "all", "order": "asc", "limit": "500"}
    while True:
        answer = client.get("/api/v1/runs", params=parameters)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += [run["request_id"] for run in page["runs"]]
        if not page["next_cursor"]:
            return found
        parameters["cursor"] = page["next_cursor"]


def _whole(client: httpx.Client, identifier: str) -> dict[str, Any]:
    answer = client.get(f"/api/v1/runs/{identifier}")
    assert answer.status_code == 200, answer.text
    run: dict[str, Any] = answer.json()
    return run
