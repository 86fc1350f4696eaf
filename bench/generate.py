"""Runs to measure with: 20 models, long-tailed sizes, 5 % failures in bursts, and some that arrive late.

As a program it fills a data directory, for a server to be started on: `python -m bench.generate --data-dir D --runs N`.
"""

import argparse
import heapq
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Final

from bench.progress import Progress, in_words
from bench.settle import settle
from modeltraces.catalog import accounts
from modeltraces.catalog.model_writes import SeenModel
from modeltraces.demo.incidents import Incident
from modeltraces.demo.making import RunMaker
from modeltraces.demo.models import MODELS, DemoModel
from modeltraces.demo.sources import WORKLOADS, Workload
from modeltraces.parts import build
from modeltraces.run import Run
from modeltraces.settings import load_settings
from modeltraces.store.rows import insert_runs

BATCH_RUNS: Final = 10_000
MAKE_SECONDS: Final = 0.0001
"""For one run, made and inserted; for words about how long it takes."""
_VARIANTS: Final = ("", "-eu", "-batch")
_ALONE: Final = ("text-embedding-3-small", "invoice-extractor")
_HOUR_US: Final = 3_600_000_000
_BURST_SHARE: Final = 0.12
"""Of the hours of one model, in which many of its runs fail."""
_BURST_RATE: Final = 0.38
_LATE: Final = 0.01
"""Share of runs that are sent later than they end: exporters that retry, devices that were offline."""
_LATE_HOURS: Final = 0.5
"""How much later, on average; six hours at most."""


def generate(
    account_id: str, end_us: int, *, runs: int, days: int = 30, seed: int = 1, batch_runs: int = BATCH_RUNS
) -> Iterator[list[Run]]:
    """`runs` runs of the days before `end_us`, evenly spread, in batches in the order of their arrival."""
    rng = Random(seed)
    maker = RunMaker(account_id, rng, end_us=end_us, instrumentation="bench")
    shares = [workload.share for workload in WORKLOADS]
    step_us = days * 24 * _HOUR_US / runs
    start_us = end_us - days * 24 * _HOUR_US
    hour = -1
    late: list[tuple[int, str, Run]] = []
    batch: list[Run] = []
    for number in range(runs):
        at_us = start_us + int(number * step_us) + rng.randrange(max(1, int(step_us)))
        if at_us // _HOUR_US != hour:
            hour = at_us // _HOUR_US
            maker.incidents = [_burst(model) for model in MODELS.values() if rng.random() < _BURST_SHARE]
        run = maker.make(rng.choices(WORKLOADS, shares)[0], at_us)
        run.model = _variant(run, rng)
        if rng.random() < _LATE:
            run.received_on_us = min(end_us, at_us + int(min(6.0, rng.expovariate(1 / _LATE_HOURS)) * _HOUR_US))
            heapq.heappush(late, (run.received_on_us, run.request_id, run))
            continue
        batch.append(run)
        while late and late[0][0] <= at_us:
            batch.append(heapq.heappop(late)[2])
        if len(batch) >= batch_runs:
            yield batch
            batch = []
    batch.extend(run for _, _, run in late)
    if batch:
        yield batch


def one_shape(account_id: str, end_us: int, *, runs: int, seed: int = 1) -> list[Run]:
    """Chats of ordinary length only, one like the other: for comparing ways in."""
    workload: Workload = replace(WORKLOADS[0], models=((next(iter(MODELS)), 1.0),), streamed=0.0)
    maker = RunMaker(account_id, Random(seed), end_us=end_us, instrumentation="bench")
    return [maker.make(workload, end_us - number * 1000) for number in range(runs)]


def _burst(model: DemoModel) -> Incident:
    kind = "timeout" if model.name == "text-embedding-3-small" else "server"
    return Incident("burst", model.name, 0, 1 << 62, failure_rate=_BURST_RATE, failure_kind=kind)


def _variant(run: Run, rng: Random) -> str:
    """One of twenty names: six of the eight models three times, one variant more popular than the next."""
    return run.model if run.model in _ALONE else run.model + rng.choices(_VARIANTS, (6, 3, 1))[0]


def fill(data_dir: Path, runs: int, days: int) -> float:
    """Fill the default account of a data directory that no server holds; seconds that the engine took for it."""
    parts = build(load_settings(data_dir=data_dir))
    try:
        account_id = accounts.ensure_default(parts.catalog).id
        progress = Progress(f"Making {runs:,} runs of {days} days", in_words(runs * MAKE_SECONDS))
        seconds, stored = 0.0, 0
        for batch in generate(account_id, time.time_ns() // 1000, runs=runs, days=days):
            parts.registry.ensure(account_id, seen_models(batch))
            began = time.perf_counter()
            insert_runs(parts.store, batch)
            seconds += time.perf_counter() - began
            stored += len(batch)
            progress.show(f"{stored:,} of {runs:,} runs made")
        progress.end(f"{stored:,} runs are made")
        settle(parts.store)
        return seconds
    finally:
        parts.close()


def seen_models(batch: list[Run]) -> dict[str, SeenModel]:
    seen: dict[str, SeenModel] = {}
    for run in batch:
        known = seen.setdefault(run.model, SeenModel(run.provider, run.base_model, run.executed_on_us))
        known.first_run_on_us = min(known.first_run_on_us, run.executed_on_us)
        if run.deployment_version:
            known.deployment_versions.add(run.deployment_version)
        if run.connection_name:
            known.connection_names.add(run.connection_name)
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=30)
    options = parser.parse_args()
    fill(options.data_dir, options.runs, options.days)


if __name__ == "__main__":
    main()
