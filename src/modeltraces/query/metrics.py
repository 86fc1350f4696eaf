"""The numbers at the top of the page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from modeltraces.query.filters import Bound, FilterContext
from modeltraces.query.selection import Selection, where
from modeltraces.query.summed import Summed, summed
from modeltraces.query.totals import (
    FAILED,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    REQUESTS,
    Measure,
    Question,
    totals,
)
from modeltraces.store.coverage import US_PER_HOUR, hour_of
from modeltraces.store.engine import Store
from modeltraces.store.summing import COUNTED


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Response times in ms, by linear interpolation between the nearest runs; None when there are none."""

    p50: float | None
    p90: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class Metrics:
    total_requests: int
    failed_requests: int
    failure_rate: float | None
    """0 to 1; None when there are no requests: nothing failed, and nothing succeeded."""
    response_time_ms: Percentiles
    input_tokens: int | None
    """None when no run of the selection says how many; the sum of those that do otherwise."""
    output_tokens: int | None
    hosted_busy_ms: float
    """The sum of response times of the hosted models' runs: what hosted time is compared against."""
    hosted_requests: int
    """How many runs of the selection are of hosted models."""


def metrics(store: Store, selection: Selection, context: FilterContext, hosted: Sequence[str] = ()) -> Metrics:
    """The metrics of a selection. `hosted`: the names that runs of hosted models bear."""
    bound = Bound("m")
    is_hosted = f"model IN {bound(list(hosted), 'Array(String)')}" if hosted else "false"
    busy = Measure(
        f"sumIf(assumeNotNull(response_time_ms), {COUNTED} AND {is_hosted})", f"sumIf(response_time_ms, {is_hosted})"
    )
    of_hosted = Measure(f"countIf({is_hosted})", f"sumIf(requests, {is_hosted})")
    question = Question(
        selection,
        context,
        (REQUESTS, FAILED, INPUT_TOKENS, OUTPUT_TOKENS, busy, of_hosted),
        params=bound.params,
        fields=frozenset({"model"} if hosted else ()),
    )
    found = totals(store, question, surface="metrics")
    total, failed, input_tokens, output_tokens, busy_ms, hosted_requests = (
        found[0].numbers if found else (0, 0, None, None, 0.0, 0)
    )
    return Metrics(
        total_requests=total,
        failed_requests=failed,
        failure_rate=failed / total if total else None,
        response_time_ms=percentiles_of(found[0].percentiles) if found else Percentiles(None, None, None),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        hosted_busy_ms=busy_ms,
        hosted_requests=hosted_requests,
    )


def requests_since_deployment(
    store: Store, selection: Selection, context: FilterContext, deployed_since: Mapping[str, int]
) -> int:
    """All runs of the selected models since they were first deployed or integrated, whatever the period and the filter.

    `deployed_since`: a name that runs bear → the instant (µs) from which on they count.
    """
    ever = selection.ever()
    known = summed(store, ever, {"model"})
    earlier = _count_earlier(store, ever, context, deployed_since, known)
    # Between the two counts runs may have come, or been folded.
    return max(0, count_runs(store, ever, context, known) - earlier)


def count_runs(store: Store, selection: Selection, context: FilterContext, known: Summed | None = None) -> int:
    """How many runs the selection holds."""
    question = Question(selection, context, (REQUESTS,), percentiles=False)
    found = totals(store, question, surface="metrics.count", known=known)
    return int(found[0].numbers[0]) if found else 0


def _count_earlier(
    store: Store,
    selection: Selection,
    context: FilterContext,
    deployed_since: Mapping[str, int],
    known: Summed | None,
) -> int:
    """Runs of the selection that were executed before their model was deployed: counted by themselves, as they are few
    and old, while a condition on every run ever made would have to read them all."""
    borne = context.borne(selection.models)
    since = {name: start for name, start in deployed_since.items() if not borne or name in borne}
    if not since:
        return 0
    before = replace(selection, to_us=max(since.values()))
    covered = known.hours.within(before) if known and known.hours else None
    bound = Bound("d")
    names, starts = bound(list(since), "Array(String)"), bound(list(since.values()), "Array(Int64)")
    is_earlier = f"toUnixTimestamp64Micro(executed_on) < transform(toString(model), {names}, {starts}, toInt64(0))"
    condition, params = where(before, context)
    counted = 0
    if covered is not None:
        apart = covered.without_days_of(start // US_PER_HOUR for start in since.values())
        hours = bound([start // US_PER_HOUR for start in since.values()], "Array(Int32)")
        hour = f"transform(toString(model), {names}, {hours}, toInt32(0))"
        counted = store.query(
            f"SELECT sum(requests) FROM summaries FINAL WHERE {apart.of_sums(bound, 1)} AND model IN {names} AND at < {hour}",
            bound.params,
            surface="metrics.earlier",
        )[0][0]
        # Of the hour in which a model was deployed, the runs tell which were before.
        condition += f" AND ({covered.of_runs(bound, {start // US_PER_HOUR: f'{hour_of()} = {hour}' for start in since.values()})})"
    (row,) = store.query(
        f"SELECT count() FROM runs FINAL WHERE {condition} AND model IN {names} AND {is_earlier}",
        {**params, **bound.params},
        surface="metrics.earlier",
    )
    return int(counted) + int(row[0])


def percentiles_of(values: Sequence[Any]) -> Percentiles:
    return Percentiles(*(None if value != value else float(value) for value in values))
