import threading

import pytest
from argon2 import PasswordHasher
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from modeltraces.catalog import passwords, users
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import CatalogUnavailable, Invalid, NotFound, TooManyAttempts, WrongCredentials
from modeltraces.catalog.sessions import Sessions
from modeltraces.catalog.signin import SignIn, Throttle
from modeltraces.catalog.tables import SigninAttemptRow, UserRow
from tests.catalog.cast import PASSWORD, Cast, Clock

HERE = "192.0.2.1"


def fail(sign_in: SignIn, email: str, address: str = HERE) -> None:
    with pytest.raises(WrongCredentials):
        sign_in.check(email, "wrong password", address)


def test_email_and_password_that_belong_together_let_in(catalog: Catalog, cast: Cast) -> None:
    assert SignIn(catalog).check("Alice@Example.COM", PASSWORD, HERE) == cast.alice


def test_a_wrong_password_an_unknown_email_and_no_email_look_the_same(catalog: Catalog, cast: Cast) -> None:
    texts = set()
    for email, password in (("alice@example.com", "wrong"), ("dora@example.com", PASSWORD), ("what?", PASSWORD)):
        with pytest.raises(WrongCredentials) as refused:
            SignIn(catalog).check(email, password, HERE)
        texts.add(str(refused.value))
    assert len(texts) == 1


def test_an_unknown_email_costs_as_much_as_a_wrong_password(
    catalog: Catalog, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []

    class Counting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]
            verified.append(str(password))
            return super().verify(hash, password)

    monkeypatch.setattr(passwords, "_hasher", Counting(time_cost=1, memory_cost=8, parallelism=1))
    fail(SignIn(catalog), "dora@example.com")
    fail(SignIn(catalog), "alice@example.com")
    assert verified == ["wrong password"] * 2


def test_a_user_without_a_password_cannot_sign_in_with_one(catalog: Catalog, cast: Cast) -> None:
    users.create(catalog, cast.account_a.id, "dora@example.com", "member", actor="test")
    for password in ("", "a password that nobody has"):
        with pytest.raises(WrongCredentials):
            SignIn(catalog).check("dora@example.com", password, HERE)


def test_a_disabled_or_removed_user_cannot_sign_in(catalog: Catalog, cast: Cast) -> None:
    users.set_disabled(catalog, cast.bob.id, True, actor="test")
    with pytest.raises(WrongCredentials):
        SignIn(catalog).check("bob@example.com", PASSWORD, HERE)
    users.set_disabled(catalog, cast.bob.id, False, actor="test")
    users.remove_member(catalog, cast.account_a.id, cast.bob.id, actor="test")
    with pytest.raises(WrongCredentials):
        SignIn(catalog).check("bob@example.com", PASSWORD, HERE)


def test_after_five_failures_an_email_waits_and_is_told_how_long(catalog: Catalog, cast: Cast, clock: Clock) -> None:
    sign_in = SignIn(catalog)
    started = clock.now_us
    for number in range(5):
        fail(sign_in, "alice@example.com", f"192.0.2.{number}")
        clock.advance(60)
    with pytest.raises(TooManyAttempts, match="Try again in 10 minutes") as refused:
        sign_in.check("alice@example.com", PASSWORD, "192.0.2.99")
    assert refused.value.retry_at_us == started + 15 * 60 * 1_000_000
    assert refused.value.retry_after_seconds == 600
    assert SignIn(catalog).check("bob@example.com", PASSWORD, "192.0.2.99") == cast.bob
    clock.advance(600)
    assert sign_in.check("alice@example.com", PASSWORD, "192.0.2.99") == cast.alice


def test_tries_that_are_turned_away_do_not_keep_the_door_shut(catalog: Catalog, cast: Cast, clock: Clock) -> None:
    sign_in = SignIn(catalog)
    for _ in range(5):
        fail(sign_in, "alice@example.com")
    for _ in range(30):
        clock.advance(29)
        with pytest.raises(TooManyAttempts):
            sign_in.check("alice@example.com", PASSWORD, "192.0.2.7")
    clock.advance(31)
    assert sign_in.check("alice@example.com", PASSWORD, "192.0.2.7") == cast.alice


