"""The hours' sums: what is answered from them is what the runs themselves give, whatever came, changed or went meanwhile."""

import time
from dataclasses import replace
from random import Random
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from modeltraces.query import covered, finding
from modeltraces.query.filters import FilterContext, parse
from modeltraces.query.metrics import count_runs
from modeltraces.query.runs import list_runs
from modeltraces.query.selection import Order, Selection
from modeltraces.query.suggest import suggest
from modeltraces.run import Run, now_us
from modeltraces.store import summing
from modeltraces.store.coverage import US_PER_HOUR, VERSIONS, checkpoint, declare, forget, forget_hours
from modeltraces.store.engine import ClickHouseStore, Store
from modeltraces.store.retention import sweep
from modeltraces.store.retention_limits import Keep, Limits
from modeltraces.store.rows import insert_runs
from modeltraces.store.summaries import refresh
from modeltraces.store.summarizing import Summarizer
from modeltraces.store.summing import EXACT_BELOW
from tests.query.runs import DAY_US, NOON_US, SECOND_US, run
from tests.query.sums import HOURS, MIDNIGHT_US, agree, made, run_by_run
from tests.support.random_cases import examples

pytestmark = [pytest.mark.whole_store, pytest.mark.usefixtures("sums_of_its_own", "no_store_is_too_small")]
NOBODY = FilterContext()
LONG_AFTER_US = NOON_US + 6 * DAY_US
FILTERS = (
    "", "", "", "status:failed", "source:a", "-source:a*", "source_type:Agent status:success", "deployment_version:*",
    "connection_name:(x OR y)", "model:m1", "response_time>500ms", "input:refund", "model_kind:external -status:failed",
)  # fmt: skip


@pytest.fixture
def clock(store: Store) -> int:
    """When a test begins: after whatever was summed up before it."""
    return max(checkpoint(store).as_of_us, LONG_AFTER_US) + 1000 * SECOND_US


