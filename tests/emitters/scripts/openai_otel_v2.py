# mypy: disable-error-code="import-not-found"
"""The openai SDK with OpenTelemetry's older package: content in one log record a message, or, when the environment
opts in to the newest conventions, as the content mode says."""

from harness import serve, set_up_tracing
from openai_calls import openai_scenarios
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

set_up_tracing()
OpenAIInstrumentor().instrument()
serve(openai_scenarios(responses=False), ["openai", "opentelemetry-instrumentation-openai-v2"])
