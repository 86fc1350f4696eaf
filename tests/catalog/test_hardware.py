import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modeltraces.catalog import accounts, audit, model_edits
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict, Invalid, NotFound
from modeltraces.catalog.hosting import deployments, hardware
from modeltraces.catalog.models import ModelRegistry
from modeltraces.catalog.vault import Vault
from tests.catalog.cast import Cast, Clock

HOUR = 3600
VAULT = Vault(b"secret of these tests")


def deploy(catalog: Catalog, account_id: str, model: str, **values: Any) -> str:
    return deployments.create(
        catalog, account_id, model, deployments.Fields(values, VAULT), actor="alice@example.com", version="v1"
    )


def prices(catalog: Catalog, account_id: str, name: str) -> list[Decimal]:
    (found,) = [one for one in hardware.list_hardware(catalog, account_id) if one.name == name]
    return [price.credits_per_replica_hour for price in found.prices]


def test_hardware_is_listed_by_name_with_the_price_of_now_and_those_before(
    catalog: Catalog, cast: Cast, clock: Clock
) -> None:
    hardware.set_price(catalog, cast.account_a.id, "h100", "4", actor="alice@example.com")
    first = clock()
    hardware.set_price(catalog, cast.account_a.id, " a10g ", 0.5, actor="alice@example.com")
    clock.advance(HOUR)
    changed = hardware.set_price(catalog, cast.account_a.id, "a10g", "0.75", actor="bob@example.com")
    a10g, h100 = hardware.list_hardware(catalog, cast.account_a.id)
    assert changed == a10g
    assert (a10g.name, h100.name, a10g.archived) == ("a10g", "h100", False)
    assert a10g.credits_per_replica_hour == Decimal("0.75")
    assert [(price.from_us, price.credits_per_replica_hour, price.actor) for price in a10g.prices] == [
        (first, Decimal("0.5"), "alice@example.com"),
        (clock(), Decimal("0.75"), "bob@example.com"),
    ]
    assert hardware.list_hardware(catalog, cast.account_b.id) == []


def test_a_new_price_is_in_the_audit_log_with_the_old_one(catalog: Catalog, cast: Cast, clock: Clock) -> None:
    hardware.set_price(catalog, cast.account_a.id, "h100", "4", actor="alice@example.com")
    clock.advance(1)
    hardware.set_price(catalog, cast.account_a.id, "h100", "5.50", actor="alice@example.com")
    changed, added = audit.list_entries(catalog, cast.account_a.id, limit=2)
    assert (added.action, added.object, added.before, added.after) == (
        "hardware.add",
        "hardware:h100",
        None,
        {"credits_per_replica_hour": "4"},
    )
    assert (changed.action, changed.before, changed.after) == (
        "hardware.price",
        {"credits_per_replica_hour": "4"},
        {"credits_per_replica_hour": "5.5"},
    )


def test_the_same_price_again_changes_nothing(catalog: Catalog, cast: Cast, clock: Clock) -> None:
    hardware.set_price(catalog, cast.account_a.id, "h100", "4", actor="a")
    before = audit.list_entries(catalog, cast.account_a.id)
    clock.advance(HOUR)
    hardware.set_price(catalog, cast.account_a.id, "h100", "4.00", actor="a")
    assert prices(catalog, cast.account_a.id, "h100") == [Decimal(4)]
    assert audit.list_entries(catalog, cast.account_a.id) == before


def test_a_price_set_while_the_clock_went_back_is_the_price_of_now(catalog: Catalog, cast: Cast, clock: Clock) -> None:
    hardware.set_price(catalog, cast.account_a.id, "h100", "3", actor="a")
    clock.advance(HOUR)
    hardware.set_price(catalog, cast.account_a.id, "h100", "4", actor="a")
    clock.advance(-60)
    found = hardware.set_price(catalog, cast.account_a.id, "h100", "5", actor="a")
    assert found.credits_per_replica_hour == Decimal(5)
    model_edits.create(catalog, cast.account_a.id, "m", "open_source", actor="a")
    deploy(catalog, cast.account_a.id, "m", hardware="h100")
    entry = ModelRegistry(catalog).get_model(cast.account_a.id, "m")
    assert entry is not None
    assert entry.deployments[0].intervals[0].credits_per_replica_hour == Decimal(5)


@pytest.mark.parametrize("price", [-1, "NaN", "Infinity", float("nan"), float("-inf"), "", None, True, "1e-999999999"])
def test_a_price_that_is_none_is_refused(catalog: Catalog, cast: Cast, price: Any) -> None:
    with pytest.raises(Invalid, match="credits_per_replica_hour must be"):
        hardware.set_price(catalog, cast.account_a.id, "h100", price, actor="a")
    assert hardware.list_hardware(catalog, cast.account_a.id) == []


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 201])
def test_a_name_that_is_none_is_refused(catalog: Catalog, cast: Cast, name: str) -> None:
    with pytest.raises(Invalid, match="The hardware's name must"):
        hardware.set_price(catalog, cast.account_a.id, name, 1, actor="a")


