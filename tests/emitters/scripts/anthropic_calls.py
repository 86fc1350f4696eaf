# mypy: disable-error-code="import-not-found"
"""The scenarios that every instrumentation of the anthropic SDK records."""

from collections.abc import Callable
from typing import Any

from anthropic import Anthropic
from harness import (
    ANTHROPIC_MODEL,
    PROVIDER,
    SYSTEM,
    TOOL_DESCRIPTION,
    TOOL_NAME,
    TOOL_PARAMETERS,
    TOOL_RESULT,
    messages,
)

TOOLS: list[Any] = [{"name": TOOL_NAME, "description": TOOL_DESCRIPTION, "input_schema": TOOL_PARAMETERS}]


def anthropic_scenarios() -> dict[str, Callable[[], object]]:
    client = Anthropic(base_url=PROVIDER, api_key="sk-ant-fake", max_retries=0)

    def create(scenario: str, **more: Any) -> Any:
        given: dict[str, Any] = {"messages": messages(scenario, system=False), "system": SYSTEM, "max_tokens": 200}
        return client.messages.create(model=ANTHROPIC_MODEL, **given | more)

    def tool_call() -> None:
        asked = create("tool", tools=TOOLS)
        call = next(block for block in asked.content if block.type == "tool_use")
        result = {"type": "tool_result", "tool_use_id": call.id, "content": TOOL_RESULT}
        said = [block.model_dump(exclude_none=True) for block in asked.content]
        history = [{"role": "assistant", "content": said}, {"role": "user", "content": [result]}]
        create("tool", tools=TOOLS, messages=[*messages("tool", system=False), *history])

    def stream_helper() -> None:
        given: dict[str, Any] = {"messages": messages("stream_helper", system=False), "max_tokens": 200}
        with client.messages.stream(model=ANTHROPIC_MODEL, system=SYSTEM, **given) as stream:
            stream.get_final_message()

    return {
        "success": lambda: create("success"),
        "stream": lambda: list(create("stream", stream=True)),
        "stream_helper": stream_helper,
        "error529": lambda: create("error529"),
        "error400": lambda: create("error400"),
        "stream_error529": lambda: list(create("error529", stream=True)),
        "broken": lambda: list(create("broken", stream=True)),
        "tool": tool_call,
        "stream_tool": lambda: list(create("tool", tools=TOOLS, stream=True)),
    }