def test_signing_in_forgets_the_failures_of_the_email_and_not_those_of_the_address(
    catalog: Catalog, cast: Cast
) -> None:
    sign_in = SignIn(catalog, Throttle(per_email=2, per_address=3))
    for _ in range(3):
        with pytest.raises(WrongCredentials):
            sign_in.check("alice@example.com", "wrong", HERE)
        sign_in.check("bob@example.com", PASSWORD, "192.0.2.50")
        sign_in_elsewhere = SignIn(catalog).check("alice@example.com", PASSWORD, "192.0.2.51")
        assert sign_in_elsewhere == cast.alice
    fail(sign_in, "x1@example.com")
    fail(sign_in, "x2@example.com")
    fail(sign_in, "x3@example.com")
    with pytest.raises(TooManyAttempts):
        sign_in.check("bob@example.com", PASSWORD, HERE)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("unix socket", "unix socket", True),
    ],
)
def test_an_address_is_what_one_client_can_choose_from(
    catalog: Catalog, cast: Cast, first: str, second: str, same: bool
) -> None:
    sign_in = SignIn(catalog, Throttle(per_address=1))
    fail(sign_in, "x1@example.com", first)
    if same:
        with pytest.raises(TooManyAttempts):
            sign_in.check("alice@example.com", PASSWORD, second)
    else:
        assert sign_in.check("alice@example.com", PASSWORD, second) == cast.alice


def test_guesses_sent_at_once_are_counted_before_they_are_tried(catalog: Catalog, cast: Cast) -> None:
    tried: list[type[Exception]] = []
    ready = threading.Barrier(12)

    def guess() -> None:
        ready.wait()
        try:
            SignIn(catalog).check("alice@example.com", "a guess of mine", HERE)
        except (WrongCredentials, TooManyAttempts) as refused:
            tried.append(type(refused))

    threads = [threading.Thread(target=guess) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tried) == 12
    assert tried.count(WrongCredentials) <= 5


def test_old_attempts_are_cleared_away(catalog: Catalog, cast: Cast, clock: Clock) -> None:
    for number in range(4):
        fail(SignIn(catalog), f"x{number}@example.com")
    clock.advance(3600)
    fail(SignIn(catalog), "alice@example.com")
    with catalog.session() as session:
        assert session.scalar(select(func.count()).select_from(SigninAttemptRow)) == 1


