from itertools import pairwise

import pytest

from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict, NotFound
from modeltraces.catalog.models import ModelRegistry
from tests.catalog.cast import Cast
from tests.catalog.model_world import create, edit, listed, merge, one, seen, unmerge


def test_a_merged_models_names_stay_its_own(catalog: Catalog, registry: ModelRegistry, cast: Cast) -> None:
    a = cast.account_a.id
    seen(catalog, a, "s")
    edit(catalog, a, "s", name="source")
    seen(catalog, a, "target")
    merge(catalog, a, "source", "target")
    with pytest.raises(Conflict, match=r"source is merged into target\. Choose another name, or take that back first"):
        edit(catalog, a, "target", name="source")
    with pytest.raises(Conflict, match=r"source is merged into target"):
        create(catalog, a, "source")
    with pytest.raises(Conflict, match="Runs that bear the name 's'"):
        edit(catalog, a, "target", name="s")
    unmerge(catalog, a, "source")
    assert one(registry, a, "s").name == "source"


def test_a_merged_models_runs_are_counted_with_the_other_history_included(
    catalog: Catalog, registry: ModelRegistry, cast: Cast
) -> None:
    a = cast.account_a.id
    seen(catalog, a, "a", on_us=5, versions=["v1"])
    seen(catalog, a, "b", on_us=9, versions=["v1", "v2"])
    create(catalog, a, "c")
    merge(catalog, a, "a", "b")
    merge(catalog, a, "c", "b")
    seen(catalog, a, "c", on_us=2, versions=["v3"])
    (entry,) = listed(registry, a)
    assert (entry.name, entry.recorded_names, entry.merged, entry.first_run_on_us) == (
        "b",
        ("a", "b", "c"),
        ("a", "c"),
        2,
    )
    assert [deployment.version for deployment in entry.deployments] == ["v1", "v2", "v3"]
    assert one(registry, a, "a") == one(registry, a, "c") == entry
    assert registry.names_of_kind(a)["open_source"] == ["a", "b", "c"]


def test_models_of_two_kinds_are_not_merged(catalog: Catalog, registry: ModelRegistry, cast: Cast) -> None:
    a = cast.account_a.id
    create(catalog, a, "a", "open_source")
    create(catalog, a, "b", "external")
    with pytest.raises(Conflict, match=r"a is open-source, b is external\. Make them of one kind first"):
        merge(catalog, a, "a", "b")
    assert [entry.merged for entry in listed(registry, a)] == [(), ()]


def test_merging_into_a_misspelt_name_tells_the_nearest_of_the_account(catalog: Catalog, cast: Cast) -> None:
    a, b = cast.account_a.id, cast.account_b.id
    create(catalog, a, "llama-3.1-8b")
    create(catalog, a, "mine")
    create(catalog, b, "llama-3.1-8")
    with pytest.raises(NotFound, match=r"no model 'llama-3\.1-8'\. Did you mean 'llama-3\.1-8b'\?"):
        merge(catalog, a, "mine", "llama-3.1-8")
    with pytest.raises(NotFound, match=r"no model 'zzz'\.$"):
        merge(catalog, a, "mine", "zzz")


def test_merging_across_accounts_looks_as_if_the_other_were_not_there(
    catalog: Catalog, registry: ModelRegistry, cast: Cast
) -> None:
    a, b = cast.account_a.id, cast.account_b.id
    create(catalog, a, "mine")
    create(catalog, b, "theirs")
    for first, second in (("mine", "theirs"), ("theirs", "mine")):
        with pytest.raises(NotFound, match="This account has no model 'theirs'"):
            merge(catalog, a, first, second)
    assert [entry.merged for entry in listed(registry, b)] == [()]


def test_a_chain_of_merges_ends_at_its_last_and_can_be_taken_apart_anywhere(
    catalog: Catalog, registry: ModelRegistry, cast: Cast
) -> None:
    a = cast.account_a.id
    names = [f"m{number}" for number in range(60)]
    for name in names:
        create(catalog, a, name)
    for name, into in pairwise(names):
        merge(catalog, a, name, into)
    (entry,) = listed(registry, a)
    assert entry.name == "m59"
    seen(catalog, a, "m0", on_us=3)
    assert one(registry, a, "m0").name == "m59"
    with pytest.raises(Conflict, match="m0 is merged into m59"):
        edit(catalog, a, "m0", base_model="b")
    assert edit(catalog, a, "m59", base_model="b") == "m59"
    unmerge(catalog, a, "m30")
    assert {one(registry, a, name).name for name in names[:31]} == {"m30"}
    assert {one(registry, a, name).name for name in names[31:]} == {"m59"}


def test_merges_never_go_round_in_a_circle(catalog: Catalog, registry: ModelRegistry, cast: Cast) -> None:
    a = cast.account_a.id
    for name in ("a", "b", "c"):
        create(catalog, a, name)
    with pytest.raises(Conflict, match="a and a are one model already"):
        merge(catalog, a, "a", "a")
    merge(catalog, a, "a", "b")
    merge(catalog, a, "b", "c")
    for name, into in (("c", "a"), ("c", "b"), ("b", "a"), ("a", "b"), ("a", "c")):
        with pytest.raises(Conflict, match="are one model already"):
            merge(catalog, a, name, into)
    assert [entry.name for entry in listed(registry, a)] == ["c"]


def test_what_is_merged_is_taken_out_before_it_is_merged_elsewhere(
    catalog: Catalog, registry: ModelRegistry, cast: Cast
) -> None:
    a = cast.account_a.id
    for name in ("a", "b", "c"):
        create(catalog, a, name)
    merge(catalog, a, "a", "b")
    with pytest.raises(Conflict, match=r"a is merged into b already\. Take that back first"):
        merge(catalog, a, "a", "c")
    assert [entry.merged for entry in listed(registry, a)] == [("a",), ()]
