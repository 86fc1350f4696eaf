"""What applying a file comes down to: steps, each a line to read and a change to make."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum
from typing import Any

from modeltraces.catalog.amounts import amount_text
from modeltraces.catalog.changes import Change
from modeltraces.catalog.file.credentials import Credentials
from modeltraces.catalog.file.problems import Misplaced, Where
from modeltraces.catalog.file.state import State
from modeltraces.catalog.matching.written import RuleList
from modeltraces.catalog.tables import DeploymentRow, ModelRow


class Phase(IntEnum):
    """Steps are told in the file's order and made in this one: each finds what it builds on."""

    STRIKE = 0
    HARDWARE = 1
    MODEL = 2
    MERGE = 3
    DEPLOYMENT = 4
    EVENT = 5
    CHECK = 6
    CONNECTION = 7
    UNMERGE = 8
    REMOVE_DEPLOYMENT = 9
    REMOVE = 10
    REMOVE_HARDWARE = 11
    ROUTING = 12
    REMOVE_RULE = 13
    RULE = 14


@dataclass(frozen=True, slots=True)
class Step:
    phase: Phase
    text: str
    """A line to read, or '' for a step that only checks."""
    where: Where
    """What in the file asks for it; () for a removal."""
    make: Callable[[Change], object]
    """What it gives, if it is text, ends the line: what is only known once it is made."""


@dataclass(slots=True)
class Plan:
    """Grows as the file is compared with the account."""

    state: State
    now_us: int
    allow_removal: bool
    credentials: Credentials
    allow_link_local: bool
    steps: list[Step] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """What the account has and the file does not, and stays."""
    archived: list[str] = field(default_factory=list)
    """Models that the file puts aside."""
    problems: list[Misplaced] = field(default_factory=list)
    made_models: dict[str, ModelRow] = field(default_factory=dict)
    """Filled when the steps are made; looking each up again would take most of the time."""
    made_deployments: dict[Where, DeploymentRow] = field(default_factory=dict)
    """By their place in the file."""

    _rules: RuleList | None = None

    def rules(self, change: Change) -> RuleList:
        """The account's rules, read when the first step asks for them."""
        if self._rules is None:
            self._rules = RuleList.of(change)
        return self._rules

    def step(self, phase: Phase, text: str, where: Where, make: Callable[[Change], object]) -> None:
        self.steps.append(Step(phase, text, where, make))

    def refuse(self, where: Where, text: str) -> None:
        self.problems.append(Misplaced(where, text))


def shown(name: str) -> str:
    """A name on a line: as it is, or quoted and escaped where it could be misread."""
    return name if name.isprintable() and name == name.strip() and name else repr(name)


def value_text(value: Any) -> str:
    """A value on a line, as the file would have it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return amount_text(value)
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{name} = {value_text(one)}' for name, one in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(value_text, value))}]"
    if value is None:
        return '""'
    return f'"{value}"' if str(value).isprintable() else repr(value)


def difference_text(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """`base_url: "…" → "…", archived: false → true`."""
    return ", ".join(f"{name}: {value_text(before[name])} → {value_text(value)}" for name, value in after.items())
