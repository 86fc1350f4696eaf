"""A version that several merged models have: which of its rows counts."""

import pytest

from modeltraces.catalog import audit
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict, NotFound
from modeltraces.catalog.hosting import deployments, ledger
from modeltraces.catalog.hosting.still_up import still_up
from modeltraces.catalog.models import ModelRegistry
from tests.catalog.cast import Cast, Clock
from tests.catalog.model_world import ALICE, VAULT, create, deploy, edit, merge, one, seen, unmerge


def ledgers(registry: ModelRegistry, account_id: str, name: str) -> dict[tuple[str, str], list[int]]:
    """(version, merged from) → the replicas of its hosted intervals."""
    return {
        (entry.version, entry.merged_from): [interval.replicas for interval in entry.intervals]
        for entry in one(registry, account_id, name).deployments
    }


def test_a_version_that_both_hosted_keeps_both_ledgers_and_each_is_changed_by_its_models_name(
    catalog: Catalog, registry: ModelRegistry, cast: Cast, clock: Clock
) -> None:
    account = cast.account_a.id
    for name in ("a", "b"):
        create(catalog, account, name)
        deploy(catalog, account, name, "v1", endpoint=f"http://{name}/v1")
    merge(catalog, account, "a", "b")
    assert ledgers(registry, account, "b") == {("v1", ""): [1], ("v1", "a"): [1]}
    clock.advance(60)
    for name, replicas in (("a", 3), ("b", 7)):
        ledger.add_event(catalog, account, name, "v1", "scale", actor=ALICE, replicas=replicas)
        about = deployments.Fields({"upstream_model": f"of-{name}"}, VAULT)
        deployments.edit(catalog, account, name, "v1", about, actor=ALICE)
    assert ledgers(registry, account, "b") == {("v1", ""): [1, 7], ("v1", "a"): [1, 3]}
    entry = one(registry, account, "b")
    for name in ("a", "b"):
        found = entry.deployment("v1", name)
        assert found is not None
        assert (found.endpoint, found.upstream_model) == (f"http://{name}/v1", f"of-{name}")
        assert deployments.reach(entry, "v1", name).base_url == f"http://{name}/v1"
    with pytest.raises(Conflict, match="'v1' already"):
        deploy(catalog, account, "b", "v1")
    with pytest.raises(Conflict, match=r"b@v1 was hosted"):
        deployments.delete(catalog, account, "a", "v1", has_runs=False, actor=ALICE)
    edited = [each for each in audit.list_entries(catalog, account) if each.action == "deployment.edit"]
    assert [(each.object, (each.after or {}).get("merged_from")) for each in edited] == [
        ("deployment:b@v1", None),
        ("deployment:b@v1", "a"),
    ]
    (scaled,) = [event.id for event in entry.deployments[1].events if event.event.type == "scale"]
    entered = [each for each in audit.list_entries(catalog, account) if each.action == "deployment.scale"]
    assert [(each.after or {}).get("merged_from") for each in entered] == [None, "a"]
    with pytest.raises(NotFound, match="no such event"):
        ledger.strike_event(catalog, account, "b", "v1", scaled, actor=ALICE)
    ledger.strike_event(catalog, account, "a", "v1", scaled, actor=ALICE)
    assert ledgers(registry, account, "b") == {("v1", ""): [1, 7], ("v1", "a"): [1]}
    told = still_up((each.version, each.intervals) for each in one(registry, account, "b").deployments)
    assert told == "8 replicas of v1 are up, hosted without a price"
    struck = next(each for each in audit.list_entries(catalog, account) if each.action == "deployment.strike")
    assert (struck.before or {})["merged_from"] == "a"
    unmerge(catalog, account, "a")
    assert ledgers(registry, account, "b") == {("v1", ""): [1, 7]}
    assert ledgers(registry, account, "a") == {("v1", ""): [1]}


def test_a_version_of_two_merged_models_is_by_the_models_own_name_the_older_one(
    catalog: Catalog, registry: ModelRegistry, cast: Cast, clock: Clock
) -> None:
    account = cast.account_a.id
    create(catalog, account, "b")
    for name in ("z", "a"):
        create(catalog, account, name)
        deploy(catalog, account, name, "v1")
        merge(catalog, account, name, "b")
        clock.advance(60)
    ledger.add_event(catalog, account, "b", "v1", "scale", actor=ALICE, replicas=5)
    assert ledgers(registry, account, "b") == {("v1", "z"): [1, 5], ("v1", "a"): [1]}
    assert one(registry, account, "b").deployment("v1", "b") == one(registry, account, "b").deployment("v1", "z")


@pytest.mark.parametrize(("hosted", "bare"), [("a", "b"), ("b", "a")])
def test_after_a_merge_changes_speak_to_the_hosted_one_of_two_rows_of_a_version(
    catalog: Catalog, registry: ModelRegistry, cast: Cast, clock: Clock, hosted: str, bare: str
) -> None:
    account = cast.account_a.id
    create(catalog, account, hosted)
    deploy(catalog, account, hosted, "v1")  # by its replicas alone, without hardware, price or endpoint
    seen(catalog, account, bare, versions=["v1"])
    merge(catalog, account, "a", "b")
    clock.advance(60)
    ledger.add_event(catalog, account, "b", "v1", "scale", actor=ALICE, replicas=3)
    deployments.edit(catalog, account, "b", "v1", deployments.Fields({"endpoint": "http://h/v1"}, VAULT), actor=ALICE)
    (entry,) = one(registry, account, "b").deployments
    assert ([one.replicas for one in entry.intervals], entry.endpoint) == ([1, 3], "http://h/v1")
    with pytest.raises(Conflict, match="'v1' already"):
        deploy(catalog, account, "b", "v1")
    assert deploy(catalog, account, "b") == "v2"
    unmerge(catalog, account, "a")
    assert one(registry, account, hosted).deployments[0].replicas == 3
    assert one(registry, account, bare).deployments[0].events == ()


