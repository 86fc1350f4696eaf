"""What keys use is counted exactly in one process, and added up over several, restarts and all."""

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from modeltraces.catalog import key_usage, keys
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import CatalogUnavailable
from modeltraces.catalog.key_authenticator import KeyIdentity, identity_of
from modeltraces.catalog.key_usage import DAY, MINUTE, Used, Window
from modeltraces.gateway.errors import Refused
from modeltraces.gateway.limits import KeyLimiter
from modeltraces.gateway.reading.outcome import Outcome
from tests.catalog.cast import Clock, Timer

Key = Callable[..., KeyIdentity]


@pytest.fixture
def key(catalog: Catalog, account_id: str) -> Key:
    def made(**limits: int) -> KeyIdentity:
        return identity_of(keys.create_key(catalog, account_id, "ci", actor="test", limits=limits)[1])

    return made


@pytest.fixture
def limiter(catalog: Catalog, timer: Timer) -> KeyLimiter:
    return KeyLimiter(catalog, timer=timer)


@pytest.fixture
def other(other_process: Catalog, timer: Timer) -> KeyLimiter:
    return KeyLimiter(other_process, timer=timer)


def refused(limiter: KeyLimiter, key: KeyIdentity) -> Refused:
    with pytest.raises(Refused) as found:
        limiter.take(key)
    assert found.value.status == 429
    return found.value


