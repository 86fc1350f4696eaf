# mypy: disable-error-code="import-not-found, untyped-decorator"
"""A pydantic-ai agent with its own instrumentation; with OPENAI_TOO=1, OpenTelemetry's for the openai SDK as well."""

import asyncio
import os
from collections.abc import Callable
from typing import Any

from harness import OPENAI_MODEL, PROVIDER, SYSTEM, TOOL_RESULT, prompt, serve, set_up_tracing
from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

set_up_tracing()
packages = ["pydantic-ai-slim", "openai"]
if os.environ.get("OPENAI_TOO") == "1":
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()
    packages.append("opentelemetry-instrumentation-genai-openai")
Agent.instrument_all()


def agent() -> Any:
    client = AsyncOpenAI(base_url=f"{PROVIDER}/v1", api_key="sk-fake", max_retries=0)
    model = OpenAIChatModel(OPENAI_MODEL, provider=OpenAIProvider(openai_client=client))
    made: Any = Agent(model, name="weather-agent", instructions=SYSTEM)

    @made.tool_plain
    def get_weather(city: str) -> str:
        """Tells the weather in a city."""
        return str(TOOL_RESULT)

    return made


async def stream(scenario: str) -> None:
    async with agent().run_stream(prompt(scenario)) as result:
        async for _ in result.stream_text(delta=True):
            pass


SCENARIOS: dict[str, Callable[[], object]] = {
    "success": lambda: asyncio.run(agent().run(prompt("success"))),
    "stream": lambda: asyncio.run(stream("stream")),
    "error429": lambda: asyncio.run(agent().run(prompt("error429"))),
    "error400": lambda: asyncio.run(agent().run(prompt("error400"))),
    "broken": lambda: asyncio.run(stream("broken")),
    "tool": lambda: asyncio.run(agent().run(prompt("tool"))),
}
serve(SCENARIOS, packages)
