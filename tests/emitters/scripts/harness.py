# mypy: disable-error-code="import-not-found, import-untyped"
"""What every emitter script shares: the exporters, the scenarios' texts, and the conversation with its driver.

An emitter script runs in the emitters' own environment. It reads the names of scenarios on stdin, one a line; plays
each against the fake provider, flushes its telemetry, and answers `done NAME` on stdout. The driver so knows which
recordings belong to which scenario without paying a process start for each.

Environment: `PROVIDER_URL`, `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_SERVICE_NAME`.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import version
from typing import Any

PROVIDER = os.environ["PROVIDER_URL"]
SYSTEM = "You are a weather assistant. Answer in one sentence."
TOOL_NAME = "get_weather"
TOOL_DESCRIPTION = "Tells the weather in a city."
TOOL_PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL_RESULT = "18 degrees, sunny"
OPENAI_MODEL = "gpt-4o-mini"
ANTHROPIC_MODEL = "claude-sonnet-4-5"
EMBEDDING_MODEL = "text-embedding-3-small"
WARM_UP = "warm_up"
"""A scenario that only flushes."""


def prompt(scenario: str) -> str:
    return f"How is the weather in Lisbon? (scenario:{scenario})"


def messages(scenario: str, *, system: bool = True) -> list[Any]:
    head: list[Any] = [{"role": "system", "content": SYSTEM}] if system else []
    return [*head, {"role": "user", "content": prompt(scenario)}]


def set_up_tracing(*, simple: bool = False, logs: bool = True) -> Any:
    """Make the global providers export to the endpoint, as the OpenTelemetry documentation says to, and return
    the tracer provider. `simple` exports each span as it ends, so that children arrive before their parents."""
    from opentelemetry import _logs, trace
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

    if os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    else:
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    provider = TracerProvider()
    processor = SimpleSpanProcessor if simple else BatchSpanProcessor
    provider.add_span_processor(processor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    if logs:
        logger_provider = LoggerProvider()
        logger_provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
        _logs.set_logger_provider(logger_provider)
    return provider


def flush() -> None:
    """Send what is buffered: spans first, then logs, as two exporters of one program would."""
    from opentelemetry import _logs, trace

    for provider in (trace.get_tracer_provider(), _logs.get_logger_provider()):
        force = getattr(provider, "force_flush", None)
        if force:
            force()


def serve(
    scenarios: dict[str, Callable[[], object]], packages: list[str], finish: Callable[[], object] = flush
) -> None:
    """Play the scenarios named on stdin until it closes. A call's own failure is part of its scenario; anything
    else ends the script with its traceback on stderr."""
    versions = {name: version(name) for name in packages}
    print(json.dumps({"scenarios": list(scenarios), "versions": versions}), flush=True)
    for line in sys.stdin:
        name = line.strip()
        try:
            with in_request():
                scenarios[name]()
        except Exception as error:
            # The providers' own errors are what the failing scenarios are about.
            if not is_expected(name, error):
                traceback.print_exc()
                sys.exit(1)
        finish()
        print(f"done {name}", flush=True)


def in_request() -> AbstractContextManager[object]:
    """With IN_REQUEST=1, a span of the program's own around the scenario, as where a web framework serves it."""
    if os.environ.get("IN_REQUEST") != "1":
        return nullcontext()
    from opentelemetry import trace

    span: AbstractContextManager[object] = trace.get_tracer("weather-app").start_as_current_span("POST /forecast")
    return span


def is_expected(scenario: str, error: BaseException) -> bool:
    return ("error" in scenario or "broken" in scenario) and not isinstance(
        error, (AttributeError, ImportError, NameError, TypeError)
    )
