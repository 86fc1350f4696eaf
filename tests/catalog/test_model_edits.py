from collections.abc import Callable
from typing import Any

import pytest

from modeltraces.catalog import audit
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict, Invalid, NotFound
from modeltraces.catalog.hosting import ledger
from modeltraces.catalog.models import ModelRegistry, SeenModel
from tests.catalog.cast import Cast, Clock
from tests.catalog.model_world import ALICE, create, delete, deploy, edit, listed, merge, one, seen, unmerge


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


def test_a_name_that_was_given_up_is_borne_once_a_run_bears_it(
    catalog: Catalog, registry: ModelRegistry, cast: Cast
) -> None:
    a = cast.account_a.id
    create(catalog, a, "first")
    edit(catalog, a, "first", name="second")
    edit(catalog, a, "second", name="third")
    entry = one(registry, a, "third")
    assert (entry.recorded_names, entry.borne_names) == (("first", "second"), ())
    for name in ("second", "third", "first"):
        # By one process, which believes what it knows of the model.
        registry.ensure(a, {name: SeenModel("vllm", "", 1, set(), set())})
        assert name in one(registry, a, "third").borne_names
    edit(catalog, a, "third", name="fourth")
    create(catalog, a, "other")
    merge(catalog, a, "fourth", "other")
    assert one(registry, a, "other").borne_names == ("first", "second", "third")
    unmerge(catalog, a, "fourth")
    assert one(registry, a, "fourth").borne_names == ("first", "second", "third")
    assert one(registry, a, "other").borne_names == ()


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


def test_a_name_that_another_has_in_other_case_is_a_conflict(
    catalog: Catalog, registry: ModelRegistry, cast: Cast
) -> None:
    a = cast.account_a.id
    seen(catalog, a, "nc-alpha")
    create(catalog, a, "other")
    for name in ("NC-Alpha", "nc-ALPHA"):
        with pytest.raises(Conflict, match=r"'nc-alpha' is a model's name already.*no notice of case"):
            create(catalog, a, name)
        with pytest.raises(Conflict, match="no notice of case"):
            edit(catalog, a, "other", name=name)
    assert edit(catalog, a, "nc-alpha", name="NC-Alpha") == "NC-Alpha", "its own may be spelled anew"
    edit(catalog, a, "NC-Alpha", name="now")
    with pytest.raises(Conflict, match="'nc-alpha' is a model's name already"):
        create(catalog, a, "NC-ALPHA")
    seen(catalog, a, "NOW")
    assert {entry.name for entry in listed(registry, a)} == {"now", "NOW", "other"}, "runs bring in what they bear"
    merge(catalog, a, "NOW", "now")
    assert edit(catalog, a, "now", name="Now") == "Now", "those that are one may be alike"


def test_by_the_name_of_a_merged_model_the_other_is_neither_changed_nor_deleted(
    catalog: Catalog, registry: ModelRegistry, cast: Cast
) -> None:
    a = cast.account_a.id
    for name in ("a", "b"):
        create(catalog, a, name)
    merge(catalog, a, "a", "b")
    with pytest.raises(Conflict, match=r"a is merged into b\. Change that one, or take the merge back first\."):
        edit(catalog, a, "a", name="c")
    with pytest.raises(Conflict, match="a is merged into b"):
        delete(catalog, a, "a")
    assert [entry.name for entry in listed(registry, a)] == ["b"]


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
        ("held", False, "held is merged into holds. Change that one, or take the merge back first"),
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


def test_an_account_that_is_gone_is_not_found(catalog: Catalog, cast: Cast) -> None:
    with pytest.raises(NotFound, match="no such account"):
        create(catalog, "nowhere", "m")
