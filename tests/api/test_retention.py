"""Retention over the API: what is said, what it would remove, and what a sweep of the running server removes."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from modeltraces.api import retention
from modeltraces.api.retention import would_remove
from modeltraces.catalog import users
from modeltraces.catalog.sessions import Sessions
from modeltraces.store.engine import QueryLimitExceeded, StoreUnavailable
from tests.support.server import PASSWORD, Server

PATH = "/api/v1/retention"


@pytest.fixture
def admin(server: Server, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    account = server.new_account(request.node.nodeid)
    with server.client("admin", account=account) as client:
        yield client


def run(days: int, **fields: Any) -> dict[str, Any]:
    at = datetime.now(UTC) - timedelta(days=days)
    return {
        "model": "large", "executed_on": at.isoformat(), "request": {"model": "large", "prompt": f"question {days}"},
        "response": {"text": f"answer {days}"}, "input": f"question {days}", "output": f"answer {days}",
        "response_time_ms": 10, "input_tokens": 7, **fields,
    }  # fmt: skip


def send(client: httpx.Client, *runs: dict[str, Any]) -> list[str]:
    answer = client.post("/api/v1/runs", json=list(runs))
    assert answer.status_code == 200, answer.text
    ids: list[str] = answer.json()["request_ids"]
    return ids


def ask(client: httpx.Client, path: str, **params: Any) -> Any:
    answer = client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def change(client: httpx.Client, path: str = PATH, **body: Any) -> Any:
    dry = body.pop("dry_run", None)
    answer = client.patch(path, json=body, params={} if dry is None else {"dry_run": dry})
    assert answer.status_code == 200, answer.text
    return answer.json()


def swept(client: httpx.Client) -> Any:
    """Have a sweep that begins after this, and wait until it has ended."""
    before = (ask(client, PATH)["last_sweep"] or {"started_on": ""})["started_on"]
    assert client.post(f"{PATH}/sweep").status_code == 202
    latest = time.monotonic() + 90
    while True:
        found = ask(client, PATH)
        last = found["last_sweep"]
        if last and last["started_on"] > before and last["ended_on"]:
            assert last["error"] is None
            return found
        assert time.monotonic() < latest, found
        time.sleep(0.1)


def test_a_sweep_removes_what_is_past_and_says_what_it_removed(server: Server, admin: httpx.Client) -> None:
    gone, emptied, whole = send(admin, run(40), run(20), run(1))
    fresh = ask(admin, PATH)
    assert (fresh["keep_runs_days"], fresh["keep_payloads_days"], fresh["models"]) == (0, 0, [])
    assert fresh["oldest_run_on"] == fresh["oldest_payload_on"] == ask(admin, f"/api/v1/runs/{gone}")["executed_on"]
    before = ask(admin, "/api/v1/metrics", period="all")

    dry = change(admin, keep_runs_days=30, keep_payloads_days=10, dry_run=True)
    assert dry["would_remove"]["runs"] == dry["would_remove"]["payloads"] == 1
    assert ask(admin, PATH) == fresh, "nothing was changed"
    assert change(admin, keep_payloads_days=10)["would_remove"]["payloads"] == 2
    found = swept(admin)
    assert found["last_sweep"]["removed"] == {"runs": 0, "payloads": 2, "text_bytes": 4 * 10 - 2 + 2}
    assert ask(admin, "/api/v1/metrics", period="all") == before, "numbers outlive payloads"

    assert change(admin, keep_runs_days=30)["keep_runs_days"] == 30
    # One that comes late is taken, and goes with the next sweep.
    (late,) = send(admin, run(35))
    assert ask(admin, f"/api/v1/runs/{late}")["input"] == "question 35"
    found = swept(admin)
    assert found["last_sweep"]["removed"]["runs"] == 2
    assert found["oldest_run_on"] < found["oldest_payload_on"]
    assert admin.get(f"/api/v1/runs/{gone}").status_code == admin.get(f"/api/v1/runs/{late}").status_code == 404
    assert ask(admin, "/api/v1/metrics", period="all")["total_requests"] == 2

    left = ask(admin, f"/api/v1/runs/{emptied}")
    assert (left["input"], left["output"], left["request"], left["response"]) == ("", "", None, None)
    assert (left["input_size"], left["input_tokens"]) == (11, 7)
    assert left["payload_removed_on"].startswith(datetime.now(UTC).isoformat()[:7])
    listed = ask(admin, "/api/v1/runs", period="all")["runs"]
    assert {one["request_id"]: one["payload_removed_on"] for one in listed} == {
        whole: None, emptied: left["payload_removed_on"]
    }  # fmt: skip
    for filter, expected in (
        ("payload_removed_on:*", [emptied]),
        ("question", [whole]),
        ("-payload_removed_on:*", [whole]),
    ):
        listed = ask(admin, "/api/v1/runs", period="all", filter=filter)["runs"]
        assert [one["request_id"] for one in listed] == expected
    lines = admin.get("/api/v1/runs/export", params={"format": "jsonl", "period": "all"}).text.splitlines()
    assert sum(f'"payload_removed_on":"{left["payload_removed_on"]}"' in line for line in lines) == 1
    table = admin.get("/api/v1/runs/export", params={"format": "csv", "period": "all"}).text
    assert table.count(f"(removed on {left['payload_removed_on'][:10]})") == 2

    entries = ask(admin, "/api/v1/audit-log", action="retention.sweep")["entries"]
    assert [(entry["actor"], entry["after"]["runs"], entry["after"]["payloads"]) for entry in entries] == [
        ("server", 2, 0), ("server", 0, 2)
    ]  # fmt: skip
    numbers = admin.get("/metrics").text
    assert "modeltraces_retention_removed_runs_total" in numbers
    assert "modeltraces_retention_last_sweep_timestamp_seconds" in numbers


def test_a_model_is_kept_by_its_own_days(admin: httpx.Client) -> None:
    send(admin, run(20), run(20, model="a/small"), run(2, model="a/small"))
    found = change(admin, f"{PATH}/models/a/small", keep_runs_days=10)
    assert found["would_remove"]["runs"] == 1
    assert found["models"] == [
        {
            "model": "a/small", "keep_runs_days": 10, "keep_payloads_days": 10,
            "own": {"keep_runs_days": 10, "keep_payloads_days": None},
        }
    ]  # fmt: skip
    assert change(admin, f"{PATH}/models/a/small", keep_runs_days=None)["models"] == []


def test_what_cannot_be_kept_so_is_refused_with_what_to_do(server: Server, admin: httpx.Client) -> None:
    send(admin, run(1))
    for body, says in (
        ({"keep_runs_days": -1}, "from 1 to"),
        ({"keep_runs_days": "30"}, "whole number of days"),
        ({"keep_runs_days": 5, "keep_payloads_days": 6}, "give fewer days for payloads"),
        ({"keep_run_days": 5}, "Did you mean 'keep_runs_days'?"),
    ):
        for params in ({}, {"dry_run": "true"}):
            answer = admin.patch(PATH, json=body, params=params)
            assert answer.status_code == 422, answer.text
            assert says in answer.json()["detail"]
    assert admin.patch(PATH, json={}, params={"dry_run": "perhaps"}).status_code in (400, 422)
    assert admin.patch(f"{PATH}/models/nobody", json={"keep_runs_days": 1}).status_code == 404
    with server.client("admin", account="other") as charlie:
        assert charlie.patch(f"{PATH}/models/large", json={"keep_runs_days": 1}).status_code == 404
        assert ask(charlie, PATH)["models"] == []


def test_only_owners_say_how_long_runs_are_kept(server: Server) -> None:
    users.create(server.catalog, server.account_id(), "ada@example.com", "admin", password=PASSWORD, actor="test")
    ada = users.find(server.catalog, "ada@example.com")
    assert ada is not None
    session = Sessions(server.catalog).create(ada.id, server.account_id())
    headers = {"Cookie": f"modeltraces_session={session.token}", "X-CSRF-Token": session.csrf_token}
    for answer in (
        httpx.patch(server.url + PATH, json={"keep_runs_days": 1}, headers=headers),
        httpx.post(f"{server.url}{PATH}/sweep", headers=headers),
    ):
        assert answer.status_code == 403
        assert "owners" in answer.json()["detail"]
    assert httpx.get(server.url + PATH, headers=headers).json()["keep_runs_days"] == 0


def test_what_is_too_much_to_be_counted_in_time_is_no_hindrance() -> None:
    class Workers:
        async def query(self, *_: Any) -> Any:
            raise QueryLimitExceeded("The query took too long.")

    parts: Any = SimpleNamespace(store=None, workers=Workers(), catalog=SimpleNamespace(clock=lambda: 0))
    policy: Any = SimpleNamespace(keep=lambda *_: None)
    assert asyncio.run(would_remove(parts, "account", policy)) is None


def test_a_change_that_could_not_be_told_of_is_not_made(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    account_id = server.account_id(server.new_account("told of retention"))
    made: list[str] = []

    class Workers:
        async def look_up(self, step: Any, *_: Any) -> Any:
            made.append(step.func.__name__)
            return None

        async def query(self, *_: Any) -> Any:
            raise StoreUnavailable("away")

    async def body(*_: Any) -> dict[str, Any]:
        return {"keep_runs_days": 5}

    parts: Any = SimpleNamespace(
        store=None, workers=Workers(), catalog=server.catalog, sweeper=SimpleNamespace(server=None)
    )
    monkeypatch.setattr(retention, "parts_of", lambda _: parts)
    monkeypatch.setattr(retention, "object_of", body)
    monkeypatch.setattr(retention, "would_remove", Workers().query)
    identity: Any = SimpleNamespace(role="owner", account_id=account_id, actor="test")
    with pytest.raises(StoreUnavailable):
        asyncio.run(retention.change_retention(SimpleNamespace(), identity))  # type: ignore[arg-type]
    assert made == ["preview_policy"]


@pytest.mark.parametrize(
    ("method", "path", "says"),
    [
        ("POST", f"{PATH}/sweep?dry_run=true", "There is no parameter 'dry_run'. This call takes none."),
        ("PATCH", f"{PATH}?dryrun=true", "There is no parameter 'dryrun'. Did you mean dry_run?"),
        ("PATCH", f"{PATH}/models/large?dry_run=true&x=1", "There is no parameter 'x'. Known: dry_run."),
        ("PATCH", f"{PATH}?dry_run=true&dry_run=false", "dry_run was given 2 times; give it once."),
    ],
)
def test_what_may_have_been_meant_to_hold_a_change_back_is_refused(
    admin: httpx.Client, method: str, path: str, says: str
) -> None:
    before = ask(admin, PATH)
    answer = admin.request(method, path, json={"keep_runs_days": 3} if method == "PATCH" else None)
    assert (answer.status_code, answer.json()["detail"]) == (400, says)
    found = ask(admin, PATH)
    assert (found["account"], found["models"]) == (before["account"], before["models"])
    assert found["last_sweep"] == before["last_sweep"]
