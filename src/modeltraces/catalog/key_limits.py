"""What a key may do through the gateway, and what is recorded of it: read from what people and programs give."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast, get_args

import orjson

from modeltraces.catalog.errors import Invalid, about
from modeltraces.catalog.tables import ApiKeyRow
from modeltraces.catalog.text import clean_name

Recording = Literal["full", "metadata", "off"]
RECORDINGS: Final[tuple[Recording, ...]] = get_args(Recording)
LIMITS: Final = ("requests_per_minute", "tokens_per_day", "allowed_models", "recording")

EVERY: Final = "*"
"""Ends a pattern; alone, it is every model."""
_MOST_MODELS: Final = 200
LONGEST_MODEL: Final = 401
"""A model's name, `@`, and a version or connection."""
_MOST: Final = 10**15
"""Far above what can be used, far below what a column holds."""


@dataclass(frozen=True, slots=True)
class KeyLimits:
    requests_per_minute: int | None = None
    tokens_per_day: int | None = None
    allowed_models: tuple[str, ...] = ()
    """Names, `name@version`, `name@connection`, or the beginning of any with `*` after it. Empty: every model."""
    recording: Recording = "full"

    @property
    def counts(self) -> bool:
        """Whether what the key uses must be counted."""
        return self.requests_per_minute is not None or self.tokens_per_day is not None

    def allows(self, *spellings: str) -> bool:
        """Whether one of the spellings of one model is among those that may be called."""
        return not self.allowed_models or any(
            _covers(allowed, name) for allowed in self.allowed_models for name in spellings
        )


def limits_of(row: ApiKeyRow) -> KeyLimits:
    return KeyLimits(
        row.requests_per_minute,
        row.tokens_per_day,
        tuple(orjson.loads(row.allowed_models)),
        cast(Recording, row.recording),
    )


def check_limits(values: Mapping[str, Any]) -> None:
    """Raises Invalid for what `put_limit` would refuse."""
    unused = ApiKeyRow()
    for name, value in values.items():
        put_limit(unused, name, value)


def put_limit(row: ApiKeyRow, name: str, value: Any) -> None:
    """One of `LIMITS` as it was given; None is no limit, and everything recorded. Raises Invalid."""
    with about(name):
        _put(row, name, value)


def _put(row: ApiKeyRow, name: str, value: Any) -> None:
    match name:
        case "requests_per_minute":
            row.requests_per_minute = _count(value, "Requests a minute")
        case "tokens_per_day":
            row.tokens_per_day = _count(value, "Tokens a day")
        case "allowed_models":
            row.allowed_models = orjson.dumps(_models(value)).decode()
        case "recording":
            row.recording = _recording(value)
        case _:
            raise ValueError(name)


def _count(value: Any, what: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _MOST:
        raise Invalid(f"{what} must be a whole number from 1 to {_MOST:,}, or nothing for no limit.")
    return value


def _models(value: Any) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(one, str) for one in value):
        raise Invalid("The allowed models must be a list of names.")
    names = list(dict.fromkeys(clean_name(one, "The name of an allowed model", LONGEST_MODEL) for one in value))
    if len(names) > _MOST_MODELS:
        raise Invalid(
            f"A key may name at most {_MOST_MODELS} models; these are {len(names)}. Use a pattern such as gpt-*."
        )
    if inner := next((name for name in names if EVERY in name[:-1]), None):
        raise Invalid(
            f"The * may only stand at the end of a name, for all that begin so; it does not in {inner[:200]!r}."
        )
    return [] if EVERY in names else names


def _recording(value: Any) -> Recording:
    if value is None:
        return "full"
    if value not in RECORDINGS:
        raise Invalid(f"The recording must be one of {', '.join(RECORDINGS)}.")
    return cast(Recording, value)


def _covers(allowed: str, name: str) -> bool:
    return name.startswith(allowed[:-1]) if allowed.endswith(EVERY) else name == allowed
