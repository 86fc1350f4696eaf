"""Keys while the database is away: programs whose keys are known go on for a while."""

import threading
from collections.abc import Iterator

import pytest

from modeltraces.catalog import keys
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import CatalogUnavailable
from modeltraces.catalog.key_authenticator import KeyAuthenticator
from tests.catalog.cast import Cast, Timer


@pytest.fixture
def authenticator(catalog: Catalog, timer: Timer) -> Iterator[KeyAuthenticator]:
    opened = KeyAuthenticator(catalog, timer=timer)
    yield opened
    opened.close()


def test_while_the_database_is_away_known_keys_are_believed_for_five_minutes_and_no_others(
    catalog: Catalog, cast: Cast, authenticator: KeyAuthenticator, timer: Timer, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, _ = keys.create_key(catalog, cast.account_a.id, "known", actor="test")
    other, _ = keys.create_key(catalog, cast.account_a.id, "other", actor="test")
    assert authenticator.authenticate(known) is not None
    asked = 0

    def away() -> None:
        nonlocal asked
        asked += 1
        raise CatalogUnavailable("away")

    monkeypatch.setattr(catalog, "session", away)
    timer.now += 10
    assert authenticator.authenticate(known) is not None
    for _ in range(10):
        assert authenticator.cached(known) is not None
    assert asked == 1, "not at each request"
    with pytest.raises(CatalogUnavailable):
        authenticator.authenticate(other)
    timer.now += 289
    assert authenticator.authenticate(known) is not None
    timer.now += 2
    with pytest.raises(CatalogUnavailable):
        authenticator.authenticate(known)
    monkeypatch.undo()
    assert authenticator.authenticate(known) is not None


def test_a_database_that_hangs_holds_up_one_request_of_a_known_key(
    catalog: Catalog, cast: Cast, authenticator: KeyAuthenticator, timer: Timer, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, _ = keys.create_key(catalog, cast.account_a.id, "known", actor="test")
    assert authenticator.authenticate(known) is not None
    timer.now += 10
    hanging, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        hanging.set()
        assert go_on.wait(30)
        raise CatalogUnavailable("away")

    monkeypatch.setattr(catalog, "session", hang)
    answers: list[object] = []
    waiting = threading.Thread(target=lambda: answers.append(authenticator.authenticate(known)))
    waiting.start()
    assert hanging.wait(30)
    assert authenticator.cached(known) is None, "it may answer yet"
    timer.now += 1.5
    assert authenticator.cached(known) is not None
    go_on.set()
    waiting.join()
    assert answers != [None]
