"""A filter in plain words: what the page, saved views and alerts say it asks for."""

from typing import Final

from modeltraces.query.fields import ANY_TEXT, Field, attribute_key, field_named
from modeltraces.query.filters.nodes import And, Filter, Not, Or, Pattern, Term, Value
from modeltraces.query.filters.values import value_text

_SIGNS: Final = {">": "more than", ">=": "at least", "<": "less than", "<=": "at most"}
_TIME_SIGNS: Final = {">": "after", ">=": "from", "<": "before", "<=": "until"}


def sentence(filter: Filter | None) -> str:
    """`status is failed and response time is more than 2s`; 'all runs' for None."""
    return "all runs" if filter is None else _words(filter, top=True)


def _words(filter: Filter, top: bool = False) -> str:
    match filter:
        case Term():
            return _term(filter, negated=False)
        case Not(Term() as term):
            return _term(term, negated=True)
        case Not(inner):
            return f"not {_words(inner)}"
        case And(parts):
            return _joined(" and ", parts, top)
        case Or(parts):
            return _joined(" or ", parts, top)


def _joined(joint: str, parts: tuple[Filter, ...], top: bool) -> str:
    text = joint.join(_words(part) for part in parts)
    return text if top else f"({text})"


def _term(term: Term, *, negated: bool) -> str:
    spec = field_named(term.field)
    assert spec is not None, term.field
    name = f"attribute {attribute_key(term.field)}" if spec.kind == "map" else spec.label
    if term.operator == "present":
        return f"{name} is {'unknown' if negated else 'known'}"
    if term.operator == "range":
        return _range(name, spec, term, negated)
    if term.operator != "is":
        sign = (_TIME_SIGNS if spec.kind == "time" else _SIGNS)[term.operator]
        return f"{name} is {'not ' if negated else ''}{sign} {_value(term.values[0])}"
    texts = [_equal(spec, value, negated) for value in term.values]
    # "is not a and is not b": nothing is left in doubt.
    joined = (" and " if negated else " or ").join(texts)
    said = "Input, output or Request ID" if term.field == ANY_TEXT else name
    return f"{said} {joined}"


def _range(name: str, spec: Field, term: Term, negated: bool) -> str:
    low, high = term.values
    verb = "is not" if negated else "is"
    signs = _TIME_SIGNS if spec.kind == "time" else _SIGNS
    if low is not None and high is not None:
        return f"{name} {verb} between {_value(low)} and {_value(high)}"
    return f"{name} {verb} {signs['>='] if high is None else signs['<=']} {_value(low if high is None else high)}"


def _equal(spec: Field, value: Value | None, negated: bool) -> str:
    if spec.kind == "text" and isinstance(value, Pattern) and value.is_literal:
        return f"{'does not contain' if negated else 'contains'} {_value(value, quoted=True)}"
    if isinstance(value, Pattern) and not value.is_literal:
        return f"{'does not match' if negated else 'matches'} {_value(value, quoted=spec.kind == 'text')}"
    return f"{'is not' if negated else 'is'} {_value(value)}"


def _value(value: Value | None, *, quoted: bool = False) -> str:
    if isinstance(value, Pattern) and value.is_literal:
        text = value.parts[0]
    else:
        text = "" if value is None else value_text(value)
    return f"“{text}”" if quoted else text
