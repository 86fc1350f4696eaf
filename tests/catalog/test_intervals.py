from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltraces.catalog.hosting.intervals import Event, EventType, Hosted, OutOfOrder, added, hosted, intervals_of

MINUTE = 60_000_000
HOUR = 60 * MINUTE
MILLIONTH = Decimal("0.000001")


def at(hour: int, minute: int = 0) -> int:
    return int(datetime(2026, 10, 25, hour, minute, tzinfo=UTC).timestamp()) * 1_000_000


def deploy(on_us: int, replicas: int = 1, price: str | None = "1") -> Event:
    return Event("deploy", on_us, replicas, None if price is None else Decimal(price))


def scale(on_us: int, replicas: int, price: str | None = "1") -> Event:
    return Event("scale", on_us, replicas, None if price is None else Decimal(price))


def undeploy(on_us: int) -> Event:
    return Event("undeploy", on_us)


def test_two_replicas_at_a_half_for_three_and_a_half_hours_cost_three_and_a_half() -> None:
    intervals = intervals_of([deploy(at(10), 2, "0.5"), undeploy(at(13, 30))])
    assert hosted(intervals, None, None, at(20)).credits == Decimal("3.5")
    assert hosted(intervals, at(11), at(12, 30), at(20)).credits == Decimal("1.5")


def test_scaling_begins_a_new_interval() -> None:
    intervals = intervals_of([deploy(at(10), 2, "0.5"), scale(at(12), 4, "0.5"), undeploy(at(13, 30))])
    assert [(interval.replicas, interval.from_us, interval.to_us) for interval in intervals] == [
        (2, at(10), at(12)),
        (4, at(12), at(13, 30)),
    ]
    assert hosted(intervals, None, None, at(20)).credits == Decimal(5)
    assert hosted(intervals, None, at(12), at(20)).credits == Decimal(2)
    assert hosted(intervals, at(12), None, at(20)).credits == Decimal(3)


def test_an_open_interval_lasts_until_now_and_no_longer() -> None:
    now = at(12)
    intervals = intervals_of([deploy(now - 30 * 24 * HOUR, 1, "1.25")])
    assert hosted(intervals, now - 24 * HOUR, now, now).credits == Decimal(30)
    assert hosted(intervals, now - 7 * 24 * HOUR, now, now).credits == Decimal(210)
    assert hosted(intervals, now - 24 * HOUR, now + 24 * HOUR, now).credits == Decimal(30)
    assert hosted(intervals, now - 24 * HOUR, None, now).credits == Decimal(30)
    assert hosted(intervals, None, None, now).credits == Decimal(900)


def test_the_day_that_clocks_go_back_has_24_hours_in_utc() -> None:
    assert hosted(intervals_of([deploy(at(0))]), at(0), at(0) + 24 * HOUR, at(0) + 48 * HOUR).credits == Decimal(24)


def test_a_gap_costs_nothing() -> None:
    intervals = intervals_of([deploy(at(1)), undeploy(at(2)), deploy(at(5)), undeploy(at(6))])
    assert hosted(intervals, None, None, at(20)).credits == Decimal(2)
    assert hosted(intervals, at(2), at(5), at(20)) == Hosted(Decimal(0), 0)


def test_a_period_turned_round_is_empty() -> None:
    assert hosted(intervals_of([deploy(at(1))]), at(5), at(3), at(20)) == Hosted(Decimal(0), 0)


def test_what_lies_after_now_is_not_hosted_yet() -> None:
    intervals = intervals_of([deploy(at(10)), undeploy(at(12))])
    assert hosted(intervals, None, None, at(11)).credits == Decimal(1)
    assert hosted(intervals, None, None, at(9)).replica_us == 0


def test_one_replica_for_an_hour_is_an_hour_of_replica_time_and_six_minutes_of_runs_are_a_tenth_of_it() -> None:
    replica_us = hosted(intervals_of([deploy(at(1)), undeploy(at(2))]), None, None, at(9)).replica_us
    assert Fraction(6 * MINUTE, replica_us) == Fraction(1, 10)


def test_without_a_price_there_is_replica_time_but_no_credits() -> None:
    intervals = intervals_of([deploy(at(1), 3, None), undeploy(at(2))])
    assert hosted(intervals, None, None, at(9)) == Hosted(None, 3 * HOUR, 3 * HOUR)
    assert hosted((), None, None, at(9)) == Hosted(None, 0)


