"""What is wrong with a catalog file."""

from collections.abc import Sequence
from dataclasses import dataclass

from modeltraces.catalog.errors import CatalogError

Where = tuple[str | int, ...]
"""A place in the file by its keys and positions: `("models", 0, "deployments", 1, "endpoint")`."""


@dataclass(frozen=True, slots=True)
class Problem:
    line: int | None
    """From 1; None for what concerns the file as a whole."""
    text: str

    def __str__(self) -> str:
        return self.text if self.line is None else f"line {self.line}: {self.text}"


class BadFile(CatalogError):
    """The file cannot be applied, and nothing of it was. Its text is one problem a line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.line is None, problem.line or 0)))
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True)
class Misplaced(Exception):
    """A value that reads well and cannot be applied, by its place in the file."""

    where: Where
    text: str
