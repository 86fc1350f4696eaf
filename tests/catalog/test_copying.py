"""A catalog moves to another database with every row, its ids and its numbering, or not at all."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, BigInteger, Boolean, Integer, cast, func, insert, null, select, text, update
from sqlalchemy import Table as SqlTable
from sqlalchemy import Text as SqlText

from modeltraces.catalog import accounts, audit, copying, in_use, keys
from modeltraces.catalog.copying import CannotCopy, check_addresses, copy
from modeltraces.catalog.db import HEAD, Catalog
from modeltraces.catalog.errors import CatalogUnavailable
from modeltraces.catalog.in_use import CatalogInUse, without_servers
from modeltraces.catalog.tables import Table
from tests.support.postgres import Postgres
from tests.support.server import run_command

ROWS = 3
ALLOWED: dict[tuple[str, str], str] = {
    ("memberships", "role"): "owner",
    ("models", "kind"): "external",
    ("deployment_events", "type"): "deploy",
    ("jobs", "state"): "done",
}
"""What a table's own rules let in."""
NAME = "名前 'x' \\ \n%s ÄÖ"
Making = Callable[[str], str]


@pytest.fixture
def making(postgres: Postgres, tmp_path: Path) -> Iterator[Making]:
    """Makes an empty database of that kind; its address."""
    made: list[str] = []

    def make(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path}/{len(list(tmp_path.iterdir()))}.db"
        made.append(postgres.new_database())
        return made[-1]

    yield make
    for url in made:
        postgres.drop(url)


def filled(url: str) -> Catalog:
    """A catalog with rows in every table, of every kind of value."""
    catalog = Catalog(url)
    catalog.upgrade()
    with catalog.writing() as session:
        for table in Table.metadata.sorted_tables:
            for number in range(ROWS):
                session.execute(insert(table).values(row_of(table, number)))
        models = Table.metadata.tables["models"]
        for number, into in ((1, 0), (0, 2)):
            merged = update(models).where(models.c.id == value_of(models, "id", number))
            session.execute(merged.values(merged_into_id=value_of(models, "id", into)))
    return catalog


def row_of(table: SqlTable, number: int) -> dict[str, Any]:
    row = {column.name: value_of(table, column.name, number) for column in table.columns}
    return {name: value for name, value in row.items() if value is not ...}


def value_of(table: SqlTable, name: str, number: int) -> Any:
    column = table.columns[name]
    key = next(iter(column.foreign_keys), None)
    if key is not None:
        return null() if key.column.table is table else value_of(key.column.table, key.column.name, number)
    if (table.name, name) in ALLOWED:
        return ALLOWED[table.name, name]
    if isinstance(column.type, JSON):
        # As the program writes None, and as a migration leaves it.
        return ({"größe": [1.5, None, NAME], "z": 1, "a": 2}, null() if column.nullable else {}, JSON.NULL)[number]
    if isinstance(column.type, Boolean):
        return bool(number % 2)
    if isinstance(column.type, BigInteger | Integer):
        return number + 1 if column.primary_key else 2**60 + number
    if column.nullable and number == 1:
        return null()
    return f"{table.name}.{name} {NAME} {number}"


def everything(catalog: Catalog) -> dict[str, list[Any]]:
    with catalog.engine.connect() as connection:
        return {
            table.name: sorted(
                repr(
                    connection.execute(
                        select(*(cast(c, SqlText) if isinstance(c.type, JSON) else c for c in table.columns))
                    ).all()
                )
            )
            for table in Table.metadata.sorted_tables
        }


@pytest.mark.parametrize(("origin", "goal"), [("sqlite", "postgresql"), ("postgresql", "sqlite")])
def test_every_row_of_every_table_is_there_as_it_was_and_numbers_go_on(
    making: Making, monkeypatch: pytest.MonkeyPatch, origin: str, goal: str
) -> None:
    monkeypatch.setattr(copying, "_AT_ONCE", 2)
    source, target = filled(making(origin)), Catalog(making(goal))
    copied = copy(source, target)
    assert copied == dict.fromkeys(Table.metadata.tables, ROWS)
    assert everything(target) == everything(source)
    account = accounts.list_accounts(target)[0].id
    last = audit.list_entries(target, account)[0].id
    keys.create_key(target, account, "new", actor="test")
    assert audit.list_entries(target, account)[0].id > last
    source.close()
    target.close()


