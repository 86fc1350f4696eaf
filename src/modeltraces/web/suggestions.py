"""What could be typed next in the filter line: fields, operators' values, from the catalog of fields and the data."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from modeltraces.query.fields import ATTRIBUTES_PREFIX, FIELDS, KIND_NOTES, Field, field_named
from modeltraces.query.filters.nodes import Pattern
from modeltraces.query.filters.values import quoted_if_needed, value_text
from modeltraces.query.suggest import Suggestion as Found
from modeltraces.web.filter_error import synonym_of
from modeltraces.web.formatting import count

_TERM: Final = re.compile(
    r'(?P<minus>-?)(?P<field>[^\W\d][\w./-]*)(?P<sign>:|>=|<=|>|<)(?P<open>\(?"?)(?P<value>.*)', re.DOTALL
)
_NAME: Final = re.compile(r"(?P<minus>-?)(?P<name>[^\W\d][\w./-]*)?")
_MOST: Final = 12
_EXAMPLES: Final = {
    "duration": ("500ms", "2s", "10s", "1m"),
    "count": ("100", "1000", "10000"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is being typed: `text[start:end]` is to be replaced. `field` is None for a field's name."""

    start: int
    end: int
    typed: str
    field: Field | None = None
    name: str = ""
    """The field as it was written (`attributes.env`)."""
    before: str = ""
    """What stays in front of a suggestion: a minus, `field:`, an opening parenthesis."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    insert: str
    label: str
    hint: str = ""


def place_of(text: str, caret: int) -> Place:
    """What stands at the caret."""
    caret = max(0, min(caret, len(text)))
    start = _token_start(text, caret)
    token = text[start:caret]
    term = _TERM.fullmatch(token)
    if term and (field := field_named(term["field"])) is not None:
        before = token[: term.start("open")] + term["open"].replace('"', "")
        return Place(start, caret, term["value"], field, term["field"], before)
    name = _NAME.fullmatch(token)
    return Place(start, caret, (name["name"] or "") if name else token, before=name["minus"] if name else "")


def _token_start(text: str, caret: int) -> int:
    """The start of the word at the caret; a quoted part belongs to its word."""
    start, quoted, i = 0, False, 0
    while i < caret:
        character = text[i]
        if quoted:
            if character == "\\":
                i += 1
            elif character == '"':
                quoted = False
        elif character == '"':
            quoted = True
        elif character.isspace() or (character == "(" and (i == 0 or text[i - 1] in " (-")):
            start = i + 1
        i += 1
    return min(start, caret)


def fields_for(place: Place) -> list[Suggestion]:
    """Fields whose name or label has what is typed, those that begin with it first."""
    typed = place.typed.lower()
    found = [field for field in FIELDS if typed in field.name or typed in field.label.lower()]
    found.sort(key=lambda field: (not field.name.startswith(typed), not field.label.lower().startswith(typed)))
    found += [field for field in synonym_of(typed) if field not in found]
    return [Suggestion(place.before + _with_sign(field), field.name, field.label) for field in found[:_MOST]]


def _with_sign(field: Field) -> str:
    if field.kind == "map":
        return ATTRIBUTES_PREFIX
    return f"{field.name}{'>' if '>' in field.operators else ':'}"


def wants_data(place: Place) -> bool:
    """Whether the values are to be looked for in the data: they are words, and not all known beforehand."""
    return place.field is not None and place.field.suggestable and not place.field.choices


def values_for(place: Place, found: Sequence[Found]) -> list[Suggestion]:
    """`found`: values from the data."""
    field = place.field
    assert field is not None
    if field.choices:
        known = [(choice, "") for choice in field.choices]
    elif found:
        known = [(one.value, count(one.count)) for one in found]
    else:
        known = [(value, "") for value in _EXAMPLES.get(field.kind, ())]
    typed = place.typed.strip('"').lower()
    matching = [(value, hint) for value, hint in known if typed in value.lower()]
    made = [
        Suggestion(f"{place.before}{quoted_if_needed(value_text(Pattern((value,))))}", value, hint)
        for value, hint in matching[:_MOST]
    ]
    if not made and not typed:
        return [Suggestion("", "", KIND_NOTES[field.kind])]
    return made
