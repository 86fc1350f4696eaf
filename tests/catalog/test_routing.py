"""How a model's calls are spread: what may be said of it, and what becomes of it when its places change."""

from typing import Any

import pytest

from modeltraces.catalog import audit, connections
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict, Invalid
from modeltraces.catalog.hosting import deployments
from modeltraces.catalog.models import ModelRegistry
from modeltraces.catalog.routing import Routing
from tests.catalog.model_world import ALICE, VAULT, create, deploy, edit, merge, one, seen, unmerge

SPREAD: dict[str, Any] = {"weights": {"v2": 90, "v1": 10}, "fallbacks": ["v1", "azure-eu"]}


def connect(catalog: Catalog, account_id: str, name: str, *models: str) -> None:
    values = {"name": name, "protocol": "openai", "base_url": "http://127.0.0.1:9/v1", "models": list(models) or ["*"]}
    connections.create(catalog, account_id, values, VAULT, actor=ALICE)


def rename(catalog: Catalog, account_id: str, name: str, to: str) -> None:
    connections.edit(catalog, account_id, name, {"name": to}, VAULT, has_runs=False, actor=ALICE)


@pytest.fixture
def llama(catalog: Catalog, account_id: str) -> str:
    """A model with the versions v1 and v2, and a connection that reaches every model."""
    create(catalog, account_id, "llama")
    for version in ("v1", "v2"):
        deploy(catalog, account_id, "llama", version, credits_per_replica_hour="1")
    connect(catalog, account_id, "azure-eu")
    return "llama"


def routing(registry: ModelRegistry, account_id: str, name: str = "llama") -> Routing | None:
    return one(registry, account_id, name).routing


def test_calls_are_spread_over_versions_and_fall_back_to_a_connection(
    catalog: Catalog, registry: ModelRegistry, account_id: str, llama: str
) -> None:
    assert routing(registry, account_id) is None
    edit(catalog, account_id, llama, routing=SPREAD)
    assert routing(registry, account_id) == Routing({"v2": 90, "v1": 10}, ("v1", "azure-eu"))
    changed = audit.list_entries(catalog, account_id, limit=1)[0]
    assert (changed.action, changed.object, changed.actor) == ("model.edit", "model:llama", ALICE)
    assert changed.after is not None
    assert changed.after["routing"] == SPREAD
    count = len(audit.list_entries(catalog, account_id, limit=100))
    edit(catalog, account_id, llama, routing=SPREAD)
    assert len(audit.list_entries(catalog, account_id, limit=100)) == count, "nothing was changed"
    edit(catalog, account_id, llama, routing=None)
    assert routing(registry, account_id) is None


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([], "routing must be"),
        ({}, "must have weights or fallbacks"),
        ({"weight": {}}, "no field 'weight'"),
        ({"weights": []}, "must have weights or fallbacks"),
        ({"weights": ["v1"]}, "must say a number for each place"),
        ({"fallbacks": "v1"}, "must be a list"),
        ({"fallbacks": [1]}, "must be the name"),
        ({"fallbacks": ["a\0"]}, "must be the name"),
        ({"weights": {"v1": 1.5}}, "The weight of v1 must be a whole number from 0 to 1000"),
        ({"weights": {"v1": True}}, "The weight of v1 must be"),
        ({"weights": {"v1": -1}}, "The weight of v1 must be"),
        ({"weights": {"v1": 1001}}, "The weight of v1 must be"),
        ({"weights": {"v1": 0, "v2": 0}}, "must be above 0"),
        ({"fallbacks": ["v1", "v1"]}, "v1 is among the fallbacks twice"),
        ({"fallbacks": [f"v{number}" for number in range(21)]}, "at most 20 places; it has 21"),
        ({"weights": {"v3": 1}}, "llama has no version 'v3'"),
        ({"weights": {"azure-eu": 1}}, "a connection can be a fallback"),
        ({"fallbacks": ["nowhere"]}, "llama has no version or connection 'nowhere'"),
        ({"fallbacks": ["other"]}, "The connection other does not reach llama"),
        ({"fallbacks": ["old"]}, "old was only seen on runs"),
    ],
)
def test_a_routing_that_is_none_is_refused_with_the_reason(
    catalog: Catalog, registry: ModelRegistry, account_id: str, llama: str, value: Any, says: str
) -> None:
    connect(catalog, account_id, "other", "gpt-4o")
    seen(catalog, account_id, "gpt-4o", "openai", connections=["old"])
    with pytest.raises(Invalid, match=says):
        edit(catalog, account_id, llama, routing=value)
    assert routing(registry, account_id) is None


