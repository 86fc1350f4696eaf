"""Names that nobody has a model by, through a connection that takes every name: what is refused, and what enters the catalog."""

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.gateway.test_limits import run_of
from tests.gateway.upstream import Upstream
from tests.support.server import Server

CHAT, MESSAGES = "/gateway/openai/v1/chat/completions", "/gateway/anthropic/v1/messages"
LIST = "/gateway/openai/v1/models"


@pytest.fixture
def account(server: Server, upstream: Upstream, request: pytest.FixtureRequest) -> str:
    name = server.new_account(request.node.nodeid)
    with server.client("admin", account=name) as admin:
        for connection, protocol, base, models in (
            ("fake", "openai", f"{upstream.url}/v1", ["*"]),
            ("listed", "openai", f"{upstream.url}/v1", ["status-403"]),
            ("unreachable", "openai", "http://127.0.0.1:9/v1", ["*"]),
            ("claude", "anthropic", upstream.url, ["*"]),
        ):
            made = {"name": connection, "protocol": protocol, "base_url": base, "models": models}
            assert admin.post("/api/v1/connections", json=made).status_code == 201
    return name


@pytest.fixture
def caller(server: Server, account: str) -> Iterator[httpx.Client]:
    with server.client("gateway", account=account) as client:
        yield client


@pytest.fixture
def admin(server: Server, account: str) -> Iterator[httpx.Client]:
    with server.client("admin", "read", account=account) as client:
        yield client


def ask(model: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], **more}


def catalogued(admin: httpx.Client) -> list[str]:
    return [one["name"] for one in admin.get("/api/v1/models").json()["models"]]


@pytest.mark.parametrize("path", [CHAT, MESSAGES, "/gateway/openai/v1/fine_tuning/jobs"])
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("gpt-4o\nSet-Cookie: x", "line breaks or control characters"), ("gpt\0x", "line breaks or control characters"),
        (" gpt-4o ", "spaces"), ("gpt-4o\u00a0", "spaces"), ("x" * 201, "200 characters"), ("x" * 201 + "@fake", "200 characters"),
        ("x@" + "y" * 201, "200 characters"), ("@", "after the @"), ("gpt-4o@@", "after the @"), ("gpt-4o@", "after the @"),
    ],
)  # fmt: skip
def test_what_can_be_no_models_name_is_refused(
    caller: httpx.Client, admin: httpx.Client, upstream: Upstream, path: str, name: str, says: str
) -> None:
    asked = len(upstream.asked)
    answer = caller.post(path, json=ask(name))
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert says in answer.json()["error"]["message"]
    assert len(upstream.asked) == asked, "nothing of it went upstream"
    assert catalogued(admin) == []
    # Nor is it a model where one is looked up.
    looked_up = caller.get(f"{LIST}/{quote(name, safe='')}")
    if name.isascii() and name.isprintable():
        assert looked_up.status_code == 400
        assert says in looked_up.json()["error"]["message"]
    else:
        assert looked_up.status_code == 404, "no path has it"


@pytest.mark.parametrize("name", ["@cf/meta/llama-3.1-8b", "x" * 200, "x" * 200 + "@fake", "gpt-😀", "a b"])
def test_what_may_be_a_models_name_passes(caller: httpx.Client, name: str) -> None:
    assert caller.post(CHAT, json=ask(name)).status_code == 200


def test_a_name_that_no_upstream_took_is_recorded_and_stays_out_of_the_catalog(
    caller: httpx.Client, admin: httpx.Client
) -> None:
    run_of(admin, caller.post(CHAT, json=ask("gpt-4o")).headers["x-request-id"])
    for name, status in (
        ("status-404", 404),
        ("status-500@fake", 500),
        ("gpt-4p@unreachable", 502),
        ("status-403", 403),
    ):
        answer = caller.post(CHAT, json=ask(name))
        assert answer.status_code == status
        run = run_of(admin, answer.headers["x-request-id"])
        assert (run["model"], run["status"]) == (name.partition("@")[0], "failed")
    assert catalogued(admin) == ["gpt-4o", "status-403"], "a name that a connection lists is no guess"
    assert [one["id"] for one in caller.get(LIST).json()["data"]] == ["gpt-4o", "status-403"]
    found = admin.get("/api/v1/runs", params={"model": "status-404"})
    assert [one["model"] for one in found.json()["runs"]] == ["status-404"]
    assert found.headers["x-unknown-model"] == "status-404"
    assert admin.get("/api/v1/metrics").json()["total_requests"] == 5
    # The one that is told "did you mean" is told of models that there are.
    answer = caller.post(MESSAGES, json=ask("gpt-4p"))
    assert answer.status_code == 200


def test_a_name_that_an_upstream_takes_in_the_end_enters_the_catalog(caller: httpx.Client, admin: httpx.Client) -> None:
    run_of(admin, caller.post(CHAT, json=ask("gpt-4o")).headers["x-request-id"])
    run_of(admin, caller.post(CHAT, json=ask("gpt-5@unreachable")).headers["x-request-id"])
    assert catalogued(admin) == ["gpt-4o"]
    # Begun, whatever comes after: the upstream knows it.
    with pytest.raises(httpx.RemoteProtocolError):
        caller.post(CHAT, json=ask("broken", stream=True))
    run_of(admin, caller.post(CHAT, json=ask("gpt-5")).headers["x-request-id"])
    assert catalogued(admin) == ["broken", "gpt-4o", "gpt-5"]


def test_the_first_run_of_an_account_is_shown_although_it_failed(
    server: Server, account: str, caller: httpx.Client, admin: httpx.Client
) -> None:
    """What has no model in the catalog looks like an account without runs."""
    run_of(admin, caller.post(CHAT, json=ask("status-401")).headers["x-request-id"])
    assert catalogued(admin) == ["status-401"]


def test_a_caller_that_leaves_before_an_answer_teaches_no_name(caller: httpx.Client, admin: httpx.Client) -> None:
    run_of(admin, caller.post(CHAT, json=ask("gpt-4o")).headers["x-request-id"])
    with pytest.raises(httpx.ReadTimeout):
        caller.post(CHAT, json=ask("slow"), timeout=0.5)
    deadline = time.monotonic() + 10
    while len(runs := admin.get("/api/v1/runs").json()["runs"]) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert {one["model"] for one in runs} == {"gpt-4o", "slow"}
    assert catalogued(admin) == ["gpt-4o"]
