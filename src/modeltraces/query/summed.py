"""Which part of a selection's time is summed up, by hours and by minutes, and which runs must be read beside the sums."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from modeltraces.query.covered import Cover, Spans, any_of, cover, grain_of, is_worth_asking, within_times
from modeltraces.query.filters import Bound
from modeltraces.query.selection import Selection
from modeltraces.query.times import FIRST_US, LAST_US
from modeltraces.run import now_us
from modeltraces.store.coverage import HOUR, MINUTE, MINUTES_PER_HOUR, Unit, minutes_count_since
from modeltraces.store.engine import Store
from modeltraces.store.minutes import minutes_of

Minutes = Sequence[tuple[int, int]]
"""(first, after the last)."""


@dataclass(frozen=True, slots=True)
class Summed:
    selection: Selection
    hours: Cover | None
    known: Minutes
    """Those of the account whose sums hold."""
    gaps: Spans
    """Those times of the selection that are in no sums of hours."""
    minutes: Minutes
    """Those whose sums are read, in these gaps."""

    def within(self, selection: Selection) -> "Summed | None":
        """The same for a shorter time."""
        return _summed(selection, self.hours.within(selection) if self.hours else None, self.known)

    def of_minutes(self, bound: Bound, grain: int, times: Spans = ()) -> str:
        """The condition of the rows of `minute_sums FINAL`; `times`: only of those, which begin and end with minutes."""
        minutes = self.minutes
        if times:
            only = [
                ((FIRST_US if a is None else a) // MINUTE.us, (LAST_US if b is None else b) // MINUTE.us)
                for a, b in times
            ]
            minutes = [(max(a, c), min(b, d)) for a, b in minutes for c, d in only if max(a, c) < min(b, d)]
        return (
            f"account_id = {bound.text(self.selection.account_id)} AND requests > 0 AND grain = {grain} "
            f"AND ({any_of(minutes, bound) or 'false'})"
        )

    def of_runs(self, bound: Bound) -> str:
        """The condition of the runs of the selection's time that are not in these sums; '' where there can be none."""
        times: list[tuple[int | None, int | None]] = []
        for since, until in self.gaps:
            begin = since
            for first, after in self.minutes:
                start, end = first * MINUTE.us, after * MINUTE.us
                if (since is None or since <= start) and (until is None or end <= until):
                    times += [(begin, start)] if begin is None or begin < start else []
                    begin = end
            times += [(begin, until)] if begin is None or until is None or begin < until else []
        return within_times(times, bound) if times else ""


def summed(store: Store, selection: Selection, fields: Collection[str], unit: Unit = HOUR) -> Summed | None:
    """The sums that hold for a selection which asks for these fields, those of minutes alone when `unit` is; None when there
    are none worth asking."""
    if grain_of(fields) is None or not is_worth_asking(store):
        return None
    by_source = "source" in fields
    known = store.unchanged(
        ("minutes", selection.account_id, by_source),
        lambda: minutes_of(store, selection.account_id, by_source=by_source),
    )
    # Nothing may have been written since they were found, while they went with their age.
    first = minutes_count_since(now_us()) * MINUTES_PER_HOUR
    lately = tuple((max(start, first), end) for start, end in known if end > first)
    return _summed(selection, cover(store, selection, fields) if unit is HOUR else None, lately)


def _summed(selection: Selection, hours: Cover | None, known: Minutes) -> Summed | None:
    gaps = hours.gaps() if hours else [(selection.from_us, selection.to_us)]
    minutes: list[tuple[int, int]] = []
    for since, until in gaps:
        first = -(-(FIRST_US if since is None else since) // MINUTE.us)
        after = (LAST_US if until is None else until) // MINUTE.us
        minutes += [(max(a, first), min(b, after)) for a, b in known if max(a, first) < min(b, after)]
    return Summed(selection, hours, known, gaps, minutes) if hours or minutes else None
