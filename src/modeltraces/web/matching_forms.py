"""Rules as they are typed and as they are said: patterns in a text field, conditions and outcomes in words."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from modeltraces.catalog.errors import Invalid
from modeltraces.catalog.matching.rules import FACTS, OUTCOMES, Fact, Outcome, Rule
from modeltraces.web.catalog_forms import refusal
from modeltraces.web.matching_contexts import ConditionWords, OutcomeWords, RuleField

CONDITION: Final = "if_"
OUTCOME: Final = "then_"
"""Begin the names of the form's fields: a rule asks for a model and gives one."""
FACT_LABELS: Final[Mapping[Fact, str]] = {
    "model": "Requested model",
    "base_model": "Served model",
    "provider": "Provider",
    "server_address": "Server address",
    "deployment_version": "Deployment",
    "connection_name": "Connection",
    "key": "API key",
}
FACT_HINTS: Final[Mapping[Fact, str]] = {
    "model": "gpt-4o",
    "base_model": "gpt-4o-2024-11-20",
    "provider": "openai",
    "server_address": "llm.internal:8000",
    "deployment_version": "v2",
    "connection_name": "azure-eu",
    "key": "the key's name",
}
FACT_WORDS: Final[Mapping[Fact, str]] = {
    "model": "model",
    "base_model": "served model",
    "provider": "provider",
    "server_address": "server",
    "deployment_version": "deployment",
    "connection_name": "connection",
    "key": "key",
}
OUTCOME_LABELS: Final[Mapping[Outcome, str]] = {
    "model": "Model",
    "deployment_version": "Deployment",
    "connection_name": "Connection",
}
_PATTERNS_SHOWN: Final = 4
_PATTERN: Final = re.compile(r'\s*(?:"((?:[^"]|"")*)"[^\S\n]*(?=[,\n]|$)|([^,\n]*))')


def patterns_of(text: str) -> list[str]:
    """One pattern a line, or set apart by commas; in double quotes for what holds a comma, and `""` for nothing."""
    found: list[str] = []
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    at = 0
    while at <= len(text):
        match = _PATTERN.match(text, at)
        assert match is not None, "the second branch takes anything"
        quoted, plain = match.groups()
        if quoted is not None:
            # Its outer spaces stay: of only spaces, it is refused, where `""` asks for what is not said.
            found.append(quoted.replace('""', '"'))
        elif plain.strip():
            found.append(plain.strip())
        # Past the comma or the line's end that it stopped at.
        at = match.end() + 1
    return list(dict.fromkeys(found))


def text_of(patterns: Iterable[str]) -> str:
    """What `patterns_of` reads the same patterns out of."""
    return "\n".join(_quoted(pattern) for pattern in patterns)


def _quoted(pattern: str) -> str:
    if pattern and "," not in pattern and not pattern.startswith('"'):
        return pattern
    return '"' + pattern.replace('"', '""') + '"'


def values_of(given: Mapping[str, str]) -> dict[str, Any]:
    """What the form of a rule says. Raises Invalid for one that would say nothing."""
    conditions = {fact: found for fact in FACTS if (found := patterns_of(given.get(CONDITION + fact, "")))}
    outcomes = {name: value for name in OUTCOMES if (value := given.get(OUTCOME + name, "").strip())}
    if not given.get("name", "").strip():
        raise Invalid("Give the rule a name.")
    if not conditions:
        raise Invalid("Fill in at least one condition. For all runs, * as the requested model.")
    if not outcomes:
        raise Invalid("Fill in what the runs get: a model, a deployment or a connection.")
    return {
        "name": given["name"],
        "conditions": conditions,
        "outcomes": outcomes,
        "enabled": given.get("enabled") == "1",
    }


def typed_rule(
    name: str, conditions: Mapping[str, Sequence[str]] | Mapping[Fact, Sequence[str]], outcomes: Mapping[str, str]
) -> dict[str, str]:
    """The form's fields as if somebody had typed this rule."""
    return {
        "name": name,
        "enabled": "1",
        **{CONDITION + fact: text_of(patterns) for fact, patterns in conditions.items()},
        **{OUTCOME + outcome: value for outcome, value in outcomes.items()},
    }


def condition_fields(given: Mapping[str, str]) -> tuple[RuleField, ...]:
    made = []
    for fact in FACTS:
        text = given.get(CONDITION + fact, "")
        lines = min(8, text.count("\n") + 1)
        made.append(RuleField(CONDITION + fact, FACT_LABELS[fact], text, FACT_HINTS[fact], lines))
    return tuple(made)


def outcome_fields(given: Mapping[str, str], known: Mapping[Outcome, Sequence[str]]) -> tuple[RuleField, ...]:
    return tuple(
        RuleField(
            OUTCOME + name, OUTCOME_LABELS[name], given.get(OUTCOME + name, ""), suggestions=tuple(known.get(name, ()))
        )
        for name in OUTCOMES
    )


def rule_refusal(error: Exception) -> tuple[str, int]:
    """What is said of a rule that was refused, with the fields called as the form calls them; and the status."""
    says, status = refusal(error)
    first, space, rest = says.partition(" ")
    label = next((label for fact, label in FACT_LABELS.items() if fact == first), first)
    return f"{label}{space}{rest}", status


def condition_words(conditions: Iterable[tuple[str, Sequence[str]]]) -> tuple[ConditionWords, ...]:
    """In the order of FACTS, however they were stored."""
    given = dict(conditions)
    made = []
    for fact in FACTS:
        if fact not in given:
            continue
        said = tuple(pattern for pattern in given[fact] if pattern)
        made.append(
            ConditionWords(
                FACT_WORDS[fact], said[:_PATTERNS_SHOWN], said[_PATTERNS_SHOWN:], len(said) < len(given[fact])
            )
        )
    return tuple(made)


def outcome_words(outcomes: Iterable[tuple[str, str]]) -> tuple[OutcomeWords, ...]:
    given = dict(outcomes)
    return tuple(OutcomeWords(FACT_WORDS[name], given[name]) for name in OUTCOMES if name in given)


def implied_conditions(rule: Rule) -> tuple[ConditionWords, ...]:
    """Without what holds of every implied rule: that its outcome is not said yet."""
    given = dict(rule.outcomes)
    return condition_words((fact, patterns) for fact, patterns in rule.conditions if fact not in given)
