"""The real clients of OpenAI and Anthropic through the gateway: each call gives what it gives directly, and is one run."""

import json
import os
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.emitters.environments import PYTHON, SCRIPTS, python_of, set_up
from tests.emitters.fake_answers import ANSWER, EMBEDDING_TOKENS, OUTPUT_TOKENS
from tests.emitters.fake_provider import Provider
from tests.support.server import Server

SCRIPT = SCRIPTS / "gateway_calls.py"
RECORDED = ("chat", "stream", "stream with usage", "responses", "responses stream", "embeddings", "message",
            "message stream", "async stream", "async message")  # fmt: skip


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    running = Provider().start()
    yield running
    running.stop()


@pytest.mark.emitters
@pytest.mark.timeout(600)
def test_the_sdks_work_unchanged_and_every_call_is_a_run(server: Server, provider: Provider) -> None:
    set_up()
    account = server.new_account("sdks through the gateway")
    with server.client("admin", account=account) as admin:
        for name, protocol, base, models in (
            ("openai", "openai", f"{provider.url}/v1", ["gpt-4o", "text-embedding-3-small"]),
            ("anthropic", "anthropic", provider.url, ["claude-sonnet-4-5"]),
        ):
            made = {"name": name, "protocol": protocol, "base_url": base, "credential": "sk-test", "models": models}
            assert admin.post("/api/v1/connections", json=made).status_code == 201
        environment = {**os.environ, "GATEWAY": server.url, "KEY": server.key("gateway", account=account)}
        for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
            environment.pop(name, None)
        done = subprocess.run(
            [str(python_of(PYTHON)), "-W", "ignore", str(SCRIPT)],
            env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        for name in ("chat", "responses", "message", "async message"):
            assert found[name] == [ANSWER, OUTPUT_TOKENS], name
        for name in ("stream", "responses stream", "async stream"):
            assert found[name][0] == ANSWER, name
        assert found["stream with usage"][1] == found["message stream"][1] == OUTPUT_TOKENS
        assert found["message stream"][0] == ANSWER
        assert found["embeddings"] == [2, EMBEDDING_TOKENS]
        assert found["unknown"][0] == "model_not_found"
        deadline = time.monotonic() + 15
        while len(runs := admin.get("/api/v1/runs").json()["runs"]) < len(RECORDED):
            assert time.monotonic() < deadline, [run["operation"] for run in runs]
            time.sleep(0.1)
        assert len(runs) == len(RECORDED)
        assert {run["status"] for run in runs} == {"success"}
        for run in runs:
            if run["operation"] == "chat":
                assert run["output"] == ANSWER, run
                assert run["output_tokens"] == OUTPUT_TOKENS, run
            assert run["connection_name"] in ("openai", "anthropic")
