"""How calls to the demo's models fail: the providers' own words, codes and shapes."""

from dataclasses import dataclass
from random import Random
from typing import Any, Final

from modeltraces.demo.models import DemoModel


@dataclass(frozen=True, slots=True)
class Failure:
    kind: str
    type: str
    """The exception that the client raised."""
    code: str
    message: str
    """`{model}` stands for the model's name; in the body, too."""
    median_ms: float
    """Milliseconds until it failed."""
    body: dict[str, Any] | None
    """The provider's answer; None when there was none (timeouts)."""


def _openai(
    kind: str, type_: str, code: int, message: str, median_ms: float, name: str, body_code: str | None
) -> Failure:
    error = {"message": message, "type": name, "param": None, "code": body_code}
    return Failure(kind, type_, str(code), message, median_ms, {"error": error})


def _anthropic(kind: str, type_: str, code: int, message: str, median_ms: float, name: str) -> Failure:
    return Failure(
        kind, type_, str(code), message, median_ms, {"type": "error", "error": {"type": name, "message": message}}
    )


_OPENAI: Final = (
    _openai("rate_limit", "RateLimitError", 429, "Rate limit reached for {model} on tokens per min (TPM): Limit 450000, Used 449214, Requested 2310. Please try again in 203ms.", 85, "tokens", "rate_limit_exceeded"),
    _openai("server", "InternalServerError", 500, "The server had an error while processing your request. Sorry about that!", 2400, "server_error", None),
    _openai("context", "BadRequestError", 400, "This model's maximum context length is 128000 tokens. However, your messages resulted in 131842 tokens. Please reduce the length of the messages.", 240, "invalid_request_error", "context_length_exceeded"),
    _openai("content_filter", "BadRequestError", 400, "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry.", 310, "invalid_request_error", "content_filter"),
    Failure("timeout", "APITimeoutError", "", "Request timed out.", 60_000, None),
    Failure("connection", "APIConnectionError", "", "Connection error.", 1_100, None),
)  # fmt: skip
_ANTHROPIC: Final = (
    _anthropic("rate_limit", "RateLimitError", 429, "This request would exceed your organization's rate limit of 400,000 input tokens per minute.", 90, "rate_limit_error"),
    _anthropic("server", "OverloadedError", 529, "Overloaded", 700, "overloaded_error"),
    _anthropic("context", "BadRequestError", 400, "prompt is too long: 204811 tokens > 200000 maximum", 260, "invalid_request_error"),
    Failure("timeout", "APITimeoutError", "", "Request timed out.", 60_000, None),
)  # fmt: skip
_HOSTED: Final = (
    _openai("oom", "InternalServerError", 500, "CUDA out of memory. Tried to allocate 2.34 GiB. GPU 0 has a total capacity of 79.15 GiB of which 1.02 GiB is free. This process has 78.12 GiB memory in use.", 900, "InternalServerError", None),
    _openai("server", "InternalServerError", 503, "The engine is dead: a background loop ended unexpectedly. The server is restarting.", 35, "ServiceUnavailableError", None),
    _openai("context", "BadRequestError", 400, "This model's maximum context length is 32768 tokens. However, you requested 33910 tokens in the messages.", 22, "BadRequestError", "context_length_exceeded"),
    Failure("timeout", "APITimeoutError", "504", "Upstream request timed out after 30 s.", 30_000, None),
)  # fmt: skip

# How often each kind comes on an ordinary day.
_USUAL: Final = {
    "rate_limit": 4,
    "server": 3,
    "context": 3,
    "content_filter": 2,
    "timeout": 3,
    "connection": 1,
    "oom": 1,
}


def _pool(model: DemoModel, connection: str) -> tuple[Failure, ...]:
    if model.kind != "external":
        return _HOSTED
    if model.wire == "anthropic":
        return _ANTHROPIC
    # The content filter is Azure's.
    return _OPENAI if connection.startswith("azure") else tuple(f for f in _OPENAI if f.kind != "content_filter")


def usual_failure(rng: Random, model: DemoModel, connection: str) -> Failure:
    pool = _pool(model, connection)
    return rng.choices(pool, [_USUAL[failure.kind] for failure in pool])[0]


def failure_of_kind(kind: str, model: DemoModel, connection: str) -> Failure:
    """That kind of failure in the model's own words. Raises KeyError if the model knows none such."""
    for failure in _pool(model, connection):
        if failure.kind == kind:
            return failure
    raise KeyError(f"{model.name} has no failure of kind {kind!r}")
