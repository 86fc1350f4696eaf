"""The demo account's past: runs over some weeks, in the order they happened, the same for the same seed and instant."""

from collections.abc import Iterator
from functools import cache
from random import Random
from statistics import fmean
from typing import Final

from modeltraces.demo.incidents import incidents_before
from modeltraces.demo.making import RunMaker
from modeltraces.demo.sources import WORKLOADS, Workload, rhythm_weight
from modeltraces.run import Run

DEMO_RUNS: Final = 200_000
DEMO_DAYS: Final = 30
DEMO_SEED: Final = 2026
BATCH_RUNS: Final = 5_000
"""Of one insert: some 20 MB, half a second's work, and a part in the store that no other overlaps in time."""

_GROWTH: Final = 1.5
"""How much more is asked at the end than at the beginning: the models are being taken up."""
_HOUR_US: Final = 3_600_000_000


def generate_history(
    account_id: str, now_us: int, *, runs: int = DEMO_RUNS, days: int = DEMO_DAYS, seed: int = DEMO_SEED
) -> Iterator[list[Run]]:
    """`runs` runs of the `days` days before `now_us`, oldest first, in batches of `BATCH_RUNS`.

    Request IDs are functions of the seed and of `now_us`: the same call gives the same runs, so that inserting them
    again replaces them.
    """
    start_us = now_us - days * 24 * _HOUR_US
    rng = Random(f"{seed}:{now_us}")
    maker = RunMaker(account_id, rng, end_us=now_us, incidents=incidents_before(now_us))
    plan = _plan(start_us, days * 24, runs)
    batch: list[Run] = []
    for hour in range(days * 24):
        begins_us = start_us + hour * _HOUR_US
        asked = [
            (begins_us + rng.randrange(_HOUR_US), number)
            for number, counts in enumerate(plan)
            for _ in range(counts[hour])
        ]
        asked.sort()
        for at_us, number in asked:
            batch.append(maker.make(WORKLOADS[number], at_us))
            if len(batch) == BATCH_RUNS:
                yield batch
                batch = []
    if batch:
        yield batch


def pace_at(at_us: int, *, runs: int = DEMO_RUNS, days: int = DEMO_DAYS) -> float:
    """Runs a second of a history that went on after its end, in this hour of the week."""
    grown = (1 + _GROWTH) / (1 + _GROWTH / 2)
    usual = runs / (days * 24 * 3600)
    return usual * grown * sum(one.share * _weight(one, at_us) / _usual_weight(one.rhythm) for one in WORKLOADS)


@cache
def _usual_weight(rhythm: str) -> float:
    return fmean(rhythm_weight(rhythm, hour, weekday) for weekday in range(7) for hour in range(24))


def _plan(start_us: int, hours: int, runs: int) -> list[list[int]]:
    """How many runs each workload has in each hour: all of them together are exactly `runs`."""
    shares = _whole_parts(runs, [workload.share for workload in WORKLOADS])
    return [
        _whole_parts(
            count,
            [_weight(workload, start_us + hour * _HOUR_US) * (1 + _GROWTH * hour / hours) for hour in range(hours)],
        )
        for workload, count in zip(WORKLOADS, shares, strict=True)
    ]


def _weight(workload: Workload, at_us: int) -> float:
    hours = at_us // _HOUR_US
    # The epoch was a Thursday.
    return rhythm_weight(workload.rhythm, hours % 24, (hours // 24 + 3) % 7)


def _whole_parts(total: int, weights: list[float]) -> list[int]:
    """`total` split by the weights into whole numbers, what is left over carried to the next."""
    scale = total / sum(weights)
    parts, reached, given = [], 0.0, 0
    for weight in weights:
        reached += weight * scale
        part = round(reached) - given
        parts.append(part)
        given += part
    parts[-1] += total - given
    return parts
