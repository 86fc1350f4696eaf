import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from modeltraces.catalog import accounts, audit, model_edits
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict, Invalid, NotFound
from modeltraces.catalog.hosting import deployments, hardware, ledger
from modeltraces.catalog.hosting.intervals import hosted
from modeltraces.catalog.model_entries import DeploymentEntry
from modeltraces.catalog.models import ModelRegistry
from modeltraces.catalog.tables import DeploymentEventRow
from modeltraces.catalog.vault import Vault
from tests.catalog.cast import Cast, Clock

MINUTE = 60_000_000
HOUR = 60 * MINUTE
ALICE = "alice@example.com"
VAULT = Vault(b"secret of these tests")


@pytest.fixture
def noon(clock: Clock) -> Clock:
    """A clock that stands at 20:00 of the day whose hours the examples speak of."""
    clock.now_us = at(20)
    return clock


def at(hour: int, minute: int = 0) -> int:
    return int(datetime(2026, 11, 20, hour, minute, tzinfo=UTC).timestamp()) * 1_000_000


def model(catalog: Catalog, account_id: str, name: str = "llama", kind: str = "open_source") -> str:
    return model_edits.create(catalog, account_id, name, kind, actor=ALICE)


def deploy(
    catalog: Catalog, account_id: str, name: str = "llama", *, version: str | None = None, replicas: Any = 1,
    on_us: int | None = None, **values: Any,
) -> str:  # fmt: skip
    fields = deployments.Fields(values, VAULT)
    return deployments.create(
        catalog, account_id, name, fields, actor=ALICE, version=version, replicas=replicas, deployed_on_us=on_us
    )


def event(
    catalog: Catalog, account_id: str, type: str, *, version: str = "v1", name: str = "llama", replicas: Any = None,
    on_us: int | None = None,
) -> ledger.LedgerEvent:  # fmt: skip
    return ledger.add_event(catalog, account_id, name, version, type, actor=ALICE, replicas=replicas, on_us=on_us)


def entries(catalog: Catalog, account_id: str, name: str = "llama") -> Sequence[DeploymentEntry]:
    found = ModelRegistry(catalog).get_model(account_id, name)
    assert found is not None
    return found.deployments


def credits(
    catalog: Catalog, account_id: str, from_us: int | None = None, to_us: int | None = None, name: str = "llama"
) -> Decimal | None:
    intervals = [interval for entry in entries(catalog, account_id, name) for interval in entry.intervals]
    return hosted(intervals, from_us, to_us, catalog.clock()).credits


def test_example_1_two_replicas_at_a_half_from_ten_to_half_past_one(catalog: Catalog, cast: Cast, noon: Clock) -> None:
    a = cast.account_a.id
    model(catalog, a)
    assert deploy(catalog, a, replicas=2, credits_per_replica_hour="0.5", on_us=at(10)) == "v1"
    event(catalog, a, "undeploy", on_us=at(13, 30))
    assert credits(catalog, a) == Decimal("3.5")
    assert credits(catalog, a, at(11), at(12, 30)) == Decimal("1.5")


def test_example_2_scaled_to_four_at_noon(catalog: Catalog, cast: Cast, noon: Clock) -> None:
    a = cast.account_a.id
    model(catalog, a)
    deploy(catalog, a, replicas=2, credits_per_replica_hour=0.5, on_us=at(10))
    event(catalog, a, "undeploy", on_us=at(13, 30))
    event(catalog, a, "scale", replicas=4, on_us=at(12))  # arrives last, happened in between
    assert credits(catalog, a) == Decimal(5)
    assert credits(catalog, a, at(10), at(12)) == Decimal(2)
    assert credits(catalog, a, at(12), at(13, 30)) == Decimal(3)


def test_example_3_open_for_thirty_days(catalog: Catalog, cast: Cast, noon: Clock) -> None:
    a = cast.account_a.id
    model(catalog, a)
    deploy(catalog, a, credits_per_replica_hour="1.25", on_us=noon() - 30 * 24 * HOUR)
    assert credits(catalog, a, noon() - 24 * HOUR, noon()) == Decimal("30.0")
    assert credits(catalog, a, noon() - 7 * 24 * HOUR, noon()) == Decimal("210.0")


