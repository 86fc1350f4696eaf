# mypy: disable-error-code="import-not-found"
"""The anthropic SDK alone: it emits a span of its own for each call."""

from anthropic_calls import anthropic_scenarios
from harness import serve, set_up_tracing

set_up_tracing(logs=False)
serve(anthropic_scenarios(), ["anthropic"])
