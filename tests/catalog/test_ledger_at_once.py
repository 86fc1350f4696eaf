"""Two processes with many threads each change one model's deployments."""

import pytest
from sqlalchemy import func, select

from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict
from modeltraces.catalog.hosting import ledger
from modeltraces.catalog.models import ModelRegistry
from modeltraces.catalog.tables import DeploymentEventRow
from tests.catalog.cast import Cast, Clock
from tests.catalog.hosting_world import at, deploy, entries, event, model
from tests.catalog.threads import in_threads

pytestmark = pytest.mark.postgresql


def test_of_several_who_deploy_one_version_at_once_one_wins_and_the_others_hear_why(
    catalog: Catalog, other_process: Catalog, cast: Cast
) -> None:
    a = cast.account_a.id
    model(catalog, a)
    calls = [lambda where=where: deploy(where, a, version="v7") for where in (catalog, other_process) * 4]
    results = in_threads(*calls)
    assert sorted(type(result).__name__ for result in results) == ["Conflict"] * 7 + ["str"]
    assert all("has a version 'v7' already" in str(result) for result in results if result != "v7")
    (entry,) = entries(catalog, a)
    assert len(entry.events) == 1


def test_several_who_deploy_without_a_version_at_once_get_one_each(
    catalog: Catalog, other_process: Catalog, cast: Cast
) -> None:
    a = cast.account_a.id
    model(catalog, a)
    calls = [lambda where=where: deploy(where, a) for where in (catalog, other_process) * 3]
    assert sorted(map(str, in_threads(*calls))) == ["v1", "v2", "v3", "v4", "v5", "v6"]


def test_two_processes_that_change_one_ledger_at_once_leave_one_that_makes_sense(
    catalog: Catalog, other_process: Catalog, cast: Cast, noon: Clock
) -> None:
    a = cast.account_a.id
    model(catalog, a)
    deploy(catalog, a, credits_per_replica_hour=1, on_us=at(1))

    def change(where: Catalog, minute: int, type: str) -> object:
        replicas = None if type == "undeploy" else minute + 1
        return event(where, a, type, replicas=replicas, on_us=at(2, minute))

    calls = [
        lambda where=where, minute=minute, type=type: change(where, minute, type)
        for minute in range(6)
        for where, type in ((catalog, "undeploy"), (other_process, "deploy"))
    ]
    results = in_threads(*calls)
    assert {type(result) for result in results} <= {ledger.LedgerEvent, Conflict}
    won = [result for result in results if isinstance(result, ledger.LedgerEvent)]
    assert won
    (entry,) = entries(catalog, a)
    assert {one.id for one in entry.events} == {one.id for one in won} | {entry.events[0].id}
    with catalog.session() as session:
        assert session.scalar(select(func.count()).select_from(DeploymentEventRow)) == len(won) + 1
    assert ModelRegistry(other_process).get_model(a, "llama") == ModelRegistry(catalog).get_model(a, "llama")
