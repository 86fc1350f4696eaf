"""Calls that take another path than the usual one: Azure's deployments, the other provider's protocol. They are the same calls, with
the same record and the same limits."""

import time
from typing import Any

import httpx
import pytest

from modeltraces.gateway.calls import call_of
from tests.gateway.conftest import CallerOf
from tests.gateway.test_limits import in_the_middle_of, run_of, used
from tests.gateway.upstream import Upstream
from tests.support.server import Server

OPENAI, ANTHROPIC = "/gateway/openai/v1", "/gateway/anthropic/v1"
CHAT = "chat/completions"
VERSION = "api-version=2024-10-21"


@pytest.fixture(scope="module")
def account(server: Server, upstream: Upstream) -> str:
    name = server.new_account("ways to a call")
    with server.client("admin", account=name) as admin:
        for connection, protocol, base, models in (
            ("fake", "openai", f"{upstream.url}/v1", ["gpt-4o", "gpt-5", "claude-local"]),
            ("azure", "azure_openai", upstream.url, ["az-1", "grö ße"]),
            ("claude", "anthropic", upstream.url, ["claude-x"]),
        ):
            made = {"name": connection, "protocol": protocol, "base_url": base, "models": models}
            assert admin.post("/api/v1/connections", json=made).status_code == 201
    return name


def ask(model: str | None, **more: Any) -> dict[str, Any]:
    named = {} if model is None else {"model": model}
    return {**named, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], **more}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("path", "named", "model", "reached"),
    [
        (f"{ANTHROPIC}/{CHAT}", "claude-x", "claude-x", f"/v1/{CHAT}"),
        (f"{OPENAI}/messages", "claude-local", "claude-local", "/v1/messages"),
        (f"{OPENAI}/deployments/az-1/{CHAT}", "az-1", "az-1", f"/openai/deployments/az-1/{CHAT}?{VERSION}"),
        (f"{OPENAI}/deployments/other/{CHAT}", "az-1", "az-1", f"/openai/deployments/az-1/{CHAT}?{VERSION}"),
        (f"{OPENAI}/openai/deployments/gr%C3%B6%20%C3%9Fe/{CHAT}", "grö ße", "grö ße", f"/openai/deployments/gr%C3%B6%20%C3%9Fe/{CHAT}?{VERSION}"),
        (f"{OPENAI}/deployments/gpt-4o@fake/{CHAT}", None, "gpt-4o", f"/v1/{CHAT}"),
        (f"{OPENAI}/Deployments/gpt-4o/{CHAT}", None, "gpt-4o", f"/v1/{CHAT}"),
        (f"{OPENAI}/engines/gpt-4o/{CHAT}", None, "gpt-4o", f"/v1/{CHAT}"),
    ],
)  # fmt: skip
def test_a_call_by_another_path_is_recorded_as_what_it_is(
    caller_with: CallerOf, admin: httpx.Client, upstream: Upstream,
    path: str, named: str | None, model: str, reached: str, stream: bool,
) -> None:  # fmt: skip
    answer = caller_with().post(path, json=ask(named, **({"stream": True} if stream else {})))
    assert answer.status_code == 200, answer.text
    assert httpx.URL(upstream.asked[-1][0]) == httpx.URL(reached)
    assert upstream.last[2]["model"] == model, "where the path named it, the body does"
    run = run_of(admin, answer.headers["x-request-id"])
    assert (run["model"], run["status"], run["operation"], run["streaming"]) == (model, "success", "chat", stream)
    assert run["output"].startswith("hel" if path.endswith("messages") else "Größe 退款")
    assert run["output_tokens"] > 0
    assert stream or b'"usage"' in answer.content
    if stream and path.endswith(CHAT):
        assert b'"usage"' not in answer.content, "what was asked for beside is taken out"


@pytest.mark.parametrize("before", ["", "deployments/gpt-4o/", "some/where/"])
@pytest.mark.parametrize(
    ("operation", "recorded"),
    [
        (CHAT, "chat"), ("completions", "text_completion"), ("embeddings", "embeddings"), ("responses", "chat"),
        ("images/generations", "image_generation"), ("rerank", "rerank"),
    ],
)  # fmt: skip
def test_what_is_inference_is_told_by_how_a_path_ends(
    caller_with: CallerOf, admin: httpx.Client, before: str, operation: str, recorded: str
) -> None:
    answer = caller_with().post(f"{OPENAI}/{before}{operation}", json=ask("gpt-4o"))
    assert run_of(admin, answer.headers["x-request-id"])["operation"] == recorded


@pytest.mark.parametrize(
    ("path", "is_anthropics"),
    [(f"{OPENAI}/{CHAT}", False), (f"{ANTHROPIC}/{CHAT}", False), (f"{ANTHROPIC}/messages", True), (f"{OPENAI}/messages", True)],
)  # fmt: skip
def test_an_error_has_the_shape_of_the_calls_protocol(caller_with: CallerOf, path: str, is_anthropics: bool) -> None:
    answer = caller_with().post(path, json=ask("nobody"))
    assert answer.status_code == 404
    assert answer.json()["error"]["type"] == ("not_found_error" if is_anthropics else "invalid_request_error")
    assert answer.json().get("type") == ("error" if is_anthropics else None)


