"""Whether there are runs of something."""

from modeltraces.query.presence import has_runs
from modeltraces.store.engine import Store
from modeltraces.store.rows import insert_runs
from tests.query.runs import run


def test_runs_are_found_by_all_that_is_given(store: Store, account_id: str) -> None:
    insert_runs(
        store,
        [
            run(account_id, 1, model="llama", deployment_version="v1"),
            run(account_id, 2, model='odd"\\name', connection_name="azure"),
        ],
    )
    assert has_runs(store, account_id)
    assert has_runs(store, account_id, models=["nothing", "llama"])
    assert has_runs(store, account_id, models=['odd"\\name'])
    assert has_runs(store, account_id, models=["llama"], deployment_version="v1")
    assert has_runs(store, account_id, connection_name="azure")
    assert not has_runs(store, account_id, models=["nothing"])
    assert not has_runs(store, account_id, models=[])
    assert not has_runs(store, account_id, models=["llama"], deployment_version="v2")
    assert not has_runs(store, account_id, models=["llama"], connection_name="azure")


def test_runs_of_another_account_are_none(store: Store, account_id: str) -> None:
    insert_runs(store, [run(f"{account_id} other", 1, model="llama")])
    assert not has_runs(store, account_id)
    assert not has_runs(store, account_id, models=["llama"])


def test_a_run_that_was_replaced_by_one_of_another_version_counts_as_that(store: Store, account_id: str) -> None:
    insert_runs(store, [run(account_id, 1, model="llama", deployment_version="v1", version=1)])
    insert_runs(store, [run(account_id, 1, model="llama", deployment_version="v2", version=2)])
    assert has_runs(store, account_id, deployment_version="v2")
    assert not has_runs(store, account_id, deployment_version="v1")