def test_a_period_of_which_no_price_is_known_is_not_free_because_another_has_one() -> None:
    intervals = intervals_of([deploy(at(1), 1, None), scale(at(2), 1, "4"), undeploy(at(3))])
    assert hosted(intervals, at(1), at(2), at(9)).credits is None
    assert hosted(intervals, at(2), at(3), at(9)).credits == Decimal(4)
    assert hosted(intervals, at(1), at(3), at(9)).credits == Decimal(4)
    assert hosted(intervals, at(5), at(6), at(9)).credits == Decimal(0)


def test_a_free_replica_costs_nothing_which_is_not_unknown() -> None:
    assert hosted(intervals_of([deploy(at(1), 1, "0")]), None, None, at(9)).credits == Decimal(0)


def test_many_deployments_that_cost_a_fraction_each_are_not_rounded_one_by_one() -> None:
    part = hosted(intervals_of([deploy(0, 1, "0.001"), undeploy(1_400_000)]), None, None, HOUR)
    assert added([part] * 1000).credits == Decimal("0.000389")


def test_adding_up_counts_those_with_a_price() -> None:
    parts = [Hosted(Decimal("1.5"), 10), Hosted(None, 5), Hosted(Decimal(2), 1)]
    assert added(parts).credits == Decimal("3.5")
    assert added(parts).replica_us == 16
    assert added([Hosted(None, 5)]).credits is None
    assert added([]) == Hosted(None, 0)


def test_the_largest_numbers_that_are_taken_stay_exact() -> None:
    price = Decimal("999999999.999999999")
    intervals = intervals_of([Event("deploy", 0, 100_000, price)])
    now = 50 * 365 * 24 * HOUR + 1
    exact = Fraction(now) * 100_000 * Fraction(price) / HOUR
    credits = hosted(intervals, None, None, now).credits
    assert credits is not None
    assert abs(Fraction(credits) - exact) <= Fraction(1, 2_000_000)
    assert added([hosted(intervals, None, None, now)] * 1000).credits is not None


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ([undeploy(1)], "not up at that time: choose a time at which it was"),
        ([scale(1, 2)], "not up at that time: deploy it first"),
        ([deploy(1), deploy(2)], "up already at that time: scale it, or undeploy it first"),
        ([deploy(1), undeploy(2), undeploy(3)], "not up at that time"),
        ([deploy(1), undeploy(2), scale(3, 1)], "not up at that time"),
        ([deploy(1), undeploy(1)], "another event at the same instant"),
        ([deploy(1), scale(3, 2), undeploy(2)], "not up at that time"),
    ],
)
def test_events_that_do_not_follow_from_one_another_are_told_apart(events: Sequence[Event], says: str) -> None:
    with pytest.raises(OutOfOrder, match=says):
        intervals_of(events)


# A model of the same, in the plainest way: for every minute, how many replicas at what price.


@dataclass(frozen=True)
class Draft:
    type: EventType
    minute: int
    replicas: int
    price: Decimal | None

    @property
    def event(self) -> Event:
        if self.type == "undeploy":
            return Event("undeploy", self.minute * MINUTE)
        return Event(self.type, self.minute * MINUTE, self.replicas, self.price)


LAST = 60
prices = st.none() | st.decimals(0, 50, places=4)
drafts = st.builds(
    Draft, st.sampled_from(("deploy", "scale", "undeploy")), st.integers(0, LAST - 1), st.integers(1, 9), prices
)


def by_minute(drafts: Sequence[Draft]) -> list[tuple[int, Decimal | None]] | None:
    """(replicas, price) of every minute; None when the events make no sense."""
    at_minute: dict[int, Draft] = {}
    for draft in drafts:
        if draft.minute in at_minute:
            return None
        at_minute[draft.minute] = draft
    state: tuple[int, Decimal | None] = (0, None)
    minutes = []
    for minute in range(LAST):
        if (found := at_minute.get(minute)) is not None:
            is_up = state[0] > 0
            if is_up == (found.type == "deploy"):
                return None
            state = (0, None) if found.type == "undeploy" else (found.replicas, found.price)
        minutes.append(state)
    return minutes


