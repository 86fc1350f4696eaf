"""The numbers at the top of the page, over the raw rows of a selection."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from modeltraces.query.filters import Bound, FilterContext
from modeltraces.query.selection import Selection, where
from modeltraces.store.engine import Store

EXACT_BELOW: Final = 10_000
"""Up to so many response times percentiles are exact; above, within 0.5 % of the value (a DDSketch), in flat memory."""

_COUNTED: Final = "isNotNull(response_time_ms) AND NOT response_time_clamped"
PERCENTILES: Final = (
    f"if(countIf({_COUNTED}) <= {EXACT_BELOW}, "
    "arrayReduce('quantilesExactInclusive(0.5, 0.9, 0.99)', "
    f"groupArrayIf({EXACT_BELOW})(assumeNotNull(response_time_ms), {_COUNTED})), "
    f"quantilesDDIf(0.005, 0.5, 0.9, 0.99)(assumeNotNull(response_time_ms), {_COUNTED}))"
)
"""SQL of [p50, p90, p99] in ms; NaN where there is no response time."""


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
    total_requests_since_deployment: int
    """All runs of the selected models since they were first deployed or integrated, whatever the period and the filter."""


def metrics(
    store: Store,
    selection: Selection,
    context: FilterContext,
    hosted: Sequence[str] = (),
    deployed_since: Mapping[str, int] = MappingProxyType({}),
) -> Metrics:
    """The metrics of a selection.

    `hosted`: the names that runs of hosted models bear. `deployed_since`: a name that runs bear → the instant (µs) from
    which on they count as "since deployment".
    """
    condition, params = where(selection, context)
    bound = Bound("m")
    is_hosted = f"model IN {bound(list(hosted), 'Array(String)')}" if hosted else "false"
    (row,) = store.query(
        f"SELECT count(), countIf(status = 'failed'), {PERCENTILES}, sum(input_tokens), sum(output_tokens), "
        f"sumIf(assumeNotNull(response_time_ms), {_COUNTED} AND {is_hosted}), countIf({is_hosted}) "
        f"FROM runs FINAL WHERE {condition}",
        {**params, **bound.params},
        surface="metrics",
    )
    total, failed, percentiles, input_tokens, output_tokens, busy_ms, hosted_requests = row
    ever = selection.ever()
    everything = selection.from_us is None and selection.to_us is None and selection.filter is None
    of_all = total if everything else count_runs(store, ever, context)
    earlier = _count_earlier(store, ever, context, deployed_since)
    return Metrics(
        total_requests=total,
        failed_requests=failed,
        failure_rate=failed / total if total else None,
        response_time_ms=percentiles_of(percentiles),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        hosted_busy_ms=busy_ms,
        hosted_requests=hosted_requests,
        # Between the two counts runs may have come, or been folded.
        total_requests_since_deployment=max(0, of_all - earlier),
    )


def count_runs(store: Store, selection: Selection, context: FilterContext) -> int:
    """How many runs the selection holds."""
    condition, params = where(selection, context)
    (row,) = store.query(f"SELECT count() FROM runs FINAL WHERE {condition}", params, surface="metrics.count")
    return int(row[0])


def _count_earlier(
    store: Store, selection: Selection, context: FilterContext, deployed_since: Mapping[str, int]
) -> int:
    """Runs of the selection that were executed before their model was deployed: counted by themselves, as they are few
    and old, while a condition on every run ever made would have to read them all."""
    borne = context.borne(selection.models)
    since = {name: start for name, start in deployed_since.items() if not borne or name in borne}
    if not since:
        return 0
    bound = Bound("d")
    names, starts = bound(list(since), "Array(String)"), bound(list(since.values()), "Array(Int64)")
    condition, params = where(replace(selection, to_us=max(since.values())), context)
    (row,) = store.query(
        f"SELECT count() FROM runs FINAL WHERE {condition} AND model IN {names} "
        f"AND toUnixTimestamp64Micro(executed_on) < transform(toString(model), {names}, {starts}, toInt64(0))",
        {**params, **bound.params},
        surface="metrics.earlier",
    )
    return int(row[0])


def percentiles_of(values: Sequence[Any]) -> Percentiles:
    return Percentiles(*(None if value != value else float(value) for value in values))
