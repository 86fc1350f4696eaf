"""Tokens and first-token times: numbers as emitters give them, in whatever type and unit."""

import math
from datetime import UTC, datetime
from typing import Any, Final

from modeltraces.ingest.otlp.dialects.reading import Reading
from modeltraces.ingest.otlp.payloads import structure
from modeltraces.run import Run

MAX_COUNT: Final = 2**53
"""Beyond this a number of tokens is an error, and JavaScript would not show it right."""

# Langfuse's usage details: three naming styles.
_DETAILS: Final[dict[str, tuple[str, ...]]] = {
    "input_tokens": ("input", "input_tokens", "prompt_tokens", "promptTokens", "inputTokens"),
    "output_tokens": ("output", "output_tokens", "completion_tokens", "completionTokens", "outputTokens"),
    "cached_input_tokens": (
        "input_cached_tokens",
        "input_cache_read",
        "cache_read_input_tokens",
        "cached_tokens",
        "prompt_tokens_details.cached_tokens",
        "input_tokens_details.cached_tokens",
        "cachedInputTokens",
    ),
    "cache_write_input_tokens": ("input_cache_creation", "cache_creation_input_tokens", "input_cache_write"),
    "reasoning_tokens": (
        "output_reasoning_tokens",
        "output_reasoning",
        "reasoning_tokens",
        "completion_tokens_details.reasoning_tokens",
        "output_tokens_details.reasoning_tokens",
        "reasoningTokens",
    ),
}


def count(value: Any) -> int | None:
    """A number of tokens from an int, a float or a text of either; None for anything else."""
    if type(value) is int:
        return value if 0 <= value <= MAX_COUNT else None
    if type(value) is str:
        try:
            value = float(value) if len(value) < 32 else math.nan
        except ValueError:
            return None
    if type(value) is float and 0 <= value <= MAX_COUNT:
        return int(value)
    return None


def set_tokens(run: Run, reading: Reading) -> None:
    """Set the run's tokens; the input's include cached ones. What is no number stays an attribute."""
    found = reading.found
    for name in (
        "input_tokens",
        "output_tokens",
        "cached_input_tokens",
        "cache_write_input_tokens",
        "reasoning_tokens",
    ):
        value = found.get(name)
        if value is None:
            continue
        number = count(value)
        if number is None:
            reading.give_back(name)
        else:
            setattr(run, name, number)
    details = structure(found.get("usage"))
    if type(details) is dict:
        _set_details(run, details)
    if "total_tokens" in found and (run.input_tokens is None or run.output_tokens is None):
        reading.give_back("total_tokens")
    _include_cached(run)


def _set_details(run: Run, details: dict[str, Any]) -> None:
    flat: dict[str, Any] = {}
    for name, value in details.items():
        if type(value) is dict:
            flat |= {f"{name}.{inner}": number for inner, number in value.items()}
        else:
            flat[name] = value
    for concept, names in _DETAILS.items():
        if getattr(run, concept) is None:
            number = next((number for name in names if (number := count(flat.get(name))) is not None), None)
            setattr(run, concept, number)
    # Langfuse counts each kind of token apart, so that kinds add up to the total: cached ones stand beside `input`.
    if run.input_tokens is not None and ("input" in flat or "cache_read_input_tokens" in flat):
        beside = (run.cached_input_tokens or 0) + (run.cache_write_input_tokens or 0)
        total = count(flat.get("total", flat.get("total_tokens")))
        said = run.input_tokens + (run.output_tokens or 0)
        if beside and (total is None or said < total):
            run.input_tokens += beside


def _include_cached(run: Run) -> None:
    """Anthropic's wire counts leave cached input out; a part that exceeds its whole gives them away."""
    cached = (run.cached_input_tokens or 0) + (run.cache_write_input_tokens or 0)
    if run.input_tokens is not None and cached > run.input_tokens:
        run.input_tokens += cached


def duration_ms(value: Any, milliseconds_each: float) -> float | None:
    """A duration in ms from a number, or a text of one, in the unit given; None for what is none."""
    if type(value) is str and len(value) < 32:
        try:
            value = float(value)
        except ValueError:
            return None
    if type(value) not in (int, float) or not math.isfinite(value) or value < 0:
        return None
    return float(value * milliseconds_each)


def instant_us(value: Any) -> int | None:
    """Microseconds since the epoch of an ISO 8601 text; one without a zone is taken as UTC."""
    if type(value) is not str:
        return None
    try:
        moment = datetime.fromisoformat(value.strip('"'))
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1_000_000)


def truth(value: Any) -> bool:
    """Whether a flag is set: emitters send booleans, numbers, and `'True'`."""
    return value is True or value == 1 or (type(value) is str and value.lower() in ("true", "1", "yes"))
