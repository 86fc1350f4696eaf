"""Random catalogs: merges and their undoing, and names that lead to one model."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modeltraces.catalog import accounts
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import CatalogError
from modeltraces.catalog.models import ModelRegistry
from tests.catalog.cast import Clock
from tests.catalog.model_world import create, deploy, edit, listed, merge, one, seen, unmerge
from tests.support.random_cases import examples

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


@settings(
    max_examples=examples(15, thorough=100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
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


@settings(
    max_examples=examples(15, thorough=100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
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
