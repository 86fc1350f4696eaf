# mypy: disable-error-code="import-not-found"
"""The openai SDK through Langfuse's drop-in, and Langfuse's own generation API: OTLP with Basic authentication."""

from collections.abc import Callable
from typing import Any

from harness import OPENAI_MODEL, PROVIDER, TOOL_RESULT, messages, prompt, serve
from langfuse import get_client, observe, propagate_attributes
from langfuse.openai import OpenAI
from openai_calls import TOOLS

client = OpenAI(base_url=f"{PROVIDER}/v1", api_key="sk-fake", max_retries=0)
langfuse = get_client()


def chat(scenario: str, **more: Any) -> Any:
    given: dict[str, Any] = {"messages": messages(scenario), "temperature": 0.2, "max_tokens": 200}
    return client.chat.completions.create(model=OPENAI_MODEL, **given | more)


def tool_call() -> None:
    asked = chat("tool", tools=TOOLS).choices[0].message
    answered = {"role": "tool", "tool_call_id": asked.tool_calls[0].id, "content": TOOL_RESULT}
    chat("tool", tools=TOOLS, messages=[*messages("tool"), asked.model_dump(exclude_none=True), answered])


@observe(name="forecast")  # type: ignore[untyped-decorator]
def observed() -> object:
    """A call inside a span of the program's own, with a user and a session."""
    with propagate_attributes(user_id="user-7", session_id="session-7"):
        return chat("observed")


def generation() -> None:
    """A generation recorded by hand, with usage in Langfuse's own names."""
    with langfuse.start_as_current_observation(
        name="by-hand", as_type="generation", model="llama-3-8b", input=prompt("generation")
    ) as made:
        made.update(output="Sunny.", usage_details={"input": 12, "output": 3, "total": 15})


SCENARIOS: dict[str, Callable[[], object]] = {
    "success": lambda: chat("success"),
    "stream": lambda: list(chat("stream", stream=True, stream_options={"include_usage": True})),
    "stream_no_usage": lambda: list(chat("stream_no_usage", stream=True)),
    "error429": lambda: chat("error429"),
    "broken": lambda: list(chat("broken", stream=True)),
    "tool": tool_call,
    "observed": observed,
    "generation": generation,
}
serve(SCENARIOS, ["langfuse", "openai"], langfuse.flush)
