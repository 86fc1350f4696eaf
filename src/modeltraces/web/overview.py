"""Metrics with their change against the period before, sparklines, and the chart."""

from datetime import tzinfo
from typing import Final

from modeltraces.query.metrics import Metrics
from modeltraces.query.series import Series
from modeltraces.web.contexts import Change, Chart, Figure, MetricCard, Moment, Overview, SeriesRow, Tone
from modeltraces.web.formatting import UNKNOWN, count, duration, duration_parts, instant, iso, percent
from modeltraces.web.sparkline import sparkline
from modeltraces.web.templating import script_json

_FEWER: Final = 20
"""With so many times fewer requests, the period before had hardly begun: changes against it would say nothing."""
_STEADY: Final = 0.005
"""Relative changes below half a percent are none."""


def overview(
    now: Metrics, before: Metrics | None, points: Series, *, period: str, hosted: bool, zone: tzinfo, now_us: int
) -> Overview:
    """`period`: the period before in words (`the 7 days before`). `hosted`: whether Hosting Credits apply at all."""
    if before is not None and before.total_requests * _FEWER < now.total_requests:
        before = None
    cards = [
        _requests(now, before, points, period),
        _response_time(now, before, points, period),
        _failure_rate(now, before, points, period),
    ]
    if hosted:
        cards.append(
            MetricCard(
                "credits",
                "Hosting Credits",
                "Credits consumed by keeping the deployments up, for comparison against their utilization.",
                (Figure("", "not configured", none=True, title="No hosting is configured for the deployments."),),
            )
        )
    return Overview(tuple(cards), _chart(points, zone, now_us) if now.total_requests and points.points else None)


def _requests(now: Metrics, before: Metrics | None, points: Series, period: str) -> MetricCard:
    return MetricCard(
        "total",
        "Total Requests",
        "Runs in the period; below, all runs of the model since deployment.",
        (Figure("", count(now.total_requests)),),
        change=relative_change(now.total_requests, before.total_requests if before else None, period, None),
        note=f"{count(now.total_requests_since_deployment)} since deployment",
        spark=sparkline([float(point.total_requests) for point in points.points]),
    )


def _response_time(now: Metrics, before: Metrics | None, points: Series, period: str) -> MetricCard:
    times = now.response_time_ms

    def figure(label: str, value: float | None, minor: bool = False) -> Figure:
        number, unit = duration_parts(value)
        share = label.removeprefix("P")
        title = "unknown" if value is None else f"{share}% of the requests took no longer"
        return Figure(label, number, unit, minor=minor, none=value is None, title=title)

    return MetricCard(
        "times",
        "Response Time",
        "The response times below which 90%, 99% and half of the requests fall.",
        (figure("P90", times.p90), figure("P99", times.p99), figure("P50", times.p50, minor=True)),
        change=relative_change(
            times.p90, before.response_time_ms.p90 if before else None, period, "down", subject="P90 "
        ),
        spark=sparkline([point.response_time_ms.p90 for point in points.points]),
    )


def _failure_rate(now: Metrics, before: Metrics | None, points: Series, period: str) -> MetricCard:
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
            ),
        ),
        change=point_change(now.failure_rate, before.failure_rate if before else None, period),
        note=f"{count(now.failed_requests)} failed",
        spark=sparkline(rates, tone="bad"),
    )


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
    amount = f"{abs(ratio) * 100:.0f}%" if abs(ratio) < 10 else f"{now / before:.0f}\N{MULTIPLICATION SIGN}"
    words = f"{subject}{direction} {amount} from {period}" if abs(ratio) < 10 else f"{subject}{amount} of {period}"
    return Change(f"{subject}{amount}", "up" if ratio > 0 else "down", _tone(direction, good), words)


def point_change(now: float | None, before: float | None, period: str) -> Change | None:
    """The change of a rate, in percentage points; less is better."""
    if now is None or before is None:
        return None
    points = (now - before) * 100
    if abs(points) < 0.005:
        return Change("same", "same", "neutral", f"as in {period}")
    direction = "up" if points > 0 else "down"
    amount = f"{abs(points):.2f}" if abs(points) < 1 else f"{abs(points):.1f}"
    return Change(
        f"{amount} pp", "up" if points > 0 else "down", _tone(direction, "down"),
        f"{direction} {amount} percentage points from {period}",
    )  # fmt: skip


def _tone(direction: str, good: str | None) -> Tone:
    if good is None:
        return "neutral"
    return "good" if direction == good else "bad"


def _chart(points: Series, zone: tzinfo, now_us: int) -> Chart:
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
            count(point.total_requests),
            count(point.failed_requests),
            duration(point.response_time_ms.p90) if point.total_requests else UNKNOWN,
            duration(point.response_time_ms.p99) if point.total_requests else UNKNOWN,
        )
        for point in points.points
        if point.total_requests
    )
    return Chart(script_json(data), summary, rows)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
