"""Which hours and days of a selection are summed up, and which runs must be read beside the sums."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from modeltraces.query.fields import field_named
from modeltraces.query.filters import And, Bound, Filter, Not, Or, Term
from modeltraces.query.selection import Selection
from modeltraces.query.times import FIRST_US, LAST_US
from modeltraces.store.coverage import HOURS_PER_DAY, US_PER_HOUR, Unit, coverage, ranges
from modeltraces.store.engine import Store
from modeltraces.store.summing import DAYS_ABOVE, KEYS

FEWEST_RUNS: Final = 50_000
"""A store with fewer is read run by run: that is one question, and quicker than to ask what is summed up first."""
_FEWEST_HOURS: Final = 3
"""For fewer, the runs themselves are as quick."""
_MOST_HOLES: Final = 100
"""Times between the covered hours; a query with more has more to do than to read all runs."""
_GRAINS: Final[tuple[frozenset[str], ...]] = (
    frozenset({"status"}),
    frozenset({"status", "model"}),
    frozenset(KEYS),
)

Spans = Sequence[tuple[int | None, int | None]]
"""(from, until) in µs; None: open."""


@dataclass(frozen=True, slots=True)
class Cover:
    """Whole hours whose sums hold, from `first` until `last` but for the `holes`."""

    selection: Selection
    first: int
    last: int
    holes: frozenset[int]
    days: frozenset[int] = frozenset()
    """The first hours of those days that have sums of their own."""

    def within(self, selection: Selection) -> "Cover | None":
        """The same for a shorter time."""
        start, end = _hours(selection)
        first, last = max(start, self.first), min(end, self.last)
        holes = frozenset(at for at in self.holes if first <= at < last)
        if last - first - len(holes) < _FEWEST_HOURS:
            return None
        days = frozenset(day for day in self.days if first <= day and day + HOURS_PER_DAY <= last)
        return Cover(selection, first, last, holes, days)

    def hours_of(self, times: Iterable[tuple[int, int | None]]) -> list[tuple[int, int]]:
        """Which of its hours lie in times that begin and end with hours (µs; None: open)."""
        hours = [
            (
                max(since // US_PER_HOUR, self.first),
                self.last if until is None else min(until // US_PER_HOUR, self.last),
            )
            for since, until in times
        ]
        return [(first, last) for first, last in hours if first < last]

    def without_days_of(self, hours: Iterable[int]) -> "Cover":
        """The same, with the sums of these hours apart from those of their days."""
        return replace(self, days=self.days - {at // HOURS_PER_DAY * HOURS_PER_DAY for at in hours})

    def of_hours(self, bound: Bound, grain: int) -> str:
        """The condition of the rows of `summaries FINAL` that are of hours."""
        condition = (
            f"{self._of_account(bound)} AND grain = {grain} "
            f"AND at >= {bound(self.first, 'Int32')} AND at < {bound(self.last, 'Int32')}"
        )
        return condition + (f" AND NOT has({bound(sorted(self.holes), 'Array(Int32)')}, at)" if self.holes else "")

    def of_sums(self, bound: Bound, grain: int) -> str:
        """The condition of the rows of `summaries FINAL`, of days and of the hours beside them."""
        if not self.days:
            return self.of_hours(bound, grain)
        of_days = list(_by_days(self.days))
        parts = [f"grain = {grain + DAYS_ABOVE} AND ({any_of(of_days, bound)})"]
        beside = list(_beside(self.first, self.last, [*of_days, *ranges(self.holes)]))
        if beside:
            parts.append(f"grain = {grain} AND ({any_of(beside, bound)})")
        return f"{self._of_account(bound)} AND ({' OR '.join(f'({part})' for part in parts)})"

    def _of_account(self, bound: Bound) -> str:
        return f"account_id = {bound.text(self.selection.account_id)} AND requests > 0"

    def gaps(self) -> list[tuple[int | None, int | None]]:
        """Those times of the selection (µs; None: open) that are in no sums."""
        start, end = self.selection.from_us, self.selection.to_us
        times: list[tuple[int | None, int | None]] = []
        first_us, last_us = self.first * US_PER_HOUR, self.last * US_PER_HOUR
        if start is None or start < first_us:
            times.append((start, first_us))
        times += [(first * US_PER_HOUR, last * US_PER_HOUR) for first, last in ranges(self.holes)]
        if end is None or end > last_us:
            times.append((last_us, end))
        return times

    def of_runs(self, bound: Bound, also: Mapping[int, str] = MappingProxyType({})) -> str:
        """The condition of the runs of the selection's time that are not in these sums; '' where there can be none.

        `also`: hour → SQL of which of its runs are to be read in any case.
        """
        parts = [_between(since, until, bound) for since, until in self.gaps()]
        for test in dict.fromkeys(also.values()):
            parts += [
                f"{_between(first * US_PER_HOUR, last * US_PER_HOUR, bound)} AND {test}"
                for first, last in ranges(hour for hour in also if also[hour] == test)
            ]
        return " OR ".join(f"({part})" for part in parts)


def is_worth_asking(store: Store) -> bool:
    """Whether the store has so many runs that sums are quicker."""
    return store.rows_about("runs") >= FEWEST_RUNS


def cover(store: Store, selection: Selection, fields: Collection[str]) -> Cover | None:
    """The sums that hold for a selection which asks for these fields; None when there are none worth asking."""
    if grain_of(fields) is None:
        return None
    first, last = _hours(selection)
    if last - first < _FEWEST_HOURS or not is_worth_asking(store):
        return None
    by_source = "source" in fields
    # Of all time: a page asks of a period, the one before it, and of all runs, and is answered once.
    ever = _hours(selection.ever())
    found = store.unchanged(
        ("coverage", selection.account_id, by_source),
        lambda: coverage(store, selection.account_id, *ever, by_source=by_source),
    )
    if found is None:
        return None
    covered = Cover(selection, ever[0], found.closed, found.holes, found.days).within(selection)
    return None if covered is None or len(list(ranges(covered.holes))) > _MOST_HOLES else covered


def grain_of(fields: Collection[str]) -> int | None:
    """The coarsest grain of sums that knows these fields; None when none does."""
    return next((grain for grain, known in enumerate(_GRAINS) if known.issuperset(fields)), None)


def fields_of(filter: Filter | None) -> set[str]:
    """The columns that a filter asks for, by the names of the `runs` table."""
    match filter:
        case None:
            return set()
        case Term(name):
            spec = field_named(name)
            assert spec is not None, name
            # What is of no column of its own may be anything but a sum.
            return {"model"} if spec.kind == "model_kind" else set(spec.columns) or {name}
        case Not(inner):
            return fields_of(inner)
        case And(parts) | Or(parts):
            return set().union(*(fields_of(part) for part in parts))


def placed(place: Callable[[str], str] | None, sums: Unit | None = None) -> str:
    """SQL of the step that a run, or the sums of an hour or a minute, belong to: 0 without steps."""
    if place is None:
        return "toInt64(0)"
    return f"toInt64({place(f'(toInt64(at) * {sums.us})' if sums else 'toUnixTimestamp64Micro(executed_on)')})"


def within_times(times: Spans, bound: Bound) -> str:
    """The condition of runs within one of these times (µs; None: open)."""
    return "(" + " OR ".join(f"({_between(since, until, bound)})" for since, until in times) + ")"


def _hours(selection: Selection) -> tuple[int, int]:
    """The whole hours of a selection's time: the first, and that after the last."""
    start = FIRST_US if selection.from_us is None else max(selection.from_us, FIRST_US)
    end = LAST_US if selection.to_us is None else min(selection.to_us, LAST_US)
    return -(-start // US_PER_HOUR), end // US_PER_HOUR


def _by_days(days: Iterable[int]) -> Iterable[tuple[int, int]]:
    """(first, after the last) hour of days that follow one another."""
    for first, last in ranges(day // HOURS_PER_DAY for day in days):
        yield first * HOURS_PER_DAY, last * HOURS_PER_DAY


def _beside(first: int, last: int, taken: Iterable[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    """What is left between two hours beside ranges that are taken."""
    at = first
    for start, end in sorted(taken):
        if at < start:
            yield at, start
        at = max(at, end)
    if at < last:
        yield at, last


def any_of(hours: Iterable[tuple[int, int]], bound: Bound) -> str:
    """The condition of the sums of these hours, or minutes: of the first until the last, without it, of each."""
    return " OR ".join(f"(at >= {bound(first, 'Int32')} AND at < {bound(last, 'Int32')})" for first, last in hours)


def _between(start: int | None, end: int | None, bound: Bound) -> str:
    sides = [f"executed_on >= {bound.instant(start)}"] if start is not None else []
    sides += [f"executed_on < {bound.instant(end)}"] if end is not None else []
    return " AND ".join(sides) or "true"
