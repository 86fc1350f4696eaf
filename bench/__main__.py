"""`python -m bench`: measure ingest and pages; a table on stdout, and JSON with `--json`."""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from bench import fill, ingest, pages
from bench.floor import in_own_process
from bench.results import Section, machine, show, write_json


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--full", action="store_true", help="10 M runs for the pages, kept and used again; 100 k for each way in"
    )
    parser.add_argument(
        "--small", action="store_true", help="some hundred runs, each call once: whether it works, and nothing of speed"
    )
    parser.add_argument("--only", choices=["ingest", "pages"], help="measure this alone")
    parser.add_argument("--runs", type=int, help="runs for the pages (default 200,000)")
    parser.add_argument("--data-dir", type=Path, help="measure the pages on this directory, filled by bench.generate")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    page_runs = options.runs or (10_000_000 if options.full else 600 if options.small else 200_000)
    ingest_runs = 100_000 if options.full else 512 if options.small else 20_000
    sections: list[Section] = []

    def found(measured: Sequence[Section]) -> None:
        show(measured)
        sections.extend(measured)
        if options.json:
            write_json(options.json, sections)

    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    with tempfile.TemporaryDirectory(prefix="modeltraces-bench-") as directory:
        if options.only != "pages":
            connection_counts = ingest.CONNECTIONS if options.full else (2,) if options.small else (1, 16)
            found(
                ingest.measure(
                    Path(directory) / "ingest",
                    runs=ingest_runs,
                    connection_counts=connection_counts,
                    batches=(100,) if options.small else ingest.BATCHES,
                    seconds=0.5 if options.small else 5.0,
                )
            )
            found([_ingest_floor(sections[0], ingest_runs)])
        if options.only != "ingest":
            kept = Path(tempfile.gettempdir()) / f"modeltraces-bench-{page_runs}"
            data_dir = options.data_dir or (kept if page_runs > fill.MADE_RUNS else Path(directory) / "pages")
            if options.data_dir is None:
                program = "bench.fill" if page_runs > fill.MADE_RUNS else "bench.generate"
                command = [sys.executable, "-m", program, f"--data-dir={data_dir}", f"--runs={page_runs}"]
                subprocess.run(command, check=True)
            floor = partial(in_own_process, "pages", f"--data-dir={data_dir}")
            for section in pages.measure(data_dir, floor=floor, tries=1 if options.small else pages.TRIES):
                found([section])


def _ingest_floor(measured: Section, runs: int) -> Section:
    """The best that was measured over OTLP, against its parts without the server."""
    best = max(float(row[3]) for row in measured.rows if row[0] == "otlp protobuf")
    floor = in_own_process("ingest", f"--runs={runs}")
    table = Section("OTLP protobuf against its parts alone, one thread", ("what", "runs/s", "the server's best, share"))
    table.add("protobuf decode", floor["decode"], best / floor["decode"])
    table.add("bare columnar insert", floor["insert"], best / floor["insert"])
    table.add("one after the other", floor["both"], best / floor["both"])
    return table


if __name__ == "__main__":
    main()
