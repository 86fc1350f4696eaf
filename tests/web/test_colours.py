"""The design's colours: texts can be read on every background that they stand on, in both themes."""

import math
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from modeltraces import web

TOKENS = Path(web.__file__).parent / "assets" / "css" / "tokens.css"
PAIRS = {
    name: values
    for name, *values in re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", TOKENS.read_text())
}
BACKGROUNDS = ("bg", "bg-quiet", "bg-raised", "bg-hover", "bg-active", "accent-quiet", "bad-quiet")


SEEN_BY = {
    "all cones": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "no red": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "no green": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "no blue": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
"""What linear red, green and blue come to for who lacks cones: Machado, Oliveira and Fernandes, 2009."""
Matrix = tuple[tuple[float, float, float], ...]


def linear(colour: str) -> list[float]:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]


def luminance(colour: str) -> float:
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def times(matrix: Matrix, vector: Sequence[float]) -> list[float]:
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def lab(colour: str, eyes: Matrix) -> tuple[float, float, float]:
    """In CIE L*a*b* (D65), where distances are those that are seen."""
    seen = [min(1.0, max(0.0, channel)) for channel in times(eyes, linear(colour))]
    to_xyz = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    shares = [value / white for value, white in zip(times(to_xyz, seen), (0.9505, 1.0, 1.089), strict=True)]
    x, y, z = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in shares)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("text", ["text", "text-2", "text-3"])
def test_texts_have_the_contrast_that_readers_need(text: str, theme: int) -> None:
    for background in BACKGROUNDS:
        one, other = sorted((luminance(PAIRS[name][theme]) for name in (text, background)), reverse=True)
        assert (one + 0.05) / (other + 0.05) >= 4.5, background


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("drawn", "contrast"), [("chart-90", 3), ("chart-99", 3), ("chart-bad", 3), ("chart-bar", 1.35)]
)
def test_the_chart_is_seen_on_its_background(drawn: str, contrast: float, theme: int) -> None:
    """Lines as graphics need it; bars fill an area behind them, and must leave them their own."""
    for background in ("bg", "bg-raised"):
        one, other = sorted((luminance(PAIRS[name][theme]) for name in (drawn, background)), reverse=True)
        assert (one + 0.05) / (other + 0.05) >= contrast, background
    for line in ("chart-90", "chart-99"):
        one, other = sorted((luminance(PAIRS[name][theme]) for name in (line, "chart-bar")), reverse=True)
        assert (one + 0.05) / (other + 0.05) >= 2.9, line


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("eyes", SEEN_BY)
def test_the_percentiles_lines_are_told_apart_by_every_eye(eyes: str, theme: int) -> None:
    one, other = (lab(PAIRS[name][theme], SEEN_BY[eyes]) for name in ("chart-90", "chart-99"))
    assert math.dist(one, other) >= 30
