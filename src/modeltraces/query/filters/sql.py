"""A filter as SQL: one boolean expression over the `runs` table, every value a bound parameter.

Every term is true or false, never NULL: what is unknown does not match, so a filter and its negation part all runs
in two. Text is compared without regard to case, in any script, with `position`, `startsWith` and `endsWith`; only a
star between two texts needs LIKE, and then its metacharacters are escaped.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from modeltraces.query.fields import Field, attribute_key, field_named
from modeltraces.query.filters.nodes import And, Filter, Not, Or, Pattern, Span, Term, Value
from modeltraces.query.filters.old_names import with_names_of_now
from modeltraces.query.times import FIRST_US, LAST_US
from modeltraces.run import ModelKind

_LIKE_ESCAPES: Final = str.maketrans({"\\": "\\\\", "%": "\\%", "_": "\\_"})


@dataclass(frozen=True, slots=True)
class FilterContext:
    """What the account's catalog knows of the models that runs name."""

    names_of_kind: Mapping[ModelKind, Sequence[str]] = field(default_factory=dict)
    base_models: Mapping[str, str] = field(default_factory=dict)
    """A name that runs bear, or the catalog's → base model, for runs that do not say theirs."""
    names: Mapping[str, str] = field(default_factory=dict)
    """The name that runs bear → the model's name in the catalog, where they differ (it was renamed, or merged)."""
    recorded: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """A model's name, or one that its runs bear → all names that its runs bear, where there is more than that one."""
    old_names: Mapping[str, str] = field(default_factory=dict)
    """A name that is no model's any more, in lower case → the name of now: what a filter means by it."""

    @property
    def model(self) -> str:
        """SQL of the model's name in the catalog, in queries that take `params`."""
        if not self.names:
            return "model"
        return "transform(toString(model), {renamed:Array(String)}, {renamed_to:Array(String)}, toString(model))"

    def base_model(self, bound: "Bound") -> str:
        """SQL of the base model: the run's own word, or else the catalog's."""
        known = self.known_base_models
        if not known:
            return "toString(base_model)"
        names, bases = bound(list(known), "Array(String)"), bound(list(known.values()), "Array(String)")
        return f"if(base_model = '', transform(toString(model), {names}, {bases}, ''), toString(base_model))"

    @property
    def known_base_models(self) -> dict[str, str]:
        return {name: base for name, base in self.base_models.items() if base}

    @property
    def params(self) -> dict[str, Any]:
        return {"renamed": list(self.names), "renamed_to": list(self.names.values())} if self.names else {}

    def borne(self, models: Sequence[str]) -> set[str]:
        """The names that runs of these models bear; each may be given by any of its names."""
        return {name for model in models for name in self.recorded.get(model, (model,))}


class Bound:
    """Collects bound parameters and gives each its place in the SQL."""

    def __init__(self, prefix: str = "f") -> None:
        self.params: dict[str, Any] = {}
        self._prefix = prefix

    def __call__(self, value: Any, type_name: str) -> str:
        name = f"{self._prefix}{len(self.params)}"
        self.params[name] = value
        return f"{{{name}:{type_name}}}"

    def text(self, value: str) -> str:
        return self(value, "String")

    def instant(self, value_us: int) -> str:
        inside = min(max(value_us, FIRST_US), LAST_US)
        return f"fromUnixTimestamp64Micro({self(inside, 'Int64')}, 'UTC')"

    def number(self, value: float) -> str:
        # By its bits: the engine's reading of decimal text is fast, not exact, and `=` must find what was stored.
        return f"reinterpretAsFloat64({self(struct.unpack('<Q', struct.pack('<d', value))[0], 'UInt64')})"


def compile(filter: Filter, context: FilterContext, bound: Bound | None = None) -> tuple[str, dict[str, Any]]:
    """(SQL, parameters) of a filter; the SQL holds nothing but our own text and `{name:Type}` places."""
    bound = bound or Bound()
    bound.params.update(context.params)
    return _expression(with_names_of_now(filter, context.old_names), context, bound), bound.params


