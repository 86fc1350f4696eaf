"""Whether a filter leaves room for runs of which only some fields are known: for what is reckoned without any run."""

from collections.abc import Mapping
from enum import Enum

from modeltraces.query.filters.nodes import And, Filter, Not, Or, Pattern, Term


class _Truth(Enum):
    NO = 0
    MAYBE = 1
    YES = 2


def may_match(filter: Filter | None, known: Mapping[str, str]) -> bool:
    """Whether a run with these values (field → text, '' where it has none) can match. Fields that are not named may
    have any value: `status:failed` leaves room for every deployment, `deployment_version:v2` for one."""
    return filter is None or _truth(filter, known) is not _Truth.NO


def _truth(filter: Filter, known: Mapping[str, str]) -> _Truth:
    match filter:
        case Term():
            return _term(filter, known)
        case Not(inner):
            return _Truth(2 - _truth(inner, known).value)
        case And(parts):
            return min((_truth(part, known) for part in parts), key=lambda truth: truth.value)
        case Or(parts):
            return max((_truth(part, known) for part in parts), key=lambda truth: truth.value)


def _term(term: Term, known: Mapping[str, str]) -> _Truth:
    if term.field not in known:
        return _Truth.MAYBE
    value = known[term.field]
    if term.operator == "present":
        return _Truth.YES if value else _Truth.NO
    patterns = [wanted for wanted in term.values if isinstance(wanted, Pattern)]
    return _Truth.YES if any(pattern.matches(value) for pattern in patterns) else _Truth.NO
