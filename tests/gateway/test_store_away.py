"""The store is away while calls go through: nobody waits for it, nothing is lost, and a journal that is full says so."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from modeltraces.api.identity import SESSION_COOKIE
from modeltraces.catalog import users
from modeltraces.catalog.sessions import Sessions
from tests.gateway.upstream import Upstream
from tests.support.away import AwayServer, serving
from tests.support.server import ALICE, BOB

CHAT = "/gateway/openai/v1/chat/completions"
CALLS = 24
ALARM = 'class="alarm"'
MEGABYTE = "x" * 1_000_000


@pytest.fixture(scope="module")
def away(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> Iterator[AwayServer]:
    with serving(tmp_path_factory.mktemp("away"), MODELTRACES_GATEWAY_JOURNAL_MEGABYTES="16") as server:
        with server.client("admin") as admin:
            made = {"name": "fake", "protocol": "openai", "base_url": f"{upstream.url}/v1", "models": ["*"]}
            assert admin.post("/api/v1/connections", json=made).status_code == 201
        yield server


def call(caller: httpx.Client, text: str, *, stream: bool = False) -> httpx.Response:
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": text}], "stream": stream}
    return caller.post(CHAT, json=asked)


def ids_of(server: AwayServer, expected: int) -> list[str]:
    """The Request IDs of every run, when there are as many as expected, or too many."""
    deadline = time.monotonic() + 30
    with server.client() as reader:
        while True:
            runs: list[dict[str, Any]] = reader.get("/api/v1/runs", params={"limit": 1000}).json()["runs"]
            found = [run["request_id"] for run in runs]
            if len(found) >= expected:
                break
            assert time.monotonic() < deadline, f"{len(found)} of {expected} runs came"
            time.sleep(0.1)
        assert reader.get("/api/v1/metrics").json()["total_requests"] == len(found)
    return found


def page_of(server: AwayServer, email: str) -> str:
    user = users.find(server.catalog, email)
    assert user is not None
    token = Sessions(server.catalog).create(user.id, server.account_id()).token
    page = httpx.get(f"{server.url}/settings/api-keys", cookies={SESSION_COOKIE: token})
    assert page.status_code == 200
    return page.text


def counted(server: AwayServer, name: str) -> float:
    with server.client("admin") as admin:
        lines = admin.get("/metrics").text.splitlines()
    return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name)), 0.0)


def test_what_went_through_while_the_store_was_away_is_there_once_it_is_back(away: AwayServer) -> None:
    away.take_store_away()
    with away.client("gateway") as caller:
        answers = [call(caller, f"call {number}", stream=number % 3 == 0) for number in range(CALLS)]
    assert {answer.status_code for answer in answers} == {200}
    assert ALARM not in page_of(away, ALICE), "there is room enough"
    # Some tries that fail, before it is back.
    time.sleep(1.5)
    away.bring_store_back()
    assert sorted(ids_of(away, CALLS)) == sorted(answer.headers["x-request-id"] for answer in answers)
    time.sleep(1.5)
    assert len(ids_of(away, CALLS)) == CALLS


def test_a_full_journal_refuses_calls_tells_the_admins_and_recovers(away: AwayServer, upstream: Upstream) -> None:
    before = ids_of(away, 0)
    away.take_store_away()
    served: list[str] = []
    filling = ""
    with away.client("gateway") as caller:
        while (answer := call(caller, MEGABYTE)).status_code == 200:
            served.append(answer.headers["x-request-id"])
            if not filling and ALARM in (page := page_of(away, ALICE)):
                filling = page
            assert len(served) < 40
        asked = len(upstream.asked)
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert "The journal of recorded calls is full" in answer.json()["error"]["message"]
        assert call(caller, "a small one").status_code == 503
        assert len(upstream.asked) == asked
        assert "When it is full, calls through the gateway are refused with HTTP 503." in filling
        page = page_of(away, ALICE)
        assert "The journal of recorded calls is full." in page
        assert "(2 so far)" in page
        assert "The store has taken nothing since" in page
        assert ALARM not in page_of(away, BOB), "a member can do nothing about it"
        assert counted(away, 'modeltraces_gateway_refused_total{reason="journal_full"}') == 2
        assert counted(away, "modeltraces_gateway_unrecorded_total") == 0
        away.bring_store_back()
        found = ids_of(away, len(before) + len(served))
        assert sorted(found) == sorted([*before, *served])
        assert ALARM not in page_of(away, ALICE)
        assert call(caller, "and on").status_code == 200
