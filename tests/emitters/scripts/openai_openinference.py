# mypy: disable-error-code="import-not-found"
"""The openai SDK with OpenInference."""

from harness import serve, set_up_tracing
from openai_calls import openai_scenarios
from openinference.instrumentation.openai import OpenAIInstrumentor

OpenAIInstrumentor().instrument(tracer_provider=set_up_tracing(logs=False))
serve(openai_scenarios(), ["openai", "openinference-instrumentation-openai"])