def test_example_4_a_new_price_holds_for_what_is_scaled_or_deployed_after_it(
    catalog: Catalog, cast: Cast, clock: Clock
) -> None:
    a = cast.account_a.id
    clock.now_us = at(8)
    hardware.set_price(catalog, a, "h100", 1, actor=ALICE)
    for name in ("stays", "scaled", "redeployed"):
        model(catalog, a, name)
        deploy(catalog, a, name, hardware="h100", on_us=at(8))
    clock.now_us = at(12)
    hardware.set_price(catalog, a, "h100", 2, actor=ALICE)
    clock.now_us = at(13)
    event(catalog, a, "scale", name="scaled", replicas=3)
    event(catalog, a, "undeploy", name="redeployed")
    clock.now_us = at(14)
    event(catalog, a, "deploy", name="redeployed")
    clock.now_us = at(16)
    assert credits(catalog, a, name="stays") == Decimal(8)
    assert credits(catalog, a, name="scaled") == Decimal(5 + 3 * 3 * 2)
    assert credits(catalog, a, name="redeployed") == Decimal(5 + 2 * 2)
    # Entered later, happened before noon: the price of then.
    model(catalog, a, "past")
    deploy(catalog, a, "past", hardware="h100", on_us=at(11))
    assert credits(catalog, a, name="past") == Decimal(5)


def test_example_5_a_gap_costs_nothing_and_two_versions_at_once_both_count(
    catalog: Catalog, cast: Cast, noon: Clock
) -> None:
    a = cast.account_a.id
    model(catalog, a)
    deploy(catalog, a, credits_per_replica_hour=1, on_us=at(8))
    event(catalog, a, "undeploy", on_us=at(9))
    assert deploy(catalog, a, credits_per_replica_hour=10, on_us=at(11)) == "v2"
    event(catalog, a, "undeploy", version="v2", on_us=at(13))
    assert credits(catalog, a) == Decimal(21)
    assert credits(catalog, a, at(9), at(11)) == Decimal(0)
    event(catalog, a, "deploy", on_us=at(12))
    event(catalog, a, "undeploy", on_us=at(13))
    assert credits(catalog, a, at(12), at(13)) == Decimal(11)


def test_example_6_six_minutes_of_runs_in_an_hour_of_one_replica_are_ten_percent(
    catalog: Catalog, cast: Cast, noon: Clock
) -> None:
    a = cast.account_a.id
    model(catalog, a)
    deploy(catalog, a, on_us=at(8))
    event(catalog, a, "undeploy", on_us=at(9))
    (entry,) = entries(catalog, a)
    assert Fraction(6 * MINUTE, hosted(entry.intervals, None, None, noon()).replica_us) == Fraction(1, 10)


def test_the_ledger_says_who_entered_what_and_when(catalog: Catalog, cast: Cast, noon: Clock) -> None:
    a = cast.account_a.id
    model(catalog, a)
    deploy(catalog, a, credits_per_replica_hour="0.50", on_us=at(10), replicas=2)
    noon.advance(60)
    entered = ledger.add_event(catalog, a, "llama", "v1", "undeploy", actor="key:deployer")
    (entry,) = entries(catalog, a)
    first, last = entry.events
    assert last == entered
    assert (first.actor, first.recorded_on_us, first.event.on_us) == (ALICE, at(20), at(10))
    assert (first.event.replicas, first.event.credits_per_replica_hour) == (2, Decimal("0.5"))
    assert (last.actor, last.event.type, last.event.on_us, last.event.replicas) == (
        "key:deployer",
        "undeploy",
        noon(),
        None,
    )
    undeployed, deployed = audit.list_entries(catalog, a, limit=2)
    assert (undeployed.actor, undeployed.action, undeployed.object) == (
        "key:deployer",
        "deployment.undeploy",
        "deployment:llama@v1",
    )
    assert deployed.after == {"on": "2026-11-20T10:00:00Z", "replicas": 2, "credits_per_replica_hour": "0.5"}


