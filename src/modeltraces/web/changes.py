"""Changes against the period before, in figures and in words."""

from typing import Final

from modeltraces.web.contexts import Change, Tone
from modeltraces.web.formatting import count

_STEADY: Final = 0.005
"""Relative changes below half a percent are none."""
NOTABLE: Final = 0.2
"""Relative changes below a fifth are told without the colour of an alarm, or of a success: a busy day makes as much."""
NOTABLE_POINTS: Final = 0.5
"""A rate changes notably by half a percentage point, if that is a fifth of what it was: 1.2% to 1.7%, not 40% to 41%."""
MOST_TIMES: Final = 9_999
"""More is no comparison any more, and no card has room for it."""
FEWER: Final = 20
"""With so many times less of it, the period before had hardly begun: changes against it would say nothing."""


def relative_change(
    now: float | None, before: float | None, period: str, good: str | None, *, subject: str = ""
) -> Change | None:
    """The change in percent. `good`: the direction that is an improvement (`up`, `down`), None for neither."""
    if now is None or not before:
        return None
    ratio = now / before - 1
    if abs(ratio) < _STEADY:
        return Change(f"{subject}same", "same", "neutral", f"{subject}as in {period}")
    direction = "up" if ratio > 0 else "down"
    amount = f"{abs(ratio) * 100:.0f}%" if abs(ratio) < 10 else f"{_times(now / before)}\N{MULTIPLICATION SIGN}"
    words = f"{subject}{direction} {amount} from {period}" if abs(ratio) < 10 else f"{subject}{amount} of {period}"
    tone = _tone(direction, good) if abs(ratio) >= NOTABLE else "neutral"
    return Change(f"{subject}{amount}", "up" if ratio > 0 else "down", tone, words)


def point_change(now: float | None, before: float | None, period: str) -> Change | None:
    """The change of a rate, in percentage points; less is better."""
    if now is None or before is None:
        return None
    points = (now - before) * 100
    if abs(points) < 0.005:
        return Change("same", "same", "neutral", f"as in {period}")
    direction = "up" if points > 0 else "down"
    amount = f"{abs(points):.2f}" if abs(points) < 1 else f"{abs(points):.1f}"
    is_notable = abs(points) >= NOTABLE_POINTS and abs(points) >= NOTABLE * before * 100
    return Change(
        f"{amount} pp", "up" if points > 0 else "down", _tone(direction, "down") if is_notable else "neutral",
        f"{direction} {amount} percentage points from {period}",
    )  # fmt: skip


def _times(ratio: float) -> str:
    return count(round(ratio)) if ratio < MOST_TIMES + 0.5 else f">{count(MOST_TIMES)}"


def _tone(direction: str, good: str | None) -> Tone:
    if good is None:
        return "neutral"
    return "good" if direction == good else "bad"
