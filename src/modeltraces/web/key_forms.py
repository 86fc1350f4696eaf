"""API keys as people see and change them: what a form says of limits, and how a key's limits and use read."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from modeltraces.catalog.errors import Invalid
from modeltraces.catalog.key_limits import Recording
from modeltraces.catalog.key_usage import DAY, MINUTE, NOTHING, Used, Window, window_of
from modeltraces.catalog.keys import ApiKey
from modeltraces.web.account_contexts import KeyForm, KeyLimit
from modeltraces.web.contexts import Option
from modeltraces.web.formatting import count

_NUMBER: Final = re.compile(r"\d+|\d{1,3}(?:[ ,\N{NARROW NO-BREAK SPACE}]\d{3})+")
_MODELS_SHOWN: Final = 6
_RECORDINGS: Final[Mapping[Recording, str]] = {
    "full": "Everything",
    "metadata": "Metadata only",
    "off": "Nothing",
}
RECORDING_OPTIONS: Final = tuple(Option(label, "", value=name) for name, label in _RECORDINGS.items())


def form_of(given: Mapping[str, str], scopes: Sequence[str] = (), error: str = "") -> KeyForm:
    """What was typed, to be shown again."""
    return KeyForm(
        name=given.get("name", ""),
        scopes=tuple(scopes),
        source_type=given.get("source_type", ""),
        source=given.get("source", ""),
        expires=given.get("expires", ""),
        requests_per_minute=given.get("requests_per_minute", ""),
        tokens_per_day=given.get("tokens_per_day", ""),
        models=given.get("models", ""),
        recording=given.get("recording", "full"),
        error=error,
    )


def form_of_key(key: ApiKey) -> KeyForm:
    limits = key.limits
    return KeyForm(
        name=key.name,
        scopes=key.scopes,
        source_type=key.default_source_type,
        source=key.default_source,
        requests_per_minute=str(limits.requests_per_minute or ""),
        tokens_per_day=str(limits.tokens_per_day or ""),
        models="\n".join(limits.allowed_models),
        recording=limits.recording,
    )


def limits_given(given: Mapping[str, str]) -> dict[str, Any]:
    """The limits of a form, for the catalog to check. Raises Invalid for what is no number."""
    return {
        "requests_per_minute": _number(given.get("requests_per_minute", ""), "Requests a minute"),
        "tokens_per_day": _number(given.get("tokens_per_day", ""), "Tokens a day"),
        "allowed_models": [line.strip() for line in given.get("models", "").splitlines() if line.strip()],
        "recording": given.get("recording") or None,
    }


def limits_shown(key: ApiKey, used: Mapping[Window, Used], now_us: int) -> tuple[KeyLimit, ...]:
    """One for each limit that the key has."""
    limits = key.limits
    shown: list[KeyLimit] = []
    if (most := limits.tokens_per_day) is not None:
        tokens = used.get(window_of(key.id, DAY, now_us), NOTHING).tokens
        shown.append(KeyLimit(f"{count(tokens)} of {count(most)} tokens today", tokens >= most))
    if (most := limits.requests_per_minute) is not None:
        requests = used.get(window_of(key.id, MINUTE, now_us), NOTHING).requests
        shown.append(KeyLimit(f"{count(requests)} of {count(most)} requests this minute", requests >= most))
    if limits.allowed_models:
        more = len(limits.allowed_models) - _MODELS_SHOWN
        names = ", ".join(limits.allowed_models[:_MODELS_SHOWN]) + (f" and {more} more" if more > 0 else "")
        shown.append(KeyLimit(f"only {names}", title="\n".join(limits.allowed_models)))
    if limits.recording != "full":
        shown.append(KeyLimit("records metadata only" if limits.recording == "metadata" else "records nothing"))
    return tuple(shown)


def _number(text: str, what: str) -> int | None:
    """None for nothing typed; thousands may be set apart."""
    text = text.strip()
    if not text:
        return None
    if not _NUMBER.fullmatch(text) or len(text) > 40:
        raise Invalid(f"{what} must be a whole number such as 60, or nothing for no limit; {text[:40]!r} is neither.")
    return int(re.sub(r"\D", "", text))
