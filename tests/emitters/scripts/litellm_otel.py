# mypy: disable-error-code="import-not-found"
"""litellm with its own OpenTelemetry callback, which sets up its exporters itself, from the environment."""

from collections.abc import Callable
from typing import Any

import litellm
from harness import (
    ANTHROPIC_MODEL,
    EMBEDDING_MODEL,
    OPENAI_MODEL,
    PROVIDER,
    TOOL_RESULT,
    flush,
    messages,
    serve,
)
from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER
from litellm.litellm_core_utils.thread_pool_executor import executor
from openai_calls import TOOLS

litellm.callbacks = ["otel"]
litellm.telemetry = False


def chat(scenario: str, **more: Any) -> Any:
    given: dict[str, Any] = {"messages": messages(scenario), "max_tokens": 200, "num_retries": 0, "max_retries": 0}
    where = {"api_base": f"{PROVIDER}/v1", "api_key": "sk-fake"}
    return litellm.completion(**({"model": f"openai/{OPENAI_MODEL}"} | given | where | more))


def tool_call() -> None:
    asked = chat("tool", tools=TOOLS).choices[0].message
    answered = {"role": "tool", "tool_call_id": asked.tool_calls[0].id, "content": TOOL_RESULT}
    chat("tool", tools=TOOLS, messages=[*messages("tool"), asked.model_dump(exclude_none=True), answered])


def embed() -> object:
    where = {"api_base": f"{PROVIDER}/v1", "api_key": "sk-fake"}
    return litellm.embedding(model=f"openai/{EMBEDDING_MODEL}", input=["sunny in Lisbon"], **where)


def claude(scenario: str) -> object:
    return chat(scenario, model=f"anthropic/{ANTHROPIC_MODEL}", api_base=PROVIDER, api_key="sk-ant-fake")


def finish() -> None:
    """litellm makes its spans after the call, in a pool of threads: wait until those have run."""
    for _ in range(8):
        for waiting in [executor.submit(lambda: None) for _ in range(executor._max_workers)]:
            waiting.result()
    assert GLOBAL_LOGGING_WORKER is not None
    flush()


SCENARIOS: dict[str, Callable[[], object]] = {
    "success": lambda: chat("success"),
    "stream": lambda: list(chat("stream", stream=True, stream_options={"include_usage": True})),
    "stream_no_usage": lambda: list(chat("stream_no_usage", stream=True)),
    "error429": lambda: chat("error429"),
    "error400": lambda: chat("error400"),
    "broken": lambda: list(chat("broken", stream=True)),
    "tool": tool_call,
    "embeddings": embed,
    "anthropic": lambda: claude("anthropic"),
    "anthropic_error529": lambda: claude("error529"),
}
serve(SCENARIOS, ["litellm", "openai"], finish)
