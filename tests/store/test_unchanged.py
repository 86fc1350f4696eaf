"""What was found is remembered while nothing is written, and no longer."""

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from modeltraces.store.engine import ClickHouseStore
from tests.support.clickhouse import ClickHouse, opened


def counted(store: ClickHouseStore) -> int:
    def find() -> int:
        ((many,),) = store.query("SELECT count() FROM readiness WHERE process = 'one'")
        return int(many)

    return store.unchanged("readiness", find)


def test_what_was_found_is_asked_for_anew_after_each_kind_of_write(store: ClickHouseStore) -> None:
    assert counted(store) == 0
    store.insert("readiness", {"process": ("String", ["one"])})
    assert counted(store) == 1
    store.insert_block("readiness", ["process"], b"\x01\x01\x07process\x06String\x03one")
    assert counted(store) >= 1
    store.command("TRUNCATE TABLE readiness")
    assert counted(store) == 0


def test_what_was_found_is_not_asked_for_twice(store: ClickHouseStore) -> None:
    calls: list[int] = []
    for _ in range(3):
        store.unchanged("calls", lambda: calls.append(1))
    assert len(calls) == 1


def test_what_is_written_while_it_is_looked_for_is_not_hidden(store: ClickHouseStore) -> None:
    def find() -> str:
        store.insert("readiness", {"process": ("String", ["meanwhile"])})
        return "before"

    assert store.unchanged("meanwhile", find) == "before"
    assert store.unchanged("meanwhile", lambda: "after") == "after"


def test_nothing_is_remembered_of_a_server_that_others_write_to(clickhouse: ClickHouse) -> None:
    with opened(clickhouse.new_database()) as store:
        assert store.unchanged("calls", lambda: 1) == 1
        assert store.unchanged("calls", lambda: 2) == 2


def test_what_several_ask_for_at_the_same_time_is_found_once(store: ClickHouseStore) -> None:
    calls: list[int] = []
    asked = threading.Barrier(3)

    def find() -> int:
        time.sleep(0.05)
        calls.append(1)
        return len(calls)

    def ask() -> int:
        asked.wait(10)
        return store.unchanged("at the same time", find)

    with ThreadPoolExecutor(3) as threads:
        assert [one.result() for one in [threads.submit(ask) for _ in range(3)]] == [1, 1, 1]


def test_nobody_waits_for_more_than_one_finding_while_runs_come_in(store: ClickHouseStore) -> None:
    """Each of which knows of what was written before it was asked for."""
    written = itertools.count(1)
    done = threading.Event()
    latest = [0]

    def write() -> None:
        while not done.wait(0.01):
            number = next(written)
            store.insert("readiness", {"process": ("String", [f"{number} of many"])})
            latest[0] = number

    finds: list[int] = []

    def find() -> int:
        finds.append(1)
        seen = latest[0]
        time.sleep(0.1)
        return seen

    def ask() -> bool:
        before = latest[0]
        return store.unchanged("while runs come in", find) >= before

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with ThreadPoolExecutor(8) as threads:
            assert all(one.result() for one in [threads.submit(ask) for _ in range(8)])
    finally:
        done.set()
        writer.join()
    assert len(finds) <= 4


def test_what_is_remembered_is_not_in_what_a_store_is_shown_as(store: ClickHouseStore) -> None:
    # It was 50 kB after a while, wherever a store is written to a log or a report of a failed test.
    for number in range(100):
        store.unchanged(("shown", number), lambda: 1)
        store.note(("shown", number), number)
    assert "shown" not in repr(store)
