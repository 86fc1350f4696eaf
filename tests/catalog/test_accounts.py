import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltraces.catalog import accounts, audit
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Invalid, NotFound
from modeltraces.catalog.text import clean_email, clean_name, is_storable
from tests.catalog.cast import Cast


def test_a_fresh_installation_has_a_default_account_made_once(catalog: Catalog) -> None:
    first = accounts.ensure_default(catalog)
    assert first.name == "default"
    assert accounts.ensure_default(catalog) == first
    assert accounts.get(catalog, first.id) == first
    assert [entry.action for entry in audit.list_entries(catalog, first.id)] == ["account.create"]


def test_an_account_is_made_once_however_many_ask(catalog: Catalog, other_process: Catalog) -> None:
    made: list[tuple[accounts.Account, bool]] = []
    ready = threading.Barrier(4)

    def make(opened: Catalog) -> None:
        ready.wait()
        made.append(accounts.ensure(opened, "A", actor="test"))

    threads = [threading.Thread(target=make, args=(opened,)) for opened in (catalog, other_process) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({account.id for account, _ in made}) == 1
    assert [new for _, new in made].count(True) == 1


def test_an_account_that_another_process_makes_in_between_is_taken(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, _ = accounts.ensure(catalog, "A", actor="test")
    answers = iter([None, theirs])
    monkeypatch.setattr(accounts, "find", lambda *_: next(answers))
    assert accounts.ensure(catalog, "A", actor="test") == (theirs, False)


def test_an_unknown_account_is_not_found(catalog: Catalog) -> None:
    assert accounts.find(catalog, "A") is None
    with pytest.raises(NotFound):
        accounts.get(catalog, "no such id")


@pytest.mark.parametrize("name", ["", "   ", "two\nlines", "null\0", "x" * 201, "\ud800"])
def test_a_name_that_cannot_be_shown_on_a_line_is_refused(catalog: Catalog, name: str) -> None:
    with pytest.raises(Invalid, match="The account's name must"):
        accounts.ensure(catalog, name, actor="test")


def test_a_user_sees_the_accounts_they_belong_to(catalog: Catalog, cast: Cast) -> None:
    assert accounts.accounts_of(catalog, cast.bob.id) == [cast.account_a]
    assert accounts.accounts_of(catalog, cast.charlie.id) == [cast.account_b]
    assert accounts.accounts_of(catalog, "nobody") == []


def test_an_account_sees_only_its_own_audit_entries(catalog: Catalog, cast: Cast) -> None:
    mine = audit.list_entries(catalog, cast.account_a.id)
    assert [(entry.action, entry.object) for entry in mine] == [
        ("member.add", "user:bob@example.com"),
        ("member.add", "user:alice@example.com"),
        ("account.create", "account:A"),
    ]
    assert audit.list_entries(catalog, cast.account_a.id, limit=1, before_id=mine[0].id) == [mine[1]]


@given(st.text())
def test_a_name_is_accepted_as_it_will_be_compared_or_refused(value: str) -> None:
    try:
        name = clean_name(value, "The name")
    except Invalid:
        return
    assert clean_name(name, "The name") == name == name.strip()
    assert is_storable(name, 200)


@given(st.text(max_size=50).map(lambda text: f"{text}@example.com"))
def test_an_email_in_another_case_is_the_same_email(value: str) -> None:
    try:
        email = clean_email(value)
    except Invalid:
        return
    assert clean_email(email) == email
    assert clean_email(f"  {email} ") == email


@pytest.mark.parametrize(
    "value", ["", "alice", "@example.com", "alice@", "a b@example.com", "a@\0b", "a" * 250 + "@b.com"]
)
def test_what_is_no_email_is_refused(value: str) -> None:
    with pytest.raises(Invalid, match="must look like"):
        clean_email(value)


@pytest.mark.parametrize(
    ("value", "fits"), [("a/b c'\"🦙<script>", True), ("", False), ("a\0", False), ("\ud800", False), ("aaaa", False)]
)
def test_a_recorded_name_is_kept_if_every_database_can(value: str, fits: bool) -> None:
    assert is_storable(value, 20 if fits else 3) is fits
