"""Keys with limits, and what is recorded of their calls: through a real server, before anything goes upstream."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.gateway.conftest import CallerOf
from tests.gateway.upstream import Upstream
from tests.support.server import Server

CHAT = "/gateway/openai/v1/chat/completions"
MESSAGES = "/gateway/anthropic/v1/messages"
LIST = "/gateway/openai/v1/models"
TOKENS = 12
"""That the upstream says of each call of chat completions."""


@pytest.fixture(scope="module")
def account(server: Server, upstream: Upstream) -> str:
    name = server.new_account("limits of keys")
    with server.client("admin", account=name) as admin:
        for connection, protocol, base, models in (
            ("fake", "openai", f"{upstream.url}/v1", ["*"]),
            ("second", "openai", f"{upstream.url}/v1", ["gpt-4o", "gpt-mini"]),
            ("claude", "anthropic", upstream.url, ["claude-x", "claude-y"]),
        ):
            made = {"name": connection, "protocol": protocol, "base_url": base, "models": models}
            assert admin.post("/api/v1/connections", json=made).status_code == 201
        for model in ("gpt-4o", "gpt-mini", "claude-x", "claude-y"):
            assert admin.post("/api/v1/models", json={"name": model, "kind": "external"}).status_code == 201
    return name


def in_the_middle_of(span: int) -> None:
    """Not so late in the minute or day that the next begins within the test."""
    while time.time() % span > span - 10:
        time.sleep(0.5)


def ask(model: str = "gpt-4o", text: str = "hi", **more: Any) -> dict[str, Any]:
    return {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": text}], **more}


def status(caller: httpx.Client, path: str = CHAT, model: str = "gpt-4o", **more: Any) -> int:
    return caller.post(path, json=ask(model, **more)).status_code


def metric(admin: httpx.Client, line: str) -> float:
    for found in admin.get("/metrics").text.splitlines():
        if found.startswith(f"{line} "):
            return float(found.rpartition(" ")[2])
    return 0.0


def used(admin: httpx.Client, caller: httpx.Client) -> dict[str, int]:
    (found,) = [one for one in admin.get("/api/v1/keys").json()["keys"] if one["id"] == caller.headers["key-id"]]
    numbers: dict[str, int] = found["used"]
    return numbers


def run_of(admin: httpx.Client, request_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + 10
    while (answer := admin.get(f"/api/v1/runs/{request_id}")).status_code == 404:
        assert time.monotonic() < deadline, "the call was not recorded"
        time.sleep(0.05)
    found: dict[str, Any] = answer.json()
    return found


def test_a_key_calls_the_models_that_it_was_given_alone(
    caller_with: CallerOf, admin: httpx.Client, upstream: Upstream
) -> None:
    caller = caller_with(allowed_models=["gpt-4o", "gpt-mini@second", "claude-*", "own-name"])
    for path, model in (
        (CHAT, "gpt-4o"), (CHAT, "gpt-4o@second"), (CHAT, "gpt-mini@second"), (CHAT, "gpt-mini"), (CHAT, "own-name"),
        (MESSAGES, "claude-x"), (MESSAGES, "claude-y"),
    ):  # fmt: skip
        assert status(caller, path, model) == 200, model
    refused = metric(admin, 'modeltraces_gateway_refused_total{reason="model"}')
    asked = len(upstream.asked)
    answer = caller.post(CHAT, json=ask("gpt-5"))
    assert (answer.status_code, answer.json()["error"]["type"]) == (403, "permission_error")
    said = answer.json()["error"]["message"]
    assert said.startswith(
        "modeltraces gateway: This key may call gpt-4o, gpt-mini@second, claude-*, own-name, not 'gpt-5'."
    )
    answer = caller.post(MESSAGES, json=ask("nobody"))
    assert (answer.status_code, answer.json()["error"]["type"]) == (403, "permission_error")
    assert status(caller, CHAT, "gpt-mini@fake") == 403
    assert status(caller, CHAT, "gpt-4o", models=["gpt-4o", "gpt-5"]) == 403, "no way around it by a router's fallbacks"
    answer = caller.get("/gateway/openai/v1/files", headers={"x-connection": "fake"})
    assert answer.status_code == 403
    assert "must name its model" in answer.json()["error"]["message"]
    assert len(upstream.asked) == asked, "nothing of it went upstream"
    assert status(caller, CHAT, "gpt-4o", models=["gpt-4o"]) == 200
    assert metric(admin, 'modeltraces_gateway_refused_total{reason="model"}') == refused + 5


def test_there_is_no_way_around_the_models_of_a_key(caller_with: CallerOf, upstream: Upstream) -> None:
    caller = caller_with(allowed_models=["gpt-4o"])
    root, asked = "/gateway/openai/v1", len(upstream.asked)
    for name in ("models", "fallbacks", "context_window_fallbacks", "content_policy_fallbacks"):
        for other in (["gpt-4o", "gpt-5"], [{"model": "gpt-5"}], [{"gpt-4o": ["gpt-5"]}], "gpt-5", {"gpt-4o": "gpt-5"}):
            assert caller.post(CHAT, json=ask() | {name: other}).status_code == 403, (name, other)
    # A body may name an allowed model beside what the path is about.
    named, by = b'{"model": "gpt-4o"}', {"x-connection": "fake"}
    for method, path in (
        ("GET", "files/file-1/content"), ("DELETE", "files/file-1"), ("DELETE", "models/gpt-5"), ("POST", "batches"),
        ("POST", "fine_tuning/jobs"), ("GET", "chat/completions"), ("POST", "responses/resp_1/cancel"),
    ):  # fmt: skip
        answer = caller.request(method, f"{root}/{path}", content=named, headers=by)
        assert answer.status_code == 403, (method, path)
    assert caller.get(f"{root}/models/gpt-mini").status_code == 403
    assert caller.get(f"{root}/models/gpt-4o").json()["id"] == "gpt-4o"
    assert len(upstream.asked) == asked, "nothing of it went upstream"
    assert caller.post(f"{root}/audio/speech", json={"model": "gpt-4o"}).status_code == 404
    assert len(upstream.asked) == asked + 1, "what calls its model may pass, and the upstream does not know it"
    body = b'{"mod\\u0065l": "gpt-5", "models": ["gpt-5"], "messages": [], "model": "gpt-4o", "models": ["gpt-4o"]}'
    assert caller.post(CHAT, content=body).status_code == 200
    assert upstream.asked[-1][2].count(b"gpt-5") == 0, "a reader that takes the first of two sees what was allowed"


def test_a_key_is_shown_what_it_may_call(caller_with: CallerOf) -> None:
    def listed(caller: httpx.Client, path: str = LIST) -> list[str]:
        return [one["id"] for one in caller.get(path).json()["data"]]

    every = listed(caller_with())
    assert {"gpt-4o", "gpt-mini"} <= set(every)
    caller = caller_with(allowed_models=["gpt-4o", "gpt-mini@second", "gpt-mini@nowhere", "claude-x", "own-name"])
    assert listed(caller) == ["gpt-4o", "gpt-mini@second", "own-name"]
    assert listed(caller, "/gateway/anthropic/v1/models") == ["claude-x"]


def test_a_minute_has_so_many_requests_and_a_change_holds_at_once(
    caller_with: CallerOf, admin: httpx.Client, upstream: Upstream
) -> None:
    in_the_middle_of(60)
    caller = caller_with(requests_per_minute=2)
    before = metric(admin, 'modeltraces_gateway_refused_total{reason="requests_per_minute"}')
    assert status(caller) == status(caller, MESSAGES, "claude-x") == 200
    asked = len(upstream.asked)
    openai, anthropic = caller.post(CHAT, json=ask()), caller.post(MESSAGES, json=ask("claude-x"))
    assert openai.status_code == anthropic.status_code == 429
    error = openai.json()["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert "2 requests a minute" in error["message"]
    assert anthropic.json()["error"]["type"] == "rate_limit_error"
    assert 0 < int(openai.headers["retry-after"]) <= 60
    assert len(upstream.asked) == asked
    assert caller.get(LIST).status_code == 200, "what this server answers itself does not count"
    assert caller.get("/gateway/openai/v1/files", headers={"x-connection": "fake"}).status_code == 429
    assert metric(admin, 'modeltraces_gateway_refused_total{reason="requests_per_minute"}') == before + 3
    change = {"requests_per_minute": 3}
    assert admin.patch(f"/api/v1/keys/{caller.headers['key-id']}", json=change).status_code == 200
    assert (status(caller), status(caller)) == (200, 429)


def test_a_call_that_reaches_nobody_is_not_counted(caller_with: CallerOf) -> None:
    in_the_middle_of(60)
    caller = caller_with(requests_per_minute=1)
    assert caller.post(CHAT, json={"messages": []}).status_code == 400
    assert status(caller, MESSAGES, "nobody") == 404
    assert status(caller, CHAT, "gpt-4o@nowhere") == 404
    assert (status(caller), status(caller)) == (200, 429)


def test_of_many_calls_at_once_as_many_pass_as_may(caller_with: CallerOf) -> None:
    in_the_middle_of(60)
    caller = caller_with(requests_per_minute=10)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: status(caller), range(30)))
    assert (found.count(200), found.count(429)) == (10, 20)


def test_a_day_has_so_many_tokens_and_the_key_says_how_many_it_took(caller_with: CallerOf, admin: httpx.Client) -> None:
    in_the_middle_of(86_400)
    in_the_middle_of(60)
    caller = caller_with(tokens_per_day=2 * TOKENS)
    assert caller.post(CHAT, json=ask(stream=True)).text.endswith("data: [DONE]\n\n")
    assert status(caller, model="status-500") == 500, "an answer without usage takes nothing"
    assert status(caller) == 200
    answer = caller.post(CHAT, json=ask())
    assert answer.status_code == 429
    assert "24 tokens a day, and has used 24" in answer.json()["error"]["message"]
    assert abs(int(answer.headers["retry-after"]) - (86_400 - time.time() % 86_400)) < 5
    deadline = time.monotonic() + 10
    while used(admin, caller) != {"requests_this_minute": 3, "tokens_today": 2 * TOKENS}:
        assert time.monotonic() < deadline, used(admin, caller)
        time.sleep(0.1)


@pytest.mark.parametrize("recording", ["full", "off"])
def test_leaving_before_the_tokens_are_told_is_no_way_around_a_limit(
    caller_with: CallerOf, admin: httpx.Client, recording: str
) -> None:
    in_the_middle_of(86_400)
    caller = caller_with(tokens_per_day=50, recording=recording)
    with caller.stream("POST", CHAT, json=ask("endless", "feed " * 40, stream=True)) as answer:
        next(answer.iter_raw())
    deadline = time.monotonic() + 10
    while (tokens := used(admin, caller)["tokens_today"]) == 0:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    if recording == "full":
        run = run_of(admin, answer.headers["x-request-id"])
        assert (run["finish_reasons"], run["input_tokens"]) == (["client_left"], None)
        # Both texts are in the run, whole: 200 bytes, and what came before the caller went.
        assert tokens == 200 // 4 + -(-len(run["output"].encode()) // 4)
    assert tokens >= 50
    assert status(caller) == 429


def test_of_a_key_that_records_metadata_no_text_is_kept(caller_with: CallerOf, admin: httpx.Client) -> None:
    caller = caller_with(recording="metadata")
    for stream in (False, True):
        answer = caller.post(CHAT, json=ask(text="the duck is under the stairs", stream=stream))
        assert "Gr" in answer.text
        run = run_of(admin, answer.headers["x-request-id"])
        assert (run["input"], run["output"], run["request"], run["response"]) == ("", "", None, None)
        assert (run["input_tokens"], run["output_tokens"], run["status"]) == (9, 3, "success")
        assert run["input_size"] == len("the duck is under the stairs")
        assert run["output_size"] > 0


def test_of_a_key_that_records_nothing_there_is_no_run_and_its_tokens_count(
    caller_with: CallerOf, admin: httpx.Client
) -> None:
    in_the_middle_of(86_400)
    caller, recorded = caller_with(recording="off", tokens_per_day=TOKENS), caller_with()
    before = metric(admin, "modeltraces_gateway_not_recorded_total")
    unseen = caller.post(CHAT, json=ask("unseen-model"))
    assert unseen.status_code == 200
    assert status(caller, model="unseen-model") == 429
    assert metric(admin, "modeltraces_gateway_not_recorded_total") == before + 1
    # What came later is stored: so the other would be.
    run_of(admin, recorded.post(CHAT, json=ask()).headers["x-request-id"])
    assert admin.get(f"/api/v1/runs/{unseen.headers['x-request-id']}").status_code == 404
    assert admin.get("/api/v1/metrics", params={"model": "unseen-model"}).json()["total_requests"] == 0
