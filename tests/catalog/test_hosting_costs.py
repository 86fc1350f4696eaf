"""What hosting costs, by the examples that say how credits are counted, and minute by minute."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modeltraces.catalog import accounts
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict
from modeltraces.catalog.hosting import deployments, hardware, ledger
from modeltraces.catalog.hosting.intervals import hosted
from tests.catalog.cast import Cast, Clock
from tests.catalog.hosting_world import ALICE, HOUR, MINUTE, VAULT, at, credits, deploy, entries, event, model


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
