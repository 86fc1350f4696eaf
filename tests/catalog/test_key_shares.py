"""What keys use is held to exactly by several processes over one PostgreSQL, without asking it at every call."""

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from modeltraces.catalog import accounts, key_leases, key_usage, keys
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import CatalogUnavailable
from modeltraces.catalog.key_authenticator import KeyIdentity, identity_of
from modeltraces.catalog.key_usage import DAY, MINUTE, Used, Window, start_of
from modeltraces.gateway import shares
from modeltraces.gateway.errors import Refused
from modeltraces.gateway.reading.outcome import Outcome
from modeltraces.gateway.shares import KEPT_SECONDS, SharedLimiter
from tests.catalog.cast import Clock, Timer
from tests.support.postgres import Postgres

Key = Callable[..., KeyIdentity]


@pytest.fixture(scope="module")
def url(postgres: Postgres) -> Iterator[str]:
    made = postgres.new_database(postgres.with_tables())
    yield made
    postgres.drop(made)


@pytest.fixture
def catalogs(url: str, clock: Clock) -> Iterator[list[Catalog]]:
    """As three processes open it."""
    opened = [Catalog(url, clock=clock) for _ in range(3)]
    yield opened
    for one in opened:
        one.close()


@pytest.fixture
def limiters(catalogs: list[Catalog], timer: Timer) -> Iterator[list[SharedLimiter]]:
    made = [SharedLimiter(one, timer=timer) for one in catalogs]
    yield made
    for one in made:
        one.stop()


@pytest.fixture
def key(catalogs: list[Catalog]) -> Key:
    account, _ = accounts.ensure(catalogs[0], "A", actor="test")

    def made(**limits: int) -> KeyIdentity:
        return identity_of(keys.create_key(catalogs[0], account.id, "ci", actor="test", limits=limits)[1])

    return made


async def admitted(limiter: SharedLimiter, key: KeyIdentity) -> bool:
    try:
        await limiter.admit(key)
    except Refused:
        return False
    return True


def admits(limiter: SharedLimiter, key: KeyIdentity, calls: int = 1) -> int:
    """Of so many calls at once, how many pass."""

    async def all_of_them() -> list[bool]:
        return await asyncio.gather(*(admitted(limiter, key) for _ in range(calls)))

    return sum(asyncio.run(all_of_them()))


def took(tokens: int) -> Outcome:
    return Outcome(input_tokens=tokens)


def used(catalog: Catalog, key: KeyIdentity, span: int) -> Used:
    window = Window(key.key_id, span, start_of(span, catalog.clock()))
    return key_usage.current(catalog).get(window, Used())


def statements(catalog: Catalog) -> list[str]:
    sent: list[str] = []
    event.listen(catalog.engine, "before_cursor_execute", lambda _c, _k, sql, *_: sent.append(sql))
    return sent


def test_processes_let_pass_exactly_what_a_key_may_use(
    limiters: list[SharedLimiter], key: Key, timer: Timer, clock: Clock
) -> None:
    hundred = key(requests_per_minute=100)
    clock.advance(20.5)
    passed = 0
    for round_ in range(40):
        passed += sum(admits(limiter, hundred, 1 + round_ % 3) for limiter in limiters)
        assert passed <= 100
        timer.now += 0.1
    for limiter in limiters:
        timer.now += KEPT_SECONDS
        limiter.settle()
    for limiter in limiters:
        passed += admits(limiter, hundred, 100)
    assert passed == 100
    with pytest.raises(Refused) as refused:
        asyncio.run(limiters[0].admit(hundred))
    assert refused.value.status == 429
    assert refused.value.headers == {"Retry-After": "40"}
    assert "100 requests a minute, and has used 100" in refused.value.message
    clock.advance(39.5)
    assert admits(limiters[1], hundred)


@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 60), st.randoms(use_true_random=False))
def test_whatever_the_order_of_calls_pauses_and_stops_never_one_too_many_passes_and_all_pass_in_the_end(
    catalogs: list[Catalog], key: Key, limit: int, order: random.Random
) -> None:
    timer = Timer()
    few, limiters = key(requests_per_minute=limit), [SharedLimiter(one, timer=timer) for one in catalogs]
    passed = 0
    for _ in range(30):
        at = order.randrange(3)
        match order.randrange(6):
            case 0:
                timer.now += order.choice((0.05, 0.3))
            case 1:
                limiters[at].settle()
            case 2:
                limiters[at].stop()
                limiters[at] = SharedLimiter(catalogs[at], timer=timer)
            case _:
                passed += admits(limiters[at], few, order.randrange(1, 12))
        assert passed <= limit
    for limiter in limiters:
        limiter.stop()
    last = SharedLimiter(catalogs[0], timer=timer)
    assert passed + admits(last, few, limit + 1) == limit
    last.stop()


