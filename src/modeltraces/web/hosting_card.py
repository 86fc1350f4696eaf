"""The Hosting Credits card: what keeping the deployments up came to, and how much of it was put to use."""

from typing import Final

from modeltraces.api.hosting import Hosting, credits_per_1000, utilization
from modeltraces.catalog.amounts import amount_text
from modeltraces.catalog.hosting.intervals import Hosted
from modeltraces.query.metrics import Metrics
from modeltraces.web.changes import FEWER, relative_change
from modeltraces.web.contexts import Figure, MetricCard, Option
from modeltraces.web.formatting import count, credits_text, percent
from modeltraces.web.sparkline import Sparkline, sparkline
from modeltraces.web.steps import Steps

_TITLE: Final = "Hosting Credits"
_HELP: Final = (
    "Credits consumed by keeping the deployments up in the period: hours, times replicas, times credits per replica-hour. "
    "Utilization: the time that requests took, of the time that replicas were up."
)


def hosting_card(
    hosting: Hosting, now: Metrics, before: Hosted | None, steps: Steps, *, period: str, several: bool, href: str = ""
) -> MetricCard:
    """`before`: hosting in the period before. `several`: whether the selection may hold more than one model. `href`: where
    the deployments are entered.
    """
    action = Option("Deployments", href) if href else None
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
            action=action,
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
        spark=_spark(hosting, steps),
        action=action,
    )


def _note(hosting: Hosting, now: Metrics, several: bool) -> str:
    parts = []
    per_1000 = credits_per_1000(hosting, now)
    if per_1000 is not None:
        parts.append(
            f"{per_1000:.3g} per {count(1000)} requests"
            if per_1000 < 1000
            else f"{count(round(per_1000))} per {count(1000)} requests"
        )
    if hosting.hosted.unpriced_us and hosting.hosted.credits is not None:
        share = hosting.hosted.unpriced_us / hosting.hosted.replica_us
        parts.append(f"{percent(share)} of the replica time has no price")
    if several:
        parts.append(f"{len(hosting.covered)} model{'s' if len(hosting.covered) != 1 else ''}")
    return ", ".join(parts)


def _spark(hosting: Hosting, steps: Steps) -> Sparkline | None:
    if not steps.edges:
        return None
    credits = hosting.credits_between(steps.edges, steps.to_us)
    return sparkline(steps.whole([float(amount) for amount in credits]))
