"""A filter as its canonical text: `parse(to_text(filter)) == filter`."""

import re
from typing import Final

from modeltraces.query.fields import ANY_TEXT, ATTRIBUTES_PREFIX, attribute_key
from modeltraces.query.filters.nodes import And, Filter, Not, Or, Pattern, Term, Value
from modeltraces.query.filters.values import quoted_if_needed, value_text

_PLAIN_KEY: Final = re.compile(r"[\w.\/-]+")
# What a bare word may be without being taken for a field, a sign or a value.
_PLAIN_WORD: Final = re.compile(r"[\w*][\w.*]*")


def to_text(filter: Filter | None) -> str:
    """The canonical text of a filter, '' for None."""
    return "" if filter is None else _text(filter, inside="or")


def _text(filter: Filter, inside: str) -> str:
    match filter:
        case Term():
            return _term(filter)
        case Not(inner):
            return "-" + _text(inner, "not")
        case And(parts):
            text = " ".join(_text(part, "and") for part in parts)
            return f"({text})" if inside == "not" else text
        case Or(parts):
            text = " OR ".join(_text(part, "or") for part in parts)
            return text if inside == "or" else f"({text})"


def _term(term: Term) -> str:
    name = _name(term.field)
    values = [_value(value) for value in term.values]
    match term.operator:
        case "present":
            return f"{name}:*"
        case "range":
            return f"{name}:[{values[0]} TO {values[1]}]"
        case "is" if term.field == ANY_TEXT and len(values) == 1:
            return _bare(term.values[0])
        case "is":
            return f"{name}:{values[0]}" if len(values) == 1 else f"{name}:({' OR '.join(values)})"
        case sign:
            return f"{name}{sign}{values[0]}"


def _name(field: str) -> str:
    key = attribute_key(field)
    if not key or _PLAIN_KEY.fullmatch(key):
        return field
    return ATTRIBUTES_PREFIX + '"' + value_text(Pattern((key,))) + '"'


def _value(value: Value | None) -> str:
    if value is None:
        return "*"
    text = value_text(value)
    return quoted_if_needed(text) if isinstance(value, Pattern) else text


def _bare(value: Value | None) -> str:
    assert isinstance(value, Pattern)
    text = value_text(value)
    if _PLAIN_WORD.fullmatch(text):
        return quoted_if_needed(text)
    return f'"{text}"'
