"""What a measurement gives, as a table and as JSON."""

import json
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(slots=True)
class Section:
    """A table: its title, its columns' names, and rows of numbers and words."""

    title: str
    columns: Sequence[str]
    rows: list[list[Any]] = field(default_factory=list)
    note: str = ""

    def add(self, *cells: Any) -> None:
        self.rows.append(list(cells))


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def machine() -> dict[str, Any]:
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "chdb": version("chdb-core"),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def show(sections: Sequence[Section]) -> None:
    # A pipe has no width of its own, and a cell that is broken in two cannot be searched for.
    console = Console() if Console().is_terminal else Console(width=120)
    for section in sections:
        table = Table(title=section.title, title_justify="left", caption=section.note or None, caption_justify="left")
        for number, name in enumerate(section.columns):
            table.add_column(name, justify="left" if number == 0 else "right")
        for row in section.rows:
            table.add_row(*[_shown(cell) for cell in row])
        console.print(table)


def _shown(cell: Any) -> str:
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.1f}" if abs(cell) >= 1 else f"{cell:.2f}"
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)


def as_json(sections: Sequence[Section]) -> dict[str, Any]:
    tables = [
        {"title": s.title, "rows": [dict(zip(s.columns, row, strict=True)) for row in s.rows], "note": s.note}
        for s in sections
    ]
    return {"machine": machine(), "measurements": tables}


def write_json(path: Path, sections: Sequence[Section]) -> None:
    path.write_text(json.dumps(as_json(sections), indent=2) + "\n")
