"""The chart that compares: one line for each version, connection or model of the selection."""

import re
from collections.abc import Sequence
from datetime import tzinfo
from typing import Final

from modeltraces.query.series import Point, Series
from modeltraces.query.series_by import Group, Groups
from modeltraces.web.address import COMPARE, MEASURES, Address
from modeltraces.web.contexts import Chart, Comparison, Moment, Option, SeriesRow
from modeltraces.web.formatting import UNKNOWN, count, duration, instant, iso
from modeltraces.web.templating import script_json

MAX_LINES: Final = 6
"""More colours than this are not told apart."""
NONE: Final = "none"
"""The name of the runs that have no such value."""
_NOUNS: Final = {
    "deployment_version": ("version", "versions"),
    "connection_name": ("connection", "connections"),
    "model": ("model", "models"),
}


def comparison(address: Address, *, hosted: bool, external: bool, several: bool) -> Comparison:
    """What the chart's head offers: `hosted`, `external` and `several` say what models the selection is of.

    What is chosen already is offered in any case, so that it can be left.
    """
    offered = {"deployment_version": hosted, "connection_name": external, "model": several}
    names = [name for name in COMPARE if offered[name] or name == address.compare]
    if not names:
        return Comparison()
    labels = [("", "None"), *((name, COMPARE[name]) for name in names)]
    return Comparison(
        choices=tuple(
            Option(
                label, address.kept(compare=name, measure=address.measure if name else "").url, address.compare == name
            )
            for name, label in labels
        ),
        measures=tuple(
            Option(label, address.kept(measure=name).url, address.measure == name) for name, label in MEASURES.items()
        )
        if address.compare
        else (),
    )


def compared(
    address: Address, groups: Groups, points: Series, offers: Comparison, zone: tzinfo, *, now_us: int, several: bool
) -> Chart:
    """The chart of `groups` as the address asks for it. `points`: all runs together, drawn behind the lines.

    `several`: the selection is of several models, whose versions may bear the same names.
    """
    one, many = _NOUNS[address.compare]
    measure = address.measure
    shown = sorted(groups.groups[:MAX_LINES], key=_order)
    names = [group.name or NONE for group in shown]
    lines = [[_value(point, measure) for point in group.points] for group in shown]
    # Asked for apart: should the axes differ, the lines' own is the one to draw.
    bars = {point.at_us: point for point in points.points}
    axis = [(point.at_us, bars.get(point.at_us)) for point in shown[0].points]
    data = {
        "step": groups.step_seconds,
        "zone": getattr(zone, "key", "UTC"),
        "at": [at_us // 1_000_000 for at_us, _ in axis],
        "ok": [bar.total_requests - bar.failed_requests if bar else 0 for _, bar in axis],
        "failed": [bar.failed_requests if bar else 0 for _, bar in axis],
        "measure": measure or "p90",
        "lines": [[None if value is None else round(value, 1) for value in line] for line in lines],
    }
    what = "requests" if measure == "requests" else f"{MEASURES[measure]} of the response time"
    summary = f"Chart of {what}, by {one}: {', '.join(names)}."
    highest = max(
        ((value, name, point) for name, group, line in zip(names, shown, lines, strict=True)
         for point, value in zip(group.points, line, strict=True) if value is not None),
        key=lambda found: found[0],
        default=None,
    )  # fmt: skip
    if highest is not None:
        value, name, point = highest
        summary += f" Highest: {_words(value, measure)} of {name} at {instant(point.at_us, zone, now_us=now_us)}."
    left_out = groups.left_out + len(groups.groups) - len(shown)
    notes = []
    if left_out:
        notes.append(f"The {len(shown)} {many} with most requests; {count(left_out)} more left out.")
    if several and address.compare == "deployment_version":
        notes.append("Versions of one name are taken together, whichever model they are of.")
    return Chart(
        script_json(data),
        summary,
        tuple(names),
        _rows(shown, lines, measure, zone, now_us),
        comparison=offers,
        title=what[0].upper() + what[1:] + f" by {one}",
        lines=tuple(names),
        note=" ".join(notes),
    )


def _rows(
    shown: Sequence[Group], lines: Sequence[Sequence[float | None]], measure: str, zone: tzinfo, now_us: int
) -> tuple[SeriesRow, ...]:
    rows = []
    for i, points in enumerate(zip(*(group.points for group in shown), strict=True)):
        if any(point.total_requests for point in points):
            at_us = points[0].at_us
            cells = tuple(_words(line[i], measure) for line in lines)
            rows.append(SeriesRow(Moment(instant(at_us, zone, now_us=now_us), iso(at_us)), cells))
    return tuple(rows)


def _value(point: Point, measure: str) -> float | None:
    if measure == "requests":
        return point.total_requests
    return point.response_time_ms.p99 if measure == "p99" else point.response_time_ms.p90


def _words(value: float | None, measure: str) -> str:
    if value is None:
        return UNKNOWN
    return count(int(value)) if measure == "requests" else duration(value)


def _order(group: Group) -> tuple[bool, list[tuple[bool, int, str]]]:
    """By name, v2 before v10, those without one last: a line keeps its colour when the traffic moves."""
    parts = re.findall(r"[0-9]+|[^0-9]+", group.name)
    return not group.name, [
        (not part[0].isdigit(), int(part) if part[0].isdigit() else 0, part.casefold()) for part in parts
    ]
