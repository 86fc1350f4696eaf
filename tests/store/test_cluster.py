"""The tables of a cluster are those of a single server, replicated and sharded; the engine reads every statement of theirs."""

import re

import pytest

from modeltraces.store.cluster import _SHARDED_BY, for_cluster, on_cluster, patiently
from modeltraces.store.engine import ClickHouseStore, StoreUnavailable, open_store
from modeltraces.store.migrate import migrate, migrations, statements
from tests.support.clickhouse import ClickHouse, opened

CREATED = [
    (created[1], statement)
    for _, sql in migrations()
    for statement in statements(sql)
    if (created := re.match(r"CREATE TABLE IF NOT EXISTS (\w+)", statement))
]


def formatted(store: ClickHouseStore, statement: str) -> str:
    ((text,),) = store.query("SELECT formatQuerySingleLine({sql:String})", {"sql": statement})
    return str(text)


@pytest.mark.parametrize("name", [name for name, _ in migrations()])
def test_the_engine_reads_every_statement_for_a_cluster(store: ClickHouseStore, name: str) -> None:
    made = statements(dict(migrations())[name], "main 'one'")
    assert made
    for statement in made:
        # What inserts is brought to every shard by the distributed table.
        is_on_every_server = statement.startswith("INSERT INTO ") and "_local" not in statement
        assert (
            is_on_every_server
            or "ON CLUSTER `main 'one'`" in formatted(store, statement)
            or r"ON CLUSTER 'main \'one\''" in statement
        )
        store.query(f"EXPLAIN AST {statement}")


@pytest.mark.parametrize(("table", "statement"), CREATED)
def test_all_copies_of_a_row_go_to_one_shard(store: ClickHouseStore, table: str, statement: str) -> None:
    made = [formatted(store, one) for one in for_cluster(statement, "main")]
    ordered = re.search(r"ORDER BY \(?([\w, ]+)", made[0])
    assert ordered
    # `request_key` is the hash of `request_id`.
    sort_key = set(ordered[1].replace("request_key", "request_id").split(", "))
    if len(made) == 1:
        assert "account_id" not in made[0], "what belongs to an account grows, and is to be spread"
        assert f"MergeTree('/clickhouse/tables/all/{{database}}/{table}', '{{shard}}-{{replica}}'" in made[0]
        return
    assert f"MergeTree('/clickhouse/tables/{{shard}}/{{database}}/{table}_local', '{{replica}}'" in made[0]
    distributed = re.search(rf"Distributed\('main', currentDatabase\(\), {table}_local, (.+)\)$", made[1])
    assert distributed
    columns = set(re.findall(r"\b(?!cityHash64)(\w+)", distributed[1]))
    if "Replacing" in made[0]:
        assert columns <= sort_key, (columns, sort_key)


def test_what_is_said_of_tables_is_said_of_tables_that_there_are() -> None:
    assert set(_SHARDED_BY) <= {table for table, _ in CREATED} | {"migrations"}


def test_versions_of_rows_are_kept_apart_by_the_same_column() -> None:
    (runs, _) = for_cluster(dict(CREATED)["runs"], "main")
    assert re.search(r"ENGINE = ReplicatedReplacingMergeTree\('[^']+', '\{replica\}', version\)", runs)
    assert "CREATE TABLE IF NOT EXISTS runs_local ON CLUSTER 'main'" in runs
    assert "PARTITION BY toMonday(executed_on)" in runs


def test_a_new_column_is_added_to_the_parts_and_to_the_whole_and_a_setting_to_the_parts() -> None:
    assert for_cluster(
        "ALTER TABLE runs ADD COLUMN IF NOT EXISTS a DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1))", "c"
    ) == [
        "ALTER TABLE runs_local ON CLUSTER 'c' ADD COLUMN IF NOT EXISTS a DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1))",
        "ALTER TABLE runs ON CLUSTER 'c' ADD COLUMN IF NOT EXISTS a DateTime64(6, 'UTC')",
    ]
    assert for_cluster("ALTER TABLE runs MODIFY SETTING old_parts_lifetime = 60", "c") == [
        "ALTER TABLE runs_local ON CLUSTER 'c' MODIFY SETTING old_parts_lifetime = 60"
    ]
    with pytest.raises(ValueError, match="no statement for a cluster"):
        for_cluster("OPTIMIZE TABLE runs", "c")


def test_a_change_of_rows_is_made_to_the_parts(store: ClickHouseStore) -> None:
    assert store.local("runs") == "runs"
    for change in (
        f"ALTER TABLE {on_cluster('runs', 'c')} UPDATE model = 'x' WHERE account_id = 'a' {patiently('c')}",
        f"DELETE FROM {on_cluster('rejections', 'c')} WHERE account_id = 'a'",
    ):
        assert "_local ON CLUSTER c " in formatted(store, change)
    store.command(f"ALTER TABLE runs DELETE WHERE false {patiently('c')}")


def test_a_cluster_that_the_server_does_not_know_is_said(clickhouse: ClickHouse) -> None:
    store = open_store(clickhouse.new_database(), cluster="nowhere")
    try:
        assert store.local("runs") == "runs_local ON CLUSTER 'nowhere'"
        with pytest.raises(StoreUnavailable, match="MODELTRACES_STORE_CLUSTER is the name of one in its"):
            migrate(store)
    finally:
        store.close()
    with pytest.raises(StoreUnavailable, match="needs a ClickHouse server"):
        open_store("chdb:///nowhere", cluster="main")


def test_tables_that_were_made_for_one_server_are_not_taken_for_those_of_a_cluster(clickhouse: ClickHouse) -> None:
    url = clickhouse.new_database()
    with opened(url) as single:
        migrate(single)
    store = open_store(url, cluster="main")
    try:
        with pytest.raises(StoreUnavailable, match="made for one server"):
            migrate(store)
    finally:
        store.close()
