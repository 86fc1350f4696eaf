import pytest

from modeltraces.catalog import accounts, audit, users
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict, Invalid, NotFound, WrongCredentials
from modeltraces.catalog.sessions import Sessions
from modeltraces.catalog.signin import SignIn
from tests.catalog.cast import PASSWORD, Cast


def roles(catalog: Catalog, account_id: str) -> dict[str, str]:
    return {member.user.email: member.role for member in users.list_members(catalog, account_id)}


def test_members_are_those_of_the_account_alone(catalog: Catalog, cast: Cast) -> None:
    assert roles(catalog, cast.account_a.id) == {"alice@example.com": "owner", "bob@example.com": "member"}
    assert roles(catalog, cast.account_b.id) == {"charlie@example.com": "owner"}
    with pytest.raises(NotFound):
        users.get_member(catalog, cast.account_a.id, cast.charlie.id)
    assert users.get_member(catalog, cast.account_a.id, cast.bob.id).role == "member"


def test_an_email_is_one_user_in_whatever_case(catalog: Catalog, cast: Cast) -> None:
    assert users.find(catalog, "ALICE@Example.com") == cast.alice
    assert users.find(catalog, "dora@example.com") is None
    with pytest.raises(Conflict, match="is a member of this account already"):
        users.create(catalog, cast.account_a.id, "Alice@EXAMPLE.com", "member", actor="test")


def test_a_user_of_another_account_is_added_with_the_login_they_have(catalog: Catalog, cast: Cast) -> None:
    with pytest.raises(Conflict, match="add them without a password"):
        users.create(catalog, cast.account_a.id, "charlie@example.com", "viewer", actor="test", password="taken over")
    added = users.create(catalog, cast.account_a.id, "charlie@example.com", "viewer", actor="test")
    assert added == cast.charlie
    assert {account.name for account in accounts.accounts_of(catalog, added.id)} == {"A", "B"}
    assert SignIn(catalog).check("charlie@example.com", PASSWORD, "127.0.0.1") == cast.charlie


def test_nobody_is_added_to_an_account_that_is_not_there(catalog: Catalog, cast: Cast) -> None:
    with pytest.raises(NotFound):
        users.create(catalog, "nowhere", "dora@example.com", "member", actor="test")
    assert users.find(catalog, "dora@example.com") is None


