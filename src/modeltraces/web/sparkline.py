"""Sparklines as SVG paths, drawn by the server: no script has to run before they are there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 88
HEIGHT: Final = 24
_MOST_POINTS: Final = 44
"""More would lie closer than two pixels."""
_FEWEST_POINTS: Final = 3
"""Fewer are dots, not a line."""


@dataclass(frozen=True, slots=True)
class Sparkline:
    """`line` and `area`: SVG path data in a box of WIDTH by HEIGHT. `tone`: '' or 'bad'."""

    line: str
    area: str
    tone: str = ""


def sparkline(values: Sequence[float | None], *, tone: str = "", fold: str = "mean") -> Sparkline | None:
    """The values from left to right, from 0 at the bottom; None leaves a gap. None when there is nothing to draw.

    `fold`: how neighbours become one point when there are too many, `mean` or `max`.
    """
    points = _folded(values, fold)
    known = [value for value in points if value is not None]
    if len(known) < _FEWEST_POINTS or not any(known):
        return None
    top = max(known)
    step = WIDTH / (len(points) - 1)
    line: list[str] = []
    area: list[str] = []
    for start, piece in _pieces(points):
        dots = [
            f"{(start + i) * step:.1f} {HEIGHT - 1 - (HEIGHT - 3) * value / top:.1f}" for i, value in enumerate(piece)
        ]
        line.append("M" + "L".join(dots) if len(dots) > 1 else f"M{dots[0]}h0.01")
        if len(dots) > 1:
            left, right = start * step, (start + len(piece) - 1) * step
            area.append(f"M{left:.1f} {HEIGHT}L{'L'.join(dots)}L{right:.1f} {HEIGHT}Z")
    return Sparkline("".join(line), "".join(area), tone)


def _folded(values: Sequence[float | None], fold: str) -> list[float | None]:
    if len(values) <= _MOST_POINTS:
        return list(values)
    folded: list[float | None] = []
    for i in range(_MOST_POINTS):
        part = values[i * len(values) // _MOST_POINTS : (i + 1) * len(values) // _MOST_POINTS]
        known = [value for value in part if value is not None]
        if not known:
            folded.append(None)
        else:
            folded.append(max(known) if fold == "max" else sum(known) / len(known))
    return folded


def _pieces(points: Sequence[float | None]) -> list[tuple[int, list[float]]]:
    """Runs of known values, each with the index it begins at."""
    pieces: list[tuple[int, list[float]]] = []
    previous_known = False
    for index, value in enumerate(points):
        if value is not None:
            if not previous_known:
                pieces.append((index, []))
            pieces[-1][1].append(value)
        previous_known = value is not None
    return pieces
