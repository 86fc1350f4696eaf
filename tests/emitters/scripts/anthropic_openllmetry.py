# mypy: disable-error-code="import-not-found"
"""The anthropic SDK with OpenLLMetry (Traceloop): content in attributes, or in events with OPENLLMETRY_EVENTS=1."""

import os

from anthropic_calls import anthropic_scenarios
from harness import serve, set_up_tracing
from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor

set_up_tracing()
legacy = os.environ.get("OPENLLMETRY_EVENTS") != "1"
AnthropicInstrumentor(use_legacy_attributes=legacy).instrument()
serve(anthropic_scenarios(), ["anthropic", "opentelemetry-instrumentation-anthropic"])
