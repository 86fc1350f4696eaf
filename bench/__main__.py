"""`python -m bench`: measure ingest and pages; a table on stdout, and JSON with `--json`."""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from bench import fill, ingest, pages
from bench.floor import in_own_process
from bench.programs import output_of
from bench.progress import Progress, in_words
from bench.results import Section, machine, show, write_json


@dataclass(frozen=True, slots=True)
class _Size:
    page_runs: int = 200_000
    ingest_runs: int = 20_000
    connections: Sequence[int] = (1, 16)
    batches: Sequence[int] = ingest.BATCHES
    seconds: float = 5.0
    """Of one measurement of ingest, at most."""
    tries: int = pages.TRIES
    """Of one call."""


_FLOOR_SECONDS: Final = 0.0005
"""For each run of the floor of ingest; for words about how long it takes."""
_FULL: Final = _Size(10_000_000, 100_000, ingest.CONNECTIONS)
_SMALL: Final = _Size(600, 512, connections=(2,), batches=(100,), seconds=0.5, tries=1)


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
    chosen = _FULL if options.full else _SMALL if options.small else _Size()
    page_runs = options.runs or chosen.page_runs
    sections: list[Section] = []

    def found(measured: Sequence[Section]) -> None:
        show(measured)
        sections.extend(measured)
        if options.json:
            write_json(options.json, sections)

    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    with tempfile.TemporaryDirectory(prefix="modeltraces-bench-") as directory:
        if options.only != "pages":
            found(
                ingest.measure(
                    Path(directory) / "ingest",
                    runs=chosen.ingest_runs,
                    connection_counts=chosen.connections,
                    batches=chosen.batches,
                    seconds=chosen.seconds,
                )
            )
            found([_ingest_floor(sections[0], chosen.ingest_runs)])
        if options.only != "ingest":
            kept = Path(tempfile.gettempdir()) / f"modeltraces-bench-{page_runs}"
            data_dir = options.data_dir or (kept if page_runs > fill.MADE_RUNS else Path(directory) / "pages")
            if options.data_dir is None:
                program = "bench.fill" if page_runs > fill.MADE_RUNS else "bench.generate"
                output_of(program, f"--data-dir={data_dir}", f"--runs={page_runs}")
            floor = partial(in_own_process, "pages", f"--data-dir={data_dir}")
            for section in pages.measure(data_dir, floor=floor, tries=chosen.tries):
                found([section])


def _ingest_floor(measured: Section, runs: int) -> Section:
    """The best that was measured over OTLP, against its parts without the server."""
    best = max(float(row[3]) for row in measured.rows if row[0] == "otlp protobuf")
    Progress("Decoding and inserting without the server, one thread", in_words(runs * _FLOOR_SECONDS))
    floor = in_own_process("ingest", f"--runs={runs}")
    table = Section("OTLP protobuf against its parts alone, one thread", ("what", "runs/s", "the server's best, share"))
    table.add("protobuf decode", floor["decode"], best / floor["decode"])
    table.add("bare columnar insert", floor["insert"], best / floor["insert"])
    table.add("one after the other", floor["both"], best / floor["both"])
    return table


if __name__ == "__main__":
    main()
