# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator"
"""A LangChain agent on ChatOpenAI, under the instrumentations that INSTRUMENTATIONS names: `langchain` and `openai`
of OpenInference, `otel_langchain` and `otel_openai` of OpenTelemetry, `openllmetry_openai` of Traceloop. Two at once
record each call twice. SIMPLE=1 exports each span as it ends, children first."""

import os
from collections.abc import Callable
from typing import Any

from harness import OPENAI_MODEL, PROVIDER, SYSTEM, TOOL_RESULT, messages, prompt, serve, set_up_tracing

chosen = os.environ["INSTRUMENTATIONS"].split(",")
tracer_provider = set_up_tracing(simple=os.environ.get("SIMPLE") == "1")
packages = ["langchain", "langchain-openai", "openai"]
if "langchain" in chosen:
    from openinference.instrumentation.langchain import LangChainInstrumentor

    LangChainInstrumentor().instrument(tracer_provider=tracer_provider)
    packages.append("openinference-instrumentation-langchain")
if "openai" in chosen:
    from openinference.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=tracer_provider)
    packages.append("openinference-instrumentation-openai")
if "otel_langchain" in chosen:
    from opentelemetry.instrumentation.genai.langchain import LangChainInstrumentor as OtelLangChain

    OtelLangChain().instrument()
    packages.append("opentelemetry-instrumentation-genai-langchain")
if "otel_openai" in chosen:
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor as OtelOpenAI

    OtelOpenAI().instrument()
    packages.append("opentelemetry-instrumentation-genai-openai")
if "openllmetry_openai" in chosen:
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor as TraceloopOpenAI

    TraceloopOpenAI().instrument()
    packages.append("opentelemetry-instrumentation-openai")

from langchain.agents import create_agent  # noqa: E402 (after the instrumentations, which patch what it imports)
from langchain_openai import ChatOpenAI, OpenAIEmbeddings  # noqa: E402


def get_weather(city: str) -> str:
    """Tells the weather in a city."""
    return str(TOOL_RESULT)


def model(**more: Any) -> Any:
    given: dict[str, Any] = {"base_url": f"{PROVIDER}/v1", "api_key": "sk-fake", "max_retries": 0, "temperature": 0.2}
    return ChatOpenAI(model=OPENAI_MODEL, **given | more)


def agent(scenario: str) -> object:
    made: Any = create_agent(model(), tools=[get_weather], system_prompt=SYSTEM, name="weather-agent")
    return made.invoke({"messages": [{"role": "user", "content": prompt(scenario)}]})


def embed() -> object:
    made = OpenAIEmbeddings(
        model="text-embedding-3-small", base_url=f"{PROVIDER}/v1", api_key="sk-fake", check_embedding_ctx_length=False
    )
    return made.embed_query("sunny in Lisbon")


SCENARIOS: dict[str, Callable[[], object]] = {
    "success": lambda: model().invoke(messages("success")),
    "stream": lambda: list(model(stream_usage=True).stream(messages("stream"))),
    "stream_no_usage": lambda: list(model(stream_usage=False).stream(messages("stream_no_usage"))),
    "error429": lambda: model().invoke(messages("error429")),
    "broken": lambda: list(model().stream(messages("broken"))),
    "tool": lambda: agent("tool"),
    "agent_error429": lambda: agent("error429"),
}
if any(name.endswith("openai") for name in chosen):
    # Nothing records LangChain's embeddings but what records the SDK's under them.
    SCENARIOS["embeddings"] = embed
serve(SCENARIOS, packages)