def contains(column: str, term: Term, bound: Bound) -> str:
    """SQL of a term of a text, asked of another column."""
    spec = field_named(term.field)
    assert spec is not None, term.field
    return _any(_text(spec, (column,), value, bound) for value in term.values if isinstance(value, Pattern))


def _expression(filter: Filter, context: FilterContext, bound: Bound) -> str:
    match filter:
        case Term():
            return _term(filter, context, bound)
        case Not(inner):
            return f"(NOT {_expression(inner, context, bound)})"
        case And(parts):
            return "(" + " AND ".join(_expression(part, context, bound) for part in parts) + ")"
        case Or(parts):
            return "(" + " OR ".join(_expression(part, context, bound) for part in parts) + ")"


def _term(term: Term, context: FilterContext, bound: Bound) -> str:
    spec = field_named(term.field)
    assert spec is not None, term.field
    if spec.kind == "model_kind":
        names = [name for value in term.values for name in _names_of_kind(value, context)]
        return f"(model IN {bound(names, 'Array(String)')})"
    columns = spec.columns
    if spec.name == "model":
        columns = (context.model,)
    elif spec.name == "base_model":
        return _base_model(term, spec, context, bound)
    elif spec.kind == "map":
        columns = (f"attributes[{bound.text(attribute_key(term.field))}]",)
    return _tests(term, spec, columns, bound)


def _base_model(term: Term, spec: Field, context: FilterContext, bound: Bound) -> str:
    """The test of `FilterContext.base_model`, asked once of each base model that the catalog knows, not of each run's."""
    said = _tests(term, spec, ("base_model",), bound)
    known = context.known_base_models
    if not known:
        return said
    names = bound(list(known), "Array(String)")
    bases = bound(list(known.values()), "Array(String)")
    meant = f"arrayFilter((name, base) -> {_tests(term, spec, ('base',), bound)}, {names}, {bases})"
    of_none = _tests(term, spec, ("''",), bound)
    silent = f"(has({meant}, model) OR ({of_none} AND NOT has({names}, model)))"
    return f"if(base_model = '', {silent}, {said})"


def _tests(term: Term, spec: Field, columns: Sequence[str], bound: Bound) -> str:
    if term.operator == "present":
        return _any(_present(spec, column) for column in columns)
    if spec.kind in ("text", "keyword", "id", "map"):
        if spec.kind in ("keyword", "id", "map") and len(term.values) > 1 and all(_literal(v) for v in term.values):
            return _one_of(spec, columns[0], term.values, bound)
        # The parameter of a value is one, however many columns are asked.
        return _any(_text(spec, columns, value, bound) for value in term.values if isinstance(value, Pattern))
    return _any(_ordered(spec, columns[0], term, value, bound) for value in _compared(term))


def _names_of_kind(value: Value | None, context: FilterContext) -> Sequence[str]:
    wanted = value.parts[0] if isinstance(value, Pattern) else ""
    return [name for kind, names in context.names_of_kind.items() if kind == wanted for name in names]


def _literal(value: Value | None) -> bool:
    return isinstance(value, Pattern) and value.is_literal


def _any(parts: Any) -> str:
    listed = list(parts)
    return listed[0] if len(listed) == 1 else "(" + " OR ".join(listed) + ")"


def _present(spec: Field, column: str) -> str:
    if spec.array:
        return f"notEmpty({column})"
    if spec.kind in ("text", "keyword", "id", "map"):
        return f"({column} != '')"
    return f"isNotNull({column})"


def _one_of(spec: Field, column: str, values: Sequence[Value | None], bound: Bound) -> str:
    texts = [value.parts[0] for value in values if isinstance(value, Pattern)]
    wanted = bound(texts, "Array(String)")
    if spec.kind == "id":
        return f"({column} IN {wanted})"
    lowered = f"arrayMap(v -> lowerUTF8(v), {wanted})"
    if spec.array:
        return f"hasAny(arrayMap(v -> lowerUTF8(toString(v)), {column}), {lowered})"
    return f"has({lowered}, lowerUTF8({column}))"


