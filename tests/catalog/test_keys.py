import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from modeltraces.catalog import audit, key_authenticator, keys
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import CatalogUnavailable, Conflict, Invalid, NotFound
from modeltraces.catalog.key_authenticator import KeyAuthenticator
from modeltraces.catalog.tables import ApiKeyRow
from tests.catalog.cast import Cast, Clock, Timer


@pytest.fixture
def authenticator(catalog: Catalog, timer: Timer) -> Iterator[KeyAuthenticator]:
    opened = KeyAuthenticator(catalog, ttl_seconds=3, timer=timer)
    yield opened
    opened.close()


def make(catalog: Catalog, account_id: str, name: str = "ci", *scopes: str, expires_on_us: int | None = None) -> str:
    plain, _ = keys.create_key(
        catalog, account_id, name, actor="test", scopes=scopes or ("ingest",), expires_on_us=expires_on_us
    )
    return plain


def test_a_key_is_long_random_and_not_kept(catalog: Catalog, cast: Cast) -> None:
    plain, key = keys.create_key(catalog, cast.account_a.id, "ci", actor="alice@example.com")
    assert re.fullmatch(r"mt_[A-Za-z0-9_-]{32,}", plain)
    assert key.prefix == plain[:7] + "…"
    assert key.scopes == ("ingest", "gateway", "read")
    with catalog.session() as session:
        row = session.execute(select(ApiKeyRow.__table__)).one()
    everything = repr(row) + repr(audit.list_entries(catalog, cast.account_a.id)) + repr(key)
    assert plain[7:] not in everything
    assert plain != make(catalog, cast.account_a.id)


