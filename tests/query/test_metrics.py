"""Metrics and the chart, against the same sums done plainly in Python."""

import random
from zoneinfo import ZoneInfo

import pytest

from modeltraces.query.filters import FilterContext, parse
from modeltraces.query.metrics import Metrics, Percentiles, metrics, requests_since_deployment
from modeltraces.query.selection import Selection, SelectionError
from modeltraces.query.series import MAX_POINTS, STEPS_SECONDS, series
from modeltraces.query.times import parse_instant, rfc3339
from modeltraces.run import Run
from modeltraces.store.engine import Store
from modeltraces.store.rows import insert_runs
from modeltraces.store.summing import EXACT_BELOW
from tests.query.runs import DAY_US, NOON_US, SECOND_US, run

NOBODY = FilterContext()
NONE = Percentiles(None, None, None)


def percentile(values: list[float], level: float) -> float:
    ordered = sorted(values)
    place = (len(ordered) - 1) * level
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def skewed(chance: random.Random) -> float:
    return chance.choice((chance.lognormvariate(5, 2), chance.uniform(0.1, 3), 30_000 + chance.random()))


def test_the_metrics_of_nothing(store: Store, account_id: str) -> None:
    assert metrics(store, Selection(account_id), NOBODY) == Metrics(0, 0, None, NONE, None, None, 0.0, 0)


def test_the_metrics_of_a_period_a_model_and_a_filter(store: Store, account_id: str) -> None:
    insert_runs(
        store,
        [
            run(account_id, 1, model="a", response_time_ms=100.0, input_tokens=10, output_tokens=None),
            run(account_id, 2, model="a", response_time_ms=300.0, status="failed", input_tokens=None),
            run(account_id, 3, model="a", response_time_ms=0.0, response_time_clamped=True, input_tokens=5),
            run(account_id, 4, model="a", response_time_ms=None),
            run(account_id, 5, model="a", response_time_ms=900.0, superseded_by="run-00001"),
            run(account_id, 6, model="b", response_time_ms=900.0),
            run(account_id, -9 * 86_400, model="a", response_time_ms=900.0),
        ],
    )
    selection = Selection(account_id, ("a",), from_us=NOON_US, filter=parse("-source:x"), now_us=NOON_US + DAY_US)
    found = metrics(store, selection, NOBODY, ["a"])
    assert found == Metrics(4, 1, 0.25, Percentiles(200.0, 280.0, 298.0), 15, None, 400.0, 4)
    assert requests_since_deployment(store, selection, NOBODY, {}) == 5


def test_replaying_a_batch_changes_no_number(store: Store, account_id: str) -> None:
    batch = [run(account_id, number, response_time_ms=float(number), input_tokens=1) for number in range(50)]
    insert_runs(store, batch)
    before = metrics(store, Selection(account_id), NOBODY)
    for _ in range(3):
        insert_runs(store, batch)
    assert metrics(store, Selection(account_id), NOBODY) == before
    assert before.total_requests == 50


@pytest.mark.parametrize("size", [1, 2, 10, 999, EXACT_BELOW])
def test_percentiles_are_exact_up_to_ten_thousand_runs(store: Store, account_id: str, size: int) -> None:
    chance = random.Random(size)
    times = [skewed(chance) for _ in range(size)]
    insert_runs(store, [run(account_id, number, response_time_ms=value) for number, value in enumerate(times)])
    found = metrics(store, Selection(account_id), NOBODY).response_time_ms
    assert found.p50 == pytest.approx(percentile(times, 0.5), rel=1e-12)
    assert found.p90 == pytest.approx(percentile(times, 0.9), rel=1e-12)
    assert found.p99 == pytest.approx(percentile(times, 0.99), rel=1e-12)


def test_percentiles_of_more_are_within_one_percent(store: Store, account_id: str) -> None:
    chance = random.Random(1)
    times = [chance.choice((chance.lognormvariate(5, 2), chance.uniform(0.1, 3))) for _ in range(40_000)]
    for first in range(0, len(times), 20_000):
        part = times[first : first + 20_000]
        insert_runs(store, [run(account_id, first + n, response_time_ms=value) for n, value in enumerate(part)])
    found = metrics(store, Selection(account_id), NOBODY).response_time_ms
    assert found.p50 == pytest.approx(percentile(times, 0.5), rel=0.01)
    assert found.p90 == pytest.approx(percentile(times, 0.9), rel=0.01)
    assert found.p99 == pytest.approx(percentile(times, 0.99), rel=0.01)


def test_the_points_of_the_series_add_up_and_empty_ones_are_there(store: Store, account_id: str) -> None:
    runs = [
        run(account_id, 10, response_time_ms=1.0),
        run(account_id, 15, response_time_ms=3.0, status="failed"),
        run(account_id, 50, response_time_ms=None),
        run(account_id, 60),
    ]
    insert_runs(store, runs)
    selection = Selection(account_id, from_us=NOON_US, to_us=NOON_US + 60 * SECOND_US)
    found = series(store, selection, NOBODY, step_seconds=20)
    assert found.step_seconds == 20
    assert [rfc3339(point.at_us)[11:19] for point in found.points] == ["12:00:00", "12:00:20", "12:00:40"]
    assert [(point.total_requests, point.failed_requests) for point in found.points] == [(2, 1), (0, 0), (1, 0)]
    first, empty, unknown = (point.response_time_ms for point in found.points)
    assert first.p50 == 2.0
    assert first.p90 == pytest.approx(2.8)
    assert empty == unknown == NONE


