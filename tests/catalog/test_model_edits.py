from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modeltraces.catalog import accounts, audit, model_edits
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import CatalogError, Conflict, Invalid, NotFound
from modeltraces.catalog.hosting import deployments, ledger
from modeltraces.catalog.model_entries import ModelEntry
from modeltraces.catalog.models import ModelRegistry, SeenModel
from modeltraces.catalog.vault import Vault
from tests.catalog.cast import Cast, Clock
from tests.catalog.test_ledger import in_threads

ALICE = "alice@example.com"
CHARLIE = "charlie@example.com"
VAULT = Vault(b"secret of these tests")


@pytest.fixture
def registry(catalog: Catalog) -> ModelRegistry:
    return ModelRegistry(catalog)


def create(catalog: Catalog, account_id: str, name: Any, kind: Any = "open_source", **more: Any) -> str:
    return model_edits.create(catalog, account_id, name, kind, actor=ALICE, **more)


def edit(catalog: Catalog, account_id: str, model: str, /, **values: Any) -> str:
    return model_edits.edit(catalog, account_id, model, values, actor=ALICE)


def merge(catalog: Catalog, account_id: str, name: str, into: str) -> None:
    model_edits.merge(catalog, account_id, name, into, actor=ALICE)


def unmerge(catalog: Catalog, account_id: str, name: str) -> None:
    model_edits.unmerge(catalog, account_id, name, actor=ALICE)


def delete(catalog: Catalog, account_id: str, name: str, has_runs: bool = False) -> None:
    model_edits.delete(catalog, account_id, name, has_runs=has_runs, actor=ALICE)


def deploy(catalog: Catalog, account_id: str, name: str, version: str | None = None, **values: Any) -> str:
    fields = deployments.Fields(values, VAULT)
    return deployments.create(catalog, account_id, name, fields, actor=ALICE, version=version)


def seen(
    catalog: Catalog, account_id: str, name: str, provider: str = "vllm", on_us: int = 5,
    versions: Sequence[str] = (), connections: Sequence[str] = (),
) -> None:  # fmt: skip
    """Runs of that name come in, at a process that has seen none before."""
    ModelRegistry(catalog).ensure(account_id, {name: SeenModel(provider, "", on_us, set(versions), set(connections))})


def listed(registry: ModelRegistry, account_id: str) -> list[ModelEntry]:
    return registry.list_models(account_id, archived=True)


def one(registry: ModelRegistry, account_id: str, name: str) -> ModelEntry:
    found = registry.get_model(account_id, name)
    assert found is not None
    return found


def test_a_model_is_made_by_hand_before_any_run(catalog: Catalog, registry: ModelRegistry, cast: Cast) -> None:
    a = cast.account_a.id
    assert create(catalog, a, "  llama ", "fine_tuned", base_model="llama-3-8b", provider="vllm") == "llama"
    (entry,) = listed(registry, a)
    assert (entry.name, entry.kind, entry.base_model, entry.provider) == ("llama", "fine_tuned", "llama-3-8b", "vllm")
    assert (entry.first_run_on_us, entry.recorded_names, entry.archived) == (None, (), False)
    added = audit.list_entries(catalog, a, limit=1)[0]
    assert (added.actor, added.action, added.object, added.before) == (ALICE, "model.add", "model:llama", None)
    assert added.after is not None
    assert added.after["kind"] == "fine_tuned"


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\0", "x" * 201, "\ud800", None, 1, []])
def test_a_name_that_is_none_is_refused(catalog: Catalog, cast: Cast, name: Any) -> None:
    with pytest.raises(Invalid, match="The model's name must"):
        create(catalog, cast.account_a.id, name)
    create(catalog, cast.account_a.id, "m")
    with pytest.raises(Invalid, match="The model's name must"):
        edit(catalog, cast.account_a.id, "m", name=name)


