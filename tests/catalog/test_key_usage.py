"""What keys used, as the catalog adds it up and forgets it."""

from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql

from modeltraces.catalog import key_usage, keys
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.key_usage import DAY, MINUTE, Used, Window, start_of
from modeltraces.catalog.tables import KeyUsageRow
from tests.catalog.cast import Cast, Clock

pytestmark = pytest.mark.postgresql


@pytest.fixture
def key_id(catalog: Catalog, account_id: str) -> str:
    return keys.create_key(catalog, account_id, "ci", actor="test")[1].id


def rows(catalog: Catalog) -> int:
    with catalog.session() as session:
        return session.scalar(select(func.count()).select_from(KeyUsageRow)) or 0


def test_what_processes_add_is_added_up(catalog: Catalog, other_process: Catalog, key_id: str, clock: Clock) -> None:
    clock.advance(3 * 3600)
    now = clock()
    minute, day = Window(key_id, MINUTE, start_of(MINUTE, now)), Window(key_id, DAY, start_of(DAY, now))
    gone_by = Window(key_id, MINUTE, start_of(MINUTE, now) - 60_000_000)
    key_usage.add(catalog, {minute: Used(1, 5), day: Used(2, 7), gone_by: Used(1, 1)})
    key_usage.add(other_process, {day: Used(0, 3), minute: Used(4, 0)})
    assert key_usage.current(other_process) == {minute: Used(5, 5), day: Used(2, 10)}


def test_an_accounts_use_is_its_own(catalog: Catalog, key_id: str, cast: Cast, clock: Clock) -> None:
    day = Window(key_id, DAY, start_of(DAY, clock()))
    key_usage.add(catalog, {day: Used(1, 1)})
    assert key_usage.current(catalog, cast.account_a.id) == {day: Used(1, 1)}
    assert key_usage.current(catalog, cast.account_b.id) == {}


def test_minutes_and_days_gone_by_are_forgotten(catalog: Catalog, key_id: str, clock: Clock) -> None:
    start = clock()
    for minute in range(3):
        key_usage.add(catalog, {Window(key_id, MINUTE, start + minute * 60_000_000): Used(1, 0)})
    key_usage.add(catalog, {Window(key_id, DAY, start): Used(3, 0)})
    for seconds, left in ((0, 4), (10 * 60, 4), (60, 3), (3 * 60, 1), (DAY, 1), (DAY, 0)):
        clock.advance(seconds)
        key_usage.remove_old(catalog)
        assert rows(catalog) == left


def test_what_is_counted_for_a_key_that_is_gone_troubles_nobody(catalog: Catalog, key_id: str) -> None:
    key_usage.add(catalog, {Window("gone", MINUTE, 0): Used(1, 1), Window(key_id, MINUTE, 0): Used(1, 1)})
    assert rows(catalog) == 1


def test_postgresql_adds_up_as_sqlite_does() -> None:
    dialect: Any = postgresql.dialect
    statement = str(key_usage.adding(is_sqlite=False).compile(dialect=dialect()))
    assert "ON CONFLICT (key_id, span_seconds, starts_on_us) DO UPDATE SET" in statement
    assert "requests = (key_usage.requests + excluded.requests)" in statement
    assert "tokens = (key_usage.tokens + excluded.tokens)" in statement
