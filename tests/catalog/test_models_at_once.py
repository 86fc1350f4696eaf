"""Two processes, people and runs change one account's models."""

from functools import partial

import pytest

from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict
from modeltraces.catalog.models import ModelRegistry
from tests.catalog.cast import Cast
from tests.catalog.model_world import create, listed, merge, one, seen
from tests.catalog.threads import in_threads

pytestmark = pytest.mark.postgresql


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


def test_two_who_merge_two_models_into_each_other_at_once_leave_one(
    catalog: Catalog, other_process: Catalog, registry: ModelRegistry, cast: Cast
) -> None:
    a = cast.account_a.id
    create(catalog, a, "a")
    create(catalog, a, "b")
    results = in_threads(*(lambda: merge(catalog, a, "a", "b"), lambda: merge(other_process, a, "b", "a")) * 3)
    assert sorted(str(type(result).__name__) for result in results) == ["Conflict"] * 5 + ["NoneType"]
    assert len(listed(registry, a)) == 1