@pytest.mark.parametrize("kind", ["", "open-source", "Open", None, 1, []])
def test_a_kind_that_is_none_is_refused(catalog: Catalog, cast: Cast, kind: Any) -> None:
    with pytest.raises(Invalid, match="kind must be one of open_source, fine_tuned, external"):
        create(catalog, cast.account_a.id, "m", kind)
    create(catalog, cast.account_a.id, "m")
    with pytest.raises(Invalid, match="kind must be one of"):
        edit(catalog, cast.account_a.id, "m", kind=kind)


def test_other_fields_must_be_what_they_are(catalog: Catalog, cast: Cast) -> None:
    a = cast.account_a.id
    create(catalog, a, "m")
    for values, says in (
        ({"archived": "yes"}, "archived must be true or false"),
        ({"base_model": 1}, "The base model must be text"),
        ({"provider": "a\nb"}, "The provider must not contain line breaks"),
        ({"nam": "x"}, "A model has no field 'nam' to change; it has name, kind"),
    ):
        with pytest.raises(Invalid, match=says):
            edit(catalog, a, "m", **values)


@pytest.mark.parametrize("name", ["nowhere", "", "x" * 5000, "a\0", "\ud800"])
def test_what_is_not_there_is_not_found(catalog: Catalog, cast: Cast, name: str) -> None:
    a = cast.account_a.id
    create(catalog, a, "m")
    with pytest.raises(NotFound, match="This account has no model"):
        edit(catalog, a, name, archived=True)
    with pytest.raises(NotFound, match="This account has no model"):
        delete(catalog, a, name)
    with pytest.raises(NotFound, match="This account has no model"):
        merge(catalog, a, "m", name)
    with pytest.raises(NotFound, match="This account has no model"):
        merge(catalog, a, name, "m")
    with pytest.raises(NotFound, match="This account has no merged model"):
        unmerge(catalog, a, name)


def test_what_runs_bear_the_name_of_a_model_made_by_hand_are_its_own_and_its_kind_stays(
    catalog: Catalog, registry: ModelRegistry, cast: Cast
) -> None:
    a = cast.account_a.id
    create(catalog, a, "m", "external")
    seen(catalog, a, "m", "vllm", 7, versions=["v1"])
    (entry,) = listed(registry, a)
    assert (entry.kind, entry.first_run_on_us, entry.recorded_names, entry.provider) == ("external", 7, ("m",), "vllm")


def test_a_full_account_still_counts_runs_with_the_models_that_it_has(
    catalog: Catalog, registry: ModelRegistry, cast: Cast
) -> None:
    a = cast.account_a.id
    small = ModelRegistry(catalog, max_models=2)
    small.ensure(a, {"a": SeenModel("vllm", "", 1, set(), set())})
    create(catalog, a, "by hand")
    create(catalog, a, "by hand too")
    small.ensure(a, {"one too many": SeenModel("vllm", "", 1, set(), set())})
    small.ensure(a, {name: SeenModel("vllm", "", 2, set(), set()) for name in ("by hand", "again too many")})
    assert one(registry, a, "by hand").recorded_names == ("by hand",)
    assert [entry.name for entry in listed(registry, a)] == ["a", "by hand", "by hand too"]


def test_a_renamed_model_keeps_the_runs_of_its_old_name(catalog: Catalog, registry: ModelRegistry, cast: Cast) -> None:
    a = cast.account_a.id
    seen(catalog, a, "old", on_us=9)
    assert edit(catalog, a, "old", name=" new ") == "new"
    seen(catalog, a, "old", on_us=3)
    seen(catalog, a, "new", on_us=2)
    (entry,) = listed(registry, a)
    assert (entry.name, entry.first_run_on_us, entry.recorded_names) == ("new", 2, ("new", "old"))
    assert one(registry, a, "old") == entry
    assert edit(catalog, a, "old", name="old") == "old"
    assert one(registry, a, "new").name == "old"
    renamed = audit.list_entries(catalog, a, limit=1)[0]
    assert (renamed.action, renamed.object) == ("model.edit", "model:new")
    assert (renamed.before or {})["name"] == "new"
    assert (renamed.after or {})["name"] == "old"


