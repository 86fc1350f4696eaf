"""What is known of the hours' words is made of all hours that it can be made of, whatever is wrong with one of them."""

from collections.abc import Iterator
from random import Random

import pytest

from modeltraces.query.filters import parse
from modeltraces.query.metrics import count_runs
from modeltraces.store import texts
from modeltraces.store.coverage import US_PER_HOUR
from modeltraces.store.engine import ClickHouseStore, EngineLimits, StoreUnavailable
from modeltraces.store.migrate import migrate
from modeltraces.store.rows import insert_runs
from modeltraces.store.summaries import refresh
from modeltraces.store.texts import refresh_texts
from tests.query.known_texts import (
    HOURS,
    MIDNIGHT_US,
    NOBODY,
    long_after,
    of,
    one_after_another,
    small_texts,
)
from tests.support.between import Between, between
from tests.support.clickhouse import ClickHouse, opened

FIRST = MIDNIGHT_US // US_PER_HOUR
MINUTE_US = 60_000_000
FOREVER = 1000
MEMORY = {"status": 500, "code": 241}
LIMITS = EngineLimits(read_waits=(0.01,), write_waits=(0.01,))


@pytest.fixture(scope="module")
def way(clickhouse: ClickHouse) -> Iterator[Between]:
    with between(clickhouse.new_database()) as standing:
        yield standing


@pytest.fixture(scope="module")
def remote(way: Between) -> Iterator[ClickHouseStore]:
    with opened(way.url, LIMITS) as store:
        migrate(store)
        with small_texts(store):
            yield store


@pytest.fixture
def clock(remote: ClickHouseStore, account_id: str) -> int:
    """When runs of ten hours were summed up."""
    clock = long_after(remote)
    insert_runs(remote, one_after_another(account_id, clock, "refund"))
    while refresh(remote, clock):
        clock += 1
    return clock


def known(store: ClickHouseStore, account_id: str) -> tuple[list[int], list[int]]:
    """The hours of which pieces are known, and those of which words are, counted from the first one."""
    rows = store.query(
        "SELECT at, notEmpty(starts), blocks FROM text_hours FINAL WHERE account_id = {a:String} AND made ORDER BY at",
        {"a": account_id},
    )
    return [at - FIRST for at, some, _ in rows if some], [at - FIRST for at, _, blocks in rows if blocks]


def writing(table: str, hour: int) -> str:
    """The statement that writes what is known of one hour."""
    return rf'INSERT INTO {table}[\s\S]*name="param_at"\s+{FIRST + hour}\s'


def all_but(hour: int) -> list[int]:
    return [at for at in range(HOURS) if at != hour]


@pytest.mark.parametrize("how", [MEMORY, {"status": 500, "code": 159}, {"status": 500, "code": 33}], ids=str)
@pytest.mark.parametrize(
    ("table", "pieces"),
    [("text_words", list(range(HOURS))), ("text_runs", list(range(HOURS))), ("text_grams", all_but(6))],
)
def test_an_hour_that_cannot_be_made_holds_up_no_other_and_is_tried_again_later(
    way: Between,
    remote: ClickHouseStore,
    account_id: str,
    clock: int,
    how: dict[str, int],
    table: str,
    pieces: list[int],
) -> None:
    with way.failing(writing(table, 6), times=FOREVER, **how) as fault:
        assert not refresh_texts(remote, clock)
        assert known(remote, account_id) == (pieces, all_but(6))
        assert count_runs(remote, of(account_id, parse("refund")), NOBODY) == 400
        tried = fault.times
        for minutes in (1, 60, 300):
            refresh_texts(remote, clock + minutes * MINUTE_US)
        assert fault.times == tried
        refresh_texts(remote, clock + 361 * MINUTE_US)
        assert fault.times < tried
    refresh_texts(remote, clock + 700 * MINUTE_US)
    assert known(remote, account_id)[1] == all_but(6)
    refresh_texts(remote, clock + 722 * MINUTE_US)
    assert known(remote, account_id) == (list(range(HOURS)), list(range(HOURS)))
    assert count_runs(remote, of(account_id, parse("refund")), NOBODY) == 400


def test_what_cannot_even_be_looked_at_holds_up_no_other(
    way: Between, remote: ClickHouseStore, account_id: str, clock: int
) -> None:
    total = {**MEMORY, "text": "Memory limit (total) exceeded"}
    with way.failing(r"/\* texts.stretches \*/", times=2, **total):
        refresh_texts(remote, clock)
    assert known(remote, account_id) == (all_but(9), all_but(9))


@pytest.mark.parametrize("how", [{"status": 503}, {"reset": True}, {"status": 500, "code": 242}], ids=str)
def test_while_the_store_is_away_all_wait_and_an_hour_that_was_begun_comes_last(
    way: Between, remote: ClickHouseStore, account_id: str, clock: int, how: dict[str, int]
) -> None:
    with way.failing(r"INSERT INTO text_words", times=FOREVER, **how) as fault, pytest.raises(StoreUnavailable):
        refresh_texts(remote, clock)
    assert FOREVER - fault.times == 1
    assert known(remote, account_id) == ([], [])
    refresh_texts(remote, clock)
    assert known(remote, account_id) == (all_but(9), all_but(9))
    refresh_texts(remote, clock + 16 * MINUTE_US)
    assert known(remote, account_id)[1] == list(range(HOURS))


def random_text(chance: Random, size: int) -> str:
    return chance.randbytes(size // 2).hex(" ", 6)


@pytest.mark.parametrize(("sizes", "made"), [((48 << 20, 4 << 20), True), ((48 << 20, 24 << 20), False)], ids=str)
def test_texts_that_are_too_large_for_memory_all_at_once_are_made_piece_by_piece(
    way: Between,
    remote: ClickHouseStore,
    account_id: str,
    monkeypatch: pytest.MonkeyPatch,
    sizes: tuple[int, int],
    made: bool,
) -> None:
    chance, clock = Random(7), long_after(remote)
    runs = one_after_another(account_id, clock, "refund")[:120]
    for one in runs[60:80]:
        # Words of ours among random ones of 60 letters.
        one.input += f" {chance.randbytes(1 << 19).hex(' ', 30)}"
    insert_runs(remote, runs)
    while refresh(remote, clock):
        clock += 1
    monkeypatch.setattr(texts, "_BYTES", 1 << 20)
    monkeypatch.setattr(texts, "BLOCK_BYTES", sizes)
    with opened(way.url, EngineLimits(query_memory_bytes=250 << 20)) as short:
        refresh_texts(short, clock)
    hours = [0, 1, 2] if made else [0, 2]
    assert known(remote, account_id) == (hours, hours)
    for text, count in (("refund", 120), ("input:efun", 120), (runs[70].input[-20:], 1)):
        assert count_runs(remote, of(account_id, parse(text)), NOBODY) == count
