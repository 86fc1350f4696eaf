"""The Hosting Credits card: what keeping the deployments up came to, and how much of it was put to use."""

from decimal import Decimal
from typing import Final

from modeltraces.api.hosting import Hosting, credits_per_1000, utilization
from modeltraces.catalog.amounts import amount_text
from modeltraces.catalog.hosting.intervals import Hosted
from modeltraces.query.metrics import Metrics
from modeltraces.query.series import Series
from modeltraces.web.changes import FEWER, relative_change
from modeltraces.web.contexts import Figure, MetricCard
from modeltraces.web.formatting import count, percent
from modeltraces.web.sparkline import Sparkline, sparkline

_TITLE: Final = "Hosting Credits"
_HELP: Final = (
    "Credits consumed by keeping the deployments up in the period: hours, times replicas, times credits per replica-hour. "
    "Utilization: the time that requests took, of the time that replicas were up."
)


def hosting_card(
    hosting: Hosting, now: Metrics, before: Hosted | None, points: Series, *, period: str, several: bool, now_us: int
) -> MetricCard:
    """`before`: hosting in the period before. `several`: whether the selection may hold more than one model."""
    if not hosting.covered:
        return MetricCard(
            "credits",
            _TITLE,
            _HELP,
            (
                Figure(
                    "", "not configured", none=True, title="No hosting is entered for these models: Settings, Models."
                ),
            ),
        )
    credits, used = hosting.hosted.credits, utilization(hosting, now)
    figures = [
        Figure("", "no price", none=True, title="The deployments have no credits per replica-hour.")
        if credits is None
        else Figure("", credits_text(credits), title=f"{amount_text(credits)} credits"),
        Figure(
            "Utilization", percent(used), minor=True, none=used is None,
            title="No replica was up in the period." if used is None
            else "Response time of the requests, of the time that replicas were up",
        ),
    ]  # fmt: skip
    if before is not None and before.replica_us * FEWER < hosting.hosted.replica_us:
        before = None
    earlier = None if before is None or before.credits is None else float(before.credits)
    return MetricCard(
        "credits",
        _TITLE,
        _HELP,
        tuple(figures),
        change=relative_change(None if credits is None else float(credits), earlier, period, None),
        note=_note(hosting, now, several),
        spark=_spark(hosting, points, now_us),
    )


def credits_text(credits: Decimal) -> str:
    """Three decimals up to a thousand, two above, none from a hundred thousand on; the whole figure stands in the title."""
    rounded = round(credits, 3 if credits < 1000 else 2 if credits < 100_000 else 0)
    whole, _, rest = amount_text(rounded).partition(".")
    return f"{count(int(whole))}.{rest}" if rest else count(int(whole))


def _note(hosting: Hosting, now: Metrics, several: bool) -> str:
    parts = []
    per_1000 = credits_per_1000(hosting, now)
    if per_1000 is not None:
        parts.append(
            f"{per_1000:.3g} per {count(1000)} requests"
            if per_1000 < 1000
            else f"{count(round(per_1000))} per {count(1000)} requests"
        )
    if several:
        parts.append(f"{len(hosting.covered)} model{'s' if len(hosting.covered) != 1 else ''}")
    return ", ".join(parts)


def _spark(hosting: Hosting, points: Series, now_us: int) -> Sparkline | None:
    edges = [point.at_us for point in points.points]
    if not edges:
        return None
    edges.append(edges[-1] + points.step_seconds * 1_000_000)
    return sparkline([float(credits) for credits in hosting.credits_between(edges, now_us)])