def test_hardware_leaves_the_price_list_only_when_no_deployment_is_on_it(
    catalog: Catalog, cast: Cast, clock: Clock
) -> None:
    hardware.set_price(catalog, cast.account_a.id, "h100", "4", actor="a")
    model_edits.create(catalog, cast.account_a.id, "m", "open_source", actor="a")
    deploy(catalog, cast.account_a.id, "m", hardware="h100")
    with pytest.raises(Conflict, match=r"Deployments are on 'h100'\. Give them other hardware first"):
        hardware.remove(catalog, cast.account_a.id, "h100", actor="a")
    clock.advance(HOUR)
    fields = deployments.Fields({"hardware": ""}, VAULT)
    deployments.edit(catalog, cast.account_a.id, "m", "v1", fields, actor="a")
    hardware.remove(catalog, cast.account_a.id, "h100", actor="a")
    assert hardware.list_hardware(catalog, cast.account_a.id) == []
    entry = ModelRegistry(catalog).get_model(cast.account_a.id, "m")
    assert entry is not None
    (interval,) = entry.deployments[0].intervals
    assert (interval.credits_per_replica_hour, interval.hardware) == (Decimal(4), "h100")
    removed = audit.list_entries(catalog, cast.account_a.id)[0]
    assert (removed.action, removed.before) == ("hardware.remove", {"credits_per_replica_hour": "4"})


@pytest.mark.parametrize("name", ["h100", "", "x" * 10_000, "a\ud800"])
def test_removing_what_is_not_there_or_anothers_is_not_found(catalog: Catalog, cast: Cast, name: str) -> None:
    hardware.set_price(catalog, cast.account_a.id, "h100", "4", actor="alice@example.com")
    with pytest.raises(NotFound, match="has no hardware"):
        hardware.remove(catalog, cast.account_b.id, name, actor="charlie@example.com")
    assert prices(catalog, cast.account_a.id, "h100") == [Decimal(4)]


def test_a_deployment_cannot_be_on_anothers_hardware(catalog: Catalog, cast: Cast) -> None:
    hardware.set_price(catalog, cast.account_a.id, "h100", "4", actor="alice@example.com")
    model_edits.create(catalog, cast.account_b.id, "m", "open_source", actor="charlie@example.com")
    with pytest.raises(NotFound, match="price list has no hardware 'h100'"):
        deploy(catalog, cast.account_b.id, "m", hardware="h100")


def test_charlies_price_does_not_change_alices(catalog: Catalog, cast: Cast) -> None:
    hardware.set_price(catalog, cast.account_a.id, "h100", "4", actor="alice@example.com")
    hardware.set_price(catalog, cast.account_b.id, "h100", "9", actor="charlie@example.com")
    assert prices(catalog, cast.account_a.id, "h100") == [Decimal(4)]
    hardware.remove(catalog, cast.account_b.id, "h100", actor="charlie@example.com")
    assert prices(catalog, cast.account_a.id, "h100") == [Decimal(4)]


def test_an_account_that_is_gone_is_not_found(catalog: Catalog, cast: Cast) -> None:
    with pytest.raises(NotFound, match="no such account"):
        hardware.set_price(catalog, "nowhere", "h100", "4", actor="a")


def test_two_processes_that_put_the_same_hardware_on_the_list_at_once_make_one(
    catalog: Catalog, other_process: Catalog, cast: Cast
) -> None:
    failed: list[BaseException] = []

    def put(where: Catalog, price: int) -> None:
        try:
            hardware.set_price(where, cast.account_a.id, "h100", price, actor="a")
        except BaseException as error:
            failed.append(error)

    both: list[Callable[[], None]] = [lambda: put(catalog, 1), lambda: put(other_process, 2)]
    threads = [threading.Thread(target=each) for each in both for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    (one,) = hardware.list_hardware(catalog, cast.account_a.id)
    assert one.credits_per_replica_hour in (1, 2)
    starts = [price.from_us for price in one.prices]
    assert starts == sorted(set(starts))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 20), st.decimals(0, 99, places=3)), min_size=1, max_size=8),
    st.integers(0, 100 * HOUR),
)
def test_an_event_entered_for_the_past_bears_the_price_of_that_time(
    catalog: Catalog, clock: Clock, changes: list[tuple[int, Decimal]], seconds_ago: int
) -> None:
    account, _ = accounts.ensure(catalog, f"priced {clock()}", actor="test")
    held: list[tuple[int, Decimal]] = []
    for hours, price in changes:
        clock.advance(hours * HOUR + 1)
        hardware.set_price(catalog, account.id, "h100", price, actor="a")
        held.append((clock(), price))
    clock.advance(HOUR)
    at = clock() - seconds_ago * 1_000_000
    model_edits.create(catalog, account.id, "m", "open_source", actor="a")
    fields = deployments.Fields({"hardware": "h100"}, VAULT)
    deployments.create(catalog, account.id, "m", fields, actor="a", version="v1", deployed_on_us=at)
    entry = ModelRegistry(catalog).get_model(account.id, "m")
    assert entry is not None
    before = [price for from_us, price in held if from_us <= at]
    assert entry.deployments[0].intervals[0].credits_per_replica_hour == (before or [held[0][1]])[-1]
