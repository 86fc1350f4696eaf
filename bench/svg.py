"""Two kinds of chart, written as SVG: bars beside each other, and dots on a line; both on a logarithmic axis.

Drawn for a page of either colour: the background is transparent, and every colour is of a middle lightness that stands
out from white and from near-black alike. A style for dark pages would follow the reader's system, not the page.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from xml.sax.saxutils import escape

TEXT: Final = "#767c87"
GRID: Final = "#80868f"
COLOURS: Final = ("#3b82f6", "#d97706", "#8a63d2")
_WIDTH: Final = 760
_LABELS: Final = 236
"""Width of the names at the left."""
_VALUES: Final = 64
"""Room for a figure behind the longest bar."""
_TOP: Final = 88
_FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"

Value = float | str | None
"""A figure, or what is said where there is none."""
Row = tuple[str, Sequence[Value]]


@dataclass(frozen=True, slots=True)
class Chart:
    title: str
    subtitle: str
    series: Sequence[str]
    rows: Sequence[Row]
    """A name, and a value of each series."""


@dataclass(slots=True)
class _Drawing:
    parts: list[str] = field(default_factory=list)

    def text(self, x: float, y: float, words: str, *, size: int = 13, anchor: str = "start", weight: int = 400) -> None:
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def rect(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{height:.1f}" rx="2" fill="{colour}"/>'
        )

    def line(
        self, x1: float, y1: float, x2: float, y2: float, colour: str, *, width: float = 1, opacity: float = 1
    ) -> None:
        self.parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}" '
            f'stroke-opacity="{opacity}"/>'
        )

    def ring(self, x: float, y: float, radius: float, *, filled: bool) -> None:
        inside = COLOURS[0] if filled else "none"
        self.parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{inside}" stroke="{COLOURS[0]}" stroke-width="2"/>'
        )

    def written(self, chart: Chart, height: float) -> str:
        told = "; ".join(f"{name}: {_told(chart.series, values)}" for name, values in chart.rows)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" width="{_WIDTH}" '
            f'height="{height:.0f}" role="img" font-family="{_FONT}" fill="{TEXT}">\n'
            f"<title>{escape(chart.title)}</title>\n<desc>{escape(chart.subtitle)}. {escape(told)}.</desc>\n"
            + "\n".join(self.parts)
            + "\n</svg>\n"
        )


@dataclass(frozen=True, slots=True)
class _Scale:
    """A logarithmic axis over whole decades."""

    low: int
    high: int

    @classmethod
    def over(cls, chart: Chart) -> "_Scale":
        values = [value for _, row in chart.rows for value in row if isinstance(value, float | int)]
        # A bar of the least value is still seen as one: it is a fifth of a decade long at least.
        return cls(math.floor(math.log10(min(values)) - 0.2), math.ceil(math.log10(max(values))))

    def at(self, value: float) -> float:
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return _LABELS + share * (_WIDTH - _LABELS - _VALUES)

    def grid(self, drawing: _Drawing, top: float, bottom: float) -> None:
        for decade in range(self.low, self.high + 1):
            x = self.at(10.0**decade)
            drawing.line(x, top, x, bottom, GRID, opacity=0.35)
            drawing.text(x, bottom + 18, f"{10.0**decade:,g}", size=12, anchor="middle")


def bars(chart: Chart) -> str:
    """For each row a bar of each series, with its value behind it."""
    thick, gap = 13, 14
    row_height = len(chart.series) * (thick + 2) + gap
    drawing, scale = _Drawing(), _Scale.over(chart)
    bottom = _TOP + len(chart.rows) * row_height
    _headed(drawing, chart)
    x = float(_LABELS)
    for name, colour in zip(chart.series, COLOURS, strict=False):
        drawing.rect(x, 61, 12, 12, colour)
        drawing.text(x + 18, 72, name)
        x += 18 + 7.5 * len(name) + 24
    scale.grid(drawing, _TOP, bottom)
    for number, (name, values) in enumerate(chart.rows):
        top = _TOP + number * row_height + gap / 2
        drawing.text(_LABELS - 12, top + (row_height - gap) / 2 + 4, name, anchor="end")
        for place, (value, colour) in enumerate(zip(values, COLOURS, strict=False)):
            y = top + place * (thick + 2)
            if not isinstance(value, float | int):
                drawing.text(_LABELS + 6, y + 11, value or "", size=12)
                continue
            end = scale.at(value)
            drawing.rect(_LABELS, y, end - _LABELS, thick, colour)
            drawing.text(end + 6, y + 11, shown(value), size=12, weight=600 if place == 0 else 400)
    return drawing.written(chart, bottom + 34)


def dots(chart: Chart) -> str:
    """For each row a dot of each series, the larger the later it stands, joined by a line; the last one's value at the right."""
    row_height = 27
    drawing, scale = _Drawing(), _Scale.over(chart)
    bottom = _TOP + len(chart.rows) * row_height
    _headed(drawing, chart)
    x = float(_LABELS)
    for place, name in enumerate(chart.series):
        drawing.ring(x + 9, 67, _radius(place), filled=place == 0)
        drawing.text(x + 26, 72, name)
        x += 26 + 7.5 * len(name) + 24
    drawing.text(_WIDTH, 72, chart.series[-1].partition(" run")[0], size=12, anchor="end", weight=600)
    scale.grid(drawing, _TOP, bottom)
    for number, (name, values) in enumerate(chart.rows):
        y = _TOP + number * row_height + row_height / 2
        drawing.text(_LABELS - 12, y + 4, name, anchor="end")
        known = [(place, value) for place, value in enumerate(values) if isinstance(value, float | int)]
        if not known:
            continue
        places = [scale.at(value) for _, value in known]
        drawing.line(min(places), y, max(places), y, COLOURS[0], opacity=0.5)
        for place, value in known:
            drawing.ring(scale.at(value), y, _radius(place), filled=place == 0)
        # In a column, as the last is not always the one furthest right.
        drawing.text(_WIDTH, y + 4, shown(known[-1][1]), size=12, anchor="end", weight=600)
    return drawing.written(chart, bottom + 34)


def _radius(place: int) -> float:
    return 3 + 3 * place


def _headed(drawing: _Drawing, chart: Chart) -> None:
    drawing.text(0, 20, chart.title, size=17, weight=600)
    drawing.text(0, 42, chart.subtitle)


def _told(series: Sequence[str], values: Sequence[Value]) -> str:
    return ", ".join(f"{name} {shown(value)}" for name, value in zip(series, values, strict=True) if value)


def shown(value: float | str) -> str:
    """`1,200`, `150`, `15`, `1.5`, `0.15`."""
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"