@pytest.mark.parametrize(("told", "bare"), [("a", "b"), ("b", "a")])
@pytest.mark.parametrize("was_hosted", [False, True])
def test_after_a_merge_the_row_that_people_described_or_once_hosted_is_the_one_that_counts(
    catalog: Catalog, registry: ModelRegistry, cast: Cast, clock: Clock, told: str, bare: str, was_hosted: bool
) -> None:
    account = cast.account_a.id
    for name in (told, bare):
        seen(catalog, account, name, versions=["v1"])
    if was_hosted:
        deploy(catalog, account, told, "v1")
        mistake = one(registry, account, told).deployments[0].events[0].id
        ledger.strike_event(catalog, account, told, "v1", mistake, actor=ALICE)
    described = bare if was_hosted else told
    about = deployments.Fields({"endpoint": "http://h/v1"}, VAULT)
    deployments.edit(catalog, account, described, "v1", about, actor=ALICE)
    merge(catalog, account, "a", "b")
    (entry,) = one(registry, account, "b").deployments
    assert (entry.endpoint, len(entry.events)) == (("", 1) if was_hosted else ("http://h/v1", 0))
    more = deployments.Fields({"upstream_model": "x"}, VAULT)
    deployments.edit(catalog, account, "b", "v1", more, actor=ALICE)
    (entry,) = one(registry, account, "b").deployments
    assert entry.upstream_model == "x"
    clock.advance(60)
    ledger.add_event(catalog, account, "b", "v1", "deploy", actor=ALICE)
    (entry,) = one(registry, account, "b").deployments
    assert (entry.replicas, entry.upstream_model) == (1, "x")
    unmerge(catalog, account, "a")
    assert [one(registry, account, name).deployments[0].replicas for name in (told, bare)] == [1, 0]


@pytest.mark.parametrize(("up", "struck"), [("a", "b"), ("b", "a")])
def test_after_a_merge_a_ledger_of_which_all_is_struck_out_is_still_its_models(
    catalog: Catalog, registry: ModelRegistry, cast: Cast, up: str, struck: str
) -> None:
    account = cast.account_a.id
    for name in (up, struck):
        create(catalog, account, name)
        deploy(catalog, account, name, "v1", upstream_model=name)
    mistake = one(registry, account, struck).deployments[0].events[0].id
    ledger.strike_event(catalog, account, struck, "v1", mistake, actor=ALICE)
    merge(catalog, account, "a", "b")
    entry = one(registry, account, "b")
    for name, replicas in ((up, 1), (struck, 0)):
        found = entry.deployment("v1", name)
        assert found is not None
        assert (found.upstream_model, found.replicas) == (name, replicas)
    ledger.add_event(catalog, account, struck, "v1", "deploy", actor=ALICE, replicas=5, on_us=catalog.clock() - 1)
    entry = one(registry, account, "b")
    assert [found.replicas for name in (up, struck) if (found := entry.deployment("v1", name))] == [1, 5]


def test_a_merged_models_deployment_is_found_by_its_former_names_too(
    catalog: Catalog, registry: ModelRegistry, cast: Cast, clock: Clock
) -> None:
    account = cast.account_a.id
    for name in ("old", "b"):
        create(catalog, account, name)
        deploy(catalog, account, name, "v1")
    edit(catalog, account, "old", name="a")
    merge(catalog, account, "a", "b")
    clock.advance(60)
    ledger.add_event(catalog, account, "old", "v1", "scale", actor=ALICE, replicas=4)
    entry = one(registry, account, "b")
    assert [found.replicas for name in ("old", "a", "b") if (found := entry.deployment("v1", name))] == [4, 4, 1]


def test_deleting_a_version_takes_nobody_elses_ledger_along(
    catalog: Catalog, registry: ModelRegistry, cast: Cast
) -> None:
    account = cast.account_a.id
    for name in ("a", "b"):
        create(catalog, account, name)
        deploy(catalog, account, name, "v1")
    mistake = one(registry, account, "b").deployments[0].events[0].id
    ledger.strike_event(catalog, account, "b", "v1", mistake, actor=ALICE)
    merge(catalog, account, "a", "b")
    deployments.delete(catalog, account, "b", "v1", has_runs=False, actor=ALICE)
    assert ledgers(registry, account, "b") == {("v1", "a"): [1]}


def test_a_version_that_both_only_saw_on_runs_is_deployed_for_the_model_that_stays(
    catalog: Catalog, registry: ModelRegistry, cast: Cast
) -> None:
    a = cast.account_a.id
    for name in ("a", "b"):
        seen(catalog, a, name, versions=["v1"])
    merge(catalog, a, "a", "b")
    deploy(catalog, a, "a", "v1")
    assert [entry.replicas for entry in one(registry, a, "b").deployments] == [1]
    unmerge(catalog, a, "a")
    assert [entry.replicas for entry in one(registry, a, "b").deployments] == [1]
    assert [entry.replicas for entry in one(registry, a, "a").deployments] == [0]
