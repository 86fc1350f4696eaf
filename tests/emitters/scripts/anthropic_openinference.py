# mypy: disable-error-code="import-not-found"
"""The anthropic SDK with OpenInference. The SDK itself emits a span of its own for each call too."""

from anthropic_calls import anthropic_scenarios
from harness import serve, set_up_tracing
from openinference.instrumentation.anthropic import AnthropicInstrumentor

AnthropicInstrumentor().instrument(tracer_provider=set_up_tracing(logs=False))
serve(anthropic_scenarios(), ["anthropic", "openinference-instrumentation-anthropic"])
