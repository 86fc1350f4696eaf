"""The real clients through the gateway, in Python and TypeScript: each call gives what it gives directly, and is one run."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.emitters.environments import GATEWAY_SDKS, PYTHON, command_of, set_up
from tests.emitters.fake_answers import ANSWER, EMBEDDING_TOKENS, OUTPUT_TOKENS
from tests.emitters.fake_provider import Provider
from tests.support.server import Server

pytestmark = [pytest.mark.emitters, pytest.mark.timeout(600)]

CALLED = ["weather", {"city": "Lisbon"}]
ANSWERED = [ANSWER, OUTPUT_TOKENS]
PYTHON_CALLS: dict[str, Any] = {
    "chat": ANSWERED, "responses": ANSWERED, "message": ANSWERED, "message stream": ANSWERED, "async message": ANSWERED,
    "langchain": ANSWERED, "azure": ANSWERED, "azure stream": [ANSWER, None], "stream": [ANSWER, None], "responses stream": [ANSWER, None], "async stream": [ANSWER, None],
    "langchain stream": [ANSWER, None], "langchain async": [ANSWER, None], "stream with usage": ["", OUTPUT_TOKENS],
    "tool": CALLED, "tool stream": CALLED, "message tool": CALLED, "langchain tool": CALLED,
    "embeddings": [2, EMBEDDING_TOKENS], "langchain embeddings": [2, None],
}  # fmt: skip
TYPESCRIPT_CALLS: dict[str, Any] = {
    "chat": ANSWERED, "responses": ANSWERED, "message": ANSWERED, "messageStream": ANSWERED, "vercelChat": ANSWERED,
    "vercelResponses": ANSWERED, "vercelStream": ANSWERED, "vercelMessage": ANSWERED, "stream": [ANSWER, 0],
    "responsesStream": [ANSWER, None], "tool": CALLED, "messageTool": CALLED, "vercelTool": CALLED,
    "embeddings": [2, -0.25], "vercelEmbeddings": [2, -0.25],
}  # fmt: skip


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    running = Provider().start()
    yield running
    running.stop()


@pytest.fixture
def admin(server: Server, provider: Provider, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    with server.client("admin", "gateway", account=server.new_account(request.node.nodeid)) as client:
        for name, protocol, base, models in (
            ("openai", "openai", f"{provider.url}/v1", ["gpt-4o", "text-embedding-3-small"]),
            ("anthropic", "anthropic", provider.url, ["claude-sonnet-4-5"]),
        ):
            made = {"name": name, "protocol": protocol, "base_url": base, "credential": "sk-test", "models": models}
            assert client.post("/api/v1/connections", json=made).status_code == 201
        yield client


def made_by(environment: str, script: str, admin: httpx.Client) -> dict[str, Any]:
    """What each call of a script gave."""
    set_up()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "ANTHROPIC_"))}
    key = admin.headers["authorization"].removeprefix("Bearer ")
    here = {
        "GATEWAY": str(admin.base_url).rstrip("/"),
        "KEY": key,
        "LANGSMITH_TRACING": "false",
        "AI_SDK_LOG_WARNINGS": "false",
    }
    done = subprocess.run(
        command_of(environment, script), env={**kept, **here}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def runs_of(admin: httpx.Client, count: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 15
    while len(runs := admin.get("/api/v1/runs").json()["runs"]) < count:
        assert time.monotonic() < deadline, [run["operation"] for run in runs]
        time.sleep(0.1)
    time.sleep(0.3)
    found: list[dict[str, Any]] = admin.get("/api/v1/runs").json()["runs"]
    return found


@pytest.mark.parametrize(
    ("environment", "script", "calls", "unknown"),
    [
        (PYTHON, "gateway_calls.py", PYTHON_CALLS, ["model_not_found", None]),
        (GATEWAY_SDKS, "gateway_calls.mjs", TYPESCRIPT_CALLS, [True, "model_not_found"]),
    ],
    ids=["Python", "TypeScript"],
)
def test_the_sdks_work_unchanged_and_every_call_is_a_run(
    admin: httpx.Client, environment: str, script: str, calls: dict[str, Any], unknown: list[Any]
) -> None:
    found = made_by(environment, script, admin)
    assert found["unknown"] == unknown
    assert {name: found.get(name) for name in calls} == calls
    runs = runs_of(admin, len(calls))
    assert len(runs) == len(calls)
    tools = [run for run in runs if run["finish_reasons"] in (["tool_calls"], ["tool_use"])]
    assert len(tools) == sum(given == CALLED for given in calls.values())
    for run in runs:
        assert run["status"] == "success", run
        assert run["connection_name"] in ("openai", "anthropic")
        if run in tools:
            assert "[tool call] weather(" in run["output"], run
        elif run["operation"] == "chat":
            assert run["output"] == ANSWER, run
        if run["operation"] == "chat":
            assert run["output_tokens"] == OUTPUT_TOKENS, run
