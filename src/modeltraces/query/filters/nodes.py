"""What a filter is: a tree of terms. Frozen, comparable, and normalised by the builders at the end.

A normalised filter has no `And` in an `And`, no `Or` in an `Or`, no double negation and no group of one, so that two
filters that say the same in the same order are equal, and reading back `to_text` gives the very same tree.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from modeltraces.query.fields import Operator

MAX_CHARACTERS: Final = 4000
"""Characters of a filter's text: a URL with more is refused by common proxies anyway."""
MAX_DEPTH: Final = 20
"""Groups in groups: bounds the recursion here and in the engine's own parser."""
MAX_TERMS: Final = 200
"""Terms and values of one filter: each may be a scan over a text column."""


class FilterError(ValueError):
    """A filter that cannot be read: what is wrong, where (0-based character offset), and what was expected there."""

    def __init__(self, message: str, position: int, expected: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.position = position
        self.expected = list(expected)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text with `*`: the literal parts between the stars, so `("billing-", "")` is `billing-*`."""

    parts: tuple[str, ...]

    @property
    def is_literal(self) -> bool:
        return len(self.parts) == 1

    @property
    def is_any(self) -> bool:
        return len(self.parts) > 1 and not any(self.parts)

    def matches(self, value: str) -> bool:
        """As a keyword's SQL: equal in any case, `*` for any characters; nothing but stars: anything that is there."""
        value = value.lower()
        parts = [part.lower() for part in self.parts]
        if len(parts) == 1:
            return value == parts[0]
        if self.is_any:
            return value != ""
        first, *middle, last = parts
        if len(value) < len(first) + len(last) or not value.startswith(first) or not value.endswith(last):
            return False
        place, end = len(first), len(value) - len(last)
        for part in middle:
            found = value.find(part, place, end)
            if found < 0:
                return False
            place = found + len(part)
        return True


@dataclass(frozen=True, slots=True)
class Span:
    """An instant, or a day: microseconds from `start_us` up to, not including, `end_us`."""

    start_us: int
    end_us: int


Value: TypeAlias = Pattern | Span | bool | int | float


@dataclass(frozen=True, slots=True)
class Term:
    """`field:a`, `field:(a OR b)`, `field>a`, `field:[a TO b]`, `field:*`.

    `field` is a canonical name (`attributes.KEY` for the map). `values`: one or more of `is`, one of a comparison,
    two of `range` (None: open), none of `present`. Durations are float ms; counts int; times Span; the rest Pattern.
    """

    field: str
    operator: Operator
    values: tuple[Value | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Not:
    inner: "Filter"


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple["Filter", ...]


Filter: TypeAlias = Term | Not | And | Or


def all_of(parts: Iterable[Filter]) -> Filter:
    """The parts joined by AND, normalised. There must be at least one."""
    flat: list[Filter] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, And) else (part,))
    return flat[0] if len(flat) == 1 else And(tuple(flat))


def any_of(parts: Iterable[Filter]) -> Filter:
    """The parts joined by OR, normalised. There must be at least one."""
    flat: list[Filter] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Or) else (part,))
    return flat[0] if len(flat) == 1 else Or(tuple(flat))


def negated(part: Filter) -> Filter:
    return part.inner if isinstance(part, Not) else Not(part)


def depth_of(filter: Filter) -> int:
    match filter:
        case Term():
            return 1
        case Not(inner):
            return 1 + depth_of(inner)
        case And(parts) | Or(parts):
            return 1 + max(depth_of(part) for part in parts)


def terms_of(filter: Filter) -> int:
    """How many values the filter compares with."""
    match filter:
        case Term(_, _, values):
            return max(1, len(values))
        case Not(inner):
            return terms_of(inner)
        case And(parts) | Or(parts):
            return sum(terms_of(part) for part in parts)