def test_an_external_model_is_spread_over_the_connections_that_reach_it(
    catalog: Catalog, registry: ModelRegistry, account_id: str
) -> None:
    create(catalog, account_id, "gpt-4o", "external")
    connect(catalog, account_id, "eu", "GPT-4o")
    connect(catalog, account_id, "us")
    edit(catalog, account_id, "gpt-4o", routing={"weights": {"eu": 3, "us": 1}, "fallbacks": ["us"]})
    assert routing(registry, account_id, "gpt-4o") == Routing({"eu": 3, "us": 1}, ("us",))
    with pytest.raises(Invalid, match="gpt-4o has no connection 'v1'"):
        edit(catalog, account_id, "gpt-4o", routing={"fallbacks": ["v1"]})


def test_a_new_name_of_the_model_or_of_a_connection_keeps_the_routing(
    catalog: Catalog, registry: ModelRegistry, account_id: str, llama: str
) -> None:
    edit(catalog, account_id, llama, routing=SPREAD)
    edit(catalog, account_id, llama, name="llama-3")
    rename(catalog, account_id, "azure-eu", "azure-west")
    assert routing(registry, account_id, "llama-3") == Routing({"v2": 90, "v1": 10}, ("v1", "azure-west"))
    with pytest.raises(Conflict, match="llama-3 falls back to azure-west, and has a version 'v2'"):
        rename(catalog, account_id, "azure-west", "v2")


def test_a_place_that_is_deleted_leaves_the_routing(
    catalog: Catalog, registry: ModelRegistry, account_id: str, llama: str
) -> None:
    seen(catalog, account_id, llama, versions=["v3"])
    edit(catalog, account_id, llama, routing={"weights": {"v3": 1}, "fallbacks": ["azure-eu", "v3", "v1"]})
    deployments.delete(catalog, account_id, llama, "v3", has_runs=False, actor=ALICE)
    assert routing(registry, account_id) == Routing({}, ("azure-eu", "v1"))
    connections.delete(catalog, account_id, "azure-eu", has_runs=False, actor=ALICE)
    assert routing(registry, account_id) == Routing({}, ("v1",))
    gone = audit.list_entries(catalog, account_id, limit=1)[0]
    assert (gone.action, gone.object, gone.after) == (
        "model.edit", "model:llama", {"routing": {"weights": {}, "fallbacks": ["v1"]}},
    )  # fmt: skip


def test_versions_of_a_merged_model_are_places_until_the_merge_is_taken_back(
    catalog: Catalog, registry: ModelRegistry, account_id: str, llama: str
) -> None:
    create(catalog, account_id, "llama-old")
    deploy(catalog, account_id, "llama-old", "v0", credits_per_replica_hour="1")
    with pytest.raises(Invalid, match="no version 'v0'"):
        edit(catalog, account_id, llama, routing={"weights": {"v0": 1, "v1": 1}})
    merge(catalog, account_id, "llama-old", llama)
    edit(catalog, account_id, llama, routing={"weights": {"v0": 1, "v1": 1}, "fallbacks": ["azure-eu"]})
    unmerge(catalog, account_id, "llama-old")
    assert routing(registry, account_id) == Routing({"v1": 1}, ("azure-eu",))


def test_a_place_that_is_archived_or_down_may_stand_in_a_routing(
    catalog: Catalog, registry: ModelRegistry, account_id: str, llama: str
) -> None:
    connections.edit(catalog, account_id, "azure-eu", {"archived": True}, VAULT, has_runs=True, actor=ALICE)
    edit(catalog, account_id, llama, routing=SPREAD)
    assert routing(registry, account_id) == Routing({"v2": 90, "v1": 10}, ("v1", "azure-eu"))
