"""The matching rules of the file against the account's.

The first rule that is met decides, so their order is part of what the file says: its rules come first, in its order, and
those that it does not know after them, in theirs.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from modeltraces.catalog.changes import Change
from modeltraces.catalog.file.problems import Where
from modeltraces.catalog.file.shape import RulePart
from modeltraces.catalog.file.steps import Phase, Plan, difference_text, shown, value_text


def compare_rules(plan: Plan, parts: Sequence[RulePart]) -> None:
    known = {rule.name: rule for rule in plan.state.rules}
    in_file = {part.name for part in parts}
    left = [] if plan.allow_removal else [name for name in known if name not in in_file]
    for position, part in enumerate(parts):
        where: Where = ("rules", position)
        rule, wanted = known.get(part.name), part.values
        if rule is None:
            said = f"{value_text(wanted['conditions'])} → {value_text(wanted['outcomes'])}"
            off = "" if part.enabled else ", not enabled"
            plan.step(Phase.RULE, f"+ rule {shown(part.name)}: {said}{off}", where, partial(_add, plan, part))
            continue
        before: dict[str, Any] = {
            "conditions": rule.conditions, "outcomes": rule.outcomes, "enabled": rule.enabled,
        }  # fmt: skip
        changed = {name: value for name, value in wanted.items() if value != before[name]}
        if changed:
            text = f"~ rule {shown(part.name)}: {difference_text(before, changed)}"
            plan.step(Phase.RULE, text, where, partial(_revise, plan, part.name, changed))
    order = [*(part.name for part in parts), *left]
    stood = [name for name in known if name in in_file or not plan.allow_removal]
    if [name for name in order if name in known] != stood:
        text = f"~ order of the rules: {', '.join(map(shown, order))}"
        plan.step(Phase.RULE, text, ("rules",), partial(_arrange, plan, order))
    elif len(order) > len(stood):
        # New ones were added at the end; their lines say them.
        plan.step(Phase.RULE, "", ("rules",), partial(_arrange, plan, order))


def absent_rules(plan: Plan, parts: Sequence[RulePart]) -> None:
    """A rule is nobody's history: past runs keep what it gave them, and its name."""
    in_file = {part.name for part in parts}
    for rule in plan.state.rules:
        if rule.name in in_file:
            continue
        if plan.allow_removal:
            plan.step(Phase.REMOVE_RULE, f"- rule {shown(rule.name)}", (), partial(_drop, plan, rule.name))
        else:
            plan.left.append(f"rule {shown(rule.name)}")


def _add(plan: Plan, part: RulePart, change: Change) -> None:
    plan.rules(change).add({"name": part.name, **part.values})


def _revise(plan: Plan, name: str, changed: dict[str, Any], change: Change) -> None:
    plan.rules(change).revise(name, changed)


def _drop(plan: Plan, name: str, change: Change) -> None:
    plan.rules(change).drop(name)


def _arrange(plan: Plan, order: Sequence[str], change: Change) -> None:
    plan.rules(change).arrange(order)
