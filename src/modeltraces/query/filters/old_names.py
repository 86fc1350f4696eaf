"""Names that models had before: whoever has one in a link, a note or a program's settings goes on finding the runs by it."""

from collections.abc import Iterable, Mapping

from modeltraces.query.filters.nodes import And, Filter, Not, Or, Pattern, Term, Value


def old_names(names: Iterable[str], formerly: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Lower case name → the name of now. `names`: those of now, which mean what they say. `formerly`: (name that runs
    bear, or that a merged model had; name of now). One that led to several models leads to none.
    """
    taken = {name.lower() for name in names}
    found: dict[str, str | None] = {}
    for old, now in formerly:
        key = old.lower()
        if key not in taken:
            found[key] = now if found.get(key, now) == now else None
    return {key: now for key, now in found.items() if now is not None}


def with_names_of_now(filter: Filter, old: Mapping[str, str]) -> Filter:
    """The filter that asks for the same models by the names of now. Patterns with stars ask for what is there."""
    match filter:
        case Term("model", operator, values) if old:
            return Term("model", operator, tuple(_now(value, old) for value in values))
        case Not(inner):
            return Not(with_names_of_now(inner, old))
        case And(parts):
            return And(tuple(with_names_of_now(part, old) for part in parts))
        case Or(parts):
            return Or(tuple(with_names_of_now(part, old) for part in parts))
        case Term():
            return filter


def _now(value: Value | None, old: Mapping[str, str]) -> Value | None:
    if isinstance(value, Pattern) and value.is_literal and (name := old.get(value.parts[0].lower())) is not None:
        return Pattern((name,))
    return value
