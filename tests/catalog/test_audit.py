"""The audit log's filters, against a list in memory; and that it is one account's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, insert
from sqlalchemy.orm import Session

from modeltraces.catalog import accounts, audit
from modeltraces.catalog.audit import AuditEntry, AuditFilter
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.tables import AuditRow
from tests.catalog.cast import Cast, Clock
from tests.support.random_cases import examples

ACTORS = ("alice@example.com", "key:Alice", "cli", "ingest")
ACTIONS = ("model.add", "model.merge", "modelling.add", "member.add", "Model.add", "key.create", "50%_off.set")
OBJECTS = ("model:Llama-3", "model:ÉCLAIR", "model:éclair", "user:100%_a\\b", "key:كاتب", "model:llama", "")
EVERYTHING = 1_000


def put(catalog: Catalog, account_id: str, *entries: tuple[int, str, str, str]) -> None:
    """(at_us, actor, action, object), in this order."""
    with catalog.writing() as session:
        for at_us, actor, action, object in entries:
            audit.record(session, account_id=account_id, at_us=at_us, actor=actor, action=action, object=object)


def lets_through(filter: AuditFilter, entry: AuditEntry) -> bool:
    """What the filter says, naively."""
    action = filter.action
    return (
        (not filter.actor or entry.actor == filter.actor)
        and (not action or entry.action == action or (action[-1] == "*" and entry.action.startswith(action[:-1])))
        and filter.object.lower() in entry.object.lower()
        and (filter.from_us is None or entry.at_us >= filter.from_us)
        and (filter.to_us is None or entry.at_us < filter.to_us)
    )


entries_of_a_log = st.lists(
    st.tuples(st.integers(0, 20), st.sampled_from(ACTORS), st.sampled_from(ACTIONS), st.sampled_from(OBJECTS)),
    max_size=25,
)
starts = st.sampled_from(ACTIONS).flatmap(lambda action: st.integers(0, len(action)).map(lambda n: action[:n] + "*"))
parts = st.sampled_from(OBJECTS).flatmap(
    lambda text: st.integers(0, len(text)).map(lambda n: text[n : n + 4].swapcase())
)
filters = st.builds(
    AuditFilter,
    actor=st.sampled_from(("", *ACTORS, "key:%")),
    action=st.one_of(st.sampled_from(("", "model", *ACTIONS)), starts),
    object=st.one_of(st.just(""), parts, st.sampled_from(("%", "_", "\\", "'", "llama"))),
    from_us=st.none() | st.integers(0, 20),
    to_us=st.none() | st.integers(0, 20),
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    opened = Catalog(f"sqlite:///{tmp_path_factory.mktemp('audit')}/catalog.db")
    opened.upgrade()
    yield opened
    opened.close()


@settings(
    deadline=None, max_examples=examples(25, thorough=200), suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(entries_of_a_log, filters, st.integers(1, 7))
def test_filters_and_pages_give_what_a_list_in_memory_gives(
    shared: Catalog, log: list[tuple[int, str, str, str]], filter: AuditFilter, size: int
) -> None:
    mine, _ = accounts.ensure(shared, f"mine {next(_numbers)}", actor="test")
    theirs, _ = accounts.ensure(shared, f"theirs {next(_numbers)}", actor="test")
    for entry in log:
        put(shared, mine.id, entry)
        put(shared, theirs.id, entry)
    everything = audit.list_entries(shared, mine.id, limit=EVERYTHING)
    assert [(e.at_us, e.actor, e.action, e.object) for e in everything[:-1]] == log[::-1]
    expected = [entry for entry in everything if lets_through(filter, entry)]
    assert audit.list_entries(shared, mine.id, filter, limit=EVERYTHING) == expected
    assert [entry for page in audit.pages(shared, mine.id, filter, size=size) for entry in page] == expected
    for at, one in enumerate(expected):
        newer = audit.list_entries(shared, mine.id, filter, limit=size, after_id=one.id)
        assert newer == expected[max(0, at - size) : at]
    found = audit.choices(shared, mine.id)
    assert found.actors == tuple(sorted({entry.actor for entry in everything}))
    assert found.actions == tuple(sorted({entry.action for entry in everything}))


def _count() -> Iterator[int]:
    number = 0
    while True:
        number += 1
        yield number


_numbers = _count()


def test_no_account_sees_anothers_entries_whatever_the_filter_says(catalog: Catalog, cast: Cast) -> None:
    put(catalog, cast.account_b.id, (1, "charlie@example.com", "model.add", "model:charlies"))
    theirs = audit.list_entries(catalog, cast.account_b.id)[0]
    for filter in (AuditFilter(object="charlies"), AuditFilter(actor="charlie@example.com"), AuditFilter(action="*")):
        found = audit.list_entries(catalog, cast.account_a.id, filter, before_id=theirs.id + 1)
        assert "charlie" not in repr(found)
    assert "charlie" not in repr(audit.choices(catalog, cast.account_a.id))
    assert audit.list_entries(catalog, "nowhere") == []


def test_what_is_written_while_pages_are_read_is_not_among_them_and_moves_nothing(
    catalog: Catalog, cast: Cast, clock: Clock
) -> None:
    put(catalog, cast.account_a.id, *((n, "cli", "model.add", f"model:{n}") for n in range(10)))
    expected = audit.list_entries(catalog, cast.account_a.id, limit=EVERYTHING)
    seen: list[AuditEntry] = []
    for page in audit.pages(catalog, cast.account_a.id, size=3):
        put(catalog, cast.account_a.id, (99, "cli", "model.add", "model:meanwhile"))
        seen += page
    assert seen == expected


def test_a_change_that_is_rolled_back_leaves_no_entry(catalog: Catalog, cast: Cast) -> None:
    before = audit.list_entries(catalog, cast.account_a.id)
    session = Session(catalog.engine)
    audit.record(session, account_id=cast.account_a.id, at_us=1, actor="cli", action="model.add", object="model:m")
    session.flush()
    session.rollback()
    session.close()
    assert audit.list_entries(catalog, cast.account_a.id) == before


def test_a_page_of_a_long_log_reads_a_page_of_it(tmp_path: Path) -> None:
    catalog = Catalog(f"sqlite:///{tmp_path}/catalog.db")
    catalog.upgrade()
    account, _ = accounts.ensure(catalog, "long", actor="test")
    with catalog.writing() as session:
        row = {"account_id": account.id, "at_us": 1, "actor": "cli", "action": "a.b", "before": None, "after": None}
        session.execute(insert(AuditRow), [{**row, "object": f"model:{n}"} for n in range(20_000)])
    sent: list[tuple[str, Any]] = []
    event.listen(catalog.engine, "before_cursor_execute", lambda _c, _k, sql, values, *_: sent.append((sql, values)))
    middle = audit.list_entries(catalog, account.id, limit=1)[0].id - 10_000
    found = audit.list_entries(catalog, account.id, limit=50, before_id=middle)
    assert [entry.id for entry in found] == list(range(middle - 1, middle - 51, -1))
    sql, values = sent[-1]
    with catalog.engine.connect() as connection:
        plan = str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values).all())
    assert "ix_audit_log_account_id_id (account_id=? AND id<?)" in plan
    assert "TEMP B-TREE" not in plan, "not sorted apart"
    catalog.close()
