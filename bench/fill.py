"""Fill a data directory with many runs, fast: some are made one by one, the rest are made of those by the engine.

`python -m bench.fill --data-dir D --runs 10000000`; broken off, the same command goes on where it was. The runs that the
engine makes are those of other days with other ids, other times and a share of failures that come in bursts; no text
comes twice in one day, so that texts do not compress better than they would. All of it is a function of the seed.
"""

import argparse
import time
from pathlib import Path
from typing import Any, Final

from bench.generate import MAKE_SECONDS, generate, seen_models
from bench.progress import Progress, in_words
from bench.settle import settle
from modeltraces.catalog import accounts
from modeltraces.parts import Parts, build
from modeltraces.settings import load_settings
from modeltraces.store.engine import Store
from modeltraces.store.rows import insert_runs

MADE_RUNS: Final = 400_000
"""At most so many are made one by one: 150 µs of Python each."""
RARE_WORD: Final = "quixotic"
"""In one of 500,000 inputs."""
_RARE: Final = 500_000
_DAY_US: Final = 86_400_000_000
_WINDOWS: Final = 12
"""Inserts of a day: 28,000 runs and 100 MB each, of 10 M."""
_MERGE_SECONDS: Final = 1_200.0
_COPY_SECONDS: Final = 0.00006
"""For each run that the engine makes."""

_COLUMNS: Final = (
    "account_id", "version", "superseded_by", "model", "base_model", "provider", "deployment_version", "connection_name",
    "operation", "status", "response_time_clamped", "streaming", "source_type", "source", "input_preview",
    "output_preview", "output", "input_size", "output_size", "input_tokens", "output_tokens", "cached_input_tokens",
    "cache_write_input_tokens", "reasoning_tokens", "finish_reasons", "error_type", "error_message", "error_code",
    "request", "response", "payload_cut", "parent_span_id", "response_id", "session_id", "user_id", "instrumentation",
    "attributes", "borrowed", "server_address", "key_name", "matched_by", "recorded_model",
    "recorded_deployment_version", "recorded_connection_name",
)  # fmt: skip

# Of one hash: where in its window a run stands, and of a failed one in which of its model's three bad hours of the day.
_HASH: Final = "cityHash64(request_id, {day:UInt32}, made_day, 1)"
_FRACTION: Final = "(h % 1000003) / 1000003"
_START: Final = (
    "if(status = 'failed' AND h % 10 < 8, "
    "{start:Int64} + (cityHash64(model, {day:UInt32}, h % 3) % 24) * 3600000000 + toInt64(f * 3600000000), "
    "{start:Int64} + toInt64(({window:UInt32} + f) * 7200000000))"
)
_COPY: Final = f"""
INSERT INTO runs ({", ".join(_COLUMNS)}, executed_on, received_on, request_id, trace_id, span_id, response_time_ms,
    time_to_first_token_ms, input)
WITH {_HASH} AS h, {_FRACTION} AS f, {_START} AS at,
    exp(((intDiv(h, 7) % 1000) + (intDiv(h, 7919) % 1000) + (intDiv(h, 104729) % 1000) - 1500) / 2500) AS slower,
    lower(hex(h)) AS h16, lower(hex(sipHash64(request_id, {{day:UInt32}}, made_day))) AS g16
SELECT {", ".join(_COLUMNS)}, fromUnixTimestamp64Micro(at, 'UTC'),
    fromUnixTimestamp64Micro(least({{end:Int64}},
        at + toUnixTimestamp64Micro(received_on) - toUnixTimestamp64Micro(executed_on)), 'UTC'),
    concat(substring(leftPad(lower(hex(intDiv(at, 1000))), 16, '0'), 5, 8), '-',
        substring(leftPad(lower(hex(intDiv(at, 1000))), 16, '0'), 13, 4), '-8', substring(g16, 1, 3), '-a',
        substring(g16, 4, 3), '-', substring(h16, 1, 12)),
    concat(h16, g16), g16, round(response_time_ms * slower, 3), round(time_to_first_token_ms * slower, 3),
    if(h % {_RARE} = 0, concat(input, ' {RARE_WORD}'), input)
FROM bench_made WHERE made_day IN {{days:Array(UInt32)}} AND window = {{window:UInt32}}
SETTINGS max_threads = 1, max_block_size = 4096, max_execution_time = 0
"""