def _text(spec: Field, columns: Sequence[str], value: Pattern, bound: Bound) -> str:
    # In a text, a value without `*` is looked for anywhere; with one it is a pattern over the whole text.
    parts = ("", value.parts[0], "") if spec.kind == "text" and value.is_literal else value.parts
    wanted = _Wanted.of(parts, bound, lower=spec.kind != "id")
    if spec.array:
        return f"arrayExists(v -> {wanted.test('toString(v)')}, {columns[0]})"
    return _any(wanted.test(column) for column in columns)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The test of one pattern, ready for any column."""

    shape: str
    place: str
    lower: bool

    @classmethod
    def of(cls, parts: Sequence[str], bound: Bound, *, lower: bool) -> "_Wanted":
        inner = [part for part in parts if part]
        if len(parts) == 1:
            shape, text = "equal", parts[0]
        elif not inner:
            shape, text = "present", ""
        elif len(inner) == 1 and not parts[0] and not parts[-1]:
            shape, text = "contains", inner[0]
        elif len(inner) == 1:
            shape, text = ("prefix" if parts[0] else "suffix"), inner[0]
        else:
            shape, text = "like", "%".join(part.translate(_LIKE_ESCAPES) for part in parts)
        if shape == "present":
            return cls(shape, "", lower)
        if shape == "contains" and lower:
            # Reading through texts is what a search costs: the cheapest function that sees no case is taken.
            # (1 M runs, two columns: lowerUTF8 1.9 s, positionCaseInsensitiveUTF8 1.2 s, the other two 0.9 s.)
            if text.isascii():
                return cls("contains ascii", bound.text(text.lower()), lower)
            if text.lower() == text.upper():
                return cls("contains caseless", bound.text(text), lower)
            return cls("contains", bound.text(text), lower)
        place = bound.text(text)
        return cls(shape, f"lowerUTF8({place})" if lower else place, lower)

    def test(self, column: str) -> str:
        value = f"lowerUTF8({column})" if self.lower else column
        match self.shape:
            case "equal":
                return f"({value} = {self.place})"
            case "present":
                return f"({column} != '')"
            case "contains ascii":
                return f"(position(lower({column}), {self.place}) > 0)"
            case "contains caseless":
                return f"(position({column}, {self.place}) > 0)"
            case "contains":
                name = "positionCaseInsensitiveUTF8" if self.lower else "position"
                return f"({name}({column}, {self.place}) > 0)"
            case "prefix":
                return f"startsWith({value}, {self.place})"
            case "suffix":
                return f"endsWith({value}, {self.place})"
            case _:
                return f"({value} LIKE {self.place})"


def _compared(term: Term) -> Sequence[Value | None]:
    return term.values[:1] if term.operator == "range" else term.values


def _ordered(spec: Field, column: str, term: Term, value: Value | None, bound: Bound) -> str:
    operator = term.operator
    if isinstance(value, bool):
        return f"({column} = {bound(value, 'Bool')})"
    if isinstance(value, Pattern):
        return f"({column} = {bound.text(value.parts[0])})"
    if operator == "range":
        low, high = term.values
        sides = []
        if low is not None:
            sides.append(f"{column} >= {_place(low, bound)}")
        if high is not None:
            sides.append(
                f"{column} < {_end(high, bound)}" if isinstance(high, Span) else f"{column} <= {_place(high, bound)}"
            )
        test = " AND ".join(sides)
    elif isinstance(value, Span):
        match operator:
            case ">":
                test = f"{column} >= {_end(value, bound)}"
            case ">=":
                test = f"{column} >= {_place(value, bound)}"
            case "<":
                test = f"{column} < {_place(value, bound)}"
            case "<=":
                test = f"{column} < {_end(value, bound)}"
            case _:
                test = f"{column} >= {_place(value, bound)} AND {column} < {_end(value, bound)}"
    else:
        assert value is not None
        test = f"{column} {'=' if operator == 'is' else operator} {_place(value, bound)}"
    return f"ifNull({test}, false)" if spec.nullable else f"({test})"


def _place(value: Value, bound: Bound) -> str:
    if isinstance(value, Span):
        return bound.instant(value.start_us)
    if isinstance(value, float):
        return bound.number(value)
    return bound(value, "UInt64")


def _end(value: Span, bound: Bound) -> str:
    return bound.instant(value.end_us)