def test_a_name_that_is_used_or_that_runs_bear_is_a_conflict(
    catalog: Catalog, registry: ModelRegistry, cast: Cast
) -> None:
    a = cast.account_a.id
    create(catalog, a, "taken")
    seen(catalog, a, "old")
    edit(catalog, a, "old", name="new")
    create(catalog, a, "m")
    before = listed(registry, a)
    for name, says in (
        ("taken", "has a model 'taken' already. Choose another name, or merge the two"),
        ("old", "Runs that bear the name 'old' are counted as new's. Choose another name"),
        ("new", "has a model 'new' already"),
    ):
        with pytest.raises(Conflict, match=says):
            create(catalog, a, name)
        with pytest.raises(Conflict, match=says):
            edit(catalog, a, "m", name=name)
    assert listed(registry, a) == before
    create(catalog, cast.account_b.id, "taken")


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


def test_a_kind_that_people_chose_is_not_changed_by_runs(catalog: Catalog, registry: ModelRegistry, cast: Cast) -> None:
    a = cast.account_a.id
    seen(catalog, a, "m", "")
    assert one(registry, a, "m").kind == "external"
    edit(catalog, a, "m", kind="external")
    seen(catalog, a, "m", "ollama", versions=["v1"])
    assert one(registry, a, "m").kind == "external"
    seen(catalog, a, "inferred", "")
    seen(catalog, a, "inferred", "ollama")
    assert one(registry, a, "inferred").kind == "open_source"


def test_a_hosted_model_does_not_become_external(
    catalog: Catalog, registry: ModelRegistry, cast: Cast, clock: Clock
) -> None:
    a = cast.account_a.id
    create(catalog, a, "m")
    deploy(catalog, a, "m")
    with pytest.raises(Conflict, match=r"m has hosted deployments.*Strike their events out first"):
        edit(catalog, a, "m", kind="external")
    edit(catalog, a, "m", kind="fine_tuned")
    (deployed,) = one(registry, a, "m").deployments
    clock.advance(1)
    ledger.strike_event(catalog, a, "m", "v1", deployed.events[0].id, actor=ALICE)
    edit(catalog, a, "m", kind="external")


def test_a_change_that_fails_half_way_changes_nothing(catalog: Catalog, registry: ModelRegistry, cast: Cast) -> None:
    a = cast.account_a.id
    create(catalog, a, "m")
    deploy(catalog, a, "m")
    before, log = listed(registry, a), audit.list_entries(catalog, a)
    with pytest.raises(Conflict):
        edit(catalog, a, "m", name="renamed", base_model="b", kind="external")
    assert listed(registry, a) == before
    assert audit.list_entries(catalog, a) == log


def test_an_archived_model_is_listed_when_asked_for_and_comes_back(
    catalog: Catalog, registry: ModelRegistry, cast: Cast
) -> None:
    a = cast.account_a.id
    create(catalog, a, "m")
    edit(catalog, a, "m", archived=True)
    assert registry.list_models(a) == []
    assert [entry.archived for entry in listed(registry, a)] == [True]
    seen(catalog, a, "m", on_us=4)
    edit(catalog, a, "m", archived=False)
    assert [entry.first_run_on_us for entry in registry.list_models(a)] == [4]


def test_what_changes_nothing_is_not_in_the_audit_log(catalog: Catalog, cast: Cast) -> None:
    a = cast.account_a.id
    create(catalog, a, "m", base_model="b")
    log = audit.list_entries(catalog, a)
    edit(catalog, a, "m", name=" m", kind="open_source", base_model="b ", archived=False, provider=None)
    assert audit.list_entries(catalog, a) == log


