"""Which hours are told to have been changed: those whose minutes may count."""

from collections.abc import Iterator

import pytest

from modeltraces.run import now_us
from modeltraces.store.coverage import HOUR, forget, forget_hours, minutes_count_since
from modeltraces.store.engine import Store
from modeltraces.store.rows import insert_runs
from modeltraces.store.summaries import refresh
from tests.query.runs import DAY_US, run
from tests.query.sums import forget_all_sums

pytestmark = pytest.mark.whole_store


@pytest.fixture(scope="module", autouse=True)
def nothing_is_summed_up_for_others(store: Store) -> Iterator[None]:
    yield
    forget_all_sums(store)


def changed(store: Store, account_id: str) -> list[int]:
    rows = store.query(
        "SELECT at FROM changed_hours FINAL WHERE account_id = {account_id:String} ORDER BY at DESC",
        {"account_id": account_id},
    )
    return [at for (at,) in rows]


def test_a_long_past_is_not_told_of(store: Store, account_id: str) -> None:
    # Each day is a part of its own: with years of them a commit that was slow took seconds to say so.
    clock = now_us()
    insert_runs(
        store, [run(account_id, n, executed_on_us=clock - n * DAY_US, received_on_us=clock) for n in range(1, 400)]
    )
    refresh(store, clock + 1, most_hours=1)
    forget_hours(store, [(account_id, clock - n * DAY_US) for n in range(1, 400)], clock + 2)
    forget(store, account_id=account_id, now_us=clock + 3)
    assert changed(store, account_id) == [(clock - n * DAY_US) // HOUR.us for n in (1, 2)]


def test_an_hour_is_told_of_as_long_as_it_counts_for_a_clock_that_is_behind(store: Store, account_id: str) -> None:
    clock = now_us() // HOUR.us * HOUR.us
    oldest = minutes_count_since(clock - 1)
    insert_runs(store, [run(account_id, 1, executed_on_us=oldest * HOUR.us, received_on_us=clock)])
    forget(store, account_id=account_id, now_us=clock)
    assert changed(store, account_id) == [oldest]
