"""What hosting amounts to in a selection: the catalog's ledger, cut to the period and narrowed by the filter."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from modeltraces.api.run_json import old_names_of
from modeltraces.catalog.hosting.intervals import Hosted, added, hosted
from modeltraces.catalog.model_entries import DeploymentEntry, ModelEntry
from modeltraces.query.covered import fields_of
from modeltraces.query.filters import Filter
from modeltraces.query.filters.narrow import may_match
from modeltraces.query.filters.old_names import with_names_of_now
from modeltraces.query.metrics import Metrics
from modeltraces.query.selection import Selection

_US_PER_HOUR: Final = Decimal(3_600_000_000)
_OF_DEPLOYMENTS: Final = frozenset({"model", "deployment_version", "connection_name"})
"""The columns that hosting is narrowed by as runs are."""


@dataclass(frozen=True, slots=True)
class Hosting:
    """Deployments that the selection leaves room for, and what they were hosted for in its period."""

    applies: bool
    """False when every selected model is external: then there are no Hosting Credits at all."""
    covered: tuple[ModelEntry, ...]
    """The models of which hosting is known."""
    deployments: tuple[DeploymentEntry, ...]
    hosted: Hosted
    is_whole: bool = True
    """Whether the selection holds all of their runs in its period: a filter may leave some out."""

    @property
    def names(self) -> list[str]:
        """The names that runs of the covered models bear."""
        return [name for entry in self.covered for name in (*entry.recorded_names, entry.name)]

    def between(self, from_us: int, to_us: int, now_us: int) -> Hosted:
        """The same deployments in another period."""
        return _sum(self.deployments, from_us, to_us, now_us)

    def credits_between(self, edges: Sequence[int], now_us: int) -> list[Decimal]:
        """The credits from each of these instants to the next, all at once: what is hosted changes seldom, and asking for
        each step by itself would go through thousands of deployments each time. None before the first or after the last.
        """
        changes: dict[int, Decimal] = defaultdict(Decimal)
        for deployment in self.deployments:
            for interval in deployment.intervals:
                price = interval.credits_per_replica_hour
                start = max(interval.from_us, edges[0])
                end = min(now_us if interval.to_us is None else min(interval.to_us, now_us), edges[-1])
                if price is not None and start < end:
                    changes[start] += interval.replicas * price
                    changes[end] -= interval.replicas * price
        at_once = sorted({*changes, *edges})
        credits: list[Decimal] = []
        rate = spent = Decimal(0)
        steps = iter(edges[1:])
        step_end = next(steps, None)
        for start, end in pairwise(at_once):
            rate += changes.get(start, 0)
            spent += rate * (end - start)
            if end == step_end:
                credits.append(spent / _US_PER_HOUR)
                spent, step_end = Decimal(0), next(steps, None)
        return credits


def hosting_of(selection: Selection, entries: Sequence[ModelEntry]) -> Hosting:
    """Hosting of the selected models (none named: of all). Versions that a filter rules out are left out."""
    chosen = [entry for entry in entries if not selection.models or _is_named(entry, selection.models)]
    inside = [entry for entry in chosen if entry.kind != "external"]
    filter = selection.filter and with_names_of_now(selection.filter, old_names_of(entries))
    pairs = [(entry, deployment) for entry in inside for deployment in _left(entry, filter)]
    return Hosting(
        applies=bool(inside) or not chosen,
        covered=tuple({entry.id: entry for entry, _ in pairs}.values()),
        deployments=tuple(deployment for _, deployment in pairs),
        hosted=_sum([deployment for _, deployment in pairs], selection.from_us, selection.to_us, selection.now_us),
        is_whole=fields_of(filter) <= _OF_DEPLOYMENTS,
    )


def deployed_since(entries: Iterable[ModelEntry]) -> dict[str, int]:
    """The names of runs → when their model was first deployed (µs), where runs were recorded before."""
    return {
        name: entry.deployed_on_us
        for entry in entries
        if entry.kind != "external" and entry.deployed_on_us is not None
        if entry.first_run_on_us is not None and entry.first_run_on_us < entry.deployed_on_us
        for name in entry.recorded_names
    }


def utilization(hosting: Hosting, metrics: Metrics) -> float | None:
    """Σ response time of the hosted models' runs in the period, per hosted replica time; None where none was hosted."""
    return metrics.hosted_busy_ms * 1000 / hosting.hosted.replica_us if hosting.hosted.replica_us else None


def credits_per_1000(hosting: Hosting, metrics: Metrics) -> float | None:
    """Hosting credits per 1 000 requests to the hosted models; None without either, where something was up without a price, and
    where a filter leaves requests out that were hosted for the same credits."""
    sum_ = hosting.hosted
    if sum_.credits is None or sum_.unpriced_us or not metrics.hosted_requests or not hosting.is_whole:
        return None
    credits = sum_.credits if sum_.credit_us is None else sum_.credit_us / _US_PER_HOUR
    return float(credits * 1000 / Decimal(metrics.hosted_requests))


def hosting_json(hosting: Hosting, metrics: Metrics) -> dict[str, Any]:
    """`hosting_credits` and `utilization` of the contract, and what makes them comparable."""
    credits = hosting.hosted.credits
    return {
        "hosting_credits": None if credits is None else float(credits),
        "utilization": utilization(hosting, metrics),
        "credits_per_1000_requests": credits_per_1000(hosting, metrics),
        "hosted_models": len(hosting.covered),
    }


def _is_named(entry: ModelEntry, names: Sequence[str]) -> bool:
    return any(name in names for name in (entry.name, *entry.recorded_names, *entry.merged))


def _left(entry: ModelEntry, filter: Filter | None) -> Iterator[DeploymentEntry]:
    for deployment in entry.deployments:
        known = {
            "model": entry.name,
            "model_kind": entry.kind,
            "deployment_version": deployment.version,
            "connection_name": "",
        }
        if deployment.intervals and may_match(filter, known):
            yield deployment


def _sum(deployments: Iterable[DeploymentEntry], from_us: int | None, to_us: int | None, now_us: int) -> Hosted:
    return added([hosted(deployment.intervals, from_us, to_us, now_us) for deployment in deployments])
