"""A version that several merged models have: which of its rows counts."""

import pytest

from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict
from modeltraces.catalog.hosting import deployments, ledger
from modeltraces.catalog.models import ModelRegistry
from tests.catalog.cast import Cast, Clock
from tests.catalog.model_world import ALICE, VAULT, create, deploy, listed, merge, one, seen, unmerge


def test_two_models_with_one_hosted_version_are_not_merged(
    catalog: Catalog, registry: ModelRegistry, cast: Cast
) -> None:
    a = cast.account_a.id
    for name in ("a", "b"):
        create(catalog, a, name)
        deploy(catalog, a, name, "v1")
    with pytest.raises(Conflict, match=r"Both have a hosted version 'v1'.*by mistake, strike its events out"):
        merge(catalog, a, "a", "b")
    assert len(listed(registry, a)) == 2


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
def test_after_a_merge_what_is_up_counts_before_what_was_struck_out(
    catalog: Catalog, registry: ModelRegistry, cast: Cast, up: str, struck: str
) -> None:
    account = cast.account_a.id
    for name in (up, struck):
        create(catalog, account, name)
        deploy(catalog, account, name, "v1", upstream_model=name)
    mistake = one(registry, account, struck).deployments[0].events[0].id
    ledger.strike_event(catalog, account, struck, "v1", mistake, actor=ALICE)
    merge(catalog, account, "a", "b")
    (entry,) = one(registry, account, "b").deployments
    assert (entry.upstream_model, entry.replicas) == (up, 1)


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