def test_a_digest_of_older_parameters_is_renewed_at_the_next_sign_in(
    catalog: Catalog, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    stronger = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", stronger)
    SignIn(catalog).check("alice@example.com", PASSWORD, HERE)
    with catalog.session() as session:
        kept = session.scalar(select(UserRow.password_hash).where(UserRow.id == cast.alice.id))
    assert kept is not None
    assert not stronger.check_needs_rehash(kept)
    SignIn(catalog).check("alice@example.com", PASSWORD, HERE)


@settings(max_examples=30)
@given(st.text(min_size=8, max_size=60))
def test_a_password_in_any_script_matches_itself_and_no_other(password: str) -> None:
    try:
        kept = passwords.digest(password)
    except Invalid:
        with pytest.raises(UnicodeEncodeError):
            password.encode()
        return
    assert kept.startswith("$argon2id$")
    assert passwords.matches(kept, password)
    assert not passwords.matches(kept, password + "x")


@pytest.mark.parametrize("password", ["", "1234567", "x" * 1025, "\ud800 surrogate"])
def test_a_password_that_cannot_be_kept_is_refused(password: str) -> None:
    with pytest.raises(Invalid, match="The password must"):
        passwords.digest(password)
    assert not passwords.matches(None, password)


def test_a_digest_that_is_damaged_matches_nothing() -> None:
    assert not passwords.matches("not a digest", PASSWORD)


def test_one_password_typed_on_two_keyboards_is_the_same() -> None:
    assert passwords.matches(passwords.digest("caf\u00e9 au lait"), "cafe\u0301 au lait")


def test_a_session_stands_for_its_user_until_signed_out(catalog: Catalog, cast: Cast) -> None:
    sessions = Sessions(catalog)
    new = sessions.create(cast.bob.id, cast.account_a.id, user_agent="Firefox\r\n" + "x" * 1000)
    found = sessions.lookup(new.token)
    assert found is not None
    assert (found.email, found.account_id, found.account_name, found.role) == (
        "bob@example.com",
        cast.account_a.id,
        "A",
        "member",
    )
    assert found.csrf_token == new.csrf_token != new.token
    assert new.token not in repr(found)
    sessions.revoke(new.token)
    assert sessions.lookup(new.token) is None
    sessions.revoke(new.token)


@pytest.mark.parametrize("token", ["", "x", "x" * 101, "\ud800", "é" * 43])
def test_a_token_that_is_none_of_ours_stands_for_nobody(catalog: Catalog, cast: Cast, token: str) -> None:
    assert Sessions(catalog).lookup(token) is None


def test_a_session_ends_when_it_is_not_used(catalog: Catalog, cast: Cast, clock: Clock) -> None:
    sessions = Sessions(catalog, lifetime_hours=1)
    assert sessions.lifetime_seconds == 90 * 86400, "the cookie must not go before the session that use prolongs"
    new = sessions.create(cast.bob.id, cast.account_a.id)
    clock.advance(3599)
    assert sessions.lookup(new.token) is not None
    clock.advance(3599)
    assert sessions.lookup(new.token) is not None, "use prolongs it"
    clock.advance(3600)
    assert sessions.lookup(new.token) is None


def test_a_session_ends_after_its_longest_time_however_it_is_used(catalog: Catalog, cast: Cast, clock: Clock) -> None:
    sessions = Sessions(catalog, lifetime_hours=12, longest_days=1)
    new = sessions.create(cast.bob.id, cast.account_a.id)
    for _ in range(3):
        clock.advance(7 * 3600)
        assert sessions.lookup(new.token) is not None
    clock.advance(3 * 3600)
    assert sessions.lookup(new.token) is None


def test_a_session_that_cannot_be_prolonged_is_still_read(
    catalog: Catalog, cast: Cast, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = Sessions(catalog)
    new = sessions.create(cast.bob.id, cast.account_a.id)
    clock.advance(120)

    def full(_: Catalog) -> None:
        raise CatalogUnavailable("disk full")

    monkeypatch.setattr(Catalog, "writing", full)
    assert sessions.lookup(new.token) is not None


def test_a_role_that_changes_changes_in_open_sessions(catalog: Catalog, cast: Cast) -> None:
    sessions = Sessions(catalog)
    new = sessions.create(cast.bob.id, cast.account_a.id)
    users.set_role(catalog, cast.account_a.id, cast.bob.id, "viewer", actor="test")
    found = sessions.lookup(new.token)
    assert found is not None
    assert found.role == "viewer"
    users.remove_member(catalog, cast.account_a.id, cast.bob.id, actor="test")
    assert sessions.lookup(new.token) is None


def test_a_disabled_user_is_signed_out(catalog: Catalog, cast: Cast) -> None:
    sessions = Sessions(catalog)
    new = sessions.create(cast.bob.id, cast.account_a.id)
    users.set_disabled(catalog, cast.bob.id, True, actor="test")
    assert sessions.lookup(new.token) is None
    with pytest.raises(NotFound):
        sessions.create(cast.bob.id, cast.account_a.id)


def test_nobody_gets_a_session_in_another_account(catalog: Catalog, cast: Cast) -> None:
    sessions = Sessions(catalog)
    with pytest.raises(NotFound):
        sessions.create(cast.charlie.id, cast.account_a.id)
    new = sessions.create(cast.charlie.id, cast.account_b.id)
    with pytest.raises(NotFound):
        sessions.switch_account(new.token, cast.account_a.id)
    with pytest.raises(NotFound):
        sessions.switch_account("no such session", cast.account_b.id)
    users.create(catalog, cast.account_a.id, "charlie@example.com", "viewer", actor="test")
    sessions.switch_account(new.token, cast.account_a.id)
    found = sessions.lookup(new.token)
    assert found is not None
    assert (found.account_name, found.role) == ("A", "viewer")


def test_all_sessions_but_this_one_can_be_ended(catalog: Catalog, cast: Cast) -> None:
    sessions = Sessions(catalog)
    here, there = (sessions.create(cast.bob.id, cast.account_a.id) for _ in range(2))
    alices = sessions.create(cast.alice.id, cast.account_a.id)
    mine = sessions.lookup(here.token)
    assert mine is not None
    sessions.revoke_all(cast.bob.id, keep_session=mine.id_hash)
    assert sessions.lookup(here.token) is not None
    assert sessions.lookup(there.token) is None
    assert sessions.lookup(alices.token) is not None
    sessions.revoke_all(cast.bob.id)
    assert sessions.lookup(here.token) is None
