"""The snippets of Settings → Gateway, run as they stand on the page: each prints the answer, and each call is a run."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from modeltraces.web.snippets import TOOLS, VARIABLE, Tool, snippet
from tests.emitters.environments import GATEWAY_SDKS, HOME, PYTHON, node, python_of, set_up
from tests.emitters.fake_answers import ANSWER
from tests.emitters.fake_provider import Provider
from tests.support.server import Server

pytestmark = [pytest.mark.emitters, pytest.mark.timeout(600)]

MODELS = {"openai": "gpt-4o", "anthropic": "claude-sonnet-5-5"}
_RUN_PYTHON = """
import contextlib, io, json, sys
for text in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(text, {"__name__": "__main__"})
    print(json.dumps(said.getvalue()))
"""


def _tools(language: str) -> list[Tool]:
    return [tool for tool in TOOLS if tool.language == language]


def _printed(language: str) -> list[str]:
    """What each program prints: the answer, or the length of a vector."""
    return [ANSWER if tool.task == "chat" else "4" for tool in _tools(language)]


@dataclass
class World:
    server: Server
    account: str
    key: str

    def programs(self, language: str, key: str = "") -> list[str]:
        return [snippet(tool.key, self.server.url, MODELS[tool.family], key) for tool in _tools(language)]

    def environment(self) -> Mapping[str, str]:
        """Without a key or an address that the libraries would find by themselves."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "ANTHROPIC_"))}
        return {**kept, VARIABLE: self.key}

    def run(self, command: list[str], text: str | None = None) -> list[str]:
        """What it printed, line by line."""
        done = subprocess.run(
            command, env=self.environment(), input=text, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def runs(self) -> int:
        with self.server.client("read", account=self.account) as reader:
            return int(reader.get("/api/v1/metrics").json()["total_requests"])

    def expect_runs(self, number: int) -> None:
        deadline = time.monotonic() + 15
        while self.runs() < number:
            assert time.monotonic() < deadline, "a call was not recorded"
            time.sleep(0.1)
        assert self.runs() == number


@pytest.fixture
def world(server: Server, request: pytest.FixtureRequest) -> Iterator[World]:
    set_up()
    account = server.new_account(request.node.nodeid)
    provider = Provider().start()
    with server.client("admin", account=account) as admin:
        for family, model in MODELS.items():
            base = f"{provider.url}/v1" if family == "openai" else provider.url
            made = {"name": family, "protocol": family, "base_url": base, "models": [model]}
            assert admin.post("/api/v1/connections", json=made).status_code == 201
    yield World(server, account, server.key("gateway", account=account))
    provider.stop()


def test_the_python_programs_run_with_the_key_in_them_and_in_the_environment(world: World) -> None:
    programs = world.programs("python") + world.programs("python", world.key)[:1]
    said = world.run([str(python_of(PYTHON)), "-W", "ignore", "-c", _RUN_PYTHON], json.dumps(programs))
    assert [json.loads(line).strip() for line in said] == [*_printed("python"), ANSWER]
    world.expect_runs(len(programs))


def test_the_typescript_programs_run(world: World) -> None:
    programs = world.programs("typescript")
    # Node finds packages beside the program.
    with tempfile.TemporaryDirectory(dir=HOME / GATEWAY_SDKS) as place:
        for number, text in enumerate(programs):
            (Path(place) / f"{number}.mjs").write_text(text)
        whole = Path(place) / "all.mjs"
        whole.write_text("".join(f'await import("./{number}.mjs");\n' for number in range(len(programs))))
        said = world.run([str(node()), str(whole)])
    assert said == _printed("typescript")
    world.expect_runs(len(programs))


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_curl_commands_run_in_a_shell(world: World) -> None:
    for text, tool in zip(world.programs("shell"), _tools("shell"), strict=True):
        answer = json.loads("\n".join(world.run(["sh", "-c", text.replace("curl ", "curl --silent --fail ", 1)])))
        if tool.task == "embeddings":
            assert len(answer["data"][0]["embedding"]) == 4
            continue
        said = answer["choices"][0]["message"]["content"] if "choices" in answer else answer["content"][0]["text"]
        assert said == ANSWER
    world.expect_runs(len(world.programs("shell")))
