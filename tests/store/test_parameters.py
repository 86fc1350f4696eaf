"""Parameters of any length reach a ClickHouse server: in the body, and none longer than it takes."""

from collections.abc import Iterator

import pytest

from modeltraces.store.engine import ClickHouseStore
from modeltraces.store.migrate import migrate
from modeltraces.store.parameters import in_pieces
from modeltraces.store.rows import insert_runs
from tests.query.runs import run
from tests.support.between import Between, between
from tests.support.clickhouse import ClickHouse, opened

NAMES = [f"model {number:05} of a catalog \N{SNOWMAN} 'quoted'" for number in range(6_000)]
FOUND = "SELECT count() FROM runs FINAL WHERE account_id = {account:String} AND model IN {names:Array(String)}"


@pytest.fixture(scope="module")
def way(clickhouse: ClickHouse) -> Iterator[Between]:
    with between(clickhouse.new_database()) as standing:
        yield standing


def test_what_is_long_goes_in_pieces_and_means_the_same(store: ClickHouseStore, account_id: str) -> None:
    insert_runs(store, [run(account_id, number, model=NAMES[number]) for number in range(3)])
    params = {"account": account_id, "names": NAMES[1:40], "numbers": list(range(40))}
    sql, sent = in_pieces(FOUND, params, 100)
    assert len(sent) > 10
    assert sent["account"] == account_id
    assert "{names:" not in sql
    assert store.query(sql, sent) == store.query(FOUND, params) == [(2,)]
    renamed = "SELECT transform({name:String}, {names:Array(String)}, {others:Array(String)}, '')"
    params = {"name": NAMES[30], "names": NAMES[:40], "others": NAMES[40:80]}
    assert store.query(*in_pieces(renamed, params, 100)) == [(NAMES[70],)]
    numbers = "SELECT arraySum({numbers:Array(Int64)})"
    assert store.query(*in_pieces(numbers, {"numbers": list(range(40))}, 100)) == [(780,)]
    assert in_pieces(FOUND, {"account": "a", "names": []}) == (FOUND, {"account": "a", "names": []})


def test_a_server_is_asked_with_any_number_of_names_in_queries_streams_and_mutations(
    way: Between, account_id: str
) -> None:
    params = {"account": account_id, "names": NAMES}
    with opened(way.url) as remote:
        migrate(remote)
        insert_runs(remote, [run(account_id, number, model=NAMES[-1 - number]) for number in range(3)])
        assert remote.query(FOUND, params, surface="test") == [(3,)]
        with remote.stream(FOUND, params, format="CSV") as pieces:
            assert b"".join(pieces) == b"3\n"
        change = "ALTER TABLE runs UPDATE provider = 'changed' WHERE account_id = {account:String} AND model IN {names:Array(String)} SETTINGS mutations_sync = 1"
        remote.command(change, params)
        remote.command("SELECT 1")
        of = "SELECT DISTINCT provider FROM runs FINAL WHERE account_id = {account:String}"
        assert remote.query(of, {"account": account_id}) == [("changed",)]
    assert way.asked(r"/\* test \*/")
