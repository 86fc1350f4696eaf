"""The hour that is not over, by its minutes: what is answered from them is what the runs themselves give."""

from dataclasses import replace
from random import Random
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from modeltraces.query.filters import parse
from modeltraces.query.selection import Selection
from modeltraces.query.summed import summed
from modeltraces.store import minutes
from modeltraces.store.coverage import HOUR, MINUTE, forget, forget_hours
from modeltraces.store.engine import Store, StoreError
from modeltraces.store.rows import insert_runs
from modeltraces.store.summaries import refresh
from tests.query.busy_hours import HOURS, an_hour, busy, minutes_of, of, read_run_by_run, some
from tests.query.runs import DAY_US, SECOND_US
from tests.query.sums import agree, made
from tests.support.random_cases import examples

pytestmark = [pytest.mark.whole_store, pytest.mark.usefixtures("sums_of_its_own", "no_hour_is_too_small")]
FILTERS = (
    "",
    "",
    "",
    "status:failed",
    "source:a",
    "source_type:Agent status:success",
    "model:m1",
    "response_time>500ms",
)


@pytest.mark.timeout(900)
@given(seed=st.integers(0, 10**6))
@settings(
    max_examples=examples(4, thorough=40),
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_minutes_are_those_of_the_runs_whatever_happens_to_them(store: Store, seed: int) -> None:
    chance = Random(seed)
    account_id = f"minutes-{seed}-{uuid4()}"
    clock = an_hour(store) + chance.randrange(5, 50) * MINUTE.us
    runs = some(account_id, chance, 0, 150, clock)
    insert_runs(store, runs)
    refresh(store, clock, most_hours=1000)
    for _ in range(6):
        clock += chance.choice((40, 200, 1000)) * SECOND_US
        match chance.choice(("come", "come", "again", "fold", "match", "remove", "slow")):
            case "again":
                insert_runs(store, [replace(one, received_on_us=clock) for one in chance.choices(runs, k=9)])
            case "fold":
                for one in chance.sample(runs, 5):
                    one.superseded_by, one.version, one.received_on_us = runs[0].request_id, one.version + 1, clock
                    insert_runs(store, [one])
            case "match" | "remove" as change:
                forget(store, account_id=account_id, now_us=clock)
                store.command(
                    f"ALTER TABLE runs {'UPDATE source = {to:String}' if change == 'match' else 'DELETE'} "
                    "WHERE account_id = {account_id:String} AND source = 'b' SETTINGS mutations_sync = 1",
                    {"account_id": account_id, "to": "a"},
                )
                forget(store, account_id=account_id, now_us=clock + 1)
                runs = [one for one in runs if one.source != "b"] or runs
            case "slow":
                # A commit that ends long after it began tells of its hours.
                late = some(account_id, chance, len(runs) + 10_000, 9, clock - 300 * SECOND_US)
                refresh(store, clock - 200 * SECOND_US, most_hours=1000)
                insert_runs(store, late)
                forget_hours(store, [(account_id, one.executed_on_us) for one in late], clock)
                runs += late
            case _:
                new = some(account_id, chance, len(runs) + 20_000, chance.choice((1, 60)), clock)
                insert_runs(store, new)
                runs += new
        if chance.random() < 0.7:
            refresh(store, clock + chance.choice((-1, 10)), most_hours=chance.choice((2, 1000)))
        start = chance.choice((None, clock - DAY_US, clock - chance.randrange(HOURS * HOUR.us)))
        selection = Selection(
            account_id,
            chance.choice(((), ("m0",), ("renamed", "m2"))),
            from_us=start,
            to_us=chance.choice((None, clock + DAY_US, clock - chance.randrange(40 * MINUTE.us))),
            filter=parse(chance.choice(FILTERS)),
            now_us=clock,
        )
        agree(store, selection)


def test_the_running_hour_is_read_by_its_minutes_but_for_the_last_ones(store: Store, account_id: str) -> None:
    clock = an_hour(store) + 30 * MINUTE.us
    chance = Random(1)
    starts = [clock - number * 5 * SECOND_US for number in range(360)]
    insert_runs(store, [made(account_id, chance, n, clock, executed_on_us=at) for n, at in enumerate(starts)])
    refresh(store, clock + 1, most_hours=1000)
    selection = of(account_id, clock)
    assert minutes_of(store, selection) == 30
    assert minutes_of(store, replace(selection, to_us=clock - 90 * SECOND_US)) == 28
    before = agree(store, selection)
    # A late one: its minute is read run by run, until it is summed up again.
    insert_runs(store, [made(account_id, chance, 9000, clock + 2, executed_on_us=clock - 600 * SECOND_US)])
    assert minutes_of(store, selection) == 29
    assert agree(store, selection).total_requests == before.total_requests + 1
    refresh(store, clock + 3, most_hours=1000)
    assert minutes_of(store, selection) == 30
    assert agree(store, selection).total_requests == before.total_requests + 1
    # What is changed without being received tells so.
    forget(store, account_id=account_id, now_us=clock + 10)
    assert minutes_of(store, selection) == 0
    refresh(store, clock + 9, most_hours=1000)
    assert minutes_of(store, selection) == 0
    refresh(store, clock + 11, most_hours=1000)
    assert minutes_of(store, selection) == 30
    # Over, it is an hour as others are.
    refresh(store, clock + HOUR.us, most_hours=1000)
    assert minutes_of(store, selection) == 0
    assert agree(store, selection).total_requests == before.total_requests + 1


def test_a_running_hour_with_few_runs_is_not_summed_up(
    store: Store, account_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = an_hour(store) + 30 * MINUTE.us
    insert_runs(
        store, [made(account_id, Random(1), n, clock, executed_on_us=clock - n * SECOND_US) for n in range(1, 100)]
    )
    monkeypatch.setattr(minutes, "FEWEST_RUNS", 100)
    refresh(store, clock + 1, most_hours=1000)
    assert minutes_of(store, of(account_id, clock)) == 0
    monkeypatch.setattr(minutes, "FEWEST_RUNS", 99)
    refresh(store, clock + 2, most_hours=1000)
    assert minutes_of(store, of(account_id, clock)) == 2
    # Over, it is summed up from its runs as long as it has few.
    monkeypatch.setattr(minutes, "FEWEST_RUNS", 101)
    insert_runs(store, [made(account_id, Random(1), 200, clock + 3, executed_on_us=clock + 2)])
    refresh(store, clock + HOUR.us, most_hours=1000)
    assert read_run_by_run(store, of(account_id, clock)) == 0
    assert agree(store, of(account_id, clock)).total_requests == 100


def test_a_minute_of_many_sources_is_read_run_by_run_by_source(
    store: Store, account_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modeltraces.store.summing.MOST_SOURCES", 20)
    clock = an_hour(store) + 30 * MINUTE.us
    runs = [made(account_id, Random(n), n, clock, executed_on_us=clock - n * SECOND_US) for n in range(120)]
    for number, one in enumerate(runs[:60]):
        one.source = f"s{number}"
    insert_runs(store, runs)
    refresh(store, clock + 1, most_hours=1000)
    selection = of(account_id, clock)
    assert (minutes_of(store, selection), minutes_of(store, selection, "source")) == (2, 0)
    filters = [parse(text) for text in ("", "source:s5", "source:a")]
    for of_some in filters:
        agree(store, replace(selection, filter=of_some))
    # Nor are sources told apart in the hour that is made of it.
    monkeypatch.setattr("modeltraces.store.adding_up.MOST_SOURCES", 1000)
    refresh(store, clock + HOUR.us, most_hours=1000)
    assert read_run_by_run(store, selection) == 0
    for of_some in filters:
        agree(store, replace(selection, filter=of_some))


def test_what_is_broken_off_leaves_minutes_that_are_read(store: Store, account_id: str) -> None:
    clock = an_hour(store) + 30 * MINUTE.us
    insert_runs(store, some(account_id, Random(2), 0, 100, clock))
    refresh(store, clock + 1, most_hours=1000)
    insert_runs(store, some(account_id, Random(3), 500, 100, clock + 2))
    refresh(store, clock + 3, most_hours=1000, go_on=lambda: False)
    agree(store, of(account_id, clock))
    turns = iter([True] * 3 + [False] * 100)
    refresh(store, clock + 4, most_hours=1000, go_on=lambda: next(turns))
    agree(store, of(account_id, clock))


def test_a_minute_that_cannot_be_summed_up_again_is_read(
    store: Store, account_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = an_hour(store) + 30 * MINUTE.us
    insert_runs(store, some(account_id, Random(2), 0, 100, clock))
    refresh(store, clock + 1, most_hours=1000)
    many = minutes_of(store, of(account_id, clock))
    insert_runs(store, [made(account_id, Random(3), 500, clock + 2, executed_on_us=clock - SECOND_US)])

    def fail(*_: object) -> None:
        raise StoreError("too large")

    monkeypatch.setattr("modeltraces.store.summing._insert", fail)
    refresh(store, clock + 3, most_hours=1000)
    assert minutes_of(store, of(account_id, clock)) == many - 1
    agree(store, of(account_id, clock))


def test_minutes_count_for_two_days(store: Store, account_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Their sums may be gone with their age later, while what says that they hold is still there.
    clock = an_hour(store) + 30 * MINUTE.us
    insert_runs(store, some(account_id, Random(2), 0, 100, clock))
    refresh(store, clock + 1, most_hours=1000)
    assert minutes_of(store, of(account_id, clock))
    monkeypatch.setattr("modeltraces.query.summed.now_us", lambda: clock + 49 * HOUR.us)
    assert not minutes_of(store, of(account_id, clock))
    # Of those that follow one another across the end of two days, the later ones.
    busy(store, account_id, clock)
    refresh(store, clock + 2, most_hours=1000)
    monkeypatch.setattr("modeltraces.query.summed.now_us", lambda: clock + 48 * HOUR.us)
    found = summed(store, of(account_id, clock), (), MINUTE)
    assert found
    assert list(found.minutes) == [((clock - 30 * MINUTE.us) // MINUTE.us, clock // MINUTE.us)]
    monkeypatch.setattr("modeltraces.query.summed.now_us", lambda: clock + 49 * HOUR.us)
    # Nor are they found.
    monkeypatch.setattr(minutes, "now_us", lambda: clock + 49 * HOUR.us)
    assert not minutes.minutes_of(store, account_id, by_source=False)
