"""Asks the server for all runs of an account, whole."""

from typing import Any

import httpx


def whole_runs(client: httpx.Client) -> list[dict[str, Any]]:
    """Every run of the client's account, as `GET /api/v1/runs/{request_id}` tells it, oldest first."""
    found: list[dict[str, Any]] = []
    parameters = {"period": "all", "order": "asc", "limit": "500"}
    while True:
        answer = client.get("/api/v1/runs", params=parameters)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["runs"]
        if not page["next_cursor"]:
            break
        parameters["cursor"] = page["next_cursor"]
    identifiers = [run["request_id"] for run in found]
    assert len(set(identifiers)) == len(identifiers), "a run is listed twice"
    return [_whole(client, identifier) for identifier in identifiers]


def _whole(client: httpx.Client, identifier: str) -> dict[str, Any]:
    answer = client.get(f"/api/v1/runs/{identifier}")
    assert answer.status_code == 200, answer.text
    run: dict[str, Any] = answer.json()
    return run
