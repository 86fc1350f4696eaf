"""A store of an earlier version, with runs in it, brought to this one: every run is as it was, before its parts are made anew and after."""

import pytest

from modeltraces.store import migrate as migrating
from modeltraces.store.engine import EngineLimits, Store
from modeltraces.store.migrate import migrate, migrations
from modeltraces.store.rows import insert_runs
from tests.query.runs import various_runs
from tests.support.clickhouse import ClickHouse, opened

FIRST_WITH_EVERY_COLUMN = "0007_texts.sql"
"""What it does not know yet of a run, no later one has added."""


def rows(store: Store) -> list[tuple[object, ...]]:
    return [
        tuple(row)
        for row in store.query("SELECT * FROM runs ORDER BY account_id, executed_on, request_id, received_on")
    ]


def test_runs_are_as_they_were_after_each_of_the_later_migrations(
    clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(clickhouse.new_database(), EngineLimits()) as store:
        monkeypatch.setattr(
            migrating, "migrations", lambda: [one for one in migrations() if one[0] <= FIRST_WITH_EVERY_COLUMN]
        )
        assert migrate(store)[-1] == FIRST_WITH_EVERY_COLUMN
        insert_runs(store, various_runs("a", 700))
        insert_runs(store, various_runs("b", 300, seed=9))
        before = rows(store)
        assert len(before) == 1000
        monkeypatch.undo()
        assert migrate(store) == [name for name, _ in migrations() if name > FIRST_WITH_EVERY_COLUMN]
        assert rows(store) == before
        insert_runs(store, various_runs("c", 200, seed=11))
        after = rows(store)
        assert [row for row in after if row[0] != "c"] == before
        store.command("OPTIMIZE TABLE runs FINAL")
        assert rows(store) == after
        packed = store.query(
            "SELECT compression_codec FROM system.columns "
            "WHERE database = currentDatabase() AND table = 'runs' AND name = 'response_time_ms'"
        )
        assert [tuple(row) for row in packed] == [("CODEC(NONE)",)]
        assert migrate(store) == []
