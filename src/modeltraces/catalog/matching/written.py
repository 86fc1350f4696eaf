"""The rules that people wrote: what one may say, and changing an account's list of them."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from modeltraces.catalog.changes import Change
from modeltraces.catalog.errors import Conflict, Invalid, NotFound, about
from modeltraces.catalog.matching.known import require_known
from modeltraces.catalog.matching.rules import FACTS, OUTCOMES, Fact, Outcome, Rule
from modeltraces.catalog.models import LONGEST_NAME
from modeltraces.catalog.tables import MatchRuleRow
from modeltraces.catalog.text import clean_name

MOST_RULES: Final = 500
MOST_PATTERNS: Final = 100
SETTABLE: Final = ("name", "conditions", "outcomes", "enabled", "position")


@dataclass(frozen=True, slots=True)
class WrittenRule:
    name: str
    conditions: dict[str, list[str]]
    outcomes: dict[str, str]
    enabled: bool
    position: int
    """From 1; the first that is met decides."""

    @property
    def rule(self) -> Rule:
        return Rule(
            self.name,
            tuple((cast(Fact, fact), tuple(patterns)) for fact, patterns in self.conditions.items()),
            tuple((cast(Outcome, name), value) for name, value in self.outcomes.items()),
        )


def read_rules(session: Session, account_id: str) -> list[WrittenRule]:
    """In their order."""
    return [_written(row, place) for place, row in enumerate(_rows(session, account_id), 1)]


@dataclass(slots=True)
class RuleList:
    """The account's rules while they are changed, read once: a file may change hundreds in one transaction."""

    change: Change
    rows: list[MatchRuleRow]
    """In their order."""

    @classmethod
    def of(cls, change: Change) -> "RuleList":
        return cls(change, _rows(change.session, change.account_id))

    def add(self, values: Mapping[str, Any]) -> WrittenRule:
        """A rule from `SETTABLE`, last in order unless a position is given. Raises Invalid, and Conflict for a used name."""
        for name in ("name", "conditions", "outcomes"):
            if not values.get(name):
                raise Invalid(f"{name} is {'missing' if values.get(name) is None else 'empty'}.", parameter=name)
        if len(self.rows) >= MOST_RULES:
            raise Conflict(f"An account has at most {MOST_RULES} rules.")
        row = MatchRuleRow(
            id=str(uuid.uuid4()), account_id=self.change.account_id, name="", position=len(self.rows) + 1,
            conditions={}, outcomes={}, enabled=True, created_on_us=self.change.now_us,
        )  # fmt: skip
        _set(row, self.rows, values)
        require_known(self.change, row.outcomes, {})
        self.change.session.add(row)
        made = self._placed(self.rows, row, values.get("position"))
        self.change.record("match_rule.add", f"rule:{row.name}", None, _shown(made))
        return made

    def revise(self, name: str, values: Mapping[str, Any]) -> WrittenRule:
        """Raises Invalid, NotFound, Conflict."""
        row = self._found(name)
        before = _written(row, self.rows.index(row) + 1)
        rest = [other for other in self.rows if other is not row]
        _set(row, rest, values)
        require_known(self.change, row.outcomes, before.outcomes)
        made = self._placed(rest, row, values.get("position", before.position))
        if made != before:
            self.change.record("match_rule.edit", f"rule:{before.name}", _shown(before), _shown(made))
        return made

    def drop(self, name: str) -> None:
        """Raises NotFound."""
        row = self._found(name)
        self.change.record("match_rule.delete", f"rule:{name}", _shown(_written(row, self.rows.index(row) + 1)))
        self.change.session.delete(row)
        self.rows.remove(row)

    def arrange(self, names: Sequence[str]) -> None:
        """Give the rules this order. `names`: each of them once."""
        before = [row.name for row in self.rows]
        place = {name: at for at, name in enumerate(names)}
        self.rows.sort(key=lambda row: place[row.name])
        self._number()
        if before != list(names):
            self.change.record("match_rule.order", "rules", {"order": before}, {"order": list(names)})

    def _found(self, name: str) -> MatchRuleRow:
        for row in self.rows:
            if row.name == name:
                return row
        raise NotFound(f"This account has no rule {name[:200]!r}.")

    def _placed(self, others: Sequence[MatchRuleRow], row: MatchRuleRow, position: Any) -> WrittenRule:
        last = len(others) + 1
        place = last if position is None else position
        if isinstance(place, bool) or not isinstance(place, int) or place < 1:
            raise Invalid("position must be a whole number from 1.", parameter="position")
        self.rows = [*others]
        self.rows.insert(min(place, last) - 1, row)
        self._number()
        return _written(row, row.position)

    def _number(self) -> None:
        for number, one in enumerate(self.rows, 1):
            if one.position != number:
                one.position = number


