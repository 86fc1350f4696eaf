"""Every row of every table in the documents has as many cells as its head."""

import re
from pathlib import Path

import pytest

from tests.docs.documents import documents, name_of


def rows(document: Path) -> list[tuple[int, list[str]]]:
    """(line, the lines of the table that begins there)."""
    found: list[tuple[int, list[str]]] = []
    fenced = inside = False
    for number, line in enumerate(document.read_text().splitlines(), 1):
        fenced ^= line.startswith("```")
        if fenced or not line.startswith("|"):
            inside = False
            continue
        if not inside:
            found.append((number, []))
        inside = True
        found[-1][1].append(line)
    return found


def cells(line: str) -> int:
    return len(re.findall(r"(?<!\\)\|", line)) - 1


@pytest.mark.parametrize("document", documents(), ids=name_of)
def test_rows_have_the_cells_of_their_head(document: Path) -> None:
    for number, lines in rows(document):
        for offset, line in enumerate(lines):
            assert cells(line) == cells(lines[0]), f"{document.name}:{number + offset}: {line}"
