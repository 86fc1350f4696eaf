"""A ClickHouse server that is away, broken off, full or slow: what was stored is there once, and the error says what it is."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modeltraces.store.contents import RejectionRow, insert_rejections, list_rejections
from modeltraces.store.engine import (
    ClickHouseStore,
    EngineLimits,
    QueryLimitExceeded,
    StoreError,
    StoreUnavailable,
    open_store,
)
from modeltraces.store.errors import QueryMemoryExceeded, StoreOverloaded
from modeltraces.store.migrate import migrate
from modeltraces.store.rows import insert_runs
from tests.query.runs import run
from tests.support.between import READS, WRITES, Between, between
from tests.support.certificates import self_signed
from tests.support.clickhouse import ClickHouse, opened, our_own

FOREVER = 1000
LIMITS = EngineLimits(
    # A busy machine takes a second for what it does in ten milliseconds.
    query_timeout_seconds=1.5,
    insert_timeout_seconds=2,
    connect_timeout_seconds=1,
    read_waits=(0.01, 0.02),
    write_waits=(0.01, 0.02, 0.05),
)


@pytest.fixture(scope="module")
def way(clickhouse: ClickHouse) -> Iterator[Between]:
    with between(clickhouse.new_database()) as standing:
        yield standing


@pytest.fixture(scope="module")
def remote(way: Between) -> Iterator[ClickHouseStore]:
    with opened(way.url, LIMITS) as store:
        migrate(store)
        yield store


def count(store: ClickHouseStore, account_id: str) -> tuple[int, int]:
    """Runs, and rows of refused ones: these replace nothing."""
    ((runs,),) = store.query("SELECT count() FROM runs FINAL WHERE account_id = {a:String}", {"a": account_id})
    return int(runs), len(list_rejections(store, account_id))


def write(store: ClickHouseStore, account_id: str) -> None:
    insert_runs(store, [run(account_id, number, input="text " * 2000) for number in range(20)])
    insert_rejections(store, [RejectionRow(account_id, 1_800_000_000_000_000, "traces", "bad", "span", "key")])


@pytest.mark.parametrize(
    "how",
    [
        {"reset": True},
        {"reset": True, "times": 3},
        {"reset": True, "passed_on": True},
        {"reset": True, "cut_after": 500},
        {"status": 503},
        {"status": 503, "passed_on": True},
        {"status": 502},
        {"status": 500, "code": 252},
        {"status": 500, "code": 242},
        {"status": 500, "code": 319, "passed_on": True},
        {"status": 500, "code": 999},
    ],
    ids=str,
)
def test_what_breaks_off_is_written_again_and_stands_there_once(
    way: Between, remote: ClickHouseStore, account_id: str, how: dict[str, Any]
) -> None:
    with way.failing(WRITES, **how) as one, way.failing(r"INSERT INTO \S*rejections\b", **how) as other:
        write(remote, account_id)
    assert (one.times, other.times) == (0, 0)
    assert count(remote, account_id) == (20, 1)


def test_what_is_written_twice_on_purpose_stands_there_twice(remote: ClickHouseStore, account_id: str) -> None:
    """The server is not to take it for the same insert, tried again."""
    for _ in range(2):
        write(remote, account_id)
    assert count(remote, account_id) == (20, 2)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"status": 500, "code": 252}, "too many parts"),
        ({"status": 500, "code": 242}, "read-only"),
        ({"status": 500, "code": 164}, "may only read"),
        ({"status": 500, "code": 243}, "its disk is full"),
        ({"status": 500, "code": 241}, "short of memory"),
        ({"status": 500, "code": 159}, "took too long to write"),
        ({"status": 403, "code": 516}, "user and password"),
        ({"status": 404, "code": 81}, "database is missing"),
        ({"status": 503}, "HTTP status 503"),
        ({"status": 502}, "HTTP status 502"),
        ({"reset": True}, "connection"),
        ({"wait_seconds": 3}, "took too long"),
    ],
    ids=str,
)
def test_what_cannot_be_written_is_said_in_words_and_can_be_sent_again(
    way: Between, remote: ClickHouseStore, account_id: str, how: dict[str, Any], says: str
) -> None:
    began = time.monotonic()
    with way.failing(WRITES, times=FOREVER, **how), pytest.raises(StoreUnavailable) as refused:
        write(remote, account_id)
    assert says in str(refused.value)
    assert "127.0.0.1" not in str(refused.value)
    assert time.monotonic() - began < 8
    write(remote, account_id)
    assert count(remote, account_id) == (20, 1)


@pytest.mark.parametrize("how", [{"reset": True}, {"status": 503}, {"status": 500, "code": 202}], ids=str)
def test_a_question_that_was_cut_off_is_asked_again(way: Between, remote: ClickHouseStore, how: dict[str, Any]) -> None:
    with way.failing(READS, **how) as fault:
        assert remote.query("SELECT 1") == [(1,)]
    assert fault.times == 0


@pytest.mark.parametrize(
    ("how", "error", "says"),
    [
        ({"status": 503}, StoreUnavailable, "HTTP status 503"),
        ({"reset": True}, StoreUnavailable, "connection"),
        ({"wait_seconds": 6}, StoreUnavailable, "took too long"),
        ({"status": 500, "code": 159}, QueryLimitExceeded, "Choose a shorter period"),
        ({"status": 500, "code": 241, "text": "Query memory limit exceeded"}, QueryMemoryExceeded, "too much memory"),
        ({"status": 500, "code": 241, "text": "Memory limit (total) exceeded"}, StoreOverloaded, "short of memory"),
        ({"status": 500, "code": 210}, StoreUnavailable, "does not answer"),
        ({"status": 404, "code": 60}, StoreError, "it is as the test wants it"),
    ],
    ids=str,
)
def test_a_question_that_cannot_be_answered_ends_in_time_with_its_reason(
    way: Between, remote: ClickHouseStore, how: dict[str, Any], error: type[StoreError], says: str
) -> None:
    began = time.monotonic()
    with way.failing(READS, times=FOREVER, **how), pytest.raises(StoreError) as refused:
        remote.query("SELECT count() FROM runs", surface="test")
    assert type(refused.value) is error
    assert says in str(refused.value)
    assert time.monotonic() - began < 6


def test_a_stream_that_breaks_off_is_no_short_answer(way: Between, remote: ClickHouseStore) -> None:
    # The server's own way to say it: the answer is broken off.
    with (
        pytest.raises(StoreError),
        remote.stream("SELECT throwIf(number = 900000) FROM numbers(1000000)", format="CSV") as pieces,
    ):
        for _ in pieces:
            pass
    assert remote.query("SELECT 1") == [(1,)]


def test_a_server_that_is_gone_is_said_and_found_again(way: Between, remote: ClickHouseStore, account_id: str) -> None:
    way.down()
    try:
        for ask in (lambda: remote.query("SELECT 1"), lambda: write(remote, account_id), remote.check_writable):
            with pytest.raises(StoreUnavailable, match="connection refused"):
                ask()
        with pytest.raises(StoreUnavailable, match="cannot be opened"):
            open_store(way.url, LIMITS)
    finally:
        way.up()
    remote.check_writable()
    write(remote, account_id)
    assert count(remote, account_id) == (20, 1)


def test_one_that_takes_nothing_is_not_writable_though_it_answers(way: Between, remote: ClickHouseStore) -> None:
    with way.failing(r"INSERT INTO \S*readiness", times=FOREVER, status=500, code=242):
        with pytest.raises(StoreUnavailable, match="read-only"):
            remote.check_writable()
        assert remote.query("SELECT 1") == [(1,)]
    remote.check_writable()


def test_commits_are_not_collected_once_more_by_the_server(remote: ClickHouseStore) -> None:
    assert remote.query("SELECT getSetting('async_insert')") == [(False,)]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_a_server_is_reached_by_password_over_tls_that_is_trusted(tmp_path: Path, certificate: Path) -> None:
    options = ("--user=me", "--password=p@ss/w:rd", f"--certificate={certificate}")
    with our_own(tmp_path, *options, userinfo="me:p%40ss%2Fw%3Ard@") as server:
        for url in (
            f"{server.url}?secure=true&ca_cert={certificate}",
            f"{server.url.replace('clickhouse:', 'https:')}?verify=false",
        ):
            with opened(url) as store:
                assert store.query("SELECT 1") == [(1,)]
        for url, says in (
            (f"{server.url}?secure=true", "ertificate"),
            (f"{server.url.replace('p%40ss', 'wrong')}?secure=true&verify=false", "user and password"),
        ):
            with pytest.raises(StoreUnavailable) as refused:
                open_store(url, LIMITS)
            assert says in str(refused.value)
            assert str(refused.value).count("MODELTRACES_STORE_URL") == 1, "what to do is said, and once"
            assert "w:rd" not in str(refused.value)
            assert "w%3Ard" not in str(refused.value)