def took(tokens: int) -> Outcome:
    return Outcome(input_tokens=tokens - tokens // 3, output_tokens=tokens // 3)


def admitted(limiter: KeyLimiter, key: KeyIdentity) -> bool:
    """As a call of the server asks."""
    try:
        asyncio.run(limiter.admit(key))
    except Refused:
        return False
    return True


def test_a_minute_has_so_many_requests_and_the_next_as_many(limiter: KeyLimiter, key: Key, clock: Clock) -> None:
    three = key(requests_per_minute=3)
    clock.advance(20.5)
    for _ in range(3):
        limiter.take(three)
    said = refused(limiter, three)
    assert said.headers == {"Retry-After": "40"}
    assert "3 requests a minute" in said.message
    clock.advance(39.4)
    assert refused(limiter, three).headers == {"Retry-After": "1"}
    clock.advance(0.1)
    for _ in range(3):
        limiter.take(three)
    refused(limiter, three)


def test_the_call_that_crosses_the_day_passes_and_the_next_does_not(
    limiter: KeyLimiter, key: Key, clock: Clock
) -> None:
    thousand = key(tokens_per_day=1000)
    clock.advance(DAY - 3 * 3600)
    for _ in range(3):
        limiter.take(thousand)
    limiter.spend(thousand, took(999))
    limiter.take(thousand)
    limiter.spend(thousand, took(400))
    said = refused(limiter, thousand)
    assert said.headers == {"Retry-After": str(3 * 3600)}
    assert "1,000 tokens a day, and has used 1,399" in said.message
    assert "in 3 h 0 min" in said.message
    clock.advance(3 * 3600)
    limiter.take(thousand)


def test_what_the_upstream_does_not_tell_is_nothing(limiter: KeyLimiter, key: Key) -> None:
    one = key(tokens_per_day=1)
    limiter.spend(one, Outcome())
    limiter.spend(one, Outcome(input_tokens=0))
    limiter.take(one)
    limiter.spend(one, Outcome(output_tokens=1))
    refused(limiter, one)


def test_keys_are_counted_apart_and_those_without_limits_not_at_all(limiter: KeyLimiter, key: Key) -> None:
    one, two, free = key(requests_per_minute=1), key(requests_per_minute=1), key()
    limiter.take(one)
    limiter.take(two)
    refused(limiter, one)
    limiter.spend(free, took(10))
    for _ in range(5):
        assert admitted(limiter, free)
    limiter.sync()
    assert {window.key_id for window in limiter._known} == {one.key_id, two.key_id}


def test_two_processes_share_what_a_key_may_use(
    limiter: KeyLimiter, other: KeyLimiter, key: Key, catalog: Catalog, clock: Clock
) -> None:
    shared = key(requests_per_minute=5, tokens_per_day=100)
    for process in (limiter, other, limiter, other):
        process.take(shared)
    limiter.sync()
    other.sync()
    limiter.sync()
    other.take(shared)
    other.sync()
    limiter.sync()
    for process in (limiter, other):
        refused(process, shared)
    limiter.spend(shared, took(60))
    other.spend(shared, took(60))
    limiter.sync()
    other.sync()
    clock.advance(60)
    refused(other, shared)
    limiter.take(shared)
    limiter.sync()
    refused(limiter, shared)
    day = Window(shared.key_id, DAY, key_usage.start_of(DAY, clock()))
    assert key_usage.current(catalog)[day] == Used(6, 120)


def test_a_restart_begins_no_day_anew(limiter: KeyLimiter, key: Key, other_process: Catalog, timer: Timer) -> None:
    few = key(tokens_per_day=100)
    assert admitted(limiter, few)
    limiter.spend(few, took(100))
    limiter.stop()
    restarted = KeyLimiter(other_process, timer=timer)
    assert not admitted(restarted, few), "the first call already knows of the day"
    restarted.stop()


def test_a_call_looks_at_the_catalog_only_after_a_pause(
    limiter: KeyLimiter, other: KeyLimiter, key: Key, timer: Timer, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = key(requests_per_minute=2)
    assert admitted(limiter, two)
    other.take(two)
    other.sync()
    timer.now += 1
    looks: list[int] = []
    current = key_usage.current

    def counting(catalog: Catalog) -> dict[Window, Used]:
        looks.append(1)
        return current(catalog)

    monkeypatch.setattr(key_usage, "current", counting)
    assert admitted(limiter, two), "what the other counted is not known yet"
    assert looks == []
    timer.now += 2.5
    assert not admitted(limiter, two)
    assert looks == [1]


def test_what_is_counted_reaches_the_catalog_by_itself(key: Key, catalog: Catalog, clock: Clock) -> None:
    hundred = key(requests_per_minute=100)
    limiter = KeyLimiter(catalog, every_seconds=0.02)
    limiter.start()
    day = Window(hundred.key_id, DAY, key_usage.start_of(DAY, clock()))
    try:
        for number in range(1, 4):
            assert admitted(limiter, hundred)
            for _ in range(200):
                if key_usage.current(catalog).get(day) == Used(number, 0):
                    break
                threading.Event().wait(0.02)
            else:
                raise AssertionError("it was not written")
    finally:
        limiter.stop()


def test_calls_at_once_and_syncs_between_them_lose_nothing_and_let_none_too_many_pass(
    limiter: KeyLimiter, key: Key, catalog: Catalog, clock: Clock
) -> None:
    many = key(requests_per_minute=300)
    passed: list[int] = []
    done = threading.Event()

    def call() -> None:
        for _ in range(100):
            try:
                limiter.take(many)
            except Refused:
                continue
            limiter.spend(many, took(3))
            passed.append(1)

    def sync() -> None:
        while not done.is_set():
            limiter.sync()

    threads = [threading.Thread(target=call) for _ in range(4)]
    syncing = threading.Thread(target=sync)
    syncing.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    syncing.join()
    limiter.sync()
    assert len(passed) == 300
    minute = Window(many.key_id, MINUTE, key_usage.start_of(MINUTE, clock()))
    assert key_usage.current(catalog)[minute] == Used(300, 900)


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    def fails(*_: object) -> None:
        raise CatalogUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(key_usage, "add", fails)
        yield patch


def test_while_the_catalog_is_away_calls_are_counted_here_and_added_later(
    limiter: KeyLimiter, key: Key, catalog: Catalog, clock: Clock, timer: Timer, away: pytest.MonkeyPatch
) -> None:
    three = key(requests_per_minute=3)
    for _ in range(2):
        assert admitted(limiter, three)
        timer.now += 10
    with pytest.raises(CatalogUnavailable):
        limiter.sync()
    assert admitted(limiter, three)
    assert not admitted(limiter, three)
    clock.advance(60)
    assert admitted(limiter, three)
    away.undo()
    limiter.sync()
    used = key_usage.current(catalog)
    assert used[Window(three.key_id, DAY, key_usage.start_of(DAY, clock()))] == Used(4, 0)
    assert used[Window(three.key_id, MINUTE, key_usage.start_of(MINUTE, clock()))] == Used(1, 0)


def test_a_catalog_that_hangs_holds_a_call_up_for_a_second_at_most(
    limiter: KeyLimiter, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modeltraces.gateway import limits

    monkeypatch.setattr(limits, "WAIT_SECONDS", 0.05)
    hanging = threading.Event()
    monkeypatch.setattr(key_usage, "add", lambda *_: hanging.wait(10))
    one = key(requests_per_minute=1)
    assert admitted(limiter, one)
    assert not admitted(limiter, one), "what was counted here still holds"
    assert not hanging.is_set()
    hanging.set()
    limiter.stop()