@st.composite
def sensible(draw: st.DrawFn) -> list[Draft]:
    """Events that follow from one another, in any order of arrival."""
    minutes = sorted(draw(st.sets(st.integers(0, LAST - 1), max_size=12)))
    made: list[Draft] = []
    is_up = False
    for minute in minutes:
        kind: EventType = draw(st.sampled_from(("scale", "undeploy"))) if is_up else "deploy"
        made.append(Draft(kind, minute, draw(st.integers(1, 9)), draw(prices)))
        is_up = kind != "undeploy"
    return draw(st.permutations(made))


periods = st.tuples(st.integers(0, LAST), st.integers(0, LAST)).map(lambda ends: (min(ends), max(ends)))


@given(st.one_of(sensible(), st.lists(drafts, max_size=6)))
def test_events_make_sense_exactly_when_they_do_minute_by_minute(drafts: list[Draft]) -> None:
    minutes = by_minute(drafts)
    if minutes is None:
        with pytest.raises(OutOfOrder):
            intervals_of(draft.event for draft in drafts)
        return
    intervals = intervals_of(draft.event for draft in drafts)
    for minute, (replicas, price) in enumerate(minutes):
        found = [
            (interval.replicas, interval.credits_per_replica_hour)
            for interval in intervals
            if interval.from_us <= minute * MINUTE and (interval.to_us is None or minute * MINUTE < interval.to_us)
        ]
        assert found == ([(replicas, price)] if replicas else [])


@given(sensible(), periods, st.integers(0, LAST))
def test_what_a_period_costs_is_what_its_minutes_cost(drafts: list[Draft], period: tuple[int, int], now: int) -> None:
    minutes = by_minute(drafts)
    assert minutes is not None
    counted = [(replicas, price) for replicas, price in minutes[period[0] : min(period[1], now)] if replicas]
    found = hosted(intervals_of(draft.event for draft in drafts), period[0] * MINUTE, period[1] * MINUTE, now * MINUTE)
    assert found.replica_us == sum(replicas for replicas, _ in counted) * MINUTE
    exact = sum((Fraction(price) * replicas / 60 for replicas, price in counted if price is not None), Fraction(0))
    if counted and all(price is None for _, price in counted):
        assert found.credits is None
    else:
        assert found.credits is None or abs(Fraction(found.credits) - exact) <= Fraction(1, 2_000_000)
        assert found.credits is not None or exact == 0


@given(sensible(), st.lists(st.integers(0, LAST * MINUTE), min_size=2, max_size=8))
def test_adjacent_periods_add_up_and_none_costs_more_than_the_whole(drafts: list[Draft], cuts: list[int]) -> None:
    intervals = intervals_of(draft.event for draft in drafts)
    cuts.sort()
    now = LAST * MINUTE
    whole = hosted(intervals, cuts[0], cuts[-1], now)
    parts = [hosted(intervals, first, last, now) for first, last in pairwise(cuts)]
    assert sum(part.replica_us for part in parts) == whole.replica_us
    total = added(parts)
    assert (total.credits or Decimal(0)) == (whole.credits or Decimal(0))
    rounded = sum((part.credits or Decimal(0) for part in parts), Decimal(0))
    assert abs(rounded - (whole.credits or Decimal(0))) <= MILLIONTH * len(parts)
    everything = hosted(intervals, None, None, now)
    for part in [*parts, whole]:
        assert part.replica_us <= everything.replica_us
        assert (part.credits or Decimal(0)) <= (everything.credits or Decimal(0))


@given(st.lists(sensible(), max_size=4), periods)
def test_several_versions_together_cost_what_they_cost_at_once(
    versions: list[list[Draft]], period: tuple[int, int]
) -> None:
    ledgers = [intervals_of(draft.event for draft in drafts) for drafts in versions]
    first, last, now = period[0] * MINUTE, period[1] * MINUTE, LAST * MINUTE
    together = hosted([interval for intervals in ledgers for interval in intervals], first, last, now)
    apart = added([hosted(intervals, first, last, now) for intervals in ledgers])
    assert apart.replica_us == together.replica_us
    assert (apart.credits or Decimal(0)) == (together.credits or Decimal(0))