def test_a_target_that_was_used_is_left_alone(making: Making) -> None:
    source, target = filled(making("sqlite")), Catalog(making("postgresql"))
    target.upgrade()
    accounts.ensure_default(target)
    with pytest.raises(CannotCopy, match=r"is not empty: its table accounts has rows.*new database"):
        copy(source, target)
    assert [account.name for account in accounts.list_accounts(target)] == ["default"]
    source.close()
    target.close()


def test_a_copy_that_breaks_off_leaves_nothing_and_can_be_made_again(
    making: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = filled(making("sqlite")), Catalog(making("postgresql"))
    compare = copying._compare

    def changed(table: SqlTable, there: Any, here: Any) -> None:
        if table.name == "models":
            here.execute(update(table).values(base_model="another"))
        compare(table, there, here)

    monkeypatch.setattr(copying, "_compare", changed)
    with pytest.raises(CannotCopy, match="A row of models is not there as it was"):
        copy(source, target)
    with target.session() as session:
        counts = [session.scalar(select(func.count()).select_from(table)) for table in Table.metadata.sorted_tables]
    assert set(counts) == {0}
    monkeypatch.undo()
    assert copy(source, target)["models"] == ROWS
    source.close()
    target.close()


def test_an_older_catalog_is_not_copied_before_a_server_of_this_version_used_it(making: Making) -> None:
    source, target = filled(making("sqlite")), Catalog(making("postgresql"))
    with source.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    with pytest.raises(CatalogUnavailable, match=f"has schema 0001; this version needs {HEAD}"):
        copy(source, target)
    source.close()
    target.close()


def test_addresses_are_judged_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(CannotCopy, match="There is no catalog at"):
        check_addresses(f"sqlite:///{tmp_path}/missing.db", "postgresql://host/db")
    with pytest.raises(CannotCopy, match="the same catalog"):
        check_addresses("postgres://host/db", "postgresql+psycopg://host/db")
    with pytest.raises(CatalogUnavailable, match="cannot be read"):
        check_addresses("catalog.db", "postgresql://host/db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("origin", "goal"), [("sqlite", "postgresql"), ("postgresql", "sqlite")])
def test_a_catalog_that_a_server_uses_is_copied_only_when_asked_to(
    making: Making, monkeypatch: pytest.MonkeyPatch, origin: str, goal: str
) -> None:
    monkeypatch.setattr(in_use, "_PATIENCE_SECONDS", 0.2)
    url = making(origin)
    server = filled(url)
    server.hold()
    source, target = Catalog(url), Catalog(making(goal))
    with pytest.raises(CannotCopy, match=r"A server uses the catalog.* Stop it first, .* --while-running"):
        copy(source, target)
    assert copy(source, target, while_running=True)["api_keys"] == ROWS
    for catalog in (server, source, target):
        catalog.close()


def test_no_server_starts_while_its_catalog_is_copied_and_one_that_ended_is_none(making: Making) -> None:
    url = making("sqlite")
    catalog = filled(url)
    with without_servers(catalog.engine), pytest.raises(CatalogUnavailable, match="is being copied by another process"):
        catalog.hold()
    catalog.hold()
    with pytest.raises(CatalogInUse), without_servers(catalog.engine):
        pass
    catalog.close()
    with without_servers(catalog.engine):
        pass


def test_the_command_copies_and_says_how_much_without_a_password(making: Making, tmp_path: Path) -> None:
    origin, goal = making("sqlite"), making("postgresql")
    filled(origin).close()
    (tmp_path / "goal").write_text(f"{goal}\n")
    done = run_command("catalog", "copy", "--from", origin, "--to", f"@{tmp_path}/goal")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Both hold the same: ")
    assert "3 api keys" in done.stdout
    again = run_command("catalog", "copy", "--from", origin, "--to", goal)
    assert again.returncode == 1
    assert "is not empty" in again.stderr
    for said in (done, again):
        assert "these" not in said.stdout + said.stderr, "a part of the password"
