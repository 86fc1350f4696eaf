"""Masking, before anything is stored: what matches one of the configured patterns is replaced."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MASK: Final = "[redacted]"


class BadPattern(ValueError):
    """A pattern is not a regular expression; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Redactor:
    """Masks every match of every pattern. A class, not a closure: it goes along to the processes that decode."""

    patterns: tuple[re.Pattern[str], ...]

    def __call__(self, text: str) -> str:
        for pattern in self.patterns:
            text = pattern.sub(MASK, text)
        return text


def redactor(patterns: Sequence[str]) -> Redactor | None:
    """What masks every match of every pattern, or None without patterns. Raises BadPattern."""
    compiled = []
    for pattern in patterns:
        try:
            compiled.append(re.compile(pattern))
        except re.error as error:
            raise BadPattern(f"redact pattern {pattern!r} is not a regular expression: {error}") from error
    return Redactor(tuple(compiled)) if compiled else None
