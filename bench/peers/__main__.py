"""The same work done by this system, Arize Phoenix and MLflow, on one machine; a table, and ratios to the faster of the two.

`python -m bench.peers --runs 20000`. The peers are installed in environments of their own first (1.1 GB), with versions as
in `bench/peers/*.txt`. `--only` measures one; with `--json` the others' figures are kept, so that a shared machine can be
had for minutes at a time.
"""

import argparse
import json
import math
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Final

from bench.peers.mlflow import running_mlflow
from bench.peers.ours import running_ours
from bench.peers.phoenix import running_phoenix
from bench.peers.system import PATIENCE_SECONDS, Figures, System
from bench.peers.work import Work, measure
from bench.results import Section, as_json, machine, show

OURS: Final = "modeltraces"
NAMES: Final = (OURS, "phoenix", "mlflow")
_GIVEN_UP: Final = f"over {PATIENCE_SECONDS:.0f} s"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--runs", type=int, default=20_000, help="runs of 7 days (default 20,000)")
    parser.add_argument("--only", choices=NAMES, action="append", help="measure this system alone; may be repeated")
    parser.add_argument(
        "--environments", type=Path, default=Path(tempfile.gettempdir()) / "modeltraces-peers",
        help="where the peers are installed, and kept",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, help="write the figures there, too, beside those that stand there")
    parser.add_argument("--data-dir", type=Path, help="keep what is taken in there; the same command goes on with it")
    parser.add_argument("--seconds", type=float, default=math.inf, help="after which no new step is begun")
    options = parser.parse_args()
    # Ended from outside, it ends the servers that it started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    measured = _known(options.json, options.runs)
    with tempfile.TemporaryDirectory(prefix="modeltraces-bench-") as temporary:
        data_dir = options.data_dir or Path(temporary)
        work = Work.of(options.runs, _end_us(data_dir))
        for name in options.only or NAMES:
            with _running(name, data_dir / name, options.environments) as system:
                figures = measured.setdefault(name, Figures(system.version))
                for step in measure(system, work, figures, at_most_seconds=options.seconds):
                    sys.stderr.write(f"\r{system.name}: {step:<50}")
                    sys.stderr.flush()
                    if options.json:
                        _write(options.json, measured, options.runs)
            sys.stderr.write("\n")
    show(sections(measured, options.runs))


def _write(path: Path, measured: Mapping[str, Figures], runs: int) -> None:
    told = {**as_json(sections(measured, runs)), "runs": runs}
    told["systems"] = {name: asdict(figures) for name, figures in measured.items()}
    path.write_text(json.dumps(told, indent=2) + "\n")


def _end_us(data_dir: Path) -> int:
    """The end of the runs' seven days: the same for all that is kept in this directory."""
    data_dir.mkdir(parents=True, exist_ok=True)
    known = data_dir / "end"
    if not known.exists():
        known.write_text(str(time.time_ns() // 1000))
    return int(known.read_text())


def _running(name: str, data_dir: Path, environments: Path) -> AbstractContextManager[System]:
    if name == OURS:
        return running_ours(data_dir)
    return running_phoenix(data_dir, environments) if name == "phoenix" else running_mlflow(data_dir, environments)


def _known(path: Path | None, runs: int) -> dict[str, Figures]:
    """Figures of the same number of runs that were measured before."""
    if path is None or not path.exists():
        return {}
    told = json.loads(path.read_text())
    return {name: Figures(**figures) for name, figures in told["systems"].items()} if told["runs"] == runs else {}


def sections(measured: Mapping[str, Figures], runs: int) -> list[Section]:
    names = [name for name in NAMES if name in measured]
    columns = [_titled(name, measured[name]) for name in names]
    note = "Of the peer that is faster; below 1 this system is faster."
    answers, ratio_to_fastest = f"Answers over {runs:,} runs", ("call", *columns, "ours ÷ fastest peer")
    tables = {
        "rates": Section(
            f"Runs a second, durable and queryable, of {runs:,} runs", ("sent over", *columns, "ours ÷ fastest peer")
        ),
        "p50_ms": Section(f"{answers}, p50 ms", ratio_to_fastest, note=note),
        "p95_ms": Section(f"{answers}, p95 ms", ratio_to_fastest, note=note),
        "least_ms": Section(f"{answers}, quickest try, ms", ratio_to_fastest, note=note),
        "processor_ms": Section(f"{answers}, processor ms of one call", ("call", *columns, "ours ÷ least peer")),
        "uses": Section("What it uses", ("what", *columns, "ours ÷ least peer")),
    }
    for kind, table in tables.items():
        values: dict[str, Mapping[str, float | None]] = {name: getattr(measured[name], kind) for name in names}
        best = max if kind == "rates" else min
        for row in dict.fromkeys(row for known in values.values() for row in known):
            if any(row not in known for known in values.values()):
                continue  # Some have not come to it yet.
            # Of calls below the clock's tick the processor time may be nothing.
            peers = [value for name in names if name != OURS and (value := values[name][row])]
            ours = values[OURS][row] if OURS in values else None
            ratio = ours / best(peers) if ours is not None and peers else ""
            table.add(row, *[_GIVEN_UP if (value := values[name][row]) is None else value for name in names], ratio)
    return list(tables.values())


def _titled(name: str, figures: Figures) -> str:
    titles = {OURS: "modeltraces", "phoenix": "Phoenix", "mlflow": "MLflow"}
    return f"{titles[name]} {figures.version}"


if __name__ == "__main__":
    main()