@pytest.mark.parametrize(
    ("type", "replicas", "says"),
    [
        ("undeploy", None, r"llama@v1 cannot be undeployed at 2026-11-20T09:00:00Z: it is not up at that time"),
        ("scale", 2, r"llama@v1 cannot be scaled at 2026-11-20T09:00:00Z: it is not up .* deploy it first"),
        ("deploy", 2, r"llama@v1 cannot be deployed at 2026-11-20T09:00:00Z: it is up already"),
    ],
)
def test_an_event_before_the_first_deploy_is_a_conflict_that_says_why(
    catalog: Catalog, cast: Cast, noon: Clock, type: str, replicas: int | None, says: str
) -> None:
    a = cast.account_a.id
    model(catalog, a)
    deploy(catalog, a, on_us=at(10))
    before = entries(catalog, a)
    with pytest.raises(Conflict, match=says):
        event(catalog, a, type, replicas=replicas, on_us=at(9))
    assert entries(catalog, a) == before


def test_intervals_of_one_version_never_overlap(catalog: Catalog, cast: Cast, noon: Clock) -> None:
    a = cast.account_a.id
    model(catalog, a)
    deploy(catalog, a, on_us=at(10))
    event(catalog, a, "undeploy", on_us=at(12))
    with pytest.raises(Conflict, match="up already at that time: scale it, or undeploy it first"):
        event(catalog, a, "deploy", on_us=at(11))
    with pytest.raises(Conflict, match="not up at that time"):
        event(catalog, a, "undeploy", on_us=at(11))
    with pytest.raises(Conflict, match="another event at the same instant"):
        event(catalog, a, "deploy", on_us=at(12))
    event(catalog, a, "deploy", on_us=at(13))
    with pytest.raises(Conflict, match="not up at that time, so it cannot be scaled"):
        event(catalog, a, "scale", replicas=2, on_us=at(12, 30))


@pytest.mark.parametrize("version", ["v1", "v2", "", "x" * 5000, "v1\0", "\ud800"])
def test_scaling_what_was_never_deployed_is_not_found_or_a_conflict(catalog: Catalog, cast: Cast, version: str) -> None:
    a = cast.account_a.id
    model(catalog, a)
    with pytest.raises(NotFound, match="'llama' has no deployment"):
        event(catalog, a, "scale", version=version, replicas=2)
    with pytest.raises(NotFound, match="no model"):
        event(catalog, a, "scale", version="v1", name=version or "?", replicas=2)


@pytest.mark.parametrize(
    "replicas",
    [-1, 0, 100_001, 1.5, 2.0, float("nan"), float("inf"), float("-inf"), "2", True, [], Decimal(2), 10**30],
)
def test_replicas_must_be_a_whole_number_from_one_up(catalog: Catalog, cast: Cast, clock: Clock, replicas: Any) -> None:
    a = cast.account_a.id
    model(catalog, a)
    with pytest.raises(Invalid, match="replicas must be a whole number from 1 to 100,000"):
        deploy(catalog, a, replicas=replicas)
    assert entries(catalog, a) == ()
    deploy(catalog, a)
    clock.advance(1)
    with pytest.raises(Invalid, match="replicas must be a whole number") as raised:
        event(catalog, a, "scale", replicas=replicas)
    assert ("undeploy it" in str(raised.value)) == (replicas == 0)


def test_what_an_event_needs_and_has_no_place_for(catalog: Catalog, cast: Cast, clock: Clock) -> None:
    a = cast.account_a.id
    model(catalog, a)
    deploy(catalog, a)
    clock.advance(1)
    with pytest.raises(Invalid, match="replicas is missing: say to how many"):
        event(catalog, a, "scale")
    with pytest.raises(Invalid, match="replicas has no place in an undeploy"):
        event(catalog, a, "undeploy", replicas=1)
    wrong: list[Any] = ["restart", "", "DEPLOY", None, 1, []]
    for type in wrong:
        with pytest.raises(Invalid, match="type must be one of deploy, scale, undeploy"):
            event(catalog, a, type)