def test_making_and_revoking_a_key_is_recorded(catalog: Catalog, cast: Cast) -> None:
    _, key = keys.create_key(catalog, cast.account_a.id, "ci", actor="alice@example.com", scopes=["read"])
    keys.revoke_key(catalog, cast.account_a.id, key.id, actor="bob@example.com")
    revoked, made = audit.list_entries(catalog, cast.account_a.id)[:2]
    assert (made.actor, made.action, made.object) == ("alice@example.com", "key.create", "key:ci")
    assert made.after is not None
    assert made.after["scopes"] == ["read"]
    assert (revoked.actor, revoked.action, revoked.before) == (
        "bob@example.com",
        "key.revoke",
        {"id": key.id, "prefix": key.prefix},
    )


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"name": ""}, "name must not be empty"),
        ({"name": "two\nlines"}, "line breaks"),
        ({"scopes": ["write"]}, "Unknown scope 'write': the scopes are ingest, gateway, read, admin"),
        ({"scopes": []}, "at least one scope"),
        ({"expires_on_us": 1}, "expired already"),
        ({"default_source_type": "x" * 201}, "source type must have at most 200"),
        ({"default_source": "a\0b"}, "source must not contain"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(
    catalog: Catalog, cast: Cast, options: dict[str, object], says: str
) -> None:
    with pytest.raises(Invalid, match=says):
        keys.create_key(catalog, cast.account_a.id, **{"name": "ci", "actor": "test", **options})  # type: ignore[arg-type]
    assert keys.list_keys(catalog, cast.account_a.id) == []


def test_a_key_belongs_to_an_account_that_is_there(catalog: Catalog) -> None:
    with pytest.raises(NotFound):
        keys.create_key(catalog, "nowhere", "ci", actor="test")


@given(st.sets(st.sampled_from(keys.SCOPES), min_size=1))
def test_admin_reads_and_ingests_but_spends_nothing(scopes: set[keys.Scope]) -> None:
    allowed = keys.granted(keys.parse_scopes(scopes))
    assert ("gateway" in allowed) == ("gateway" in scopes)
    assert ("admin" in allowed) == ("admin" in scopes)
    assert ("read" in allowed) == bool(scopes & {"read", "admin"})
    assert ("ingest" in allowed) == bool(scopes & {"ingest", "admin"})


def test_an_account_sees_and_revokes_its_own_keys_alone(catalog: Catalog, cast: Cast) -> None:
    _, alices = keys.create_key(catalog, cast.account_a.id, "ci", actor="test")
    _, charlies = keys.create_key(catalog, cast.account_b.id, "ci", actor="test")
    assert keys.list_keys(catalog, cast.account_a.id) == [alices]
    for which in (charlies.id, charlies.prefix):
        with pytest.raises(NotFound):
            keys.find_key(catalog, cast.account_a.id, which)
    with pytest.raises(NotFound):
        keys.revoke_key(catalog, cast.account_a.id, charlies.id, actor="test")
    keys.revoke_key(catalog, cast.account_b.id, charlies.id, actor="test")
    with pytest.raises(NotFound):
        keys.revoke_key(catalog, cast.account_b.id, charlies.id, actor="test")
    assert keys.list_keys(catalog, cast.account_b.id) == []
    assert [key.id for key in keys.list_keys(catalog, cast.account_b.id, include_revoked=True)] == [charlies.id]


def test_a_key_is_found_by_id_name_or_beginning(catalog: Catalog, cast: Cast) -> None:
    plain, key = keys.create_key(catalog, cast.account_a.id, "ci", actor="test")
    for which in (key.id, "ci", plain[:7], key.prefix):
        assert keys.find_key(catalog, cast.account_a.id, which) == key
    with pytest.raises(NotFound, match="'cd'"):
        keys.find_key(catalog, cast.account_a.id, "cd")
    _, second = keys.create_key(catalog, cast.account_a.id, "ci", actor="test")
    with pytest.raises(Conflict, match="give one's id") as refused:
        keys.find_key(catalog, cast.account_a.id, "ci")
    assert key.id in str(refused.value)
    assert second.id in str(refused.value)


def test_a_key_says_whose_it_is_what_it_may_do_and_its_defaults(
    catalog: Catalog, cast: Cast, authenticator: KeyAuthenticator
) -> None:
    plain, key = keys.create_key(
        catalog,
        cast.account_a.id,
        "bot",
        actor="test",
        scopes=["admin"],
        default_source_type="Agent",
        default_source="b",
    )
    for _ in range(2):
        identity = authenticator.authenticate(plain)
        assert identity is not None
        assert (identity.key_id, identity.account_id, identity.name) == (key.id, cast.account_a.id, "bot")
        assert identity.scopes == {"admin", "read", "ingest"}
        assert (identity.default_source_type, identity.default_source) == ("Agent", "b")


@pytest.mark.parametrize(
    "token", ["", "mt_", "sk-1234", "mt_" + "x" * 43, "mt_" + "x" * 500, "mt_é", "mt_\ud800", "mt_\0"]
)
def test_what_is_no_key_is_nobody(cast: Cast, authenticator: KeyAuthenticator, token: str) -> None:
    assert authenticator.cached(token) is None
    assert authenticator.authenticate(token) is None


def test_a_known_key_is_read_once_in_its_time(
    catalog: Catalog, cast: Cast, authenticator: KeyAuthenticator, timer: Timer, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = make(catalog, cast.account_a.id)
    assert authenticator.cached(plain) is None
    assert authenticator.authenticate(plain)
    read: list[str] = []
    really_read = KeyAuthenticator._read

    def counting(self: KeyAuthenticator, token: str) -> object:
        read.append(token)
        return really_read(self, token)

    monkeypatch.setattr(KeyAuthenticator, "_read", counting)
    for _ in range(5):
        assert authenticator.authenticate(plain)
        assert authenticator.cached(plain)
    assert read == []
    timer.now += 3
    assert authenticator.cached(plain) is None
    assert authenticator.authenticate(plain)
    assert read == [plain]


def test_a_key_revoked_here_is_refused_at_once(catalog: Catalog, cast: Cast, authenticator: KeyAuthenticator) -> None:
    plain = make(catalog, cast.account_a.id)
    assert authenticator.authenticate(plain)
    key = keys.find_key(catalog, cast.account_a.id, "ci")
    keys.revoke_key(catalog, cast.account_a.id, key.id, actor="test")
    assert authenticator.authenticate(plain) is None


def test_a_key_revoked_by_another_process_is_refused_within_seconds(
    catalog: Catalog, other_process: Catalog, cast: Cast, authenticator: KeyAuthenticator, timer: Timer
) -> None:
    plain = make(catalog, cast.account_a.id)
    assert authenticator.authenticate(plain)
    key = keys.find_key(other_process, cast.account_a.id, "ci")
    keys.revoke_key(other_process, cast.account_a.id, key.id, actor="test")
    timer.now += 2.9
    assert authenticator.authenticate(plain) is not None
    timer.now += 0.1
    assert authenticator.authenticate(plain) is None
    assert authenticator.authenticate(plain) is None


def test_a_key_revoked_while_it_is_read_is_not_remembered(
    catalog: Catalog, cast: Cast, authenticator: KeyAuthenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = make(catalog, cast.account_a.id)
    key = keys.find_key(catalog, cast.account_a.id, "ci")
    read = keys.key_of

    def revoked_in_between(row: ApiKeyRow) -> keys.ApiKey:
        keys.revoke_key(catalog, cast.account_a.id, key.id, actor="test")
        return read(row)

    monkeypatch.setattr(key_authenticator, "key_of", revoked_in_between)
    assert authenticator.authenticate(plain), "it was valid when it was asked for"
    assert authenticator.authenticate(plain) is None


def test_a_key_stops_at_its_expiry_also_when_remembered(
    catalog: Catalog, cast: Cast, authenticator: KeyAuthenticator, clock: Clock
) -> None:
    plain = make(catalog, cast.account_a.id, expires_on_us=clock.now_us + 1_000_000)
    assert authenticator.authenticate(plain)
    clock.advance(0.999999)
    assert authenticator.authenticate(plain)
    clock.advance(0.000001)
    assert authenticator.authenticate(plain) is None
    assert authenticator.cached(plain) is None


def test_the_memory_of_keys_is_bounded(
    catalog: Catalog, cast: Cast, authenticator: KeyAuthenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_authenticator, "_MOST_CACHED", 2)
    for plain in [make(catalog, cast.account_a.id) for _ in range(5)]:
        assert authenticator.authenticate(plain)
        assert len(authenticator._cache) <= 2


def last_used(catalog: Catalog, account_id: str) -> int | None:
    return keys.find_key(catalog, account_id, "ci").last_used_on_us


def test_the_last_use_is_written_at_most_once_a_minute(
    catalog: Catalog, cast: Cast, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = make(catalog, cast.account_a.id)
    assert last_used(catalog, cast.account_a.id) is None
    writes: list[dict[str, int]] = []
    write = KeyAuthenticator._write

    def noting(self: KeyAuthenticator, used: dict[str, int]) -> None:
        writes.append(used)
        write(self, used)

    monkeypatch.setattr(KeyAuthenticator, "_write", noting)
    authenticator = KeyAuthenticator(catalog)
    first = clock.now_us
    for _ in range(119):
        assert authenticator.authenticate(plain)
        clock.advance(1)
    authenticator.close()
    assert [list(used.values()) for used in writes] == [[first], [first + 60_000_000], [clock.now_us - 1_000_000]]
    assert last_used(catalog, cast.account_a.id) == clock.now_us - 1_000_000


def test_a_use_that_is_not_written_yet_is_known_to_its_process(
    catalog: Catalog, cast: Cast, clock: Clock, authenticator: KeyAuthenticator
) -> None:
    plain = make(catalog, cast.account_a.id)
    make(catalog, cast.account_a.id, "unused")
    assert authenticator.authenticate(plain)
    clock.advance(50)
    assert authenticator.authenticate(plain)
    found = {
        key.name: key.last_used_on_us for key in authenticator.with_last_use(keys.list_keys(catalog, cast.account_a.id))
    }
    assert found == {"ci": clock.now_us, "unused": None}
    authenticator._write({keys.find_key(catalog, cast.account_a.id, "ci").id: clock.now_us + 1})
    (key,) = authenticator.with_last_use([keys.find_key(catalog, cast.account_a.id, "ci")])
    assert key.last_used_on_us == clock.now_us + 1, "another process saw it later"


def test_the_last_of_several_uses_is_written_though_none_follows(
    catalog: Catalog, cast: Cast, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_authenticator, "_LATER_SECONDS", 0.02)
    plain = make(catalog, cast.account_a.id)
    authenticator = KeyAuthenticator(catalog)
    for _ in range(3):
        clock.advance(5)
        assert authenticator.authenticate(plain)
        deadline = time.monotonic() + 10
        while last_used(catalog, cast.account_a.id) != clock.now_us:
            assert time.monotonic() < deadline
            time.sleep(0.005)
    authenticator.close()


def test_a_later_use_known_to_another_process_stands(catalog: Catalog, cast: Cast, clock: Clock) -> None:
    plain = make(catalog, cast.account_a.id)
    slow = KeyAuthenticator(catalog)
    key = keys.find_key(catalog, cast.account_a.id, "ci")
    slow._write({key.id: clock.now_us + 5})
    slow._write({key.id: clock.now_us})
    assert last_used(catalog, cast.account_a.id) == clock.now_us + 5
    assert slow.authenticate(plain)
    slow.close()


class _AtOnce(ThreadPoolExecutor):
    """The thread is quicker than the one that hands over."""

    def submit(self, *args: Any, **kwargs: Any) -> "Future[Any]":
        future = super().submit(*args, **kwargs)
        wait([future])
        return future


@pytest.mark.parametrize("threads", [ThreadPoolExecutor, _AtOnce])
def test_a_key_works_though_its_last_use_cannot_be_written(
    catalog: Catalog, cast: Cast, threads: type[ThreadPoolExecutor], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = make(catalog, cast.account_a.id)
    monkeypatch.setattr(key_authenticator, "ThreadPoolExecutor", threads)
    authenticator = KeyAuthenticator(catalog)

    def full(_: Catalog) -> None:
        raise CatalogUnavailable("disk full")

    with monkeypatch.context() as away:
        away.setattr(Catalog, "writing", full)
        assert authenticator.authenticate(plain)
        authenticator._background.submit(lambda: None).result()
    assert last_used(catalog, cast.account_a.id) is None
    authenticator.close()
    assert last_used(catalog, cast.account_a.id) == catalog.clock(), "it is tried again"


def test_the_last_uses_of_many_keys_are_written_some_at_a_time(
    catalog: Catalog, cast: Cast, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_authenticator, "_TOGETHER", 2)
    made = [make(catalog, cast.account_a.id, f"k{number}") for number in range(5)]
    authenticator = KeyAuthenticator(catalog)
    for _ in range(2):
        for plain in made:
            assert authenticator.authenticate(plain)
        clock.advance(1)
    authenticator._background.submit(lambda: None).result()
    writes, write = [], KeyAuthenticator._write_some

    def noting(self: KeyAuthenticator, used: Sequence[tuple[str, int]]) -> None:
        writes.append(len(used))
        write(self, used)

    monkeypatch.setattr(KeyAuthenticator, "_write_some", noting)
    authenticator.close()
    assert writes == [2, 2, 1]
    assert {key.last_used_on_us for key in keys.list_keys(catalog, cast.account_a.id)} == {clock.now_us - 1_000_000}


def test_a_request_that_outlives_the_server_is_still_told_whose_key_it_is(catalog: Catalog, cast: Cast) -> None:
    plain = make(catalog, cast.account_a.id)
    authenticator = KeyAuthenticator(catalog)
    authenticator.close()
    assert authenticator.authenticate(plain)
    assert list(authenticator._unwritten().values()) == [catalog.clock()], (
        "what could not be handed over is not written"
    )
