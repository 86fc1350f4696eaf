"""The filter language's meaning, said as plainly as can be: does this run match? What the SQL is compared with."""

import operator
from collections.abc import Callable
from typing import Any, Final

from modeltraces.query.fields import Field, attribute_key, field_named
from modeltraces.query.filters import And, Filter, FilterContext, Not, Or, Pattern, Span, Term
from modeltraces.query.filters.nodes import Value
from modeltraces.run import Run

_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "is": operator.eq,
}


def matches(filter: Filter, run: Run, context: FilterContext) -> bool:
    match filter:
        case Term():
            return _term(filter, run, context)
        case Not(inner):
            return not matches(inner, run, context)
        case And(parts):
            return all(matches(part, run, context) for part in parts)
        case Or(parts):
            return any(matches(part, run, context) for part in parts)


def _term(term: Term, run: Run, context: FilterContext) -> bool:
    spec = field_named(term.field)
    assert spec is not None
    if spec.kind == "model_kind":
        kinds = [kind for kind, names in context.names_of_kind.items() if run.model in names]
        return any(isinstance(value, Pattern) and value.parts[0] in kinds for value in term.values)
    return any(_holds(spec, term, actual) for actual in _actual(spec, term.field, run))


def _actual(spec: Field, name: str, run: Run) -> list[Any]:
    if spec.kind == "map":
        return [run.attributes.get(attribute_key(name), "")]
    if spec.name == "total_tokens":
        both = (run.input_tokens, run.output_tokens)
        return [None if None in both else sum(count or 0 for count in both)]
    if spec.name == "executed_on":
        return [run.executed_on_us]
    if spec.name == "payload_removed_on":
        return [run.payload_removed_on_us or None]
    if spec.array:
        return list(run.finish_reasons)
    return [getattr(run, column) for column in spec.columns]


def _holds(spec: Field, term: Term, actual: Any) -> bool:
    if actual is None:
        return False
    if term.operator == "present":
        return bool(actual != "")
    if term.operator == "range":
        low, high = term.values
        return (low is None or _compared(">=", actual, low)) and (high is None or _compared("<=", actual, high))
    return any(_is(spec, term.operator, actual, value) for value in term.values)


def _is(spec: Field, sign: str, actual: Any, value: Value | None) -> bool:
    if isinstance(value, Pattern):
        return _like(spec, actual, value)
    assert value is not None
    return _compared(sign, actual, value)


def _like(spec: Field, actual: str, pattern: Pattern) -> bool:
    parts = pattern.parts
    if spec.kind != "id":
        actual, parts = actual.lower(), tuple(part.lower() for part in parts)
    if len(parts) == 1:
        return parts[0] in actual if spec.kind == "text" else parts[0] == actual
    if not actual.startswith(parts[0]):
        return False
    place = len(parts[0])
    for part in parts[1:-1]:
        found = actual.find(part, place)
        if found < 0:
            return False
        place = found + len(part)
    return len(actual) - len(parts[-1]) >= place and actual.endswith(parts[-1])


def _compared(sign: str, actual: Any, value: Value) -> bool:
    if not isinstance(value, Span):
        return _COMPARE[sign](actual, value)
    if sign == "is":
        return bool(value.start_us <= actual < value.end_us)
    edge = value.end_us - 1 if sign in (">", "<=") else value.start_us
    return _COMPARE[sign](actual, edge)
