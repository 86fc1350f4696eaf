"""Pictures of measurements: `python -m bench.plots --out docs/plots FILE.json …`, from what `--json` wrote.

`peers.svg`, `peers-processor.svg` and `peers-ingest.svg` from `bench.peers`; `ingest.svg` from `bench --only ingest`; `calls.svg` from one or more of
`bench --only pages`, each over another number of runs.
"""

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench.svg import Chart, bars, dots

Table = Mapping[str, Any]

_RATIO: Final = "÷"
_WAYS: Final = {"otlp protobuf": "OTLP protobuf", "otlp json": "OTLP JSON", "native json": "native JSON"}


def plots(files: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """File name → SVG, of everything that there are measurements for."""
    tables = [table for file in files for table in file["measurements"] if table["rows"]]
    made: dict[str, str] = {}
    for table in tables:
        title = str(table["title"])
        if title.startswith("Answers over") and "p50" in title:
            subtitle = f"{_of_runs(title)}: p50 in ms, logarithmic; shorter is better"
            made["peers.svg"] = bars(_of_systems(table, subtitle))
        elif title.startswith("Answers over") and "processor" in title:
            subtitle = f"{_of_runs(title)}: processor ms of one call, logarithmic; shorter is better"
            made["peers-processor.svg"] = bars(_of_systems(table, subtitle))
        elif title.startswith("Runs a second"):
            made["peers-ingest.svg"] = bars(_of_systems(table, "Runs a second, logarithmic; longer is better"))
        elif title.startswith("Ingest:"):
            made["ingest.svg"] = dots(_ingest(table))
    if pages := [table for table in tables if "one at a time" in str(table["title"])]:
        made["calls.svg"] = dots(_by_runs(pages))
    return made


def _of_systems(table: Table, subtitle: str) -> Chart:
    first, *systems = [column for column in table["rows"][0] if _RATIO not in column]
    rows = [(row[first], [row[system] for system in systems]) for row in table["rows"]]
    title = "The same spans taken in" if first == "sent over" else "The same questions, answered"
    return Chart(title, subtitle, systems, rows)


def _ingest(table: Table) -> Chart:
    batches = sorted({row["runs a request"] for row in table["rows"]})
    rows: dict[str, dict[int, float]] = {}
    for row in table["rows"]:
        name = f"{_WAYS[row['way in']]}, {row['connections']} connection{'s' if row['connections'] > 1 else ''}"
        rows.setdefault(name, {})[row["runs a request"]] = row["runs/s"]
    named = [f"{batch} run{'s' if batch > 1 else ''} a request" for batch in batches]
    subtitle = "Durable and queryable runs a second, logarithmic; further right is better"
    return Chart(
        "Taking runs in", subtitle, named, [(name, [row.get(b) for b in batches]) for name, row in rows.items()]
    )


def _by_runs(tables: Sequence[Table]) -> Chart:
    sizes = {_count(table): {row["call"]: row["p50 ms"] for row in table["rows"]} for table in tables}
    counts = sorted(sizes)
    # A deep page is as far behind the first as there are pages: another call at every size.
    calls = [call for call in sizes[counts[-1]] if not re.match(r"page \d", call)]
    rows = [(call, [sizes[count].get(call) for count in counts]) for call in calls]
    subtitle = "p50 in ms, logarithmic; further left is better"
    return Chart("Answers, by the number of runs", subtitle, [f"{_short(count)} runs" for count in counts], rows)


def _count(table: Table) -> int:
    found = re.search(r"([\d,]+) runs", str(table["title"]))
    assert found is not None, table["title"]
    return int(found[1].replace(",", ""))


def _of_runs(title: str) -> str:
    return f"{title.removeprefix('Answers over ').partition(' runs')[0]} runs of seven days"


def _short(count: int) -> str:
    return f"{count / 1_000_000:g} M" if count >= 1_000_000 else f"{count / 1000:g} k"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.plots", description=__doc__)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE.json")
    parser.add_argument("--out", type=Path, required=True, help="the folder for the pictures")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name, picture in plots([json.loads(path.read_text()) for path in options.files]).items():
        (options.out / name).write_text(picture, encoding="utf-8")
        print(options.out / name)


if __name__ == "__main__":
    main()
