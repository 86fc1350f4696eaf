"""The rules that an account's people wrote, and all that hold for it."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from modeltraces.catalog.changes import Change, changing
from modeltraces.catalog.connections import list_connections
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import CatalogUnavailable, Conflict, Invalid, NotFound
from modeltraces.catalog.matching.implied import implied_rules
from modeltraces.catalog.matching.rules import FACTS, OUTCOMES, Fact, Outcome, Rule, RuleSet
from modeltraces.catalog.models import ModelRegistry
from modeltraces.catalog.tables import MatchRuleRow
from modeltraces.catalog.text import clean_name

MOST_RULES: Final = 500
MOST_PATTERNS: Final = 100
_LONGEST_PATTERN: Final = 500
SETTABLE: Final = ("name", "conditions", "outcomes", "enabled", "position")
_MOST_CACHED: Final = 1_000


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


@dataclass(slots=True)
class RuleBook:
    """Thread-safe; one per process."""

    catalog: Catalog
    registry: ModelRegistry
    _kept: dict[str, tuple[int, RuleSet]] = field(default_factory=dict)

    def rules(self, account_id: str) -> RuleSet:
        """All rules of the account as they are now: those that are written, in their order, then the implied ones."""
        kept = self._kept.get(account_id)
        try:
            revision = self.registry.revision(account_id)
            if kept is not None and kept[0] == revision:
                return kept[1]
            # The revision was read first: what changes meanwhile is read again the next time.
            written = [rule.rule for rule in list_rules(self.catalog, account_id) if rule.enabled]
            entries = self.registry.list_models(account_id, archived=True)
            connections = list_connections(self.catalog, account_id)
        except CatalogUnavailable:
            if kept is None:
                raise
            # The last ones that were read are better than no runs at all.
            return kept[1]
        made = RuleSet((*written, *implied_rules(entries, connections)))
        if len(self._kept) >= _MOST_CACHED:
            self._kept.clear()
        self._kept[account_id] = revision, made
        return made


def list_rules(catalog: Catalog, account_id: str) -> list[WrittenRule]:
    """In their order."""
    with catalog.session() as session:
        return [_written(row, place) for place, row in enumerate(_rows(session, account_id), 1)]


def create_rule(catalog: Catalog, account_id: str, values: Mapping[str, Any], *, actor: str) -> WrittenRule:
    """A rule from `SETTABLE`, last in order unless a position is given. Raises Invalid, and Conflict for a used name."""
    for name in ("name", "conditions", "outcomes"):
        if not values.get(name):
            raise Invalid(f"{name} is missing.")
    with changing(catalog, account_id, actor) as change:
        rows = _rows(change.session, account_id)
        if len(rows) >= MOST_RULES:
            raise Conflict(f"An account has at most {MOST_RULES} rules.")
        row = MatchRuleRow(
            id=str(uuid.uuid4()), account_id=account_id, name="", position=len(rows) + 1, conditions={}, outcomes={},
            enabled=True, created_on_us=change.now_us,
        )  # fmt: skip
        _set(change, row, rows, values)
        change.session.add(row)
        made = _placed(change, rows, row, values.get("position"))
        change.record("match_rule.add", f"rule:{row.name}", None, _shown(made))
        return made


def edit_rule(catalog: Catalog, account_id: str, name: str, values: Mapping[str, Any], *, actor: str) -> WrittenRule:
    """Raises Invalid, NotFound, Conflict."""
    with changing(catalog, account_id, actor) as change:
        rows = _rows(change.session, account_id)
        row = _found(rows, name)
        before = _written(row, rows.index(row) + 1)
        rest = [other for other in rows if other is not row]
        _set(change, row, rest, values)
        made = _placed(change, rest, row, values.get("position", before.position))
        if made != before:
            change.record("match_rule.edit", f"rule:{before.name}", _shown(before), _shown(made))
        return made


def delete_rule(catalog: Catalog, account_id: str, name: str, *, actor: str) -> None:
    """Raises NotFound."""
    with changing(catalog, account_id, actor) as change:
        rows = _rows(change.session, account_id)
        row = _found(rows, name)
        change.record("match_rule.delete", f"rule:{name}", _shown(_written(row, rows.index(row) + 1)))
        change.session.delete(row)


def _rows(session: Session, account_id: str) -> list[MatchRuleRow]:
    return list(
        session.scalars(
            select(MatchRuleRow)
            .where(MatchRuleRow.account_id == account_id)
            .order_by(MatchRuleRow.position, MatchRuleRow.created_on_us, MatchRuleRow.id)
        )
    )


def _found(rows: Sequence[MatchRuleRow], name: str) -> MatchRuleRow:
    for row in rows:
        if row.name == name:
            return row
    raise NotFound(f"This account has no rule {name[:200]!r}.")


def _placed(change: Change, others: list[MatchRuleRow], row: MatchRuleRow, position: Any) -> WrittenRule:
    last = len(others) + 1
    place = last if position is None else position
    if isinstance(place, bool) or not isinstance(place, int) or place < 1:
        raise Invalid("position must be a whole number from 1.")
    others.insert(min(place, last) - 1, row)
    for number, one in enumerate(others, 1):
        if one.position != number:
            one.position = number
    change.session.flush()
    return _written(row, row.position)


def _set(change: Change, row: MatchRuleRow, others: Sequence[MatchRuleRow], values: Mapping[str, Any]) -> None:
    if unknown := sorted(set(values) - set(SETTABLE)):
        raise Invalid(f"A rule has no field {unknown[0]!r}; it has {', '.join(SETTABLE)}.")
    if "name" in values:
        if not isinstance(values["name"], str):
            raise Invalid("The rule's name must be text.")
        row.name = clean_name(values["name"], "The rule's name")
        if any(other.name == row.name for other in others):
            raise Conflict(f"This account has a rule {row.name!r} already.")
    if "conditions" in values:
        row.conditions = _conditions(values["conditions"])
    if "outcomes" in values:
        row.outcomes = _outcomes(values["outcomes"])
    if "enabled" in values:
        if not isinstance(values["enabled"], bool):
            raise Invalid("enabled must be true or false.")
        row.enabled = values["enabled"]


def _conditions(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        raise Invalid(f"conditions must name at least one of {', '.join(FACTS)}.")
    made: dict[str, Any] = {}
    for fact, given in value.items():
        if fact not in FACTS:
            raise Invalid(f"There is no condition {str(fact)[:80]!r}; there are {', '.join(FACTS)}.")
        patterns = [given] if isinstance(given, str) else given
        if (
            not isinstance(patterns, list)
            or not 1 <= len(patterns) <= MOST_PATTERNS
            or not all(isinstance(one, str) and len(one) <= _LONGEST_PATTERN and one.isprintable() for one in patterns)
        ):
            raise Invalid(
                f"{fact} must be a text or a list of up to {MOST_PATTERNS} texts; `*` stands for any characters."
            )
        made[fact] = list(dict.fromkeys(one.strip() for one in patterns))
    return made


def _outcomes(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        raise Invalid(f"outcomes must name at least one of {', '.join(OUTCOMES)}.")
    made: dict[str, Any] = {}
    for name, given in value.items():
        if name not in OUTCOMES:
            raise Invalid(f"There is no outcome {str(name)[:80]!r}; there are {', '.join(OUTCOMES)}.")
        if not isinstance(given, str):
            raise Invalid(f"{name} must be text.")
        made[name] = clean_name(given, f"The outcome {name}")
    return made


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
