"""Every emitter that is recorded: its script, the environment it runs in, and its settings."""

from dataclasses import dataclass, field

from tests.emitters.environments import PYTHON, PYTHON_V2, VERCEL_6, VERCEL_7

SERVICE = "weather-app"
CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
COMPRESSION = "OTEL_EXPORTER_OTLP_COMPRESSION"
OPT_IN = "OTEL_SEMCONV_STABILITY_OPT_IN"
LATEST = "gen_ai_latest_experimental"


@dataclass(frozen=True)
class Emitter:
    name: str
    script: str
    settings: dict[str, str] = field(default_factory=dict)
    """Environment variables."""
    runs_in: str = PYTHON
    service_name: str = SERVICE


def _langchain(name: str, instrumentations: str, **settings: str) -> Emitter:
    more = {"INSTRUMENTATIONS": instrumentations, CONTENT: "span_only"} | settings
    return Emitter(f"langchain_{name}", "langchain_agent.py", more)


def _vercel(name: str, major: str, exporter: str, **settings: str) -> Emitter:
    more = {"AI_MAJOR": major, "EXPORTER": exporter} | settings
    return Emitter(f"vercel_ai_{name}", "vercel_ai.mjs", more, VERCEL_6 if major == "6" else VERCEL_7)


EMITTERS = {
    emitter.name: emitter
    for emitter in (
        Emitter("openai_openinference", "openai_openinference.py"),
        Emitter("openai_openllmetry", "openai_openllmetry.py"),
        Emitter("openai_openllmetry_events", "openai_openllmetry.py", {"OPENLLMETRY_EVENTS": "1"}),
        Emitter("openai_otel_v2", "openai_otel_v2.py", {CONTENT: "true"}, PYTHON_V2),
        Emitter("openai_otel_v2_latest", "openai_otel_v2.py", {OPT_IN: LATEST, CONTENT: "event_only"}, PYTHON_V2),
        Emitter("openai_otel_genai_spans", "openai_otel_genai.py", {CONTENT: "span_only"}),
        Emitter("openai_otel_genai_events", "openai_otel_genai.py", {CONTENT: "event_only", COMPRESSION: "gzip"}),
        Emitter("openai_otel_genai_no_content", "openai_otel_genai.py"),
        Emitter("anthropic_openinference", "anthropic_openinference.py"),
        Emitter("anthropic_openllmetry", "anthropic_openllmetry.py"),
        Emitter("anthropic_openllmetry_in_request", "anthropic_openllmetry.py", {"IN_REQUEST": "1"}),
        Emitter("anthropic_openllmetry_events", "anthropic_openllmetry.py", {"OPENLLMETRY_EVENTS": "1"}),
        Emitter("anthropic_otel_genai_spans", "anthropic_otel_genai.py", {CONTENT: "span_only"}),
        Emitter("anthropic_otel_genai_events", "anthropic_otel_genai.py", {CONTENT: "event_only"}),
        Emitter("anthropic_native", "anthropic_native.py"),
        Emitter("litellm_otel", "litellm_otel.py"),
        _langchain("openinference", "langchain"),
        _langchain("openinference_twice", "langchain,openai", SIMPLE="1"),
        _langchain("otel", "otel_langchain"),
        _langchain("otel_twice", "otel_langchain,otel_openai"),
        _langchain("mixed_twice", "langchain,openllmetry_openai"),
        _langchain("mixed_in_request", "langchain,openllmetry_openai", IN_REQUEST="1"),
        Emitter("pydantic_ai", "pydantic_ai_agent.py"),
        Emitter("pydantic_ai_twice", "pydantic_ai_agent.py", {"OPENAI_TOO": "1", CONTENT: "span_only"}),
        _vercel("6", "6", "json"),
        _vercel("7", "7", "protobuf"),
        _vercel("7_legacy", "7", "json", TELEMETRY="legacy"),
        Emitter("langfuse", "langfuse_openai.py"),
    )
}