def test_a_model_is_deleted_unless_something_would_be_lost(
    catalog: Catalog, registry: ModelRegistry, cast: Cast, clock: Clock
) -> None:
    a = cast.account_a.id
    seen(catalog, a, "seen")
    create(catalog, a, "runs in the store")
    create(catalog, a, "hosted")
    deploy(catalog, a, "hosted")
    create(catalog, a, "holds")
    create(catalog, a, "held")
    merge(catalog, a, "held", "holds")
    for name, has_runs, says in (
        ("seen", False, "seen has runs, which would lose their model. Archive it instead"),
        ("runs in the store", True, "has runs, which would lose their model. Archive it instead"),
        ("hosted", False, "hosted was hosted; its credits would be gone. Archive it instead"),
        ("holds", False, "Other models are merged into holds. Take that back first"),
        ("held", False, "Other models are merged into holds. Take that back first"),
    ):
        with pytest.raises(Conflict, match=says):
            delete(catalog, a, name, has_runs)
    unmerge(catalog, a, "held")
    (deployed,) = one(registry, a, "hosted").deployments
    clock.advance(1)
    ledger.strike_event(catalog, a, "hosted", "v1", deployed.events[0].id, actor=ALICE)
    for name in ("held", "holds", "hosted"):
        delete(catalog, a, name)
    assert [entry.name for entry in listed(registry, a)] == ["runs in the store", "seen"]
    assert audit.list_entries(catalog, a, limit=1)[0].action == "model.delete"
    create(catalog, a, "held", "external")


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
    assert edit(catalog, a, "m0", base_model="b") == "m59"
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


def test_two_who_merge_two_models_into_each_other_at_once_leave_one(
    catalog: Catalog, other_process: Catalog, registry: ModelRegistry, cast: Cast
) -> None:
    a = cast.account_a.id
    create(catalog, a, "a")
    create(catalog, a, "b")
    results = in_threads(*(lambda: merge(catalog, a, "a", "b"), lambda: merge(other_process, a, "b", "a")) * 3)
    assert sorted(str(type(result).__name__) for result in results) == ["Conflict"] * 5 + ["NoneType"]
    assert len(listed(registry, a)) == 1


def test_two_models_with_one_hosted_version_are_not_merged(
    catalog: Catalog, registry: ModelRegistry, cast: Cast
) -> None:
    a = cast.account_a.id
    for name in ("a", "b"):
        create(catalog, a, name)
        deploy(catalog, a, name, "v1")
    with pytest.raises(Conflict, match=r"Both have a hosted version 'v1'.*Strike one's events out"):
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


def test_charlie_changes_no_model_of_alices(catalog: Catalog, registry: ModelRegistry, cast: Cast) -> None:
    a, b = cast.account_a.id, cast.account_b.id
    seen(catalog, a, "old")
    edit(catalog, a, "old", name="new")
    create(catalog, a, "held")
    merge(catalog, a, "held", "new")
    before = listed(registry, a)
    for name in ("new", "old", "held"):
        changes: list[Callable[[str], object]] = [
            lambda name: edit(catalog, b, name, name="x"),
            lambda name: delete(catalog, b, name),
            lambda name: merge(catalog, b, name, name),
            lambda name: unmerge(catalog, b, name),
        ]
        for change in changes:
            with pytest.raises(NotFound, match=r"This account has no (merged )?model"):
                change(name)
        create(catalog, b, name)
    assert listed(registry, a) == before
    assert all(entry.object.startswith("model:") for entry in audit.list_entries(catalog, b, limit=3))


def test_of_several_who_make_one_model_at_once_one_does(
    catalog: Catalog, other_process: Catalog, registry: ModelRegistry, cast: Cast
) -> None:
    a = cast.account_a.id
    calls = [lambda where=where: create(where, a, "m") for where in (catalog, other_process) * 4]
    results = in_threads(*calls)
    assert sorted(type(result).__name__ for result in results) == ["Conflict"] * 7 + ["str"]
    assert [entry.name for entry in listed(registry, a)] == ["m"]


def test_a_model_that_runs_bring_in_and_people_make_at_once_is_one(
    catalog: Catalog, other_process: Catalog, registry: ModelRegistry, cast: Cast
) -> None:
    a = cast.account_a.id
    for number in range(5):
        made, _ = in_threads(
            partial(create, catalog, a, f"m{number}", "fine_tuned"), partial(seen, other_process, a, f"m{number}")
        )
        assert made == f"m{number}" or isinstance(made, Conflict)
        entry = one(registry, a, f"m{number}")
        assert entry.recorded_names == (f"m{number}",)
        assert entry.kind == ("open_source" if isinstance(made, Conflict) else "fine_tuned")
    assert len(listed(registry, a)) == 5