@pytest.mark.parametrize("price", [-0.5, "-1", "NaN", float("nan"), "Infinity", float("inf"), "x", True, [1]])
def test_a_price_that_is_none_is_refused(catalog: Catalog, cast: Cast, price: Any) -> None:
    a = cast.account_a.id
    model(catalog, a)
    with pytest.raises(Invalid, match="credits_per_replica_hour must be"):
        deploy(catalog, a, credits_per_replica_hour=price)
    assert entries(catalog, a) == ()


def test_events_in_the_future_and_of_another_age_are_refused(catalog: Catalog, cast: Cast, noon: Clock) -> None:
    a = cast.account_a.id
    model(catalog, a)
    with pytest.raises(Invalid, match=r"lies in the future.*Enter it when it has"):
        deploy(catalog, a, on_us=noon() + 1)
    with pytest.raises(Invalid, match="before the year 2000"):
        deploy(catalog, a, on_us=0)
    for far in (-(10**20), 10**20):
        with pytest.raises(Invalid, match="The event lies"):
            deploy(catalog, a, on_us=far)
    deploy(catalog, a, on_us=noon())


def test_an_external_model_is_not_deployed(catalog: Catalog, cast: Cast) -> None:
    a = cast.account_a.id
    model(catalog, a, "gpt-4o", "external")
    with pytest.raises(Conflict, match=r"gpt-4o is external: it is reached by connections.*change its kind"):
        deploy(catalog, a, "gpt-4o")
    assert entries(catalog, a, "gpt-4o") == ()


def test_an_archived_model_can_be_taken_down_but_not_put_up(catalog: Catalog, cast: Cast, clock: Clock) -> None:
    a = cast.account_a.id
    model(catalog, a)
    deploy(catalog, a)
    model_edits.edit(catalog, a, "llama", {"archived": True}, actor=ALICE)
    clock.advance(60)
    event(catalog, a, "undeploy")
    clock.advance(60)
    with pytest.raises(Conflict, match=r"llama is archived\. Restore it first"):
        event(catalog, a, "deploy")
    with pytest.raises(Conflict, match=r"llama is archived\. Restore it first"):
        deploy(catalog, a)


def test_a_mistake_is_struck_out_and_stays_in_the_ledger(catalog: Catalog, cast: Cast, noon: Clock) -> None:
    a = cast.account_a.id
    model(catalog, a)
    deploy(catalog, a, credits_per_replica_hour=1, on_us=at(10))
    wrong = event(catalog, a, "scale", replicas=100, on_us=at(12))
    ledger.strike_event(catalog, a, "llama", "v1", wrong.id, actor="bob@example.com")
    assert credits(catalog, a) == Decimal(10)
    (entry,) = entries(catalog, a)
    assert [(one.event.type, one.struck_on_us, one.struck_by) for one in entry.events] == [
        ("deploy", None, None),
        ("scale", noon(), "bob@example.com"),
    ]
    struck = audit.list_entries(catalog, a, limit=1)[0]
    assert (struck.action, struck.actor) == ("deployment.strike", "bob@example.com")
    assert struck.before == {"type": "scale", "on": "2026-11-20T12:00:00Z", "replicas": 100}
    event(catalog, a, "scale", replicas=10, on_us=at(12))
    assert credits(catalog, a) == Decimal(2 + 80)
    with pytest.raises(NotFound, match="no such event"):
        ledger.strike_event(catalog, a, "llama", "v1", wrong.id, actor=ALICE)


def test_an_event_that_others_rest_on_is_not_struck_out(catalog: Catalog, cast: Cast, noon: Clock) -> None:
    a = cast.account_a.id
    model(catalog, a)
    deploy(catalog, a, on_us=at(10))
    event(catalog, a, "scale", replicas=2, on_us=at(11))
    (entry,) = entries(catalog, a)
    with pytest.raises(
        Conflict, match=r"Without this event the ledger makes no sense.*Strike out the later ones first"
    ):
        ledger.strike_event(catalog, a, "llama", "v1", entry.events[0].id, actor=ALICE)
    ledger.strike_event(catalog, a, "llama", "v1", entry.events[1].id, actor=ALICE)
    ledger.strike_event(catalog, a, "llama", "v1", entry.events[0].id, actor=ALICE)
    (entry,) = entries(catalog, a)
    assert (entry.intervals, entry.replicas, entry.deployed_on_us) == ((), 0, None)


