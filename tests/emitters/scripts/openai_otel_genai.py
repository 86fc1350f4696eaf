# mypy: disable-error-code="import-not-found"
"""The openai SDK with OpenTelemetry's newest package; the environment chooses the content mode."""

from harness import serve, set_up_tracing
from openai_calls import openai_scenarios
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

set_up_tracing()
OpenAIInstrumentor().instrument()
serve(openai_scenarios(), ["openai", "opentelemetry-instrumentation-genai-openai"])
