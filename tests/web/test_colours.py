"""The design's colours: texts can be read on every background that they stand on, in both themes."""

import re
from pathlib import Path

import pytest

from modeltraces import web

TOKENS = Path(web.__file__).parent / "assets" / "css" / "tokens.css"
PAIRS = {
    name: values
    for name, *values in re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", TOKENS.read_text())
}
BACKGROUNDS = ("bg", "bg-quiet", "bg-raised", "bg-hover", "bg-active", "accent-quiet", "bad-quiet")


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


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
    one, other = sorted((luminance(PAIRS[name][theme]) for name in ("chart-99", "chart-bar")), reverse=True)
    assert (one + 0.05) / (other + 0.05) >= 2
