# mypy: disable-error-code="import-not-found"
"""The scenarios that every instrumentation of the openai SDK records: the same calls, so that they can be compared."""

from collections.abc import Callable
from typing import Any

from harness import (
    EMBEDDING_MODEL,
    OPENAI_MODEL,
    PROVIDER,
    SYSTEM,
    TOOL_DESCRIPTION,
    TOOL_NAME,
    TOOL_PARAMETERS,
    TOOL_RESULT,
    messages,
    prompt,
)
from openai import OpenAI

FUNCTION = {"name": TOOL_NAME, "description": TOOL_DESCRIPTION, "parameters": TOOL_PARAMETERS}
TOOLS: list[Any] = [{"type": "function", "function": FUNCTION}]


def openai_scenarios(*, responses: bool = True) -> dict[str, Callable[[], object]]:
    """`responses`: the instrumentation knows the Responses API."""
    client = OpenAI(base_url=f"{PROVIDER}/v1", api_key="sk-fake", max_retries=0)

    def chat(scenario: str, **more: Any) -> Any:
        given: dict[str, Any] = {"messages": messages(scenario), "temperature": 0.2, "max_tokens": 200} | more
        return client.chat.completions.create(model=OPENAI_MODEL, **given)

    def tool_call() -> None:
        """Two calls: one that asks for the tool, one with its result."""
        asked = chat("tool", tools=TOOLS).choices[0].message
        call = asked.tool_calls[0]
        answered = {"role": "tool", "tool_call_id": call.id, "content": TOOL_RESULT}
        chat("tool", tools=TOOLS, messages=[*messages("tool"), asked.model_dump(exclude_none=True), answered])

    scenarios: dict[str, Callable[[], object]] = {
        "success": lambda: chat("success"),
        "stream": lambda: list(chat("stream", stream=True, stream_options={"include_usage": True})),
        "stream_no_usage": lambda: list(chat("stream_no_usage", stream=True)),
        "error429": lambda: chat("error429"),
        "error400": lambda: chat("error400"),
        "stream_error429": lambda: list(chat("error429", stream=True)),
        "broken": lambda: list(chat("broken", stream=True)),
        "tool": tool_call,
        "stream_tool": lambda: list(chat("tool", tools=TOOLS, stream=True, stream_options={"include_usage": True})),
        "embeddings": lambda: client.embeddings.create(model=EMBEDDING_MODEL, input=["sunny in Lisbon"]),
    }
    if responses:

        def respond(scenario: str, **more: Any) -> Any:
            return client.responses.create(model=OPENAI_MODEL, instructions=SYSTEM, input=prompt(scenario), **more)

        scenarios |= {
            "responses": lambda: respond("responses"),
            "responses_stream": lambda: list(respond("responses_stream", stream=True)),
            "responses_error429": lambda: respond("error429"),
            "responses_tool": lambda: respond("tool", tools=[{"type": "function", "strict": True} | FUNCTION]),
        }
    return scenarios
