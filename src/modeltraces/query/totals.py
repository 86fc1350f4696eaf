"""Sums over the runs of a selection, by name and by step of time: from the runs, or from the hours' sums and what they lack.

Both ways give the same: counts and sums do anyway, and percentiles are reckoned from the very same classes of response
times, or from the times themselves where there are few.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from modeltraces.query.covered import any_of, fields_of, grain_of, placed, within_times
from modeltraces.query.filters import Bound, FilterContext
from modeltraces.query.narrowing import ask_narrowed
from modeltraces.query.selection import Selection, among, where
from modeltraces.query.summed import Summed, summed
from modeltraces.store.coverage import HOUR, MINUTE, Unit, ranges
from modeltraces.store.engine import Rows, Store
from modeltraces.store.summing import CLASS, COUNTED, EXACT_BELOW, time_of_class

_LEVELS: Final = "0.5, 0.9, 0.99"
_NAN: Final = float("nan")
_MOST_TIMES: Final = 20
"""Apart from each other, that a condition names; of more, all hours are looked through."""
PERCENTILES: Final = (
    f"if(countIf({COUNTED}) <= {EXACT_BELOW}, "
    f"arrayReduce('quantilesExactInclusive({_LEVELS})', "
    f"groupArrayIf({EXACT_BELOW})(assumeNotNull(response_time_ms), {COUNTED})), "
    f"arrayMap(c -> {time_of_class('c')}, quantilesExactWeightedIf({_LEVELS})({CLASS}, 1, {COUNTED})))"
)
"""SQL of [p50, p90, p99] in ms over runs; NaN where there is no response time."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One number: over runs, and over `summaries`."""

    runs: str
    sums: str


