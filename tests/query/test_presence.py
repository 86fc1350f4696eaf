"""Whether there are runs of something."""

from modeltraces.query.presence import has_runs, most_called
from modeltraces.store.engine import Store
from modeltraces.store.rows import insert_runs
from tests.query.runs import DAY_US, NOON_US, run


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


def test_the_model_that_is_called_most_is_one_that_answered_lately(store: Store, account_id: str) -> None:
    now = NOON_US
    made = [run(account_id, n, model="failing", status="failed", executed_on_us=now) for n in range(9)]
    made += [run(account_id, 20 + n, model="long ago", executed_on_us=now - 9 * DAY_US) for n in range(9)]
    made += [run(account_id, 40 + n, model=f"m{n % 2}", executed_on_us=now) for n in range(3)]
    made.append(run(f"{account_id} other", 1, model="theirs", executed_on_us=now))
    insert_runs(store, made)
    every = ["failing", "long ago", "m0", "m1", "theirs"]
    assert most_called(store, account_id, every, now - DAY_US) == "m0"
    assert most_called(store, account_id, ["failing", "m1"], now - DAY_US) == "m1"
    assert most_called(store, account_id, ["failing"], now - DAY_US) == ""
