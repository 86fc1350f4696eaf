"""Hours that are made of their minutes, and whose minutes are read where the hour is not."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from modeltraces.query.filters import FilterContext, parse
from modeltraces.query.series import axis_of, series
from modeltraces.store import adding_up, summing
from modeltraces.store.coverage import HOUR, MINUTE, VERSIONS, Unit, declare, forget
from modeltraces.store.engine import ClickHouseStore, Store, StoreError
from modeltraces.store.rows import insert_runs
from modeltraces.store.summaries import refresh
from modeltraces.store.summing import sum_up
from tests.query.busy_hours import an_hour, busy, minutes_of, of, read_run_by_run
from tests.query.runs import SECOND_US
from tests.query.sums import agree, made, run_by_run

pytestmark = [pytest.mark.whole_store, pytest.mark.usefixtures("sums_of_its_own", "no_hour_is_too_small")]


def summed_up_from_runs(patch: pytest.MonkeyPatch, account_id: str) -> list[tuple[Unit, list[int]]]:
    """Of this account, from now on; others may have hours that are left."""
    found: list[tuple[Unit, list[int]]] = []

    def noted(store: Store, whose: str, ats: Sequence[int], generation: int, unit: Unit) -> list[int]:
        if whose == account_id:
            found.append((unit, list(ats)))
        return sum_up(store, whose, ats, generation, unit)

    patch.setattr("modeltraces.store.summaries.sum_up", noted)
    return found


def test_an_hour_of_many_sources_is_read_by_its_minutes_by_source(
    store: Store, account_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("summing", "adding_up"):
        monkeypatch.setattr(f"modeltraces.store.{module}.MOST_SOURCES", 20)
    clock = an_hour(store) + 30 * MINUTE.us
    runs = [made(account_id, Random(n), n, clock, executed_on_us=clock - n * 10 * SECOND_US) for n in range(1, 120)]
    for number, one in enumerate(runs):
        one.source = f"s{number}"
    insert_runs(store, runs)
    refresh(store, clock + HOUR.us, most_hours=1000)
    selection = of(account_id, clock)
    assert (minutes_of(store, selection), minutes_of(store, selection, "source")) == (0, 20)
    for text in ("", "source:s5"):
        agree(store, replace(selection, filter=parse(text)))


def test_an_hour_with_a_minute_that_cannot_be_summed_up_is_made_of_its_runs(
    store: Store, account_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = an_hour(store) + 10 * MINUTE.us
    busy(store, account_id, clock)
    insert = summing._insert
    broken = clock // MINUTE.us - 20

    def fail(store: Store, account_id: str, ats: Sequence[int], generation: int, source: str, unit: Unit) -> None:
        if unit is MINUTE and broken in ats:
            raise StoreError("too large")
        insert(store, account_id, ats, generation, source, unit)

    monkeypatch.setattr(summing, "_insert", fail)
    refresh(store, clock + 1, most_hours=1000)
    assert minutes_of(store, replace(of(account_id, clock), from_us=clock - 30 * MINUTE.us)) == 29
    assert read_run_by_run(store, of(account_id, clock)) == 0
    agree(store, of(account_id, clock))


def test_an_hour_is_never_read_run_by_run_while_it_turns(
    store: Store, account_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = an_hour(store)
    busy(store, account_id, turn - 60 * SECOND_US)
    refresh(store, turn - 60 * SECOND_US, most_hours=1000)
    busy(store, account_id, turn + 60 * SECOND_US, seconds=120)
    busy(store, account_id, turn + 120 * SECOND_US, seconds=60)
    selection = of(account_id, turn + 120 * SECOND_US)
    assert read_run_by_run(store, selection) == 18
    seen = []

    def watched(write: Callable[..., None]) -> Callable[..., None]:
        def watch(*args: Any, **settings: Any) -> None:
            write(*args, **settings)
            seen.append(read_run_by_run(store, selection))

        return watch

    with monkeypatch.context() as patched:
        for name in ("command", "insert"):
            patched.setattr(type(store), name, watched(getattr(type(store), name)))
        refresh(store, turn + 60 * SECOND_US, most_hours=1000)
    assert len(seen) > 4
    assert max(seen) <= 18
    assert minutes_of(store, selection) == 1
    assert read_run_by_run(store, selection) == 6


def test_a_late_run_has_its_minute_read_and_summed_up_again_and_nothing_else(
    store: Store, account_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = an_hour(store) + 10 * MINUTE.us
    busy(store, account_id, clock)
    refresh(store, clock + 1, most_hours=1000)
    selection = of(account_id, clock)
    before = agree(store, selection)
    late = made(account_id, Random(3), 9000, clock + 2, executed_on_us=clock - 25 * MINUTE.us + 5)
    insert_runs(store, [late])
    # Seven of its minute.
    assert read_run_by_run(store, selection) == 7
    assert agree(store, selection).total_requests == before.total_requests + 1
    summed_up = summed_up_from_runs(monkeypatch, account_id)
    refresh(store, clock + 3, most_hours=1000)
    assert [one for one in summed_up if one[0] is HOUR] == []
    assert [at for _, ats in summed_up for at in ats] == [late.executed_on_us // MINUTE.us]
    assert read_run_by_run(store, selection) == 0
    assert agree(store, selection).total_requests == before.total_requests + 1


def test_the_ends_of_a_time_are_read_by_minutes(store: Store, account_id: str) -> None:
    clock = an_hour(store) + 10 * MINUTE.us
    busy(store, account_id, clock, seconds=6 * 3600, step=30)
    refresh(store, clock + 1, most_hours=1000)
    # Of 5 hours and 4 whole ones, and of less than an hour.
    for start, end, many, runs in (
        (clock - 5 * HOUR.us - 45 * SECOND_US, clock, 60, 1),
        (clock - 40 * MINUTE.us - 15 * SECOND_US, clock - 15 * SECOND_US, 39, 2),
    ):
        selection = replace(of(account_id, clock), from_us=start, to_us=end)
        assert (minutes_of(store, selection), read_run_by_run(store, selection)) == (many, runs)
        agree(store, selection)


def test_a_series_in_minutes_is_read_by_them(store: Store, account_id: str) -> None:
    clock = an_hour(store) + 10 * MINUTE.us
    busy(store, account_id, clock, step=5)
    refresh(store, clock + 1, most_hours=1000)
    for seconds, unit in ((60, MINUTE), (600, MINUTE), (3600, HOUR), (30, None)):
        selection = replace(of(account_id, clock), from_us=clock - 2 * HOUR.us, to_us=clock)
        axis = axis_of(store, selection, FilterContext(), step_seconds=seconds)
        assert axis
        assert axis.unit is unit
        found = series(store, selection, FilterContext(), step_seconds=seconds)
        assert sum(point.total_requests for point in found.points) == 2 * 720
        with run_by_run():
            assert found == series(store, selection, FilterContext(), step_seconds=seconds)


def test_the_sums_of_a_minute_whose_runs_are_gone_are_in_no_hour(store: Store, account_id: str) -> None:
    clock = an_hour(store) + 10 * MINUTE.us
    busy(store, account_id, clock)
    refresh(store, clock + 1, most_hours=1000)
    start = clock - 30 * MINUTE.us
    forget(store, account_id=account_id, now_us=clock + 2)
    store.command(
        "DELETE FROM runs WHERE account_id = {account_id:String} AND executed_on >= fromUnixTimestamp64Micro({start:Int64}) "
        "AND executed_on < fromUnixTimestamp64Micro({end:Int64})",
        {"account_id": account_id, "start": start, "end": start + MINUTE.us},
    )
    forget(store, account_id=account_id, now_us=clock + 3)
    refresh(store, clock + 4, most_hours=1000)
    selection = of(account_id, clock)
    assert read_run_by_run(store, selection) == 0
    assert agree(store, selection).total_requests == 714


def test_of_hours_that_are_left_for_the_next_time_those_minutes_count_to_which_no_run_came(
    store: Store, account_id: str
) -> None:
    clock = an_hour(store) + 10 * MINUTE.us
    busy(store, account_id, clock)
    refresh(store, clock + 1, most_hours=1000)
    late = [clock - 25 * MINUTE.us, clock - 100 * MINUTE.us]
    insert_runs(
        store, [made(account_id, Random(at), 9000 + n, clock + 2, executed_on_us=at) for n, at in enumerate(late)]
    )
    assert refresh(store, clock + 3, most_hours=1) >= 1
    selection = of(account_id, clock)
    # Six of the minute and the late one: a minute of the hour that is left.
    assert read_run_by_run(store, selection) == 7
    agree(store, selection)
    refresh(store, clock + 4, most_hours=1000)
    assert read_run_by_run(store, selection) == 0
    agree(store, selection)


def test_hours_that_end_together_and_are_left_for_the_next_time_are_read_by_their_minutes(
    store: Store, account_id: str
) -> None:
    turn = an_hour(store)
    accounts = [f"{account_id} {number}" for number in range(3)]
    for one in accounts:
        busy(store, one, turn - 60 * SECOND_US, seconds=3000)
    refresh(store, turn - 60 * SECOND_US, most_hours=1000)
    assert refresh(store, turn + 1, most_hours=1) >= 2
    assert [read_run_by_run(store, of(one, turn)) for one in accounts] == [0, 0, 0]


def test_a_late_run_has_no_runs_of_other_accounts_looked_at(
    store: Store, account_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = an_hour(store) + 10 * MINUTE.us
    other = f"{account_id} of another"
    busy(store, other, clock)
    refresh(store, clock + 1, most_hours=1000)
    busy(store, account_id, clock + 2, seconds=3600)
    looked_at = set[tuple[str, bool]]()
    query = type(store).query

    def watched(self: Store, *args: Any, surface: str = "", **settings: Any) -> Any:
        rows = query(self, *args, surface=surface, **settings)
        if surface == "minutes.changed":
            looked_at.update((row[0], row[1] // 60 * HOUR.us < clock // HOUR.us * HOUR.us) for row in rows)
        return rows

    monkeypatch.setattr(type(store), "query", watched)
    refresh(store, clock + 3, most_hours=1000)
    assert (account_id, True) in looked_at
    assert (other, True) not in looked_at
    assert (other, False) in looked_at


def test_an_hour_that_was_changed_since_is_not_summed_up_in_vain(
    store: Store, account_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = an_hour(store) + 10 * MINUTE.us
    busy(store, account_id, clock)
    refresh(store, clock + 1, most_hours=1000)
    insert_runs(store, [made(account_id, Random(3), 9000, clock + 2, executed_on_us=clock - 25 * MINUTE.us)])
    forget(store, account_id=account_id, now_us=clock + 100)
    summed_up = summed_up_from_runs(monkeypatch, account_id)
    refresh(store, clock + 3, most_hours=1000)
    assert summed_up == []
    agree(store, of(account_id, clock))
    refresh(store, clock + 101, most_hours=1000)
    assert read_run_by_run(store, of(account_id, clock)) == 0
    agree(store, of(account_id, clock))


def test_an_hour_another_process_began_with_is_not_left_with_minutes_that_lack_runs(
    store: Store, account_id: str
) -> None:
    clock = an_hour(store) + 10 * MINUTE.us
    busy(store, account_id, clock)
    refresh(store, clock + 1, most_hours=1000)
    insert_runs(store, [made(account_id, Random(3), 9000, clock + 2, executed_on_us=clock - 25 * MINUTE.us)])
    # Which declared that it is not covered, and died.
    declare(store, [(account_id, (clock - 25 * MINUTE.us) // HOUR.us, False)], (clock + 10) * VERSIONS)
    refresh(store, clock + 3, most_hours=1000)
    agree(store, of(account_id, clock))
    refresh(store, clock + 11, most_hours=1000)
    assert read_run_by_run(store, of(account_id, clock)) == 0
    agree(store, of(account_id, clock))


def test_an_hour_that_is_written_after_another_process_came_is_made_again(
    store: ClickHouseStore, account_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = an_hour(store) + 10 * MINUTE.us
    busy(store, account_id, clock)
    store.command("CREATE TABLE held_back AS summaries")
    insert, command = adding_up._insert_hours, ClickHouseStore.command
    turns = iter([True])

    def apart(self: ClickHouseStore, sql: str, params: Any = None) -> None:
        command(self, sql.replace("INTO summaries", "INTO held_back"), params)

    def slowly(*args: Any) -> None:
        # Others may have hours that are left.
        if args[1] != account_id or not next(turns, False):
            insert(*args)
            return
        with monkeypatch.context() as patch:
            patch.setattr(ClickHouseStore, "command", apart)
            insert(*args)
        # It has read, and not written yet.
        store.command(
            "INSERT INTO runs (* EXCEPT (request_key)) SELECT * EXCEPT (request_key) REPLACE ('new' AS model, version + 1 AS version, "
            "fromUnixTimestamp64Micro({us:Int64}) AS received_on) FROM runs FINAL WHERE account_id = {account_id:String}",
            {"account_id": account_id, "us": clock + 130},
        )
        refresh(store, clock + 131, most_hours=1000)
        command(store, "INSERT INTO summaries SELECT * FROM held_back")

    monkeypatch.setattr(adding_up, "_insert_hours", slowly)
    # The tests' clock is not ours.
    monkeypatch.setattr("modeltraces.store.summaries.now_us", lambda: clock)
    refresh(store, clock + 1, most_hours=1000)
    assert next(turns, None) is None
    selection = of(account_id, clock)
    for _ in range(2):
        for text in ("", "model:new", "model:m1"):
            agree(store, replace(selection, filter=parse(text)))
        refresh(store, clock + 140, most_hours=1000)
    assert read_run_by_run(store, selection) == 0
    store.command("DROP TABLE held_back")


def test_nothing_waits_for_an_hour_that_is_too_large(
    store: Store, account_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = an_hour(store) + 10 * MINUTE.us
    refresh(store, clock, most_hours=1000)
    busy(store, account_id, clock + 1)

    def fail(*_: object) -> None:
        raise StoreError("too large")

    with monkeypatch.context() as patched:
        patched.setattr(summing, "_insert", fail)
        # Texts are not looked at as long as hours are left.
        assert refresh(store, clock + 2, most_hours=1000) == 0
        assert refresh(store, clock + 3, most_hours=1000) == 0
        agree(store, of(account_id, clock))
    refresh(store, clock + 4, most_hours=1000)
    assert read_run_by_run(store, of(account_id, clock)) == 0