@pytest.mark.parametrize(
    "seconds", [1, 59, 3600, 86_400, 7 * 86_400, 30 * 86_400, 90 * 86_400, 400 * 86_400, 3000 * 86_400]
)
@pytest.mark.parametrize("zone", [None, ZoneInfo("Europe/Berlin")])
def test_a_chosen_step_is_round_and_gives_at_most_200_points(
    store: Store, account_id: str, seconds: int, zone: ZoneInfo | None
) -> None:
    end = NOON_US + 17
    insert_runs(
        store, [run(account_id, executed_on_us=end - seconds * SECOND_US), run(account_id, executed_on_us=end - 1)]
    )
    selection = Selection(account_id, from_us=end - seconds * SECOND_US, to_us=end)
    found = series(store, selection, NOBODY, tz=zone)
    assert found.step_seconds in STEPS_SECONDS
    assert len(found.points) <= MAX_POINTS
    assert sum(point.total_requests for point in found.points) == 2
    assert found.points[0].at_us <= end - seconds * SECOND_US
    assert found.points[-1].at_us < end


def test_days_begin_at_the_readers_midnight_also_when_clocks_change(store: Store, account_id: str) -> None:
    # Clocks in Berlin went back on 2026-10-25: that day had 25 hours.
    times = ["2026-10-23T22:00:00Z", "2026-10-24T21:59:59Z", "2026-10-24T22:00:00Z", "2026-10-25T22:59:59Z",
             "2026-10-25T23:00:00Z"]  # fmt: skip
    insert_runs(store, [run(account_id, n, executed_on_us=parse_instant(text)) for n, text in enumerate(times)])
    selection = Selection(
        account_id, from_us=parse_instant("2026-10-23T22:00:00Z"), to_us=parse_instant("2026-10-26T23:00:00Z")
    )
    found = series(store, selection, NOBODY, step_seconds=86_400, tz=ZoneInfo("Europe/Berlin"))
    assert [(rfc3339(point.at_us)[:13], point.total_requests) for point in found.points] == [
        ("2026-10-23T22", 2),
        ("2026-10-24T22", 2),
        ("2026-10-25T23", 1),
    ]


def test_since_deployment_the_series_runs_from_the_first_run_to_now(store: Store, account_id: str) -> None:
    insert_runs(store, [run(account_id, 0), run(account_id, 7200, source="x")])
    selection = Selection(account_id, period="all", filter=parse("source:x"), now_us=NOON_US + 10_000 * SECOND_US)
    found = series(store, selection, NOBODY, step_seconds=3600)
    assert [point.total_requests for point in found.points] == [0, 0, 1]


def test_a_run_ahead_of_the_clock_is_in_the_series(store: Store, account_id: str) -> None:
    insert_runs(store, [run(account_id, 0), run(account_id, 3600)])
    selection = Selection(account_id, from_us=NOON_US - DAY_US, period="24h", now_us=NOON_US + 1)
    assert sum(point.total_requests for point in series(store, selection, NOBODY).points) == 2
    insert_runs(store, [run(f"{account_id} beside it", 30 * 86_400)])
    assert series(store, selection, NOBODY).points[-1].at_us <= NOON_US + 3600 * SECOND_US


def test_the_series_of_an_empty_account_has_no_points_since_deployment(store: Store, account_id: str) -> None:
    assert series(store, Selection(account_id, period="all", now_us=NOON_US), NOBODY).points == []
    day = series(store, Selection(account_id, from_us=NOON_US - DAY_US, period="24h", now_us=NOON_US), NOBODY)
    assert len(day.points) > 90
    assert not any(point.total_requests for point in day.points)


@pytest.mark.parametrize("step", [0, -1, 1, 86_401])
def test_a_step_that_cannot_be_used_is_told(store: Store, account_id: str, step: int) -> None:
    selection = Selection(account_id, from_us=NOON_US - 7 * DAY_US, to_us=NOON_US)
    with pytest.raises(SelectionError) as caught:
        series(store, selection, NOBODY, step_seconds=step)
    assert caught.value.parameter == "step_seconds"


def test_the_two_bounds_of_a_period_are_inclusive_and_exclusive(store: Store, account_id: str) -> None:
    runs: list[Run] = [run(account_id, n, executed_on_us=NOON_US + n) for n in range(4)]
    insert_runs(store, runs)
    selection = Selection(account_id, from_us=NOON_US + 1, to_us=NOON_US + 3)
    assert metrics(store, selection, NOBODY).total_requests == 2


def test_the_widest_period_there_is_can_be_asked_for(store: Store, account_id: str) -> None:
    insert_runs(store, [run(account_id, 1)])
    selection = Selection(
        account_id, from_us=parse_instant("1900-01-01T00:00:00Z"), to_us=parse_instant("2298-12-31T00:00:00Z")
    )
    assert metrics(store, selection, NOBODY).total_requests == 1
    before = selection.before()
    assert before is not None
    assert metrics(store, before, NOBODY).total_requests == 0
    assert sum(point.total_requests for point in series(store, selection, NOBODY).points) == 1
