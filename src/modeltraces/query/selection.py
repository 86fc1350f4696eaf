"""A selection: which runs, in which order. One object drives table, metrics, chart, export, links and cursors."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias, cast

from modeltraces.query.fields import SORTABLE, canonical_name, nearest_names
from modeltraces.query.filters import Bound, Filter, FilterContext, FilterError, compile, parse
from modeltraces.query.times import DEFAULT_PERIOD, PERIODS, parse_instant, rfc3339

Order: TypeAlias = Literal["asc", "desc"]
QueryString: TypeAlias = Mapping[str, str | Sequence[str]] | Iterable[tuple[str, str]]

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 1000
"""Runs of one page (contract)."""
MAX_MODELS: Final = 200
"""Models named in one selection; more is the whole account."""

PARAMETERS: Final = ("model", "period", "from", "to", "filter", "sort", "order", "limit", "cursor")


class SelectionError(ValueError):
    """A query parameter that cannot be used: its name, what is wrong, and for a filter where and what was expected."""

    def __init__(self, parameter: str, message: str, position: int | None = None, expected: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.parameter = parameter
        self.message = message
        self.position = position
        self.expected = list(expected)


@dataclass(frozen=True, slots=True)
class Selection:
    """Runs of one account: models (none = all), from inclusive, to exclusive, filter, and the order they are shown in."""

    account_id: str
    models: tuple[str, ...] = ()
    from_us: int | None = None
    to_us: int | None = None
    period: str | None = None
    """The named period that `from_us` was reckoned from, or None for explicit times."""
    filter_text: str = ""
    filter: Filter | None = None
    sort: str = "executed_on"
    order: Order = "desc"
    now_us: int = 0
    """When it was asked: the end of a period that has none."""

    def to_params(self) -> list[tuple[str, str]]:
        """Query-string pairs that give this selection again (a named period stays named)."""
        pairs = [("model", name) for name in self.models]
        if self.period is not None:
            pairs.append(("period", self.period))
        else:
            pairs += [("from", rfc3339(self.from_us))] if self.from_us is not None else []
            pairs += [("to", rfc3339(self.to_us))] if self.to_us is not None else []
        if self.filter_text:
            pairs.append(("filter", self.filter_text))
        return [*pairs, ("sort", self.sort), ("order", self.order)]

    def before(self) -> "Selection | None":
        """The preceding period of equal length, or None where there is none (`all`, or no `from`)."""
        if self.from_us is None:
            return None
        end = self.to_us if self.to_us is not None else self.now_us
        length = end - self.from_us
        if length <= 0:
            return None
        return replace(self, from_us=self.from_us - length, to_us=self.from_us, period=None)

    def ever(self) -> "Selection":
        """The same models since their first run, whatever the period and the filter."""
        return replace(self, from_us=None, to_us=None, period="all", filter=None, filter_text="")


def no_such_parameter(name: str, known: Sequence[str]) -> SelectionError:
    near = nearest_names(name, tuple(known))
    takes = f"Known: {', '.join(known)}." if known else "This call takes none."
    return SelectionError(name, f"There is no parameter {name!r}. {f'Did you mean {near[0]}?' if near else takes}")


def parse_selection(params: QueryString, *, account_id: str, now_us: int, also: Collection[str] = ()) -> Selection:
    """The selection that query parameters ask for. `also`: names that the endpoint itself takes.

    Raises SelectionError for anything that is unknown, repeated or wrong; nothing is ignored.
    """
    given = _grouped(params)
    for name in given:
        if name not in PARAMETERS and name not in also:
            raise no_such_parameter(name, (*PARAMETERS, *also))
        if name != "model":
            _single(given, name)
    parse_limit(given)
    period, from_us, to_us = _times(given, now_us)
    text = _single(given, "filter") or ""
    try:
        filter = parse(text)
    except FilterError as error:
        raise SelectionError("filter", error.message, error.position, error.expected) from error
    sort, order = _order(given)
    return Selection(
        account_id, _models(given), from_us, to_us, period, text if filter else "", filter, sort, order, now_us
    )  # fmt: skip


def parse_limit(params: QueryString, default: int = DEFAULT_LIMIT) -> int:
    """`limit`: 1 to 1000. Raises SelectionError."""
    text = _single(_grouped(params), "limit")
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:5]) <= MAX_LIMIT and len(text) < 5):
        raise SelectionError("limit", f"limit must be a whole number from 1 to {MAX_LIMIT}.")
    return int(text)


def where(selection: Selection, context: FilterContext, bound: Bound | None = None) -> tuple[str, dict[str, Any]]:
    """(SQL condition, parameters) of a selection, over `runs FINAL`. `bound` takes the parameters, if it is given."""
    bound = bound or Bound("s")
    parts = [f"account_id = {bound.text(selection.account_id)}", "superseded_by = ''"]
    if selection.from_us is not None:
        parts.append(f"executed_on >= {bound.instant(selection.from_us)}")
    if selection.to_us is not None:
        parts.append(f"executed_on < {bound.instant(selection.to_us)}")
    return " AND ".join([*parts, *among(selection, context, bound)]), bound.params


def among(selection: Selection, context: FilterContext, bound: Bound) -> list[str]:
    """SQL conditions of a selection's models and filter: which of the account's runs of its time it holds."""
    bound.params.update(context.params)
    parts = []
    if selection.models:
        parts.append(f"model IN {bound(sorted(context.borne(selection.models)), 'Array(String)')}")
    if selection.filter is not None:
        parts.append(compile(selection.filter, context, bound)[0])
    return parts


def _grouped(params: QueryString) -> dict[str, list[str]]:
    multi_items = getattr(params, "multi_items", None)
    grouped: dict[str, list[str]] = {}
    if multi_items is not None:
        pairs: Iterable[tuple[str, str | Sequence[str]]] = multi_items()
    elif isinstance(params, Mapping):
        pairs = params.items()
    else:
        pairs = params
    for name, value in pairs:
        grouped.setdefault(name, []).extend([value] if isinstance(value, str) else value)
    return grouped


def _single(given: Mapping[str, list[str]], name: str) -> str | None:
    values = given.get(name, [])
    if len(values) > 1:
        raise SelectionError(name, f"{name} was given {len(values)} times; give it once.")
    return values[0] if values else None


def _models(given: Mapping[str, list[str]]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(given.get("model", [])))
    if "" in names:
        raise SelectionError("model", "model is empty: name one, or leave the parameter out for all models.")
    if len(names) > MAX_MODELS:
        raise SelectionError("model", f"At most {MAX_MODELS} models can be named; leave the parameter out for all.")
    return names


def _times(given: Mapping[str, list[str]], now_us: int) -> tuple[str | None, int | None, int | None]:
    period = _single(given, "period")
    instants: dict[str, int | None] = {}
    for name in ("from", "to"):
        text = _single(given, name)
        try:
            instants[name] = None if text is None else parse_instant(text)
        except ValueError as error:
            raise SelectionError(name, f"{name} {error}.") from error
    if "from" in given or "to" in given:
        if period is not None:
            raise SelectionError("period", "Give either period, or from and to, not both.")
        start, end = instants["from"], instants["to"]
        if start is not None and end is not None and start >= end:
            raise SelectionError("from", "from must lie before to.")
        return None, start, end
    period = DEFAULT_PERIOD if period is None else period
    if period not in PERIODS:
        raise SelectionError("period", f"period must be one of {', '.join(PERIODS)}, or give from and to.")
    length = PERIODS[period]
    return period, None if length is None else now_us - length, None


def _order(given: Mapping[str, list[str]]) -> tuple[str, Order]:
    named = _single(given, "sort")
    sort = "executed_on" if named is None else canonical_name(named)
    if sort not in SORTABLE:
        raise SelectionError("sort", f"Runs cannot be sorted by {named!r}. Sortable: {', '.join(SORTABLE)}.")
    order = _single(given, "order")
    if order not in (None, "asc", "desc"):
        raise SelectionError("order", "order must be asc or desc.")
    return sort, cast(Order, order or "desc")
