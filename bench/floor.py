"""What the parts cost without the server: the ratios' other side.

Ingest: protobuf decoding and a bare columnar insert of the same columns, one thread. Pages: the engine's own answers to
the same questions in plain SQL, on the same data. Runs in a process of its own: `python -m bench.floor ingest|pages`.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.generate import one_shape
from bench.ingest import body_of
from bench.programs import output_of
from bench.results import quantile
from modeltraces.run import now_us
from modeltraces.store.engine import open_store
from modeltraces.store.migrate import migrate
from modeltraces.store.rows import columns_of_runs

_COMMIT_RUNS: Final = 10_000
_TRIES: Final = 20


def ingest_floor(runs: int) -> dict[str, float]:
    """Runs a second of decoding and of inserting, and of one after the other."""
    made = one_shape("floor", now_us(), runs=runs, seed=3)
    bodies = [body_of("otlp protobuf", made[start : start + 512]) for start in range(0, runs, 512)]
    began = time.perf_counter()
    for body in bodies:
        ExportTraceServiceRequest.FromString(body)
    decode = time.perf_counter() - began
    blocks = [columns_of_runs(made[start : start + _COMMIT_RUNS]) for start in range(0, runs, _COMMIT_RUNS)]
    with tempfile.TemporaryDirectory() as directory:
        store = open_store(f"chdb://{directory}/runs")
        migrate(store)
        # The first insert of a process loads half of the client library.
        store.insert("runs", columns_of_runs(one_shape("warm-up", now_us(), runs=100)))
        began = time.perf_counter()
        for block in blocks:
            store.insert("runs", block)
        insert = time.perf_counter() - began
        store.close()
    return {"decode": runs / decode, "insert": runs / insert, "both": runs / (decode + insert)}


def page_floor(data_dir: Path) -> dict[str, float]:
    """Median milliseconds of plain queries, without duplicates being looked for, without previews or payloads."""
    store = open_store(f"chdb://{data_dir}/runs")
    month = "executed_on > now() - INTERVAL 30 DAY"
    questions = {
        "metrics, one model, 30d": f"SELECT count(), countIf(status = 'failed'), quantilesTDigest(0.5, 0.9, 0.99)(response_time_ms) FROM runs WHERE model = 'gpt-4o' AND {month}",
        "metrics, all models, 30d": f"SELECT count(), countIf(status = 'failed'), quantilesTDigest(0.5, 0.9, 0.99)(response_time_ms) FROM runs WHERE {month}",
        "newest 50, all models, 30d": "SELECT request_id, executed_on, input_preview FROM runs ORDER BY account_id DESC, executed_on DESC LIMIT 50",
        "newest 50, one model, 30d": "SELECT request_id, executed_on, input_preview FROM runs WHERE model = 'gpt-4o' ORDER BY account_id DESC, executed_on DESC LIMIT 50",
    }  # fmt: skip
    try:
        return {name: _median_ms(lambda sql=sql: store.query(sql)) for name, sql in questions.items()}  # type: ignore[misc]
    finally:
        store.close()


def _median_ms(ask: Callable[[], Any]) -> float:
    times = []
    for _ in range(_TRIES):
        began = time.perf_counter()
        ask()
        times.append((time.perf_counter() - began) * 1000)
    return quantile(times, 0.5)


def in_own_process(*arguments: str) -> dict[str, float]:
    """This program's answers."""
    found = json.loads(output_of("bench.floor", *arguments))
    return {str(name): float(value) for name, value in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["ingest", "pages"])
    parser.add_argument("--runs", type=int, default=50_000)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    options = parser.parse_args()
    found = ingest_floor(options.runs) if options.what == "ingest" else page_floor(options.data_dir)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
