"""The context of how a model's calls are spread."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RoutingLine:
    place: str
    kind: str
    """`version` or `connection`."""
    share: str
    """Of the calls, while all are up; '' for none."""
    order: str
    """Among the fallbacks; '' when it is none."""
    state: str
    """Why it is skipped; '' when it is not."""
    comes_last: bool
    """It failed just now."""


@dataclass(frozen=True, slots=True)
class RoutingRow:
    place: str
    kind: str
    weight: str
    order: str
    state: str
    takes_weight: bool


@dataclass(frozen=True, slots=True)
class RoutingForm:
    rows: tuple[RoutingRow, ...]
    error: str


@dataclass(frozen=True, slots=True)
class RoutingCard:
    lines: tuple[RoutingLine, ...]
    """Empty without a routing."""
    first: str
    """What goes before the fallbacks when no weights say so."""
    form: RoutingForm | None
    edit_href: str
    """'' for who may not, and where there is no place to choose."""
    remove_href: str