def test_anothers_events_and_those_of_other_deployments_are_not_found(
    catalog: Catalog, cast: Cast, noon: Clock
) -> None:
    a, b = cast.account_a.id, cast.account_b.id
    model(catalog, a)
    model(catalog, b)
    deploy(catalog, a, on_us=at(10))
    deploy(catalog, a, on_us=at(10))
    deploy(catalog, b, on_us=at(10))
    first, second = entries(catalog, a)
    mine = first.events[0].id
    for event_id in (mine, 0, -1, 2**63, 10**30, -(10**30)):
        with pytest.raises(NotFound, match="no such event"):
            ledger.strike_event(catalog, b, "llama", "v1", event_id, actor="charlie@example.com")
    with pytest.raises(NotFound, match="no such event"):
        ledger.strike_event(catalog, a, "llama", "v2", mine, actor=ALICE)
    assert entries(catalog, a) == (first, second)


def test_charlie_finds_no_ledger_of_alices(catalog: Catalog, cast: Cast, noon: Clock) -> None:
    a, b = cast.account_a.id, cast.account_b.id
    model(catalog, a)
    deploy(catalog, a, on_us=at(10))
    before = entries(catalog, a)
    for change in (
        lambda: event(catalog, b, "undeploy"),
        lambda: event(catalog, b, "scale", replicas=2),
        lambda: deploy(catalog, b),
        lambda: ledger.strike_event(catalog, b, "llama", "v1", before[0].events[0].id, actor="charlie@example.com"),
    ):
        with pytest.raises(NotFound, match="This account has no model 'llama'"):
            change()
    assert entries(catalog, a) == before


def in_threads(*calls: Callable[[], object]) -> list[Any]:
    """What each call returned or raised, all begun at once."""
    results: list[Any] = [None] * len(calls)
    ready = threading.Barrier(len(calls))

    def run(index: int) -> None:
        ready.wait()
        try:
            results[index] = calls[index]()
        except Exception as error:
            results[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_of_several_who_deploy_one_version_at_once_one_wins_and_the_others_hear_why(
    catalog: Catalog, other_process: Catalog, cast: Cast
) -> None:
    a = cast.account_a.id
    model(catalog, a)
    calls = [lambda where=where: deploy(where, a, version="v7") for where in (catalog, other_process) * 4]
    results = in_threads(*calls)
    assert sorted(type(result).__name__ for result in results) == ["Conflict"] * 7 + ["str"]
    assert all("has a version 'v7' already" in str(result) for result in results if result != "v7")
    (entry,) = entries(catalog, a)
    assert len(entry.events) == 1


def test_several_who_deploy_without_a_version_at_once_get_one_each(
    catalog: Catalog, other_process: Catalog, cast: Cast
) -> None:
    a = cast.account_a.id
    model(catalog, a)
    calls = [lambda where=where: deploy(where, a) for where in (catalog, other_process) * 3]
    assert sorted(map(str, in_threads(*calls))) == ["v1", "v2", "v3", "v4", "v5", "v6"]


def test_two_processes_that_change_one_ledger_at_once_leave_one_that_makes_sense(
    catalog: Catalog, other_process: Catalog, cast: Cast, noon: Clock
) -> None:
    a = cast.account_a.id
    model(catalog, a)
    deploy(catalog, a, credits_per_replica_hour=1, on_us=at(1))

    def change(where: Catalog, minute: int, type: str) -> object:
        replicas = None if type == "undeploy" else minute + 1
        return event(where, a, type, replicas=replicas, on_us=at(2, minute))

    calls = [
        lambda where=where, minute=minute, type=type: change(where, minute, type)
        for minute in range(6)
        for where, type in ((catalog, "undeploy"), (other_process, "deploy"))
    ]
    results = in_threads(*calls)
    assert {type(result) for result in results} <= {ledger.LedgerEvent, Conflict}
    won = [result for result in results if isinstance(result, ledger.LedgerEvent)]
    assert won
    (entry,) = entries(catalog, a)
    assert {one.id for one in entry.events} == {one.id for one in won} | {entry.events[0].id}
    with catalog.session() as session:
        assert session.scalar(select(func.count()).select_from(DeploymentEventRow)) == len(won) + 1
    assert ModelRegistry(other_process).get_model(a, "llama") == ModelRegistry(catalog).get_model(a, "llama")


# Random ledgers against a simple one: for every minute of an hour, how many replicas at what price.

LAST = 60
Step = tuple[str, int, int, Decimal]
steps = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["deploy", "scale", "undeploy"]),
            st.integers(0, LAST - 1),
            st.integers(1, 5),
            st.just(Decimal(0)),
        ),
        st.tuples(st.just("strike"), st.integers(0, 9), st.just(0), st.just(Decimal(0))),
        st.tuples(st.just("price"), st.just(0), st.just(0), st.decimals(0, 9, places=2)),
    ),
    max_size=16,
)


