"""The shapes of matching as JSON Schema."""

from typing import Any, Final

from modeltraces.api.shapes import (
    COUNT,
    FLAG,
    INSTANT,
    MAYBE_INSTANT,
    MAYBE_TEXT,
    TEXT,
    Schema,
    listed,
    reference,
    shaped,
)
from modeltraces.catalog.matching.rules import FACTS, OUTCOMES

_SAID: Final[Schema] = {"type": "object", "properties": dict.fromkeys(FACTS, TEXT), "additionalProperties": False}
_PATTERNS: Final[Schema] = {"anyOf": [TEXT, listed(TEXT)]}
_GIVEN: Final[Schema] = {"type": "object", "properties": dict.fromkeys(OUTCOMES, TEXT), "additionalProperties": False}
_CONDITIONS: Final[Schema] = {
    "type": "object",
    "properties": dict.fromkeys(FACTS, _PATTERNS),
    "additionalProperties": False,
}
_OUTCOME: Final = shaped(dict.fromkeys(OUTCOMES, MAYBE_TEXT))
_RULE: Final[dict[str, Any]] = {
    "name": TEXT,
    "conditions": _CONDITIONS,
    "outcomes": _GIVEN,
    "position": {"type": "integer", "minimum": 1},
    "enabled": FLAG,
}

MATCHING_SCHEMAS: Final[dict[str, Any]] = {
    "MatchRule": shaped(_RULE),
    "MatchRules": shaped(
        {
            "rules": listed(reference("MatchRule")),
            "implied": listed(
                shaped(
                    {
                        "name": TEXT,
                        "conditions": _CONDITIONS,
                        "outcomes": _GIVEN,
                        "from": MAYBE_INSTANT,
                        "to": MAYBE_INSTANT,
                    }
                )
            ),
        }
    ),
    "NewMatchRule": shaped(_RULE, optional=("position", "enabled")),
    "MatchRuleChange": shaped(_RULE, optional=tuple(_RULE)),
    "MatchFacts": shaped({**dict.fromkeys(FACTS, TEXT), "on": INSTANT}, optional=(*FACTS, "on")),
    "MatchOutcome": shaped({**dict.fromkeys(OUTCOMES, MAYBE_TEXT), "by": MAYBE_TEXT}),
    "MatchDifferences": shaped(
        {
            "total_runs": COUNT,
            "changed_runs": COUNT,
            "changes": listed(
                shaped({"said": _SAID, "now": _OUTCOME, "then": _OUTCOME, "by": MAYBE_TEXT, "runs": COUNT})
            ),
        }
    ),
    "Job": shaped(
        {
            "id": TEXT,
            "state": {"type": "string", "enum": ["running", "done", "failed"]},
            "done": COUNT,
            "total": COUNT,
            "error": MAYBE_TEXT,
            "actor": TEXT,
            "started_on": INSTANT,
            "ended_on": MAYBE_INSTANT,
        }
    ),
}
