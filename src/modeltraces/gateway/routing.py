"""In which order a call tries the targets that serve its model, and which of them is better left alone for a while."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Final

from modeltraces.gateway.targets import Candidates, Target

COOL_SECONDS: Final = 10.0
"""That a target which failed comes last: long enough to spare calls, short enough that it is soon back."""
_LONGEST_COOL_SECONDS: Final = 60.0
"""Whatever the upstream asks for: a wrong `Retry-After` must not put it out for a day."""
_MOST_COOLING: Final = 10_000
_OVERLOADED: Final = 429


def is_worth_another(status: int) -> bool:
    """Whether another target may do better: this one has too much to do, or is broken."""
    return status == _OVERLOADED or status >= 500


def retry_after_seconds(text: str | None, now: Callable[[], float] = time.time) -> float | None:
    """Of a `Retry-After` header: seconds, or a date. None for none, or one that says nothing."""
    if text is None:
        return None
    try:
        return (
            max(float(text), 0.0)
            if text.strip().isdecimal()
            else max(parsedate_to_datetime(text).timestamp() - now(), 0.0)
        )
    except (ValueError, TypeError, OverflowError):
        return None


@dataclass(slots=True)
class Router:
    """One per process, on its event loop: what failed is known here only, and forgotten with the process."""

    random: Callable[[], float] = random.random
    """From 0 to 1."""
    timer: Callable[[], float] = time.monotonic
    _cool_at: dict[tuple[str, str, str], float] = field(default_factory=dict)

    def order(self, account_id: str, candidates: Candidates) -> list[Target]:
        """The targets to try, one after another: one by its weight, then the fallbacks. Those that just failed come last."""
        drawn = self._draw(candidates.choices, candidates.weights)
        if not candidates.is_routed:
            return drawn
        cooling = {
            place for place in (*candidates.choices, *candidates.fallbacks) if self._is_cooling(account_id, place)
        }
        if drawn and drawn[0] in cooling:
            others = [
                pair for pair in zip(candidates.choices, candidates.weights, strict=False) if pair[0] not in cooling
            ]
            drawn = [*self._draw([one for one, _ in others], [weight for _, weight in others]), *drawn]
        listed = dict.fromkeys((*drawn, *candidates.fallbacks))
        # The one that was drawn and is cooling comes last of all: its fallbacks are what is asked for then.
        late = [place for place in candidates.fallbacks if place in cooling and place not in drawn]
        late += [place for place in drawn if place in cooling]
        return [place for place in listed if place not in cooling] + late

    def _draw(self, choices: Sequence[Target], weights: Sequence[int]) -> list[Target]:
        if not weights:
            return list(choices[:1])
        left = self.random() * sum(weights)
        for target, weight in zip(choices, weights, strict=True):
            left -= weight
            if left < 0:
                return [target]
        return [next(target for target, weight in zip(reversed(choices), reversed(weights), strict=True) if weight)]

    def failed(self, account_id: str, target: Target, retry_after: float | None) -> None:
        """`retry_after`: seconds that the upstream asked for."""
        seconds = COOL_SECONDS if retry_after is None else min(retry_after, _LONGEST_COOL_SECONDS)
        now = self.timer()
        if len(self._cool_at) >= _MOST_COOLING:
            self._cool_at = {key: at for key, at in self._cool_at.items() if at > now}
        self._cool_at[account_id, target.model, target.place] = now + seconds

    def answered(self, account_id: str, target: Target) -> None:
        """It is well again."""
        self._cool_at.pop((account_id, target.model, target.place), None)

    def cooling(self, account_id: str, model: str) -> frozenset[str]:
        """The places of the model that come last now."""
        now = self.timer()
        return frozenset(
            place
            for (account, of, place), at in self._cool_at.items()
            if (account, of) == (account_id, model) and at > now
        )

    def _is_cooling(self, account_id: str, target: Target) -> bool:
        return self._cool_at.get((account_id, target.model, target.place), 0.0) > self.timer()