def minutes_of(standing: dict[int, tuple[str, int, Decimal]]) -> list[tuple[int, Decimal]] | None:
    """None when the events make no sense."""
    state = (0, Decimal(0))
    minutes = []
    for minute in range(LAST):
        if minute in standing:
            type, replicas, price = standing[minute]
            if (state[0] > 0) == (type == "deploy"):
                return None
            state = (0, Decimal(0)) if type == "undeploy" else (replicas, price)
        minutes.append(state)
    return minutes


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps, st.integers(0, LAST), st.integers(0, LAST))
def test_random_events_in_any_order_of_arrival_cost_what_they_cost_minute_by_minute(
    catalog: Catalog, clock: Clock, steps: list[Step], one_end: int, other_end: int
) -> None:
    clock.advance(LAST * 60)
    start = clock() - LAST * MINUTE
    account, _ = accounts.ensure(catalog, f"random {clock()}", actor="test")
    a = account.id
    model(catalog, a)
    price = Decimal(1)
    # An event at minute -1, taken down at once, so that there is a version to speak of.
    deploy(catalog, a, credits_per_replica_hour=price, on_us=start - 2 * MINUTE)
    event(catalog, a, "undeploy", on_us=start - MINUTE)
    standing: dict[int, tuple[str, int, Decimal]] = {}
    entered: list[tuple[int, int]] = []
    for type, number, replicas, new_price in steps:
        if type == "price":
            price = new_price
            fields = deployments.Fields({"credits_per_replica_hour": price}, VAULT)
            deployments.edit(catalog, a, "llama", "v1", fields, actor=ALICE)
            continue
        if type == "strike":
            if number >= len(entered):
                continue
            event_id, minute = entered[number]
            rest = {at: one for at, one in standing.items() if at != minute}
            if minutes_of(rest) is None:
                with pytest.raises(Conflict):
                    ledger.strike_event(catalog, a, "llama", "v1", event_id, actor=ALICE)
            else:
                ledger.strike_event(catalog, a, "llama", "v1", event_id, actor=ALICE)
                standing = rest
                del entered[number]
            continue
        added = {**standing, number: (type, replicas, price)}
        given_replicas = None if type == "undeploy" else replicas
        on_us = start + number * MINUTE
        if number in standing or minutes_of(added) is None:
            with pytest.raises(Conflict):
                event(catalog, a, type, replicas=given_replicas, on_us=on_us)
        else:
            entered.append((event(catalog, a, type, replicas=given_replicas, on_us=on_us).id, number))
            standing = added
    minutes = minutes_of(standing)
    assert minutes is not None
    first, last = sorted((one_end, other_end))

    def cost(first: int, last: int) -> Fraction:
        return sum((Fraction(price) * replicas / 60 for replicas, price in minutes[first:last]), Fraction(0))

    def counted(first: int, last: int) -> Decimal:
        found = credits(catalog, a, start + first * MINUTE, start + last * MINUTE)
        assert found is not None
        return found

    for period in ((first, last), (0, first), (last, LAST), (0, LAST)):
        assert abs(Fraction(counted(*period)) - cost(*period)) <= Fraction(1, 2_000_000)
        assert counted(*period) <= counted(0, LAST)
    apart = counted(0, first) + counted(first, last) + counted(last, LAST)
    assert abs(apart - counted(0, LAST)) <= Decimal("0.000002")