REQUESTS: Final = Measure("count()", "sum(requests)")
FAILED: Final = Measure("countIf(status = 'failed')", "sumIf(requests, status = 'failed')")
INPUT_TOKENS: Final = Measure("sum(input_tokens)", "sum(input_tokens)")
OUTPUT_TOKENS: Final = Measure("sum(output_tokens)", "sum(output_tokens)")


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be summed up of a selection."""

    selection: Selection
    context: FilterContext
    measures: Sequence[Measure] = (REQUESTS, FAILED)
    percentiles: bool = True
    name: str = "''"
    """SQL of what the runs are parted by, over columns that `runs` and `summaries` share."""
    place: Callable[[str], str] | None = None
    """SQL of the step that an instant, given as SQL of microseconds, belongs to."""
    edges: Sequence[int] = ()
    """Where each step begins (µs); the first has the number 1."""
    params: Mapping[str, Any] = field(default_factory=dict)
    fields: frozenset[str] = frozenset()
    """Columns that `name` and the measures ask for."""
    among: str = ""
    """A condition more, over the columns of `fields`."""
    unit: Unit | None = HOUR
    """The longest of which none belongs to two steps; None: a minute may."""

    @property
    def needs(self) -> frozenset[str]:
        needs = self.fields | fields_of(self.selection.filter)
        return needs | {"model"} if self.selection.models else needs

    def times_of(self, steps: Collection[int]) -> list[tuple[int, int | None]]:
        """From when until when (µs) these steps last, those that follow one another as one; None: to the end of all.
        Empty where that is not known, or too much to ask for."""
        found = list(ranges(steps)) if self.edges else []
        if len(found) > _MOST_TIMES:
            return []
        return [(self.edges[a - 1], self.edges[b - 1] if b <= len(self.edges) else None) for a, b in found]


@dataclass(frozen=True, slots=True)
class Total:
    name: str
    step: int
    numbers: tuple[Any, ...]
    """One of each measure."""
    percentiles: tuple[float, ...] = (_NAN, _NAN, _NAN)


@dataclass(frozen=True, slots=True)
class Most:
    totals: list[Total]
    of: int
    """How many there are."""


def totals(store: Store, question: Question, *, surface: str, known: Summed | None = None) -> list[Total]:
    """One for each name and step that has runs. `known`: the sums of a longer time, where they were looked for already."""
    sums = known.within(question.selection) if known else _summed(store, question)
    if sums is None:
        return _of_runs(store, question, surface)
    return _of_sums(store, question, sums, surface)


def _summed(store: Store, question: Question) -> Summed | None:
    return summed(store, question.selection, question.needs, question.unit) if question.unit else None


def most(store: Store, question: Question, limit: int, *, surface: str, settings: str = "") -> Most:
    """The names with the most of the first measure. There may be as many names as runs: the engine chooses."""
    sums = _summed(store, question)

    def ask(sql: str, params: dict[str, Any]) -> Rows:
        return store.query(
            f"SELECT name, n0, count() OVER () FROM ({sql}) ORDER BY n0 DESC, name LIMIT {limit} {settings}",
            params,
            surface=surface,
        )

    rows = _ask_runs(store, question, ask) if sums is None else ask(*_sql_of_sums(question, sums))
    return Most([Total(name, 0, (number,)) for name, number, _ in rows], rows[0][2] if rows else 0)


def _of_runs(store: Store, question: Question, surface: str) -> list[Total]:
    rows = _ask_runs(store, question, lambda sql, params: store.query(sql, params, surface=surface))
    many = len(question.measures)
    return [Total(row[0], row[1], tuple(row[2 : 2 + many]), *(tuple(x) for x in row[2 + many :])) for row in rows]


def _ask_runs(store: Store, question: Question, ask: Callable[[str, dict[str, Any]], Rows]) -> Rows:
    bound = Bound("x")
    return ask_narrowed(
        store,
        question.selection,
        question.context,
        bound,
        lambda selection, also: ask(*_sql_of_runs(question, selection, also, bound)),
    )


def _sql_of_runs(question: Question, selection: Selection, also: str, bound: Bound) -> tuple[str, dict[str, Any]]:
    condition, params = where(selection, question.context)
    condition += f" AND {also}"
    if question.among:
        condition += f" AND {question.among}"
    numbers = [f"{measure.runs} AS n{at}" for at, measure in enumerate(question.measures)]
    if question.percentiles:
        numbers.append(PERCENTILES)
    return (
        f"SELECT {question.name} AS name, {placed(question.place)} AS step, {', '.join(numbers)} "
        f"FROM runs FINAL WHERE {condition} GROUP BY name, step"
    ), {**params, **bound.params, **question.params}


def _of_sums(store: Store, question: Question, sums: Summed, surface: str) -> list[Total]:
    sql, params = _sql_of_sums(question, sums)
    rows = store.query(sql, params, surface=surface)
    many = len(question.measures)
    found = [Total(row[0], row[1], tuple(row[2 : 2 + many])) for row in rows]
    if not question.percentiles:
        return found
    known = {(row[0], row[1]): tuple(row[3 + many]) for row in rows if row[2 + many] > EXACT_BELOW}
    few = [(row[0], row[1]) for row in rows if 0 < row[2 + many] <= EXACT_BELOW]
    if few:
        known |= _exact(store, question, sums, few, surface)
    return [replace(one, percentiles=known.get((one.name, one.step), one.percentiles)) for one in found]


def _sql_of_sums(question: Question, sums: Summed) -> tuple[str, dict[str, Any]]:
    bound = Bound("s")
    grain = _grain(question.needs)
    parts = []
    if sums.hours:
        # A step may begin within a day.
        rows = sums.hours.of_sums if question.place is None else sums.hours.of_hours
        parts.append(_numbers_of_sums(question, HOUR, rows(bound, grain), bound))
    if sums.minutes:
        parts.append(_numbers_of_sums(question, MINUTE, sums.of_minutes(bound, grain), bound))
    if times := sums.of_runs(bound):
        parts.append(_numbers_of_runs(question, times, bound))
    numbers = [f"sum(n{at}) AS n{at}" for at in range(len(question.measures))]
    if question.percentiles:
        numbers += [
            "sum(timings)",
            f"arrayMap(c -> {time_of_class('c')}, quantilesExactWeightedArray({_LEVELS})(class, many))",
        ]
    sql = f"SELECT name, step, {', '.join(numbers)} FROM ({' UNION ALL '.join(parts)}) GROUP BY name, step"
    return sql, {**bound.params, **question.params}


def _numbers_of_sums(question: Question, unit: Unit, rows: str, bound: Bound) -> str:
    """`rows`: SQL of which of the unit's sums."""
    numbers = [f"{measure.sums} AS n{at}" for at, measure in enumerate(question.measures)]
    if question.percentiles:
        numbers += [
            "sum(timed) AS timings",
            "groupArrayArray(classes) AS class",
            "groupArrayArray(arrayMap(one -> toUInt64(one), counts)) AS many",
        ]
    return (
        f"SELECT {question.name} AS name, {placed(question.place, unit)} AS step, {', '.join(numbers)} "
        f"FROM {unit.sums} FINAL WHERE {' AND '.join([rows, *_among(question, bound)])} GROUP BY name, step"
    )