def fill(data_dir: Path, runs: int, days: int = 30) -> None:
    """Fill the default account of a data directory that no server holds, up to so many runs."""
    # An insert sorts what it takes, texts and all.
    parts = build(load_settings(data_dir=data_dir, query_memory_megabytes=3_000, store_memory_megabytes=6_000))
    try:
        account_id = accounts.ensure_default(parts.catalog).id
        done = data_dir / "bench-filled"
        if done.exists() and int(done.read_text()) >= days * _WINDOWS:
            return
        first = int(done.read_text()) if done.exists() else -1
        copies = max(1, min(days, runs // MADE_RUNS))
        if first < 0:
            end_us = time.time_ns() // 1000
            _make(parts, account_id, end_us, runs=runs // copies, days=days)
            first = 0
            (data_dir / "bench-end").write_text(str(end_us))
            done.write_text("0")
        end_us = int((data_dir / "bench-end").read_text())
        progress = Progress(f"Making {runs:,} runs of those", in_words(runs * _COPY_SECONDS))
        for step in range(first, days * _WINDOWS):
            _copy(parts.store, end_us, step, copies, days)
            done.write_text(str(step + 1))
            progress.show(f"day {step // _WINDOWS + 1} of {days}, part {step % _WINDOWS + 1} of {_WINDOWS}")
        progress.end()
        parts.store.command("DROP TABLE IF EXISTS bench_made")
        _wait_for_merges(parts.store)
        settle(parts.store)
    finally:
        parts.close()


def _make(parts: Parts, account_id: str, end_us: int, *, runs: int, days: int) -> None:
    store = parts.store
    store.command("DROP TABLE IF EXISTS bench_made")
    store.command("TRUNCATE TABLE runs")
    parted = (
        f"SELECT *, toUInt32(intDiv(toUnixTimestamp64Micro(executed_on) - {end_us - days * _DAY_US}, {_DAY_US})) AS made_day, "
        f"toUInt32(cityHash64(request_id, 2) % {_WINDOWS}) AS window FROM runs"
    )
    store.command(
        "CREATE TABLE bench_made ENGINE = MergeTree ORDER BY (made_day, window) SETTINGS index_granularity = 256 "
        f"EMPTY AS {parted}"
    )
    progress, made = Progress(f"Making {runs:,} runs one by one", in_words(runs * MAKE_SECONDS)), 0
    for batch in generate(account_id, end_us, runs=runs, days=days):
        parts.registry.ensure(account_id, seen_models(batch))
        insert_runs(store, batch)
        store.command(f"INSERT INTO bench_made {parted}")
        store.command("TRUNCATE TABLE runs")
        made += len(batch)
        progress.show(f"{made:,} of {runs:,} runs made")
    progress.end()


def _copy(store: Store, end_us: int, step: int, copies: int, days: int) -> None:
    """One window of one day: a share of each of `copies` days."""
    day, window = divmod(step, _WINDOWS)
    params: dict[str, Any] = {
        "start": end_us - (days - day) * _DAY_US, "end": end_us, "day": day, "window": window,
        "days": [(day + copy) % days for copy in range(copies)],
    }  # fmt: skip
    store.command(_COPY, params)


def _wait_for_merges(store: Store) -> None:
    """A week that gets no more runs becomes one part; the server would be at it while it is measured."""
    until = time.monotonic() + _MERGE_SECONDS
    progress = Progress("Waiting for the engine to merge them", f"at most {_MERGE_SECONDS / 60:.0f} minutes")
    while time.monotonic() < until:
        ((parts, merges),) = store.query(
            "SELECT (SELECT count() FROM system.parts WHERE table = 'runs' AND active AND database = currentDatabase()), "
            "(SELECT count() FROM system.merges)"
        )
        progress.show(f"{parts} parts, {merges} merges")
        if not merges and parts <= 6:
            break
        time.sleep(2)
    progress.end()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=30)
    options = parser.parse_args()
    fill(options.data_dir, options.runs, options.days)


if __name__ == "__main__":
    main()
