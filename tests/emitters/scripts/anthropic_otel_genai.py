# mypy: disable-error-code="import-not-found"
"""The anthropic SDK with OpenTelemetry's package; the environment chooses the content mode."""

from anthropic_calls import anthropic_scenarios
from harness import serve, set_up_tracing
from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor

set_up_tracing()
AnthropicInstrumentor().instrument()
serve(anthropic_scenarios(), ["anthropic", "opentelemetry-instrumentation-genai-anthropic"])