def _numbers_of_runs(question: Question, times: str, bound: Bound) -> str:
    numbers = [f"{measure.runs} AS n{at}" for at, measure in enumerate(question.measures)]
    by_class = ""
    if question.percentiles:
        numbers += [
            f"countIf({COUNTED}) AS timings",
            f"if({COUNTED}, [{CLASS}], emptyArrayInt16()) AS class",
            f"arrayWithConstant(length(class), countIf({COUNTED})) AS many",
        ]
        by_class = ", class"
    return (
        f"SELECT {question.name} AS name, {placed(question.place)} AS step, {', '.join(numbers)} "
        f"FROM runs FINAL WHERE {_runs(question, times, bound)} GROUP BY name, step{by_class}"
    )


def _exact(
    store: Store, question: Question, sums: Summed, few: Sequence[tuple[str, int]], surface: str
) -> dict[tuple[str, int], tuple[float, ...]]:
    """Percentiles from the response times themselves."""
    bound = Bound("s")
    steps = sorted({step for _, step in few})
    in_steps = f"step IN {bound(steps, 'Array(Int64)')}"
    # Mostly they are few among many: the engine finds what has these times, not what a step is reckoned from.
    spans = question.times_of(steps)
    parts = []
    finest = _grain(question.needs | {"source"})
    if sums.hours and (not spans or sums.hours.hours_of(spans)):
        within = f"({any_of(sums.hours.hours_of(spans), bound)}) AND {in_steps}" if spans else in_steps
        parts.append(_times_of_sums(question, HOUR, f"{sums.hours.of_hours(bound, finest)} AND {within}", bound))
    if sums.minutes:
        parts.append(_times_of_sums(question, MINUTE, f"{sums.of_minutes(bound, finest, spans)} AND {in_steps}", bound))
    if times := sums.of_runs(bound):
        within = f"{within_times(spans, bound)} AND {in_steps}" if spans else in_steps
        parts.append(
            f"SELECT {question.name} AS name, {placed(question.place)} AS step, "
            f"assumeNotNull(response_time_ms) AS ms FROM runs FINAL WHERE {_runs(question, times, bound)} "
            f"AND {within} AND {COUNTED}"
        )
    rows = store.query(
        f"SELECT name, step, quantilesExactInclusive({_LEVELS})(ms) FROM ({' UNION ALL '.join(parts)}) GROUP BY name, step",
        {**bound.params, **question.params},
        surface=f"{surface}.exact",
    )
    wanted = set(few)
    return {(name, step): tuple(values) for name, step, values in rows if (name, step) in wanted}


def _times_of_sums(question: Question, unit: Unit, rows: str, bound: Bound) -> str:
    return (
        f"SELECT {question.name} AS name, {placed(question.place, unit)} AS step, arrayJoin(times) AS ms "
        f"FROM {unit.sums} FINAL WHERE {' AND '.join([rows, *_among(question, bound)])}"
    )


def _grain(fields: frozenset[str]) -> int:
    grain = grain_of(fields)
    assert grain is not None, fields
    return grain


def _runs(question: Question, times: str, bound: Bound) -> str:
    account = f"account_id = {bound.text(question.selection.account_id)}"
    return " AND ".join([account, "superseded_by = ''", f"({times})", *_among(question, bound)])


def _among(question: Question, bound: Bound) -> list[str]:
    conditions = among(question.selection, question.context, bound)
    return [*conditions, question.among] if question.among else conditions
