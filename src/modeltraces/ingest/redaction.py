"""Masking, before anything is stored: what matches one of the configured patterns is replaced."""

import re
from collections.abc import Callable, Sequence
from typing import Final

MASK: Final = "[redacted]"


class BadPattern(ValueError):
    """A pattern is not a regular expression; the text says which and why."""


def redactor(patterns: Sequence[str]) -> Callable[[str], str] | None:
    """A function that masks every match of every pattern, or None without patterns. Raises BadPattern."""
    compiled = []
    for pattern in patterns:
        try:
            compiled.append(re.compile(pattern))
        except re.error as error:
            raise BadPattern(f"redact pattern {pattern!r} is not a regular expression: {error}") from error
    if not compiled:
        return None

    def redact(text: str) -> str:
        for pattern in compiled:
            text = pattern.sub(MASK, text)
        return text

    return redact
