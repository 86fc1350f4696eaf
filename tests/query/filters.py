"""Random filters, over every field and operator, with values that the random runs may hold."""

from hypothesis import strategies as st

from modeltraces.query.fields import FIELDS, Field
from modeltraces.query.filters import Filter, Pattern, Span, Term, all_of, any_of, negated
from modeltraces.query.filters.nodes import Value
from tests.query.runs import DAY_US, NOON_US, WORDS

_WHOLE = tuple(sorted({*WORDS, "gpt-4o", "run-00001", "run", "e", "f", "prod"}))
_DAY = NOON_US // DAY_US * DAY_US


def _pattern(parts: list[str]) -> Pattern:
    return Pattern((parts[0], *(part for part in parts[1:-1] if part), *parts[1:][-1:]))


_pieces = st.sampled_from(("", *_WHOLE))
patterns = st.one_of(
    st.sampled_from(_WHOLE).map(lambda text: Pattern((text,))),
    st.lists(_pieces, min_size=2, max_size=4).map(_pattern).filter(lambda pattern: not pattern.is_any),
)
_instants = st.integers(NOON_US - 2 * DAY_US, NOON_US + 2 * DAY_US)


def values(spec: Field) -> st.SearchStrategy[Value]:
    match spec.kind:
        case "status" | "model_kind":
            return st.sampled_from(spec.choices).map(lambda choice: Pattern((choice,)))
        case "bool":
            return st.booleans()
        case "duration":
            return st.sampled_from((0.0, 0.1, 250.0, 1999.9, 2000.0, 2000.1, 5_400_000.0))
        case "count":
            return st.sampled_from((0, 1, 5, 6, 1000, 10**18 - 1))
        case "time":
            days = st.integers(-2, 2).map(lambda day: Span(_DAY + day * DAY_US, _DAY + (day + 1) * DAY_US))
            return days | _instants.map(lambda at: Span(at, at + 1))
        case _:
            return patterns


def _rank(value: Value) -> float:
    assert not isinstance(value, Pattern)
    return value.start_us if isinstance(value, Span) else value


@st.composite
def terms(draw: st.DrawFn) -> Filter:
    spec = draw(st.sampled_from(FIELDS))
    name = spec.name if spec.kind != "map" else f"attributes.{draw(st.sampled_from(('env', 'my key', 'ключ', 'a:b')))}"
    operator = draw(st.sampled_from(spec.operators))
    if operator == "present":
        return Term(name, operator)
    if operator == "range":
        low, high = sorted((draw(values(spec)), draw(values(spec))), key=_rank)
        open_side = draw(st.sampled_from(("none", "low", "high")))
        return Term(name, "range", (None if open_side == "low" else low, None if open_side == "high" else high))
    size = draw(st.integers(1, 3)) if operator == "is" else 1
    return Term(name, operator, tuple(draw(values(spec)) for _ in range(size)))


filters = st.recursive(
    terms(),
    lambda inner: st.one_of(
        inner.map(negated),
        st.lists(inner, min_size=2, max_size=3).map(all_of),
        st.lists(inner, min_size=2, max_size=3).map(any_of),
    ),
    max_leaves=6,
)