def test_a_user_added_twice_at_once_is_added_once(
    catalog: Catalog, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def collide(*_: object, **__: object) -> None:
        from sqlalchemy.exc import IntegrityError

        raise IntegrityError("INSERT", None, Exception("unique"))

    monkeypatch.setattr(users, "add_member", collide)
    with pytest.raises(Conflict, match="at the same time"):
        users.create(catalog, cast.account_a.id, "dora@example.com", "member", actor="test")


def test_roles_change_and_the_change_is_recorded(catalog: Catalog, cast: Cast) -> None:
    users.set_role(catalog, cast.account_a.id, cast.bob.id, "admin", actor="alice@example.com")
    users.set_role(catalog, cast.account_a.id, cast.bob.id, "admin", actor="alice@example.com")
    assert roles(catalog, cast.account_a.id)["bob@example.com"] == "admin"
    entries = audit.list_entries(catalog, cast.account_a.id)
    assert [entry.action for entry in entries].count("member.role") == 1
    newest = entries[0]
    assert (newest.actor, newest.object, newest.before, newest.after) == (
        "alice@example.com",
        "user:bob@example.com",
        {"role": "member"},
        {"role": "admin"},
    )


def test_the_last_owner_stays(catalog: Catalog, cast: Cast) -> None:
    with pytest.raises(Conflict, match="last owner"):
        users.set_role(catalog, cast.account_a.id, cast.alice.id, "admin", actor="test")
    with pytest.raises(Conflict, match="last owner"):
        users.remove_member(catalog, cast.account_a.id, cast.alice.id, actor="test")
    with pytest.raises(Conflict, match="last owner"):
        users.set_disabled(catalog, cast.alice.id, True, actor="test")
    users.set_role(catalog, cast.account_a.id, cast.bob.id, "owner", actor="test")
    users.remove_member(catalog, cast.account_a.id, cast.alice.id, actor="test")
    assert roles(catalog, cast.account_a.id) == {"bob@example.com": "owner"}


def test_an_owner_who_cannot_sign_in_does_not_count(catalog: Catalog, cast: Cast) -> None:
    users.set_role(catalog, cast.account_a.id, cast.bob.id, "owner", actor="test")
    users.set_disabled(catalog, cast.bob.id, True, actor="test")
    with pytest.raises(Conflict, match="last owner"):
        users.remove_member(catalog, cast.account_a.id, cast.alice.id, actor="test")
    users.set_disabled(catalog, cast.bob.id, False, actor="test")
    users.remove_member(catalog, cast.account_a.id, cast.alice.id, actor="test")


def test_members_of_another_account_cannot_be_changed(catalog: Catalog, cast: Cast) -> None:
    with pytest.raises(NotFound):
        users.set_role(catalog, cast.account_a.id, cast.charlie.id, "viewer", actor="test")
    with pytest.raises(NotFound):
        users.remove_member(catalog, cast.account_a.id, cast.charlie.id, actor="test")
    with pytest.raises(NotFound):
        users.set_disabled(catalog, "nobody", True, actor="test")
    assert roles(catalog, cast.account_b.id) == {"charlie@example.com": "owner"}


def test_a_new_password_replaces_the_old_and_ends_other_sessions(catalog: Catalog, cast: Cast) -> None:
    sessions = Sessions(catalog)
    here = sessions.create(cast.bob.id, cast.account_a.id)
    elsewhere = sessions.create(cast.bob.id, cast.account_a.id)
    mine = sessions.lookup(here.token)
    assert mine is not None
    with pytest.raises(WrongCredentials):
        users.change_password(catalog, cast.bob.id, "a new password", actor="bob", current="wrong")
    with pytest.raises(Invalid, match="at least 8"):
        users.change_password(catalog, cast.bob.id, "short", actor="bob", current=PASSWORD)
    users.change_password(
        catalog, cast.bob.id, "a new password", actor="bob", current=PASSWORD, keep_session=mine.id_hash
    )
    assert sessions.lookup(here.token) is not None
    assert sessions.lookup(elsewhere.token) is None
    with pytest.raises(WrongCredentials):
        SignIn(catalog).check("bob@example.com", PASSWORD, "127.0.0.1")
    assert SignIn(catalog).check("bob@example.com", "a new password", "127.0.0.1").id == cast.bob.id
    assert audit.list_entries(catalog, cast.account_a.id)[0].action == "user.password"


def test_the_password_of_nobody_cannot_be_set(catalog: Catalog) -> None:
    with pytest.raises(NotFound):
        users.change_password(catalog, "nobody", "a new password", actor="test")
    with catalog.writing() as session, pytest.raises(NotFound):
        users.set_password(session, catalog, "nobody", "digest", actor="test")


def test_a_role_that_is_none_is_refused_with_those_there_are() -> None:
    assert users.parse_role("viewer") == "viewer"
    with pytest.raises(Invalid, match="owner, admin, member, viewer"):
        users.parse_role("king")


@pytest.mark.parametrize(
    ("acting", "current", "new", "may"),
    [
        ("owner", "owner", None, True),
        ("owner", "member", "owner", True),
        ("admin", "member", "admin", True),
        ("admin", None, "viewer", True),
        ("admin", "owner", "member", False),
        ("admin", "admin", "owner", False),
        ("member", "viewer", "member", False),
        ("viewer", "viewer", None, False),
    ],
)
def test_owners_manage_all_admins_all_but_owners_others_nobody(
    acting: users.Role, current: users.Role | None, new: users.Role | None, may: bool
) -> None:
    assert users.may_manage(acting, current, new) is may


def test_no_digest_enters_the_audit_log(catalog: Catalog, cast: Cast) -> None:
    users.change_password(catalog, cast.alice.id, "a new password", actor="test")
    assert "argon2" not in repr(audit.list_entries(catalog, cast.account_a.id))


def test_an_id_that_somebody_made_up_is_an_error_of_theirs(catalog: Catalog, cast: Cast) -> None:
    for made_up in ("nobody", "a\0b", "'; --"):
        with pytest.raises((NotFound, Invalid)):
            users.get_member(catalog, cast.account_a.id, made_up)
