"""How the runs of some hours, or minutes, of an account are summed up."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from modeltraces.store.coverage import HOUR, Unit, declare, ranges
from modeltraces.store.engine import Store, StoreError
from modeltraces.store.phrases import PATIENT, started_between

EXACT_BELOW: Final = 10_000
"""Up to so many response times percentiles are exact."""
MOST_SOURCES: Final = 2_000
"""Rows of one hour by source. With more (a source for every run) they would be no shorter than the runs: they are left out."""
COUNTED: Final = "isNotNull(response_time_ms) AND NOT response_time_clamped"
"""Which runs' response times percentiles are of."""
CLASS: Final = (
    "if(response_time_ms > 1e-9, toInt16(least(ceil(log(assumeNotNull(response_time_ms)) * 64), 32767.)), "
    "toInt16(-32768))"
)
"""The class of a response time. Each is 1.6 % wide, so that its middle is within 0.8 % of all that is in it."""
DAYS_ABOVE: Final = 3
"""What the grain of a day is more than that of its hours."""
KEYS: Final = ("model", "status", "deployment_version", "connection_name", "source_type", "source")
_INTO: Final = (
    f"(account_id, generation, grain, at, {', '.join(KEYS)}, requests, timed, response_time_ms, "
    "input_tokens, output_tokens, classes, counts, times) SELECT {account_id:String}, {generation:UInt64}, "
)


def into(unit: Unit) -> str:
    """SQL that begins with writing sums of `account_id` and `generation`, and goes on with what is selected."""
    return f"INSERT INTO {unit.sums} {_INTO}"


def time_of_class(name: str) -> str:
    """SQL of a response time in ms in the middle of a class."""
    return f"if({name} = -32768, 0., exp({name} / 64) * 2 / (1 + exp(1 / 64)))"


def sum_up(store: Store, account_id: str, ats: Sequence[int], generation: int, unit: Unit = HOUR) -> list[int]:
    """Sum up hours, or minutes, and say that they are; which ones could be. What is too large is left as it is, not covered."""

    def write(some: Sequence[int]) -> None:
        crowded = _crowded(store, account_id, some, unit)
        for source, those in (("source", sorted(set(some) - crowded)), ("''", sorted(crowded))):
            if those:
                _insert(store, account_id, those, generation, source, unit)
        declare(store, [(account_id, at, at not in crowded) for at in some], generation + 1, covered=True, unit=unit)

    return by_parts(write, ats)


def by_parts(write: Callable[[Sequence[int]], None], ats: Sequence[int]) -> list[int]:
    """Write them all at once, or each by itself where that is too much for the memory that a query may use; which ones could be."""
    try:
        write(ats)
        return list(ats)
    except StoreError:
        if len(ats) == 1:
            return []
        return [one for at in ats for one in by_parts(write, [at])]


def _crowded(store: Store, account_id: str, ats: Sequence[int], unit: Unit) -> set[int]:
    condition, params = _of_runs(account_id, ats, unit)
    rows = store.query(
        f"SELECT {unit.of()} AS at FROM runs WHERE {condition} GROUP BY at "
        f"HAVING uniq({', '.join(KEYS)}) > {MOST_SOURCES} {PATIENT}",
        params,
        surface="summaries.sources",
    )
    return {row[0] for row in rows}


def _insert(store: Store, account_id: str, ats: Sequence[int], generation: int, source: str, unit: Unit) -> None:
    condition, params = _of_runs(account_id, ats, unit)
    keys = [source if key == "source" else key for key in KEYS]
    # By class first: what is held in memory are classes, not runs, but for the response times themselves, where they are few.
    by_class = (
        f"SELECT {unit.of()} AS at, {', '.join(f'{key} AS key_{name}' for key, name in zip(keys, KEYS, strict=True))}, "
        f"if({COUNTED}, {CLASS}, NULL) AS class, "
        "count() AS requests, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens, "
        f"sumIf(assumeNotNull(response_time_ms), {COUNTED}) AS ms, "
        f"groupArrayIf({EXACT_BELOW + 1})(assumeNotNull(response_time_ms), {COUNTED}) AS times "
        f"FROM runs FINAL WHERE {condition} AND superseded_by = '' GROUP BY at, {', '.join(f'key_{name}' for name in KEYS)}, class"
    )
    grained = [
        "key_status" if name == "status" else f"if(grain >= {1 if name == 'model' else 2}, key_{name}, '')"
        for name in KEYS
    ]
    names = ", ".join(f"k_{name}" for name in KEYS)
    sums = (
        f"SELECT grain, at, {names}, sum(requests) AS all_requests, sumIf(requests, isNotNull(class)) AS all_timed, "
        "sum(ms), sum(input_tokens), sum(output_tokens), groupArrayIf(assumeNotNull(class), isNotNull(class)), "
        "groupArrayIf(toUInt32(requests), isNotNull(class)), "
        f"if(grain = 2 AND all_timed <= {EXACT_BELOW}, groupArrayArray(times), []) "
        f"FROM (SELECT grain, at, {', '.join(f'{value} AS k_{name}' for value, name in zip(grained, KEYS, strict=True))}, "
        "class, sum(r.requests) AS requests, sum(r.ms) AS ms, sum(r.input_tokens) AS input_tokens, "
        "sum(r.output_tokens) AS output_tokens, groupArrayArray(if(grain = 2, r.times, [])) AS times "
        f"FROM ({by_class}) AS r ARRAY JOIN [0, 1, 2] AS grain GROUP BY grain, at, {names}, class) GROUP BY grain, at, {names}"
    )
    store.command(
        f"{into(unit)} * FROM ({sums}) {PATIENT}",
        {**params, "generation": generation + 1},
    )
    blank(store, account_id, ats, f"grain < {DAYS_ABOVE}", generation + 1, unit)


def blank(store: Store, account_id: str, ats: Sequence[int], grains: str, generation: int, unit: Unit = HOUR) -> None:
    """Write as nothing what an earlier generation had more. Afterwards: whoever began to read while these sums counted finds no
    gap. `ats`: where the rows stand, those of days at their first. `grains`: SQL of which."""
    store.command(
        f"{into(unit)} toUInt8(grain), at, {', '.join(KEYS)}, 0, 0, 0, NULL, NULL, [], [], [] FROM {unit.sums} FINAL "
        f"WHERE account_id = {{account_id:String}} AND at IN {{ats:Array(Int32)}} AND {grains} AND requests > 0 "
        "AND generation < {generation:UInt64}",
        {"account_id": account_id, "ats": ats, "generation": generation},
    )


def _of_runs(account_id: str, ats: Sequence[int], unit: Unit) -> tuple[str, dict[str, Any]]:
    """The condition of the runs of an account in some hours, or minutes; ranges, for the engine to find them by its key."""
    params: dict[str, Any] = {"account_id": account_id}
    parts = []
    for number, (first, last) in enumerate(ranges(ats)):
        params |= {f"from_{number}": first * unit.us, f"to_{number}": last * unit.us}
        parts.append(f"({started_between(f'from_{number}', f'to_{number}')})")
    return f"account_id = {{account_id:String}} AND ({' OR '.join(parts)})", params