def test_processes_that_call_at_the_same_time_share_what_there_is(limiters: list[SharedLimiter], key: Key) -> None:
    few = key(requests_per_minute=60)
    passed = [0, 0, 0]

    def call(at: int) -> None:
        passed[at] = admits(limiters[at], few, 50)

    threads = [threading.Thread(target=call, args=(at,)) for at in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(passed) == 60


def test_most_calls_of_a_busy_key_ask_nobody(
    limiters: list[SharedLimiter], catalogs: list[Catalog], key: Key, timer: Timer
) -> None:
    busy = key(requests_per_minute=100_000)
    sent = statements(catalogs[0])
    for _ in range(100):
        assert admits(limiters[0], busy, 10) == 10
        timer.now += 0.01
    asked = sum("FOR UPDATE" in sql or "RETURNING" in sql for sql in sent)
    assert asked <= 20, "of 1,000 calls"


def test_a_key_without_limits_is_not_counted(limiters: list[SharedLimiter], catalogs: list[Catalog], key: Key) -> None:
    free = key()
    sent = statements(catalogs[0])
    assert admits(limiters[0], free, 5) == 5
    limiters[0].spend(free, took(10))
    limiters[0].settle()
    assert sent == []


def test_what_is_not_needed_of_a_share_goes_back(
    limiters: list[SharedLimiter], catalogs: list[Catalog], key: Key, timer: Timer
) -> None:
    busy = key(requests_per_minute=1000)
    # One after the other: of calls at once, the first share may be just what they need.
    for _ in range(3):
        assert admits(limiters[0], busy) == 1
    assert used(catalogs[1], busy, MINUTE).requests > 3, "a share is counted when it is taken"
    timer.now += KEPT_SECONDS
    limiters[0].settle()
    assert used(catalogs[1], busy, MINUTE).requests == 3
    assert used(catalogs[1], busy, DAY).requests == 3


def test_a_key_that_nobody_uses_any_more_is_forgotten(
    limiters: list[SharedLimiter], key: Key, timer: Timer, clock: Clock
) -> None:
    """Whose last calls had passed by a share was kept for ever."""
    few, limiter = key(requests_per_minute=1000), limiters[0]
    for _ in range(20):
        timer.now += 0.01
        assert admits(limiter, few)
    clock.advance(61)
    for _ in range(3):
        timer.now += 61
        limiter.settle()
    assert not limiter._shares
    assert admits(limiter, few)


def test_what_passed_while_the_catalog_was_away_counts_in_its_minute(
    limiters: list[SharedLimiter], catalogs: list[Catalog], key: Key, timer: Timer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ten = key(requests_per_minute=10)

    def away(*_: object, **__: object) -> NoReturn:
        raise CatalogUnavailable("away")

    with monkeypatch.context() as gone:
        gone.setattr(key_leases, "lease", away)
        gone.setattr(key_usage, "add", away)
        assert admits(limiters[0], ten, 6) == 6
    timer.now += 2
    assert sum(admits(limiter, ten, 10) for limiter in limiters) == 4
    assert used(catalogs[0], ten, MINUTE).requests == 10


def test_the_call_that_crosses_the_day_passes_and_the_next_of_any_process_does_not(
    limiters: list[SharedLimiter], catalogs: list[Catalog], key: Key, clock: Clock, timer: Timer
) -> None:
    thousand = key(tokens_per_day=1000)
    clock.advance(DAY - 3 * 3600)
    for limiter in limiters:
        assert admits(limiter, thousand)
    limiters[0].spend(thousand, took(999))
    assert admits(limiters[0], thousand)
    limiters[0].settle()
    timer.now += KEPT_SECONDS
    assert admits(limiters[1], thousand)
    limiters[1].spend(thousand, took(400))
    assert not admits(limiters[1], thousand), "what was used here is known here at once"
    limiters[1].settle()
    for limiter in limiters:
        with pytest.raises(Refused) as refused:
            asyncio.run(limiter.admit(thousand))
        assert refused.value.headers == {"Retry-After": str(3 * 3600)}
        assert "1,000 tokens a day, and has used 1,399" in refused.value.message
    assert used(catalogs[2], thousand, DAY) == Used(5, 1399)
    clock.advance(3 * 3600)
    assert admits(limiters[2], thousand)


def test_a_server_tells_the_others_of_tokens_as_soon_as_an_answer_has_ended(catalogs: list[Catalog], key: Key) -> None:
    some = key(tokens_per_day=100)
    telling, asking = SharedLimiter(catalogs[0]), SharedLimiter(catalogs[1])
    telling.start()

    async def until_refused() -> None:
        while await admitted(asking, some):
            await asyncio.sleep(0.01)

    try:
        assert admits(telling, some)
        assert admits(asking, some)
        telling.spend(some, took(100))
        asyncio.run(asyncio.wait_for(until_refused(), 30))
    finally:
        telling.stop()
        asking.stop()


def test_a_limit_that_is_raised_or_lowered_holds_with_the_next_share(
    limiters: list[SharedLimiter], key: Key, timer: Timer
) -> None:
    one = key(requests_per_minute=1)
    assert admits(limiters[0], one, 3) == 1
    raised = KeyIdentity(one.key_id, one.account_id, "ci", one.scopes, "", "", None, key(requests_per_minute=3).limits)
    timer.now += KEPT_SECONDS
    assert admits(limiters[0], raised, 5) == 2
    assert admits(limiters[1], raised, 5) == 0


def test_while_the_catalog_is_away_calls_go_on_by_what_is_known_and_are_counted_later(
    limiters: list[SharedLimiter], catalogs: list[Catalog], key: Key, monkeypatch: pytest.MonkeyPatch, timer: Timer,
    clock: Clock,
) -> None:  # fmt: skip
    five = key(requests_per_minute=5, tokens_per_day=100)
    limiter = limiters[0]
    assert admits(limiter, five, 2) == 2

    def unavailable(*_: Any, **__: Any) -> Any:
        raise CatalogUnavailable("away")

    monkeypatch.setattr(key_leases, "lease", unavailable)
    monkeypatch.setattr(key_usage, "add", unavailable)
    timer.now += KEPT_SECONDS
    assert admits(limiter, five, 9) == 3
    limiter.spend(five, took(60))
    with pytest.raises(CatalogUnavailable):
        limiter.settle()
    clock.advance(60)
    assert admits(limiter, five, 9) == 5, "the next minute has as many"
    limiter.spend(five, took(50))
    assert admits(limiter, five) == 0, "what was counted here holds"
    monkeypatch.undo()
    timer.now += 2
    limiter.settle()
    assert used(catalogs[1], five, DAY) == Used(10, 110)
    assert used(catalogs[1], five, MINUTE).requests == 5


def test_a_catalog_that_hangs_holds_calls_up_once(
    limiters: list[SharedLimiter], key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares, "WAIT_SECONDS", 0.05)
    go_on = threading.Event()
    real: Callable[..., Any] = key_leases.lease
    monkeypatch.setattr(key_leases, "lease", lambda *given, **named: go_on.wait(30) and real(*given, **named))
    two = key(requests_per_minute=2)
    waited = 0
    renewed = SharedLimiter._renewed

    def counted(*given: Any) -> Awaitable[bool]:
        nonlocal waited
        waited += 1
        return renewed(*given)

    monkeypatch.setattr(SharedLimiter, "_renewed", counted)
    assert [admits(limiters[0], two) for _ in range(4)] == [1, 1, 0, 0]
    assert waited == 1
    go_on.set()


def test_a_restart_begins_no_day_anew(limiters: list[SharedLimiter], catalogs: list[Catalog], key: Key) -> None:
    few = key(tokens_per_day=100, requests_per_minute=10)
    assert admits(limiters[0], few)
    limiters[0].spend(few, took(100))
    limiters[0].stop()
    restarted = SharedLimiter(catalogs[0])
    assert admits(restarted, few) == 0, "the first call already knows of the day"
    restarted.stop()
    assert used(catalogs[1], few, MINUTE).requests == 1


def test_a_share_of_a_minute_gone_by_is_not_taken_into_the_next(
    limiters: list[SharedLimiter], catalogs: list[Catalog], key: Key, clock: Clock
) -> None:
    busy = key(requests_per_minute=1000)
    admits(limiters[0], busy, 10)
    clock.advance(60)
    assert admits(limiters[0], busy) == 1
    limiters[0].settle(all_of_it=True)
    assert used(catalogs[1], busy, MINUTE).requests == 1