def test_an_account_that_is_gone_is_not_found(catalog: Catalog, cast: Cast) -> None:
    with pytest.raises(NotFound, match="no such account"):
        create(catalog, "nowhere", "m")


# Random catalogs.

NAMES = ("a", "b", "c", "d", "e")
Action = tuple[str, str, str]
actions = st.lists(
    st.tuples(
        st.sampled_from(["seen", "create", "rename", "deploy", "merge", "unmerge", "kind", "archive"]),
        st.sampled_from(NAMES),
        st.sampled_from((*NAMES, "v1", "v2", "open_source", "fine_tuned")),
    ),
    max_size=14,
)


def do(catalog: Catalog, account_id: str, clock: Clock, action: Action) -> None:
    """One random change; what it may not do, it does not."""
    verb, name, other = action
    clock.advance(60)
    try:
        if verb == "seen":
            seen(catalog, account_id, name, on_us=clock(), versions=[other], connections=[other])
        elif verb == "create":
            create(catalog, account_id, name)
        elif verb == "rename":
            edit(catalog, account_id, name, name=other)
        elif verb == "deploy":
            deploy(catalog, account_id, name, other, credits_per_replica_hour="1")
        elif verb == "merge":
            merge(catalog, account_id, name, other)
        elif verb == "unmerge":
            unmerge(catalog, account_id, name)
        elif verb == "kind":
            edit(catalog, account_id, name, kind=other if other in ("open_source", "fine_tuned") else "external")
        else:
            edit(catalog, account_id, name, archived=other < "c")
    except CatalogError:
        pass


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions, st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_a_merge_and_its_undo_leave_everything_as_it_was(
    catalog: Catalog, clock: Clock, actions: list[Action], name: str, into: str
) -> None:
    clock.advance(60)
    account, _ = accounts.ensure(catalog, f"random {clock()}", actor="test")
    registry = ModelRegistry(catalog)
    for action in actions:
        do(catalog, account.id, clock, action)
    before, kinds = listed(registry, account.id), registry.names_of_kind(account.id)
    source = registry.get_model(account.id, name)
    try:
        merge(catalog, account.id, name, into)
    except CatalogError:
        assert listed(registry, account.id) == before
        return
    assert source is not None
    after = listed(registry, account.id)
    assert len(after) == len(before) - 1
    assert {n for entry in after for n in entry.recorded_names} == {n for entry in before for n in entry.recorded_names}
    merged_kinds = registry.names_of_kind(account.id)
    assert {kind: sorted(names) for kind, names in merged_kinds.items()} == {
        kind: sorted(names) for kind, names in kinds.items()
    }
    unmerge(catalog, account.id, source.name)
    assert listed(registry, account.id) == before
    assert registry.names_of_kind(account.id) == kinds


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions)
def test_after_any_changes_every_name_leads_to_one_model_and_reads_and_writes_agree_on_which(
    catalog: Catalog, clock: Clock, actions: list[Action]
) -> None:
    clock.advance(60)
    account, _ = accounts.ensure(catalog, f"random {clock()}", actor="test")
    registry = ModelRegistry(catalog)
    for action in actions:
        do(catalog, account.id, clock, action)
        entries = listed(registry, account.id)
        recorded = [name for entry in entries for name in entry.recorded_names]
        assert len(recorded) == len(set(recorded))
        for entry in entries:
            for name in (entry.name, *entry.merged, *entry.recorded_names):
                assert one(registry, account.id, name) == entry
                assert edit(catalog, account.id, name) == entry.name
            assert len({deployment.version for deployment in entry.deployments}) == len(entry.deployments)
            assert entry.kind != "external" or not any(deployment.intervals for deployment in entry.deployments)
        fresh = ModelRegistry(catalog)
        assert listed(fresh, account.id) == entries
