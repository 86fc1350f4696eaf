"""What a query that failed had put out already is not taken for the answer to the next one."""

import pytest

from modeltraces.store.engine import ClickHouseStore, QueryLimitExceeded, StoreError
from modeltraces.store.errors import QueryOutdated

FAILS = "SELECT number, throwIf(number = 150000) FROM numbers(200000) SETTINGS max_block_size = 1000, max_threads = 1"
TAKES_LONG = (
    "SELECT number, toString(number) FROM numbers(100000000) WHERE sleepEachRow(0.00001) = 0 "
    "SETTINGS max_block_size = 1000, max_execution_time = 0.3, max_threads = 1"
)


def answers(store: ClickHouseStore) -> None:
    # Each client of the pool in turn: the last one that was given back is taken first.
    for _ in range(3):
        assert list(store.query("SELECT 41 + 1")) == [(42,)]


def test_the_query_after_one_that_failed_half_way_gets_its_own_answer(store: ClickHouseStore) -> None:
    with pytest.raises(QueryOutdated):
        store.query(FAILS)
    answers(store)


def test_the_query_after_one_that_took_too_long_gets_its_own_answer(store: ClickHouseStore) -> None:
    with pytest.raises(QueryLimitExceeded):
        store.query(TAKES_LONG)
    answers(store)


def test_the_query_after_a_stream_that_was_left_gets_its_own_answer(store: ClickHouseStore) -> None:
    with store.stream("SELECT number FROM numbers(3000000)", format="CSV") as pieces:
        assert next(pieces).startswith(b"0\n")
    answers(store)
    with (
        pytest.raises(StoreError),
        store.stream("SELECT number, throwIf(number = 2000000) FROM numbers(3000000)", format="CSV") as pieces,
    ):
        list(pieces)
    answers(store)
