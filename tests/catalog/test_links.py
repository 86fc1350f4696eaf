import threading

import pytest

from modeltraces.catalog import accounts, bootstrap, links, users
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict, Invalid, NotFound
from modeltraces.catalog.signin import SignIn
from modeltraces.catalog.tables import SigninLinkRow
from tests.catalog.cast import PASSWORD, Cast, Clock


def newcomer(catalog: Catalog, account_id: str) -> users.User:
    return users.create(catalog, account_id, "dora@example.com", "member", actor="test")


def test_a_link_signs_its_user_in_once(catalog: Catalog, cast: Cast) -> None:
    token = links.create(catalog, cast.account_a.id, cast.bob.id)
    assert links.path_of(token) == f"/sign-in/link/{token}"
    link = links.redeem(catalog, token)
    assert (link.user_id, link.account_id, link.email) == (cast.bob.id, cast.account_a.id, "bob@example.com")
    assert not link.needs_password
    with pytest.raises(NotFound, match="Ask for a new one"):
        links.redeem(catalog, token)
    assert links.peek(catalog, token) is None


def test_looking_at_a_link_does_not_use_it(catalog: Catalog, cast: Cast) -> None:
    token = links.create(catalog, cast.account_a.id, cast.bob.id)
    assert links.peek(catalog, token) == links.peek(catalog, token) == links.redeem(catalog, token)


def test_a_link_used_by_many_at_once_works_for_one(catalog: Catalog, other_process: Catalog, cast: Cast) -> None:
    token = links.create(catalog, cast.account_a.id, cast.bob.id)
    won: list[str | None] = []
    ready = threading.Barrier(4)

    def use(opened: Catalog) -> None:
        ready.wait()
        try:
            won.append(links.redeem(opened, token).user_id)
        except NotFound:
            won.append(None)

    threads = [threading.Thread(target=use, args=(opened,)) for opened in (catalog, other_process) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won, key=str) == sorted([cast.bob.id, None, None, None], key=str)


def test_a_link_used_between_look_and_use_is_refused(catalog: Catalog, cast: Cast) -> None:
    token = links.create(catalog, cast.account_a.id, cast.bob.id)
    links.redeem(catalog, token)
    with catalog.writing() as session, pytest.raises(NotFound):
        links.use(session, catalog, token)


def test_a_link_grows_too_old_and_is_cleared_away(catalog: Catalog, cast: Cast, clock: Clock) -> None:
    token = links.create(catalog, cast.account_a.id, cast.bob.id, valid_hours=1)
    clock.advance(3600)
    assert links.peek(catalog, token) is None
    links.create(catalog, cast.account_a.id, cast.bob.id)
    with catalog.session() as session:
        assert session.query(SigninLinkRow).count() == 1


def test_a_link_ends_with_the_membership(catalog: Catalog, cast: Cast) -> None:
    token = links.create(catalog, cast.account_a.id, cast.bob.id)
    users.set_disabled(catalog, cast.bob.id, True, actor="test")
    assert links.peek(catalog, token) is None
    users.set_disabled(catalog, cast.bob.id, False, actor="test")
    users.remove_member(catalog, cast.account_a.id, cast.bob.id, actor="test")
    assert links.peek(catalog, token) is None


def test_no_link_leads_into_another_account(catalog: Catalog, cast: Cast) -> None:
    with pytest.raises(NotFound):
        links.create(catalog, cast.account_a.id, cast.charlie.id)
    with pytest.raises(NotFound):
        links.invite(catalog, cast.account_a.id, cast.charlie.id)


def test_an_invitation_is_for_who_has_no_other_way_in(catalog: Catalog, cast: Cast) -> None:
    with pytest.raises(Conflict, match="has a login already"):
        links.invite(catalog, cast.account_a.id, cast.bob.id)
    dora = newcomer(catalog, cast.account_a.id)
    first = links.invite(catalog, cast.account_a.id, dora.id)
    second = links.invite(catalog, cast.account_a.id, dora.id)
    assert links.peek(catalog, first) is None, "a new invitation replaces the one before"
    users.create(catalog, cast.account_b.id, "dora@example.com", "member", actor="test")
    with pytest.raises(Conflict):
        links.invite(catalog, cast.account_b.id, dora.id)
    assert links.peek(catalog, second) is not None


