import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, select, text

import modeltraces.catalog
from modeltraces.catalog import accounts, connecting
from modeltraces.catalog.db import HEAD, Catalog
from modeltraces.catalog.errors import CatalogUnavailable
from modeltraces.catalog.models import ModelRegistry
from modeltraces.catalog.tables import AccountRow, Table
from tests.catalog.threads import in_threads

pytestmark = pytest.mark.postgresql

MIGRATIONS = Path(modeltraces.catalog.__file__).parent / "migrations"


def test_the_head_named_in_the_code_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_the_migrations_make_exactly_the_tables_of_the_code(catalog: Catalog) -> None:
    from alembic.autogenerate import compare_metadata

    with catalog.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []


def test_upgrading_again_changes_nothing(catalog: Catalog) -> None:
    account = accounts.ensure_default(catalog)
    catalog.upgrade()
    catalog.check()
    assert accounts.list_accounts(catalog) == [account]


def test_many_processes_upgrade_an_empty_database_at_once(catalog_url: str) -> None:
    script = (
        "import sys; from modeltraces.catalog.db import Catalog; from modeltraces.catalog import accounts\n"
        "catalog = Catalog(sys.argv[1]); sys.stdin.readline(); catalog.upgrade()\n"
        "print(accounts.ensure_default(catalog).id)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", script, catalog_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0], answers
    assert len({out for out, _ in answers}) == 1, "one default account, whoever came first"


def test_an_upgrade_that_fails_leaves_nothing_behind(catalog_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = Catalog(catalog_url)
    migrate = Catalog._migrate

    def fail(self: Catalog, connection: object) -> None:
        migrate(self, connection)  # type: ignore[arg-type]
        raise RuntimeError("the power went")

    monkeypatch.setattr(Catalog, "_migrate", fail)
    with pytest.raises(RuntimeError):
        catalog.upgrade()
    assert inspect(catalog.engine).get_table_names() == []
    monkeypatch.undo()
    catalog.upgrade()
    catalog.check()
    catalog.close()


def test_a_database_of_a_newer_version_is_refused_with_what_to_do(catalog: Catalog) -> None:
    with catalog.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = 'later'"))
    with pytest.raises(CatalogUnavailable, match="newest version that ever opened it"):
        catalog.upgrade()
    with pytest.raises(CatalogUnavailable, match="has schema later"):
        catalog.check()


def test_a_database_without_tables_is_not_ready(catalog_url: str) -> None:
    catalog = Catalog(catalog_url)
    with pytest.raises(CatalogUnavailable, match="alembic_version"):
        catalog.check()
    catalog.close()


def test_sqlite_is_durable_checks_references_and_lets_readers_in_while_someone_writes(tmp_path: Path) -> None:
    catalog = Catalog(f"sqlite:///{tmp_path}/catalog.db")
    with catalog.engine.connect() as connection:
        pragmas = {
            name: connection.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    catalog.close()


def test_the_sqlite_file_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    catalog = Catalog(f"sqlite:///{tmp_path}/made/for/it/catalog.db")
    catalog.upgrade()
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "made/for/it").iterdir()}
    assert set(modes.values()) == {0o600}, modes
    catalog.close()


