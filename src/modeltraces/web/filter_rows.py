"""A filter as the builder's rows: field, operator, value, all joined by AND or all by OR. None when rows cannot say it."""

from dataclasses import asdict, dataclass
from typing import Final

from modeltraces.query.filters import And, Filter, Not, Or, Term
from modeltraces.query.filters.values import value_text

_TEXTS: Final = frozenset({"input", "output", "text"})
_NEGATED: Final = {"is": "-:", "present": "-:*"}
_PLAIN: Final = {"is": ":", "present": ":*"}


@dataclass(frozen=True, slots=True)
class Row:
    field: str
    operator: str
    """`:` `-:` (is, is not), `:*` `-:*` (known, unknown), `>` `>=` `<` `<=`."""
    value: str


def rows_of(filter: Filter | None) -> dict[str, object] | None:
    """`{"joint": "AND"|"OR", "rows": [{field, operator, value}]}`."""
    match filter:
        case None:
            return {"joint": "AND", "rows": []}
        case And(parts):
            joint = "AND"
        case Or(parts):
            joint = "OR"
        case _:
            joint, parts = "AND", (filter,)
    rows = [_row(part) for part in parts]
    if any(row is None for row in rows):
        return None
    return {"joint": joint, "rows": [asdict(row) for row in rows if row is not None]}


def _row(part: Filter) -> Row | None:
    signs = _PLAIN
    if isinstance(part, Not):
        part, signs = part.inner, _NEGATED
    if not isinstance(part, Term):
        return None
    if part.operator == "present":
        return Row(part.field, signs["present"], "")
    if part.operator == "range" or len(part.values) != 1 or part.values[0] is None:
        return None
    sign = signs.get(part.operator) if part.operator == "is" else part.operator if signs is _PLAIN else None
    return Row(part.field, sign, value_text(part.values[0])) if sign else None


def reads_texts(filter: Filter | None) -> bool:
    """Whether the filter looks into inputs or outputs: the one thing that takes long over many runs."""
    match filter:
        case Term(field):
            return field in _TEXTS
        case Not(inner):
            return reads_texts(inner)
        case And(parts) | Or(parts):
            return any(reads_texts(part) for part in parts)
        case None:
            return False
