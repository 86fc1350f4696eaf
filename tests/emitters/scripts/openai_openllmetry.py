# mypy: disable-error-code="import-not-found"
"""The openai SDK with OpenLLMetry (Traceloop): content in attributes, or in events with OPENLLMETRY_EVENTS=1."""

import os

from harness import serve, set_up_tracing
from openai_calls import openai_scenarios
from opentelemetry.instrumentation.openai import OpenAIInstrumentor

set_up_tracing()
OpenAIInstrumentor(use_attributes=os.environ.get("OPENLLMETRY_EVENTS") != "1").instrument()
serve(openai_scenarios(), ["openai", "opentelemetry-instrumentation-openai"])
