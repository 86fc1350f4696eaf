"""Settings → Profile: who is signed in changes their password, if they know the one they have."""

import pytest
from argon2 import PasswordHasher

from modeltraces.catalog import passwords, users
from modeltraces.catalog.signin import SignIn, Throttle
from modeltraces.web.address import PROFILE
from tests.web.conftest import ALICE, BOB, CatalogSite

OLD, NEW = "the old password", "the new password"
CHANGE = f"{PROFILE}/password"


@pytest.fixture(autouse=True)
def with_passwords(site: CatalogSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    site.app.state.parts.sign_in = SignIn(site.catalog, Throttle(per_email=3))
    for who in (ALICE, BOB):
        users.change_password(site.catalog, site.user_ids[who][0], OLD, actor="test")


def test_a_password_is_changed_by_who_knows_it(site: CatalogSite) -> None:
    assert "was changed" in site.send(CHANGE, current=OLD, password=NEW, again=NEW).text
    assert site.app.state.parts.sign_in.check(ALICE, NEW, "").email == ALICE


@pytest.mark.parametrize(
    ("current", "password", "again", "says"),
    [
        ("wrong", NEW, NEW, "The current password is not right."),
        ("", NEW, NEW, "The current password is not right."),
        (OLD, NEW, OLD, "The two passwords differ."),
        (OLD, "short", "short", "at least"),
    ],
)
def test_what_is_wrong_is_said_and_changes_nothing(
    site: CatalogSite, current: str, password: str, again: str, says: str
) -> None:
    answer = site.send(CHANGE, current=current, password=password, again=again)
    assert answer.status_code == 422
    assert says in answer.text
    assert site.app.state.parts.sign_in.check(ALICE, OLD, "").email == ALICE


def test_a_password_cannot_be_guessed_by_who_came_by_a_session(site: CatalogSite) -> None:
    """At the sign-in it is tried five times; here it could be tried for ever."""
    for number in range(3):
        assert site.send(CHANGE, current=f"guess {number}", password=NEW, again=NEW).status_code == 422
    answer = site.send(CHANGE, current=OLD, password=NEW, again=NEW)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert "Too many failed sign-ins. Try again in 15 minutes." in answer.text
    assert site.send(CHANGE, BOB, current=OLD, password=NEW, again=NEW).status_code == 200, "nobody else waits"