def test_a_path_with_odd_characters_works(tmp_path: Path) -> None:
    catalog = Catalog(f"sqlite:///{tmp_path}/100% sûr/catalog.db")
    catalog.upgrade()
    assert (tmp_path / "100% sûr/catalog.db").stat().st_size > 0
    catalog.close()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "cannot be read"),
        ("catalog.db", "cannot be read"),
        ("postgresql://host:port/db", "cannot be read"),
        ("mysql://user:hidden@host/db", "cannot be kept in 'mysql'"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_with_what_can(url: str, says: str) -> None:
    with pytest.raises(CatalogUnavailable, match=says) as refused:
        Catalog(url)
    assert "hidden" not in str(refused.value)
    assert "sqlite:///" in str(refused.value)


def test_a_missing_driver_is_named_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(CatalogUnavailable, match=r"pip install 'modeltraces\[postgres\]'") as refused:
        Catalog("postgresql://user:hidden@127.0.0.1:1/db")
    assert "hidden" not in str(refused.value)


def test_an_unreachable_postgresql_says_what_to_check_without_the_password() -> None:
    pytest.importorskip("psycopg")
    catalog = Catalog("postgresql://user:hidden@127.0.0.1:1/db")
    with pytest.raises(CatalogUnavailable, match="Check that PostgreSQL runs") as refused:
        catalog.upgrade()
    assert "hidden" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(CatalogUnavailable, match=r"file/catalog\.db cannot be opened"):
        Catalog(f"sqlite:///{tmp_path}/file/catalog.db")


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    path.write_bytes(b"holiday pictures " * 100)
    catalog = Catalog(f"sqlite:///{path}")
    with pytest.raises(CatalogUnavailable, match="restore it from a backup, or choose another path"):
        catalog.upgrade()
    assert path.read_bytes() == b"holiday pictures " * 100


def test_a_database_that_somebody_holds_is_said_to_be_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "catalog.db"
    Catalog(f"sqlite:///{path}").upgrade()
    monkeypatch.setattr(connecting, "BUSY_TIMEOUT_MS", 50)
    catalog = Catalog(f"sqlite:///{path}")
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(CatalogUnavailable, match="Another process holds it"):
        accounts.ensure_default(catalog)
    holder.execute("ROLLBACK")
    holder.close()
    assert accounts.ensure_default(catalog).name == "default"
    catalog.close()


def test_the_switch_to_wal_waits_for_another_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "catalog.db"
    holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    holder.execute("CREATE TABLE other (x)")
    holder.execute("BEGIN EXCLUSIVE")
    letting_go = threading.Timer(0.3, lambda: holder.execute("ROLLBACK"))
    letting_go.start()
    catalog = Catalog(f"sqlite:///{path}")
    catalog.upgrade()
    letting_go.join()
    catalog.close()
    holder.close()


def test_the_switch_to_wal_gives_up_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "catalog.db"
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("CREATE TABLE other (x)")
    holder.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr(connecting, "BUSY_TIMEOUT_MS", 50)
    with pytest.raises(CatalogUnavailable, match="Another process holds it"):
        Catalog(f"sqlite:///{path}").upgrade()
    holder.close()


def test_a_transaction_that_fails_leaves_nothing(catalog: Catalog) -> None:
    def add_and_fail() -> None:
        with catalog.writing() as session:
            session.add(AccountRow(id="1", name="half", created_on_us=0, models_revision=0))
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        add_and_fail()
    assert accounts.list_accounts(catalog) == []


def test_a_reading_transaction_writes_nothing(catalog: Catalog) -> None:
    with catalog.session() as session:
        session.add(AccountRow(id="1", name="lost", created_on_us=0, models_revision=0))
        session.flush()
    assert accounts.list_accounts(catalog) == []


def test_a_reading_transaction_sees_one_moment(catalog: Catalog) -> None:
    with catalog.session() as session:
        assert session.scalars(select(AccountRow.name)).all() == []
        accounts.ensure(catalog, "A", actor="test")
        assert session.scalars(select(AccountRow.name)).all() == []
    assert [account.name for account in accounts.list_accounts(catalog)] == ["A"]


def test_transactions_that_read_and_then_write_take_turns(catalog: Catalog, other_process: Catalog) -> None:
    account = accounts.ensure_default(catalog)

    def count_up(opened: Catalog) -> None:
        for _ in range(25):
            with opened.writing() as session:
                row = session.scalar(select(AccountRow).where(AccountRow.id == account.id).with_for_update())
                assert row is not None
                row.models_revision += 1

    threads = [threading.Thread(target=count_up, args=(opened,)) for opened in (catalog, other_process) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with catalog.session() as session:
        assert session.scalar(select(AccountRow.models_revision)) == 100


def test_a_pool_without_a_free_connection_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = Catalog(f"sqlite:///{tmp_path}/catalog.db")
    catalog.upgrade()
    pool = catalog.engine.pool
    monkeypatch.setattr(pool, "_timeout", 0.01)
    monkeypatch.setattr(pool, "_max_overflow", 0)
    held = [catalog.engine.connect() for _ in range(10)]
    with pytest.raises(CatalogUnavailable, match="overloaded"):
        accounts.list_accounts(catalog)
    for connection in held:
        connection.close()
    catalog.close()


def test_no_environment_variable_is_read_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MODELTRACES_CATALOG_URL", "sqlite:////elsewhere.db")
    assert Catalog(f"sqlite:///{tmp_path}/catalog.db").shown_url == f"sqlite:///{tmp_path}/catalog.db"
    assert not os.path.exists("/elsewhere.db")


def test_several_that_upgrade_an_old_database_at_once_keep_what_is_there(catalog_url: str) -> None:
    several = [Catalog(catalog_url) for _ in range(4)]
    catalog = several[0]
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with catalog._writing_engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in (
            "INSERT INTO accounts VALUES ('a', 'default', 1, 0)",
            "INSERT INTO models VALUES ('m', 'a', 'llama', 'open_source', true, '', 'vllm', 5, 1, NULL)",
            "INSERT INTO model_names VALUES ('a', 'llama', 'm')",
            "INSERT INTO models VALUES ('n', 'a', 'now', 'open_source', true, '', 'vllm', NULL, 2, NULL)",
            "INSERT INTO model_names VALUES ('a', 'once', 'n')",
            "INSERT INTO deployments VALUES ('d', 'a', 'm', 'v1', 1)",
            "INSERT INTO connections VALUES ('c', 'a', 'azure-eu', 'azure', 1)",
            "INSERT INTO model_connections VALUES ('m', 'c')",
        ):
            connection.execute(text(statement))
    assert in_threads(*(one.upgrade for one in several)) == [None] * 4
    for one in several:
        one.check()
    entry, without_runs = ModelRegistry(catalog).list_models("a")
    assert (entry.name, entry.recorded_names, entry.first_run_on_us) == ("llama", ("llama",), 5)
    assert entry.borne_names == ("llama",)
    assert (without_runs.recorded_names, without_runs.borne_names) == (("once",), ())
    assert [deployment.version for deployment in entry.deployments] == ["v1"]
    assert [connection.name for connection in entry.connections] == ["azure-eu"]
    for one in several:
        one.close()
