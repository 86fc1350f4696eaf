"""Metrics with their change against the period before, sparklines, and the chart."""

from datetime import tzinfo
from typing import Final

from modeltraces.query.filters import And, Pattern, Term, all_of, parse, to_text
from modeltraces.query.metrics import Metrics
from modeltraces.query.series import Series
from modeltraces.web.address import DEFAULT_SORT, Address
from modeltraces.web.changes import FEWER, point_change, relative_change
from modeltraces.web.contexts import Chart, Comparison, Figure, MetricCard, Moment, Option, Overview, SeriesRow
from modeltraces.web.formatting import UNKNOWN, count, duration, duration_parts, instant, iso, percent
from modeltraces.web.sparkline import sparkline
from modeltraces.web.steps import Steps
from modeltraces.web.templating import script_json

_NOT_OFFERED: Final = Comparison()
_WHOLE: Final = Address()


def overview(
    now: Metrics,
    before: Metrics | None,
    points: Series,
    steps: Steps,
    *,
    ever: int,
    period: str,
    hosting: MetricCard | None,
    zone: tzinfo,
    now_us: int,
    address: Address = _WHOLE,
    comparison: Comparison = _NOT_OFFERED,
    chart: Chart | None = None,
) -> Overview:
    """`ever`: the runs since deployment. `period`: the period before in words (`the 7 days before`). `hosting`: the card of Hosting Credits, where they apply.
    `address`: of the page, which the cards lead on from. `comparison`: what the chart offers to compare. `chart`: the one that compares, in place of that of all runs.
    """
    if before is not None and before.total_requests * FEWER < now.total_requests:
        before = None
    cards = [
        _requests(now, before, points, steps, period, address, ever),
        _response_time(now, before, points, period, address),
        _failure_rate(now, before, points, period, address),
    ]
    if hosting is not None:
        cards.append(hosting)
    if not now.total_requests or not points.points:
        return Overview(tuple(cards), None)
    return Overview(tuple(cards), chart or _chart(points, zone, now_us, comparison))


def _requests(
    now: Metrics, before: Metrics | None, points: Series, steps: Steps, period: str, address: Address, ever: int
) -> MetricCard:
    newest = address.changed(sort=DEFAULT_SORT, order="desc").url
    return MetricCard(
        "total",
        "Total Requests",
        "Runs in the period; below, all runs of the model since deployment.",
        (Figure("", count(now.total_requests)),),
        change=relative_change(now.total_requests, before.total_requests if before else None, period, None),
        note=f"{count(ever)} since deployment",
        spark=sparkline(steps.whole([float(point.total_requests) for point in points.points])),
        action=Option("Newest", newest, hint="runs") if now.total_requests else None,
    )


def _response_time(now: Metrics, before: Metrics | None, points: Series, period: str, address: Address) -> MetricCard:
    times = now.response_time_ms
    slowest = address.changed(sort="response_time", order="desc").url if times.p99 is not None else ""

    def figure(label: str, value: float | None, minor: bool = False) -> Figure:
        number, unit = duration_parts(value)
        share = label.removeprefix("P")
        title = "unknown" if value is None else f"{share}% of the requests took no longer"
        return Figure(label, number, unit, minor=minor, none=value is None, title=title, href="" if minor else slowest)

    return MetricCard(
        "times",
        "Response Time",
        "The response times below which 90%, 99% and half of the requests fall.",
        (figure("P90", times.p90), figure("P99", times.p99), figure("P50", times.p50, minor=True)),
        change=relative_change(
            times.p90, before.response_time_ms.p90 if before else None, period, "down", subject="P90 "
        ),
        spark=sparkline([point.response_time_ms.p90 for point in points.points]),
        action=Option("Slowest", slowest, hint="runs") if slowest else None,
    )


def _failure_rate(now: Metrics, before: Metrics | None, points: Series, period: str, address: Address) -> MetricCard:
    failed = address.changed(filter=with_failed(address.filter)).url if now.failed_requests else ""
    rates = [point.failed_requests / point.total_requests if point.total_requests else None for point in points.points]
    return MetricCard(
        "failures",
        "Failure Rate",
        "Failed requests out of all requests.",
        (
            Figure(
                "",
                percent(now.failure_rate),
                none=now.failure_rate is None,
                title=f"{count(now.failed_requests)} of {count(now.total_requests)}",
                href=failed,
            ),
        ),
        change=point_change(now.failure_rate, before.failure_rate if before else None, period),
        note=f"{count(now.failed_requests)} failed",
        spark=sparkline(rates, tone="bad"),
        action=Option("Failed", failed, hint="page") if failed else None,
    )


def with_failed(text: str) -> str:
    """A readable filter, narrowed to the failed runs."""
    asked, failed = parse(text), Term("status", "is", (Pattern(("failed",)),))
    if asked is None:
        return to_text(failed)
    parts = asked.parts if isinstance(asked, And) else (asked,)
    return to_text(asked if failed in parts else all_of([*parts, failed]))


def _chart(points: Series, zone: tzinfo, now_us: int, comparison: Comparison) -> Chart:
    data = {
        "step": points.step_seconds,
        "zone": getattr(zone, "key", "UTC"),
        "at": [point.at_us // 1_000_000 for point in points.points],
        "ok": [point.total_requests - point.failed_requests for point in points.points],
        "failed": [point.failed_requests for point in points.points],
        "p90": [_rounded(point.response_time_ms.p90) for point in points.points],
        "p99": [_rounded(point.response_time_ms.p99) for point in points.points],
    }
    busiest = max(points.points, key=lambda point: point.total_requests)
    slow = [point for point in points.points if point.response_time_ms.p99 is not None]
    slowest = max(slow, key=lambda point: point.response_time_ms.p99 or 0, default=None)
    summary = f"Chart of requests and response time. Most requests: {count(busiest.total_requests)} at {instant(busiest.at_us, zone, now_us=now_us)}."
    if slowest is not None:
        summary += f" Slowest: P99 of {duration(slowest.response_time_ms.p99)} at {instant(slowest.at_us, zone, now_us=now_us)}."
    rows = tuple(
        SeriesRow(
            Moment(instant(point.at_us, zone, now_us=now_us), iso(point.at_us)),
            (
                count(point.total_requests),
                count(point.failed_requests),
                duration(point.response_time_ms.p90) if point.total_requests else UNKNOWN,
                duration(point.response_time_ms.p99) if point.total_requests else UNKNOWN,
            ),
        )
        for point in points.points
        if point.total_requests
    )
    return Chart(script_json(data), summary, ("Requests", "Failed", "P90", "P99"), rows, comparison=comparison)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
