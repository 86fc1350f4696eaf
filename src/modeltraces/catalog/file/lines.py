"""On which line of a TOML text a key stands: the parsers at hand do not say.

Every statement of TOML is a document by itself. So statements are found by parsing: the lines from where one begins to
the first line at which they can be read.
"""

import tomllib
from collections import Counter
from typing import Any, Final

from modeltraces.catalog.file.problems import Where

_ENDS: Final = ("", "]", "]}]", "]}]}]")
"""What completes a statement that is cut off after an element of an array, as deep as a catalog goes."""


def line_of(text: str, where: Where) -> int | None:
    """The line, from 1, of what stands there, or of the nearest thing around it that has a line. For a text that parses."""
    lines = _lines(text)
    for length in range(len(where), 0, -1):
        place = where[:length]
        # An array of tables begins with its first.
        if (line := lines.get(place, lines.get((*place, 0)))) is not None:
            return line
    return None


def _lines(text: str) -> dict[Where, int]:
    found: dict[Where, int] = {}
    tables: Counter[Where] = Counter()
    table: Where = ()
    statement, first = "", 0
    for number, line in enumerate(text.split("\n"), 1):
        if not statement:
            if not line.strip():
                continue
            first = number
        statement += line + "\n"
        read = _read(statement)
        if read is None:
            _note_elements(found, table, statement, number)
            continue
        if first != number:
            _note_elements(found, table, statement, number)
        elif line.lstrip().startswith("["):
            table = _header(read, tables)
            found.setdefault(table, number)
            read = {}
        for path in _paths(read):
            found.setdefault((*table, *path), first)
        statement = ""
    return found


def _read(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except (ValueError, ArithmeticError):
        return None


def _header(read: dict[str, Any], tables: Counter[Where]) -> Where:
    """The place of the table that a line such as `[[models.deployments]]` begins."""
    path: Where = ()
    part: Any = read
    while part:
        if isinstance(part, list):
            tables[path] += 1
            return (*path, tables[path] - 1)
        (name,) = part
        path = (*path, name)
        part = part[name]
        if isinstance(part, dict) and tables[path]:
            path = (*path, tables[path] - 1)
    return path


def _paths(part: Any) -> list[Where]:
    """Of a statement's value: the keys in it, and the positions in its arrays."""
    below: list[tuple[str | int, Any]] = []
    if isinstance(part, dict):
        below = list(part.items())
    elif isinstance(part, list):
        below = list(enumerate(part))
    return [path for key, value in below for path in ((key,), *((key, *rest) for rest in _paths(value)))]


def _note_elements(found: dict[Where, int], table: Where, statement: str, number: int) -> None:
    """The elements of an array that takes several lines have lines of their own."""
    for end in _ENDS:
        if (read := _read(statement + end)) is not None:
            for path in _paths(read):
                if any(isinstance(key, int) for key in path):
                    found.setdefault((*table, *path), number)
            return
