"""Every emitter that is recorded: its script, its environment variables."""

from dataclasses import dataclass, field

SERVICE = "weather-app"
LATEST = "gen_ai_latest_experimental"
CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


@dataclass(frozen=True)
class Emitter:
    name: str
    script: str
    environment: dict[str, str] = field(default_factory=dict)
    service_name: str = SERVICE


EMITTERS = {
    emitter.name: emitter
    for emitter in (
        Emitter("openai_openinference", "openai_openinference.py"),
        Emitter("openai_openllmetry", "openai_openllmetry.py"),
        Emitter("openai_openllmetry_events", "openai_openllmetry.py", {"OPENLLMETRY_EVENTS": "1"}),
        Emitter("openai_otel_v2", "openai_otel_v2.py", {CONTENT: "true"}),
        Emitter("openai_otel_genai_spans", "openai_otel_genai.py", {CONTENT: "span_only"}),
        Emitter("openai_otel_genai_events", "openai_otel_genai.py", {CONTENT: "event_only"}),
        Emitter("anthropic_openinference", "anthropic_openinference.py"),
        Emitter("anthropic_openllmetry", "anthropic_openllmetry.py"),
        Emitter("anthropic_openllmetry_events", "anthropic_openllmetry.py", {"OPENLLMETRY_EVENTS": "1"}),
        Emitter("anthropic_otel_genai_spans", "anthropic_otel_genai.py", {CONTENT: "span_only"}),
        Emitter("anthropic_otel_genai_events", "anthropic_otel_genai.py", {CONTENT: "event_only"}),
        Emitter("anthropic_native", "anthropic_native.py"),
    )
}
