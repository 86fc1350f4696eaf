"""Values that stand in the data, for the filter line: bounded in time, so that suggestions never hold up the table."""

from dataclasses import dataclass
from typing import Final

from modeltraces.query.fields import SUGGESTABLE, Field, attribute_key, field_named
from modeltraces.query.filters import Bound, FilterContext
from modeltraces.query.selection import Selection, SelectionError, where
from modeltraces.query.totals import REQUESTS, Question, most
from modeltraces.store.engine import Store
from modeltraces.store.summing import KEYS

MAX_SUGGESTIONS: Final = 100
_SECONDS: Final = 1
"""What was counted until then is given: a suggestion that comes late is none."""
_SETTINGS: Final = f"SETTINGS max_execution_time = {_SECONDS}, timeout_overflow_mode = 'break', max_threads = 1"


@dataclass(frozen=True, slots=True)
class Suggestion:
    value: str
    count: int
    """Runs of the selection that have it; fewer when the time ran out."""


def suggest(
    store: Store, selection: Selection, context: FilterContext, name: str, prefix: str = "", limit: int = 20
) -> list[Suggestion]:
    """The values of a field within the selection that begin with `prefix` (any case), most frequent first.

    `attributes` gives the keys, `attributes.KEY` the values of one. Raises SelectionError for a field that has none.
    """
    bound = Bound("v")
    condition, params = where(selection, context)
    expression = _expression(name, context, bound)
    most_given = max(1, min(limit, MAX_SUGGESTIONS))
    if name in KEYS:
        known = f"{expression} != ''"
        if prefix:
            known += f" AND startsWith(lowerUTF8({expression}), lowerUTF8({bound.text(prefix)}))"
        question = Question(
            selection, context, (REQUESTS,), percentiles=False, name=expression, among=known, params=bound.params,
            fields=frozenset({name}),
        )  # fmt: skip
        found = most(store, question, most_given, surface="suggest", settings=_SETTINGS)
        return [Suggestion(total.name, total.numbers[0]) for total in found.totals]
    matching = f"startsWith(lowerUTF8(value), lowerUTF8({bound.text(prefix)}))" if prefix else "true"
    rows = store.query(
        f"SELECT {expression} AS value, count() AS found FROM runs FINAL WHERE {condition} "
        f"GROUP BY value HAVING value != '' AND {matching} ORDER BY found DESC, value "
        f"LIMIT {bound(most_given, 'UInt64')} {_SETTINGS}",
        {**params, **bound.params},
        surface="suggest",
    )
    return [Suggestion(value, count) for value, count in rows]


def _expression(name: str, context: FilterContext, bound: Bound) -> str:
    if name == "attributes":
        return "arrayJoin(mapKeys(attributes))"
    spec = field_named(name)
    if spec is None or not spec.suggestable:
        raise SelectionError(
            "field", f"There are no suggestions for {name!r}. There are for {', '.join(SUGGESTABLE)}, attributes.KEY."
        )
    if spec.kind == "map":
        return f"attributes[{bound.text(attribute_key(name))}]"
    if spec.kind == "model_kind":
        pairs = [(model, kind) for kind, models in context.names_of_kind.items() for model in models]
        models = bound([model for model, _ in pairs], "Array(String)")
        kinds = bound([kind for _, kind in pairs], "Array(String)")
        return f"transform(toString(model), {models}, {kinds}, '')" if pairs else "''"
    if spec.name == "base_model":
        return context.base_model(bound)
    return f"toString({context.model})" if spec.name == "model" else _plain(spec)


def _plain(spec: Field) -> str:
    column = spec.columns[0]
    if spec.array:
        return f"arrayJoin({column})"
    return f"toString({column})"