def test_messages_of_a_thread_are_no_call_of_a_model(caller_with: CallerOf, upstream: Upstream) -> None:
    asked = {"role": "user", "content": "hi"}
    answer = caller_with().post(f"{OPENAI}/threads/thread_1/messages", json=asked, headers={"x-connection": "fake"})
    assert answer.status_code == 404, "as the upstream said, not refused for naming no model"
    assert upstream.asked[-1][0] == "/v1/threads/thread_1/messages"


_EVERY_WAY = [
    ("POST", f"{OPENAI}/{CHAT}", ask("gpt-4o"), {}),
    ("POST", f"{ANTHROPIC}/messages", ask("claude-x"), {}),
    ("POST", f"{ANTHROPIC}/{CHAT}", ask("claude-x"), {}),
    ("POST", f"{OPENAI}/deployments/az-1/{CHAT}", ask(None), {}),
    ("POST", f"{ANTHROPIC}/messages/count_tokens", ask("claude-x"), {}),
    ("POST", f"{OPENAI}/some/where", {}, {"x-connection": "fake"}),
    ("GET", f"{OPENAI}/files", None, {"x-connection": "fake"}),
]


def test_a_minute_of_a_key_counts_every_path(caller_with: CallerOf, admin: httpx.Client, upstream: Upstream) -> None:
    in_the_middle_of(60)
    caller = caller_with(requests_per_minute=len(_EVERY_WAY))
    for method, path, body, headers in _EVERY_WAY:
        assert caller.request(method, path, json=body, headers=headers).status_code in (200, 404), path
    asked = len(upstream.asked)
    for method, path, body, headers in _EVERY_WAY:
        assert caller.request(method, path, json=body, headers=headers).status_code == 429, path
    assert caller.get(f"{OPENAI}/models").status_code == caller.get(f"{OPENAI}/models/gpt-4o").status_code == 200
    assert len(upstream.asked) == asked, "nothing of it went upstream"
    deadline = time.monotonic() + 10
    while used(admin, caller)["requests_this_minute"] != len(_EVERY_WAY):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("path", "model"), [(f"{ANTHROPIC}/{CHAT}", "claude-x"), (f"{OPENAI}/deployments/az-1/{CHAT}", "az-1")]
)
def test_a_day_of_a_key_counts_the_tokens_of_every_path(
    caller_with: CallerOf, upstream: Upstream, path: str, model: str
) -> None:
    in_the_middle_of(86_400)
    caller = caller_with(tokens_per_day=12)
    assert caller.post(path, json=ask(model)).status_code == 200
    asked = len(upstream.asked)
    for method, other, body, headers in _EVERY_WAY:
        assert caller.request(method, other, json=body, headers=headers).status_code == 429, other
    assert caller.get(f"{ANTHROPIC}/models").status_code == 200
    assert len(upstream.asked) == asked, "nothing of it went upstream"


def test_no_path_leads_around_the_models_of_a_key(caller_with: CallerOf, upstream: Upstream) -> None:
    caller, asked = caller_with(allowed_models=["gpt-4o"]), len(upstream.asked)
    assert caller.post(f"{OPENAI}/deployments/gpt-5/{CHAT}", json=ask(None)).status_code == 403
    # Who knows what a server makes of a name that stands in a path of its own.
    for before in ("some/gpt-5", "models/gpt-5", "deployments/gpt-5/extensions"):
        assert caller.post(f"{OPENAI}/{before}/{CHAT}", json=ask("gpt-4o")).status_code == 403, before
    assert len(upstream.asked) == asked, "nothing of it went upstream"
    for body in (ask("gpt-4o"), ask(None)):
        assert caller.post(f"{OPENAI}/deployments/gpt-4o/{CHAT}", json=body).status_code == 200
        assert (upstream.last[0], upstream.last[2]["model"]) == (f"/v1/{CHAT}", "gpt-4o")
    assert caller.post(f"{OPENAI}/deployments/gpt-5/{CHAT}", json=ask("gpt-4o")).status_code == 200
    assert (upstream.last[0], upstream.last[2]["model"]) == (f"/v1/{CHAT}", "gpt-4o"), "the body's counts, alone"


@pytest.mark.parametrize("limits", [{}, {"allowed_models": ["gpt-4o"]}], ids=str)
@pytest.mark.parametrize(
    "model", [5, True, {"id": "gpt-5"}, ["gpt-5"], [{"type": "text", "text": "gpt-5"}], ""], ids=str
)
def test_a_model_that_is_no_text_beside_one_that_the_path_names_does_not_count(
    caller_with: CallerOf, upstream: Upstream, model: Any, limits: dict[str, Any]
) -> None:
    body = {**ask(None), "model": model}
    answer = caller_with(**limits).post(f"{OPENAI}/deployments/gpt-4o/{CHAT}", json=body)
    assert answer.status_code == 200, answer.text
    assert upstream.last[2]["model"] == "gpt-4o", "the upstream gets what the key was asked about"


@pytest.mark.parametrize(
    "path", ["messages", "v1/messages", "anthropic/v1/messages", "deployments/m/messages", "V1/Messages"]
)
def test_messages_below_any_path_but_a_threads_are_a_call(path: str) -> None:
    call = call_of("openai", "POST", path)
    assert call is not None
    assert call.protocol == "anthropic"
    assert call_of("openai", "POST", "threads/thread_1/messages") is None