def test_who_is_invited_chooses_a_password_and_signs_in_with_it(catalog: Catalog, cast: Cast) -> None:
    dora = newcomer(catalog, cast.account_a.id)
    token = links.invite(catalog, cast.account_a.id, dora.id)
    with pytest.raises(Invalid):
        bootstrap.accept(catalog, token, "short")
    accepted = bootstrap.accept(catalog, token, "a password of hers", email="ignored@example.com")
    assert (accepted.user_id, accepted.email) == (dora.id, "dora@example.com")
    assert SignIn(catalog).check("dora@example.com", "a password of hers", "127.0.0.1").id == dora.id
    with pytest.raises(NotFound):
        bootstrap.accept(catalog, token, "another password")


def test_a_link_for_who_has_a_password_does_not_replace_it(catalog: Catalog, cast: Cast) -> None:
    token = links.create(catalog, cast.account_a.id, cast.bob.id)
    with pytest.raises(Conflict):
        bootstrap.accept(catalog, token, "a new password")
    assert SignIn(catalog).check("bob@example.com", PASSWORD, "127.0.0.1") == cast.bob
    assert links.redeem(catalog, token).user_id == cast.bob.id


def test_the_first_owner_comes_from_the_settings_once(catalog: Catalog) -> None:
    first = bootstrap.first_owner(catalog, "Alice@example.com", PASSWORD)
    assert first.link_token is None
    again = bootstrap.first_owner(catalog, "mallory@example.com", "another password")
    assert again.account == first.account
    assert [member.user.email for member in users.list_members(catalog, first.account.id)] == ["alice@example.com"]
    assert SignIn(catalog).check("alice@example.com", PASSWORD, "127.0.0.1").has_password
    assert bootstrap.first_owner(catalog).link_token is None


def test_without_settings_the_first_owner_comes_through_a_link(catalog: Catalog) -> None:
    first, second = bootstrap.first_owner(catalog), bootstrap.first_owner(catalog)
    assert first.link_token
    assert second.link_token
    link = links.peek(catalog, first.link_token)
    assert link is not None
    assert (link.user_id, link.needs_password) == (None, True)
    with pytest.raises(NotFound):
        links.redeem(catalog, first.link_token)
    with pytest.raises(Invalid, match="email"):
        bootstrap.accept(catalog, first.link_token, PASSWORD, email="nobody")
    accepted = bootstrap.accept(catalog, first.link_token, PASSWORD, email="alice@example.com")
    assert accepted.user_id
    assert users.get_member(catalog, first.account.id, accepted.user_id).role == "owner"
    with pytest.raises(NotFound):
        bootstrap.accept(catalog, second.link_token, PASSWORD, email="mallory@example.com")
    assert bootstrap.first_owner(catalog).link_token is None


def test_two_first_owners_at_once_are_one(catalog: Catalog, other_process: Catalog) -> None:
    tokens = [bootstrap.first_owner(catalog).link_token or "" for _ in range(2)]
    won: list[str | None] = []
    ready = threading.Barrier(2)

    def accept(opened: Catalog, token: str, email: str) -> None:
        ready.wait()
        try:
            won.append(bootstrap.accept(opened, token, PASSWORD, email=email).email)
        except NotFound:
            won.append(None)

    threads = [
        threading.Thread(target=accept, args=(opened, token, f"owner{number}@example.com"))
        for number, (opened, token) in enumerate(zip((catalog, other_process), tokens, strict=True))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won.count(None) == 1
    assert len(users.list_members(catalog, accounts.ensure_default(catalog).id)) == 1


def test_two_processes_that_start_with_one_owner_make_one(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    bootstrap.first_owner(catalog, "alice@example.com", PASSWORD)
    account = accounts.ensure_default(catalog)
    bootstrap._make_owner(catalog, account.id, "alice@example.com", PASSWORD)
    assert len(users.list_members(catalog, account.id)) == 1


@pytest.mark.parametrize(
    ("email", "password", "says"),
    [
        ("alice@example.com", "", "go together"),
        ("", PASSWORD, "go together"),
        ("alice", PASSWORD, "must look like"),
        ("alice@example.com", "short", "at least 8"),
    ],
)
def test_settings_that_make_no_owner_are_refused(catalog: Catalog, email: str, password: str, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        bootstrap.first_owner(catalog, email, password)
    assert bootstrap.first_owner(catalog).link_token