@given(seed=st.integers(0, 10**6))
@settings(
    max_examples=examples(3, thorough=25),
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_sums_are_those_of_the_runs_whatever_happens_to_them(store: Store, seed: int) -> None:
    chance = Random(seed)
    account_id = f"sums-{seed}-{uuid4()}"
    clock = max(checkpoint(store).as_of_us, LONG_AFTER_US)
    runs: list[Run] = []
    for _ in range(5):
        clock += 1000 * SECOND_US
        match chance.choice(("come", "come", "again", "fold", "match", "remove")):
            case "again" if runs:
                insert_runs(store, [replace(one, received_on_us=clock) for one in chance.choices(runs, k=9)])
            case "fold" if runs:
                for one in chance.sample(runs, min(5, len(runs))):
                    one.superseded_by, one.version, one.received_on_us = runs[0].request_id, one.version + 1, clock
                    insert_runs(store, [one])
            case "match" | "remove" as change if runs:
                forget(store, account_id=account_id, from_us=MIDNIGHT_US, to_us=NOON_US, now_us=clock)
                store.command(
                    f"ALTER TABLE runs {'UPDATE source = {to:String}' if change == 'match' else 'DELETE'} "
                    "WHERE account_id = {account_id:String} AND source = 'b' AND executed_on < {noon:DateTime64(6, 'UTC')} "
                    "SETTINGS mutations_sync = 1",
                    {"account_id": account_id, "to": "a", "noon": "2026-11-01 12:00:00"},
                )
                forget(store, account_id=account_id, from_us=MIDNIGHT_US, to_us=NOON_US, now_us=clock + 1)
            case _:
                new = [made(account_id, chance, len(runs) + n, clock) for n in range(chance.choice((1, 60)))]
                insert_runs(store, new)
                runs += new
        if chance.random() < 0.7:
            refresh(store, clock + chance.choice((-1, 10)), most_hours=chance.choice((3, 48, 1000)))
    since = {"m1": MIDNIGHT_US + chance.randrange(HOURS * US_PER_HOUR), "m2": MIDNIGHT_US + 5 * US_PER_HOUR}
    for _ in range(2):
        start = chance.choice((None, MIDNIGHT_US, MIDNIGHT_US + chance.randrange(10 * US_PER_HOUR)))
        text = chance.choice(FILTERS)
        selection = Selection(
            account_id,
            chance.choice(((), ("m0",), ("renamed", "m2"))),
            from_us=MIDNIGHT_US - DAY_US if start is None else start,
            to_us=chance.choice((NOON_US + 4 * DAY_US, MIDNIGHT_US + chance.randrange(12, 80) * US_PER_HOUR + 5)),
            filter=parse(text),
            now_us=LONG_AFTER_US,
        )
        agree(store, selection, since)


def sum_up(store: Store, as_of_us: int) -> None:
    """All hours of all accounts, those of other tests too."""
    assert refresh(store, as_of_us, most_hours=10_000) == 0


def of_a_day(account_id: str, received_us: int, size: int = 400) -> list[Run]:
    chance = Random(size)
    return [made(account_id, chance, number, received_us) for number in range(size)]


def is_covered(store: Store, selection: Selection, hours: int, *fields: str) -> bool:
    found = covered.cover(store, selection, fields)
    return found is not None and found.last - found.first - len(found.holes) >= hours


def day_of(account_id: str, filter: str = "") -> Selection:
    return Selection(
        account_id, from_us=MIDNIGHT_US + 7, to_us=NOON_US + 3 * DAY_US, filter=parse(filter), now_us=LONG_AFTER_US
    )


def test_a_run_is_in_the_very_next_answer_though_its_hour_was_summed_up(
    store: Store, account_id: str, clock: int
) -> None:
    insert_runs(store, of_a_day(account_id, clock))
    sum_up(store, clock + 1)
    selection = day_of(account_id)
    assert is_covered(store, selection, 30)
    before = agree(store, selection)
    insert_runs(store, [run(account_id, 999_999, executed_on_us=NOON_US, received_on_us=clock + 2)])
    assert is_covered(store, selection, 30)
    assert agree(store, selection).total_requests == before.total_requests + 1
    sum_up(store, clock + 3)
    assert agree(store, selection).total_requests == before.total_requests + 1


def test_whole_days_are_of_days_sums_until_an_hour_of_them_changes(
    store: Store, account_id: str, clock: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert_runs(store, of_a_day(account_id, clock))
    sum_up(store, clock + 1)
    selection = day_of(account_id)
    # The first day lacks seven microseconds, the fourth is not over.
    days = [MIDNIGHT_US // US_PER_HOUR + 24 * number for number in (1, 2)]
    found = covered.cover(store, selection, ("model",))
    assert found is not None
    assert sorted(found.days) == days
    agree(store, selection, {"m1": MIDNIGHT_US + 30 * US_PER_HOUR})
    # Only the days' rows are left to be read: without them everything would be missing.
    monkeypatch.setattr(covered.Cover, "of_hours", lambda *_: "false")
    monkeypatch.setattr(covered, "_beside", lambda *_: ())
    inside = replace(selection, from_us=MIDNIGHT_US + DAY_US, to_us=MIDNIGHT_US + 3 * DAY_US)
    assert count_runs(store, inside, NOBODY) == sum(
        DAY_US <= one.executed_on_us - MIDNIGHT_US < 3 * DAY_US for one in of_a_day(account_id, clock)
    )
    monkeypatch.undo()
    monkeypatch.setattr(covered, "FEWEST_RUNS", 0)
    insert_runs(store, [run(account_id, 999_999, executed_on_us=NOON_US + DAY_US, received_on_us=clock + 2)])
    for as_of_us in (clock + 1, clock + 3):
        sum_up(store, as_of_us)
        found = covered.cover(store, selection, ("model",))
        assert found is not None
        assert sorted(found.days) == (days if as_of_us > clock + 2 else days[1:])
        assert agree(store, selection).total_requests == 401 - _before(account_id, clock)


def test_a_store_with_few_runs_is_read_run_by_run(
    store: Store, account_id: str, clock: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert_runs(store, of_a_day(account_id, clock))
    sum_up(store, clock + 1)
    assert is_covered(store, day_of(account_id), 30)
    monkeypatch.setattr(covered, "FEWEST_RUNS", 10**9)
    assert covered.cover(store, day_of(account_id), ("model",)) is None


def test_hours_that_are_left_for_the_next_time_are_read_run_by_run(store: Store, account_id: str, clock: int) -> None:
    insert_runs(store, of_a_day(account_id, clock))
    assert refresh(store, clock + 1, most_hours=5) >= 20
    agree(store, day_of(account_id))
    sum_up(store, clock + 2)
    assert is_covered(store, day_of(account_id), 30)


def test_a_commit_that_was_seen_late_is_not_missed(store: Store, account_id: str, clock: int) -> None:
    insert_runs(store, of_a_day(account_id, clock))
    sum_up(store, clock + 10)
    slow = run(account_id, 999_999, executed_on_us=NOON_US, received_on_us=clock + 1)
    insert_runs(store, [slow])
    forget_hours(store, [(account_id, slow.executed_on_us)], clock + 20)
    assert agree(store, day_of(account_id)).total_requests == 401 - _before(account_id, clock)


def _before(account_id: str, clock: int) -> int:
    return sum(one.executed_on_us < MIDNIGHT_US + 7 for one in of_a_day(account_id, clock))


def test_a_source_for_every_run_is_read_run_by_run_and_the_rest_is_not(
    store: Store, account_id: str, clock: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modeltraces.store.summing.MOST_SOURCES", 5)
    insert_runs(store, of_a_day(account_id, clock, size=2_000))
    sum_up(store, clock + 1)
    for text in ("", "source:a", "source_type:Agent"):
        agree(store, day_of(account_id, text))
    assert is_covered(store, day_of(account_id), 20)
    assert not is_covered(store, day_of(account_id), 10, "source")


def test_percentiles_of_many_are_of_the_same_classes_and_of_few_exact(
    store: Store, account_id: str, clock: int
) -> None:
    chance = Random(1)
    size = EXACT_BELOW + 3_000
    runs = [
        run(
            account_id, number, executed_on_us=MIDNIGHT_US + number * 4 * SECOND_US, received_on_us=clock,
            response_time_ms=chance.lognormvariate(5, 2), model="m0" if number % 8 else "m1",
        )
        for number in range(size)
    ]  # fmt: skip
    insert_runs(store, runs)
    sum_up(store, clock + 1)
    whole = Selection(account_id, from_us=MIDNIGHT_US, to_us=NOON_US + DAY_US, now_us=LONG_AFTER_US)
    found = agree(store, whole)
    ordered = sorted(one.response_time_ms or 0 for one in runs)
    assert found.response_time_ms.p90 == pytest.approx(ordered[int(size * 0.9)], rel=0.01)
    assert found.response_time_ms.p90 not in ordered
    few = agree(store, replace(whole, models=("m1",))).response_time_ms
    own = sorted(one.response_time_ms or 0 for one in runs if one.model == "m1")
    assert own[int((len(own) - 1) * 0.5)] <= (few.p50 or 0) <= own[int((len(own) - 1) * 0.5) + 1]


def test_who_is_overtaken_by_another_process_leaves_the_sums_to_it(store: Store, account_id: str, clock: int) -> None:
    runs = of_a_day(account_id, clock, size=60)
    insert_runs(store, runs)
    turns = 0

    def overtaken() -> bool:
        nonlocal turns
        turns += 1
        if turns == 1:
            # All are folded into one, and summed up so, before this one has begun to write.
            folded = [
                replace(one, superseded_by=runs[0].request_id, version=2, received_on_us=clock + 5) for one in runs
            ]
            insert_runs(store, [replace(one, superseded_by="") if one is folded[0] else one for one in folded])
            sum_up(store, clock + 6)
        return True

    assert refresh(store, clock + 1, most_hours=10_000, go_on=overtaken) > 0
    assert is_covered(store, day_of(account_id), 30)
    assert agree(store, day_of(account_id)).total_requests == 1


def test_what_is_written_after_another_process_came_is_made_again(
    store: ClickHouseStore, account_id: str, clock: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = of_a_day(account_id, clock, size=60)
    insert_runs(store, runs)
    store.command("CREATE TABLE held_back AS summaries")
    insert, command = summing._insert, ClickHouseStore.command
    turns = iter([True])

    def apart(self: ClickHouseStore, sql: str, params: Any = None) -> None:
        command(self, sql.replace("INTO summaries", "INTO held_back") if "FROM runs" in sql else sql, params)

    def slowly(*args: Any) -> None:
        if not next(turns, False):
            insert(*args)
            return
        with monkeypatch.context() as patch:
            patch.setattr(ClickHouseStore, "command", apart)
            patch.setattr(summing, "blank", lambda *_: None)
            insert(*args)
        # It has read, and not written yet.
        changed = [replace(one, model="new", source="new", version=2, received_on_us=clock + 130) for one in runs]
        insert_runs(store, changed)
        sum_up(store, clock + 131)
        command(store, "INSERT INTO summaries SELECT * FROM held_back")

    monkeypatch.setattr(summing, "_insert", slowly)
    # The tests' clock is not ours.
    monkeypatch.setattr("modeltraces.store.summaries.now_us", lambda: clock)
    refresh(store, clock + 1, most_hours=10_000)
    assert not is_covered(store, day_of(account_id), 50)
    for text in ("", "model:new", "model:m1", "source:a"):
        agree(store, day_of(account_id, text))
    sum_up(store, clock + 140)
    assert is_covered(store, day_of(account_id), 70)
    for text in ("", "model:new", "model:m1", "source:a"):
        agree(store, day_of(account_id, text))
    store.command("DROP TABLE held_back")


def test_what_is_summed_up_while_runs_are_changed_does_not_count(store: Store, account_id: str, clock: int) -> None:
    insert_runs(store, of_a_day(account_id, clock))
    began = clock + 10
    forget(store, account_id=account_id, now_us=began)
    # As of before: it would hold what is about to be changed.
    sum_up(store, began - 5)
    assert not is_covered(store, day_of(account_id), 10)
    sum_up(store, began + 5)
    assert is_covered(store, day_of(account_id), 30)


@pytest.mark.parametrize("text", ["", "source:b status:failed", "source:nobody"])
def test_pages_through_hours_that_hold_runs_are_those_of_all_runs(
    store: Store, account_id: str, clock: int, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    insert_runs(store, of_a_day(account_id, clock))
    sum_up(store, clock + 1)
    late = [made(account_id, Random(9), 5000 + number, clock + 2) for number in range(4)]
    insert_runs(store, late)

    def pages(order: Order) -> list[list[str]]:
        selection = replace(day_of(account_id, text), models=("m1",), order=order)
        cursor, seen = None, []
        for _ in range(60):
            page = list_runs(store, selection, NOBODY, limit=15, cursor=cursor, secret=b"x")
            seen.append([one.request_id for one in page.runs])
            cursor = page.next_cursor
            if cursor is None:
                break
        return seen

    with patch("modeltraces.query.positions.is_known_by_hour", lambda _: False):
        plain = [pages("desc"), pages("asc")]
    monkeypatch.setattr("modeltraces.query.finding._NEAR_HOURS", 3)
    looked: list[str] = []

    def look(*args: Any, **kwargs: Any) -> str:
        looked.append(finding.times_with_runs(*args, **kwargs))
        return looked[-1]

    monkeypatch.setattr("modeltraces.query.positions.times_with_runs", look)
    assert [pages("desc"), pages("asc")] == plain
    assert set(looked) - {"true"}
    assert plain[0] != [[]] or text == "source:nobody"


def test_suggestions_from_sums_are_those_of_the_runs(store: Store, account_id: str, clock: int) -> None:
    insert_runs(store, of_a_day(account_id, clock))
    sum_up(store, clock + 1)
    for name, prefix in (("source", "A"), ("source_type", ""), ("status", ""), ("model", "m")):
        answered = suggest(store, day_of(account_id, "-source:b"), NOBODY, name, prefix)
        with run_by_run():
            assert answered == suggest(store, day_of(account_id, "-source:b"), NOBODY, name, prefix)
        assert answered


def test_what_a_sweep_removes_is_in_no_sum(store: Store, account_id: str, clock: int) -> None:
    runs = of_a_day(account_id, clock)
    insert_runs(store, runs)
    sum_up(store, now_us())
    assert is_covered(store, day_of(account_id), 30)
    limits = Limits({account_id: NOON_US}, {})
    sweep(store, Keep(limits, limits), now_us())
    assert agree(store, day_of(account_id)).total_requests == sum(one.executed_on_us >= NOON_US for one in runs)


def test_the_thread_sums_up_what_comes_and_ends_when_it_is_told(store: Store, account_id: str) -> None:
    # Not the others' hours, too: the thread rests longer than it works.
    store.command("TRUNCATE TABLE summary_hours")
    declare(store, [("", 0, True)], now_us() * VERSIONS, covered=True)
    insert_runs(store, of_a_day(account_id, now_us(), size=20))
    thread = Summarizer(store, seconds=0.1, settled_seconds=0)
    thread.start()
    deadline = time.monotonic() + 30
    while not is_covered(store, day_of(account_id), 30):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    thread.stop()
    assert agree(store, day_of(account_id)).total_requests > 15
