"""What is PostgreSQL's own: its collations, its network, its locks, and what is said when one of them is in the way."""

import re
import threading
from collections.abc import Callable, Iterator
from functools import partial

import psycopg
import pytest
from sqlalchemy import func, make_url, select, text

from modeltraces.catalog import accounts, audit, connecting, keys
from modeltraces.catalog.audit import AuditFilter
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import CatalogBusy, CatalogUnavailable, NotFound
from modeltraces.catalog.tables import AccountRow, AuditRow
from tests.catalog.threads import in_threads
from tests.support.postgres import PASSWORD, Postgres, plain

Opening = Callable[..., Catalog]


@pytest.fixture(scope="module")
def url(postgres: Postgres) -> Iterator[str]:
    """A database with its tables and one account."""
    made = postgres.new_database(postgres.with_tables())
    catalog = Catalog(made)
    accounts.ensure(catalog, "A", actor="test")
    catalog.close()
    yield made
    postgres.drop(made)


@pytest.fixture
def opening(url: str) -> Iterator[Opening]:
    opened: list[Catalog] = []

    def opening(at: str = url, connections: int = 5) -> Catalog:
        opened.append(Catalog(at, connections=connections))
        return opened[-1]

    yield opening
    for catalog in opened:
        catalog.close()


def changed(url: str, **parts: str) -> str:
    return make_url(url).set(**parts).render_as_string(hide_password=False)  # type: ignore[arg-type]


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(CatalogUnavailable) as refused:
        call()
    assert PASSWORD not in str(refused.value)
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_every_text_is_compared_by_code_points_whatever_the_database_does(postgres: Postgres) -> None:
    # Sorts a before B, as a dictionary does.
    name = "in_words"
    with psycopg.connect(plain(postgres.url), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'und' LOCALE 'C'")
    at = changed(postgres.url, database=name)
    catalog = Catalog(at)
    try:
        catalog.upgrade()
        for account in ("b", "A", "Ä", "a", "B"):
            accounts.ensure(catalog, account, actor="test")
        assert [account.name for account in accounts.list_accounts(catalog)] == ["A", "B", "a", "b", "Ä"]
        with catalog.engine.connect() as connection_:
            others = connection_.execute(
                text(
                    "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' "
                    "AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'"
                )
            ).all()
        assert others == []
    finally:
        catalog.close()
        with psycopg.connect(plain(postgres.url), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_the_address_is_read_as_others_spell_it(opening: Opening, url: str, scheme: str) -> None:
    catalog = opening(url.replace("postgresql:", f"{scheme}:", 1))
    catalog.check()
    assert not catalog.is_sqlite


def test_another_driver_is_refused_with_what_can_be_used(url: str) -> None:
    said = refusal(lambda: Catalog(url.replace("postgresql:", "postgresql+psycopg2:", 1)))
    assert "'psycopg2'" in said
    assert "postgresql://" in said


def test_what_is_wrong_with_the_address_is_said_without_what_is_secret_in_it(opening: Opening, url: str) -> None:
    wrong = opening(changed(url, password="secret"))
    assert "Check the user and password" in refusal(wrong.check)
    nowhere = opening(changed(url, database="nowhere"))
    assert 'database "nowhere" does not exist' in refusal(nowhere.upgrade)
    in_query = opening(changed(url, password="wrong") + "?password=secret&sslpassword=secret")
    assert "secret" not in in_query.shown_url
    assert PASSWORD not in in_query.shown_url


def test_a_standby_says_that_it_is_one(opening: Opening, postgres: Postgres, url: str) -> None:
    catalog = opening()
    at = make_url(url).database
    with psycopg.connect(plain(postgres.url), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {at} SET default_transaction_read_only = on")
        try:
            said = refusal(lambda: accounts.ensure(catalog, "new", actor="test"))
        finally:
            connection.execute(f"ALTER DATABASE {at} RESET default_transaction_read_only")
    assert "name the primary" in said


def test_a_server_that_comes_back_is_used_again(opening: Opening, postgres: Postgres) -> None:
    if postgres.directory is None:
        pytest.skip("this PostgreSQL is not the tests' to stop")
    catalog = opening()
    held = [catalog.engine.connect() for _ in range(3)]
    for connection in held:
        connection.close()
    postgres.stop()
    try:
        assert "Check that PostgreSQL runs" in refusal(lambda: accounts.list_accounts(catalog))
        assert "Check that PostgreSQL runs" in refusal(catalog.check)
    finally:
        postgres.start()
    catalog.check()
    assert [account.name for account in accounts.list_accounts(catalog)] == ["A"]


def test_a_connection_that_is_lost_in_mid_transaction_leaves_nothing(opening: Opening) -> None:
    catalog, other = opening(), opening()

    def lose() -> None:
        with catalog.writing() as session:
            session.add(AccountRow(id="1", name="half", created_on_us=0, models_revision=0))
            session.flush()
            with other.writing() as killing:
                killing.execute(select(func.pg_terminate_backend(session.scalar(select(func.pg_backend_pid())))))
            session.scalar(select(func.count()).select_from(AccountRow))

    assert "cannot be used" in refusal(lose)
    assert accounts.find(catalog, "half") is None


def test_two_that_wait_for_each_other_are_told_apart_and_one_passes(opening: Opening) -> None:
    catalog = opening()
    both = [accounts.ensure(catalog, name, actor="test")[0].id for name in ("one", "two")]
    ready = threading.Barrier(2)

    def change(first: str, second: str) -> None:
        with catalog.writing() as session:
            audit.hold_account(session, first)
            ready.wait(10)
            audit.hold_account(session, second)

    outcomes = in_threads(lambda: change(*both), lambda: change(*both[::-1]))
    (undone,) = [one for one in outcomes if one is not None]
    assert isinstance(undone, CatalogBusy)
    assert "Try again" in str(undone)


def test_a_row_that_another_process_holds_for_long_is_not_waited_for(
    opening: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "BUSY_TIMEOUT_MS", 50)
    holder, catalog = opening(), opening()
    account = accounts.ensure(holder, "held", actor="test")[0].id
    with holder.writing() as session:
        audit.hold_account(session, account)
        with pytest.raises(CatalogBusy, match="for long"):
            keys.create_key(catalog, account, "ci", actor="test")
    keys.create_key(catalog, account, "ci", actor="test")


def test_no_more_connections_are_opened_than_were_allowed(opening: Opening, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = opening(connections=2)
    monkeypatch.setattr(catalog.engine.pool, "_timeout", 0.01)
    held = [catalog.engine.connect() for _ in range(2)]
    assert "overloaded" in refusal(lambda: accounts.list_accounts(catalog))
    for connection in held:
        connection.close()
    catalog.check()


def test_a_server_that_takes_no_more_connections_says_what_to_change(
    opening: Opening, postgres: Postgres, url: str
) -> None:
    with psycopg.connect(plain(postgres.url), autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS few")
        connection.execute("CREATE ROLE few LOGIN PASSWORD 'few' CONNECTION LIMIT 0")
        try:
            said = refusal(opening(changed(url, username="few", password="few")).check)
        finally:
            connection.execute("DROP ROLE few")
    assert "lower MODELTRACES_CATALOG_CONNECTIONS" in said


def test_who_may_not_create_tables_is_told(opening: Opening, postgres: Postgres) -> None:
    empty = postgres.new_database()
    with psycopg.connect(plain(postgres.url), autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS reader")
        connection.execute("CREATE ROLE reader LOGIN PASSWORD 'reader'")
        with psycopg.connect(plain(empty), autocommit=True) as inside:
            inside.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        try:
            said = refusal(opening(changed(empty, username="reader", password="reader")).upgrade)
        finally:
            postgres.drop(empty)
            connection.execute("DROP ROLE reader")
    assert "must own the database" in said


def test_the_audit_log_is_searched_in_any_case_of_any_script(opening: Opening) -> None:
    catalog = opening()
    account = accounts.ensure(catalog, "any case", actor="test")[0].id
    with catalog.writing() as session:
        for name in ("ÉTÉ", "лето", "100%_"):
            audit.record(session, account_id=account, at_us=1, actor="cli", action="model.add", object=f"model:{name}")

    def found(part: str) -> list[str]:
        return [entry.object for entry in audit.list_entries(catalog, account, AuditFilter(object=part))]

    assert found("été") == ["model:ÉTÉ"]
    assert found("ЛЕТО") == ["model:лето"]
    assert found("0%_") == ["model:100%_"]
    assert found("1%0") == []


def test_entries_are_numbered_in_the_order_in_which_they_can_be_read(opening: Opening) -> None:
    catalog = opening()
    account = accounts.ensure(catalog, "in order", actor="test")[0].id
    stop = threading.Event()
    missed: list[int] = []

    def write() -> None:
        for _ in range(15):
            keys.create_key(catalog, account, "ci", actor="test")

    def read() -> None:
        last, seen = 0, set[int]()
        while not stop.is_set():
            for entry in audit.list_entries(catalog, account, after_id=last):
                last = max(last, entry.id)
                seen.add(entry.id)
        with catalog.session() as session:
            every = session.scalars(select(AuditRow.id).where(AuditRow.account_id == account, AuditRow.id <= last))
            missed.extend(set(every) - seen)

    reader = threading.Thread(target=read)
    reader.start()
    assert in_threads(*[write] * 4) == [None] * 4
    stop.set()
    reader.join()
    assert missed == []


def test_of_two_who_revoke_a_key_at_once_one_does(opening: Opening) -> None:
    both = opening(), opening()
    account = accounts.ensure(both[0], "two", actor="test")[0].id
    key = keys.create_key(both[0], account, "ci", actor="test")[1]
    outcomes = in_threads(*(partial(keys.revoke_key, one, account, key.id, actor="test") for one in both))
    assert {type(one) for one in outcomes} == {type(None), NotFound}


def test_a_password_with_any_character_can_stand_in_an_address() -> None:
    assert set(re.findall(r"\W", PASSWORD)) >= set("/@:%")