def clean_conditions(value: Any) -> dict[str, list[str]]:
    """Fact → patterns. Raises Invalid."""
    if not isinstance(value, dict) or not value:
        raise Invalid(f"conditions must name at least one of {', '.join(FACTS)}.")
    made: dict[str, list[str]] = {}
    for fact, given in value.items():
        if fact not in FACTS:
            raise Invalid(f"There is no condition {str(fact)[:80]!r}; there are {', '.join(FACTS)}.")
        with about(f"conditions.{fact}"):
            made[fact] = clean_patterns(given, fact)
    return made


def clean_patterns(given: Any, fact: str) -> list[str]:
    """Raises Invalid."""
    patterns = [given] if isinstance(given, str) else given
    if (
        not isinstance(patterns, list)
        or not 1 <= len(patterns) <= MOST_PATTERNS
        or not all(isinstance(one, str) and len(one) <= LONGEST_NAME and one.isprintable() for one in patterns)
    ):
        raise Invalid(
            f"{fact} must be a text of up to {LONGEST_NAME} characters or a list of up to {MOST_PATTERNS}; "
            "`*` stands for any characters."
        )
    if any(one and not one.strip() for one in patterns):
        # Without its spaces it would be the empty pattern, which asks for something else.
        raise Invalid(f'{fact} has a pattern of only spaces. For what a recording does not say, give "".')
    return list(dict.fromkeys(one.strip() for one in patterns))


def clean_outcomes(value: Any) -> dict[str, str]:
    """Raises Invalid."""
    if not isinstance(value, dict) or not value:
        raise Invalid(f"outcomes must name at least one of {', '.join(OUTCOMES)}.")
    made: dict[str, str] = {}
    for name, given in value.items():
        if name not in OUTCOMES:
            raise Invalid(f"There is no outcome {str(name)[:80]!r}; there are {', '.join(OUTCOMES)}.")
        with about(f"outcomes.{name}"):
            made[name] = clean_outcome(given, name)
    return made


def clean_outcome(given: Any, name: str) -> str:
    """As long as a run may bear it. Raises Invalid."""
    if not isinstance(given, str):
        raise Invalid(f"{name} must be text.")
    return clean_name(given, f"The outcome {name}", LONGEST_NAME)


def _rows(session: Session, account_id: str) -> list[MatchRuleRow]:
    return list(
        session.scalars(
            select(MatchRuleRow)
            .where(MatchRuleRow.account_id == account_id)
            .order_by(MatchRuleRow.position, MatchRuleRow.created_on_us, MatchRuleRow.id)
        )
    )


def _set(row: MatchRuleRow, others: Sequence[MatchRuleRow], values: Mapping[str, Any]) -> None:
    if unknown := sorted(set(values) - set(SETTABLE)):
        raise Invalid(f"A rule has no field {unknown[0]!r}; it has {', '.join(SETTABLE)}.", parameter=unknown[0])
    if "name" in values:
        with about("name"):
            if not isinstance(values["name"], str):
                raise Invalid("The rule's name must be text.")
            row.name = clean_name(values["name"], "The rule's name")
        if any(other.name == row.name for other in others):
            raise Conflict(f"This account has a rule {row.name!r} already. Change that one, or choose another name.")
    if "conditions" in values:
        with about("conditions"):
            row.conditions = clean_conditions(values["conditions"])
    if "outcomes" in values:
        with about("outcomes"):
            row.outcomes = clean_outcomes(values["outcomes"])
    if "enabled" in values:
        if not isinstance(values["enabled"], bool):
            raise Invalid("enabled must be true or false.", parameter="enabled")
        row.enabled = values["enabled"]


def _written(row: MatchRuleRow, position: int) -> WrittenRule:
    return WrittenRule(row.name, dict(row.conditions), dict(row.outcomes), row.enabled, position)


def _shown(rule: WrittenRule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "conditions": rule.conditions,
        "outcomes": rule.outcomes,
        "enabled": rule.enabled,
        "position": rule.position,
    }
