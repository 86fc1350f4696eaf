"""Which models a key may call: a check of what a call would reach, and the list that a key is shown."""

from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from modeltraces.catalog.key_limits import EVERY, KeyLimits
from modeltraces.gateway.errors import REFUSED, Refused
from modeltraces.gateway.reading.outcome import member
from modeltraces.gateway.targets import Target

ALTERNATIVES = ("models", "fallbacks", "context_window_fallbacks", "content_policy_fallbacks")
"""Members by which a caller tells OpenRouter or LiteLLM what else to call."""
_SHOWN = 10


def check_name(limits: KeyLimits, asked: str) -> None:
    """For a call that nothing serves. Raises Refused rather than tell a key of models that are not its business."""
    if not limits.allows(asked):
        _refuse(limits, asked)


def check_targets(limits: KeyLimits, asked: str, targets: Iterable[Target]) -> None:
    """Raises Refused unless the key may call each of the targets, by the name asked for, the catalog's, or the place."""
    if not limits.allowed_models:
        return
    for target in targets:
        spellings = [asked, target.model, f"{target.model}@{target.place}"] if asked else []
        if not limits.allows(*spellings):
            _refuse(limits, asked)


def check_alternatives(limits: KeyLimits, body: Any) -> None:
    """What a router is to fall back to is a way around what a key may call. Raises Refused."""
    for given in (member(body, name) for name in ALTERNATIVES):
        others = given if isinstance(given, list) else [] if given is None else [given]
        for other in others:
            name = str(member(other, "model") or other)
            if not limits.allows(name):
                _refuse(limits, name)


def callable_names(limits: KeyLimits, names: list[str], is_served: Callable[[str], bool]) -> list[str]:
    """The names among those that the key may call, and those that it was given which are served, too."""
    if not limits.allowed_models:
        return names
    listed = {name for name in names if limits.allows(name)}
    given = {name for name in limits.allowed_models if not name.endswith(EVERY)}
    return sorted(listed | {name for name in given - listed if is_served(name)})


def _refuse(limits: KeyLimits, asked: str) -> NoReturn:
    REFUSED.labels("model").inc()
    names = ", ".join(limits.allowed_models[:_SHOWN])
    more = f" and {len(limits.allowed_models) - _SHOWN} more" if len(limits.allowed_models) > _SHOWN else ""
    what = f"not {asked[:200]!r}" if asked else "so a call must name its model, and do no more than call it"
    raise Refused(403, f"This key may call {names}{more}, {what}. An admin can change that under Settings, API keys.")
