"""The real clients work against the demo's own upstream: every API that it speaks, plain, as streams, and with tools."""

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from modeltraces.demo.upstream import DemoUpstream
from tests.emitters.environments import GATEWAY_SDKS, PYTHON, command_of, set_up

pytestmark = [pytest.mark.emitters, pytest.mark.timeout(600)]

SAID = "This is a test reply."


@pytest.fixture(scope="module")
def upstream() -> Iterator[DemoUpstream]:
    running = DemoUpstream().start()
    yield running
    running.stop()


def made_by(environment: str, script: str, upstream: DemoUpstream) -> dict[str, Any]:
    set_up()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "ANTHROPIC_"))}
    here = {"UPSTREAM": upstream.address, "LANGSMITH_TRACING": "false", "AI_SDK_LOG_WARNINGS": "false"}
    done = subprocess.run(
        command_of(environment, script), env={**kept, **here}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_clients_for_python(upstream: DemoUpstream) -> None:
    assert made_by(PYTHON, "demo_calls.py", upstream) == {
        "chat tool": ["tool_calls", "order", "fits"],
        "chat named tool": ["other", "{}"],
        "chat tool stream": ["tool_calls", "order", "fits"],
        "chat after a tool": SAID,
        "response": ["completed", SAID],
        "response stream": ["completed", SAID],
        "response cut": ["response.incomplete", "incomplete", "max_output_tokens"],
        "response tool": ["function_call", "order", "fits"],
        "response tool stream": ["order", "fits"],
        "response after a tool": SAID,
        "completions": [[0, "This is a test ", "length"], [1, "Hello! How can I ", "length"]],
        "completion of tokens": 1,
        "completion stream": SAID,
        "count": 6,
        "message tool": ["tool_use", "order", "fits"],
        "message named tool": {},
        "message tool stream": ["tool_use", "order", "fits"],
        "message after a tool": SAID,
        "no tools": ["invalid_request_error", "tool_choice demands a tool, and the request has none: add tools."],
        "no such tool": "tool_choice names the tool 'x', which the request does not have. It has: order, other.",
        "no such path": "The demo's upstream has no such path. It has chat/completions, completions, embeddings, responses "
        "and models of OpenAI's API, messages, messages/count_tokens and models of Anthropic's.",
        "no such path of Anthropic's": ["not_found_error", "error"],
        "no messages": ["invalid_request_error", "The body is no such request: it takes a model and messages."],
        "langchain": "fits",
        "langchain tool": ["Order", "fits"],
    }


def test_the_vercel_ai_sdk(upstream: DemoUpstream) -> None:
    city = {"city": "Lisbon", "days": 2}
    expected: dict[str, Any] = {}
    for name in ("responses", "chat", "messages"):
        expected |= {
            name: SAID,
            f"{name} stream": [SAID, True],
            f"{name} tool": ["tool-calls", "weather", city],
            f"{name} tool stream": city,
        }
    assert made_by(GATEWAY_SDKS, "demo_calls.mjs", upstream) == expected
