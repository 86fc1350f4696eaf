from decimal import Decimal
from typing import Any

import pytest

from modeltraces.catalog import audit, model_edits
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict, Invalid, NotFound
from modeltraces.catalog.hosting import ledger
from tests.catalog.cast import Cast, Clock
from tests.catalog.hosting_world import ALICE, at, credits, deploy, entries, event, model


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
        (
            "deploy",
            2,
            r"cannot be deployed at 2026-11-20T09:00:00Z: the deploy at 2026-11-20T10:00:00Z would make no sense, as it is up already",
        ),
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
    # What makes no sense is told with its own time, not with that of the new event.
    between = (
        r"cannot be undeployed at 2026-11-20T10:30:00Z: the undeploy at 2026-11-20T12:00:00Z would make no sense, as"
    )
    with pytest.raises(Conflict, match=between):
        event(catalog, a, "undeploy", on_us=at(10, 30))
    with pytest.raises(
        Conflict, match=r"v1 cannot be scaled at 2026-11-20T12:30:00Z: it is not up at that time: deploy it first[.]$"
    ):
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
    with pytest.raises(NotFound, match=r"was struck out at 2026-11-20T.*Z by bob@example\.com"):
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
