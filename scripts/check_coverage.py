"""Prints the coverage of lines and branches by file group and fails below a branch coverage: `check_coverage.py 90`.

`coverage report --fail-under` judges lines and branches in one figure, in which many straight lines hide the branches
that no test takes.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any


def percent(covered: int, total: int) -> float:
    """`covered` of `total` in percent; nothing to cover is all covered."""
    return 100.0 * covered / total if total else 100.0


def main() -> int:
    minimum = float(sys.argv[1])
    report: dict[str, Any] = json.loads(Path("coverage.json").read_text())
    groups: dict[str, list[dict[str, int]]] = defaultdict(list)
    for name, file in report["files"].items():
        groups[str(Path(name).parent)].append(file["summary"])
    print(f"{'Branches':>9} {'Lines':>8}")
    for group, summaries in sorted(groups.items()):
        branches = percent(sum(s["covered_branches"] for s in summaries), sum(s["num_branches"] for s in summaries))
        lines = percent(sum(s["covered_lines"] for s in summaries), sum(s["num_statements"] for s in summaries))
        print(f"{branches:8.1f}% {lines:7.1f}%  {group}")
    totals = report["totals"]
    branches = percent(totals["covered_branches"], totals["num_branches"])
    print(f"{branches:8.1f}% {percent(totals['covered_lines'], totals['num_statements']):7.1f}%  all")
    if branches < minimum:
        print(f"Branch coverage is {branches:.1f} %, below {minimum:g} %. What is missing: `make coverage-missing`.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
