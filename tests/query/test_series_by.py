"""Series side by side: together they are the whole series, on the same axis."""

import pytest

from modeltraces.query.filters import FilterContext
from modeltraces.query.selection import Selection, SelectionError
from modeltraces.query.series import series
from modeltraces.query.series_by import MAX_GROUPS, series_by
from modeltraces.store.engine import Store
from modeltraces.store.rows import insert_runs
from tests.query.runs import DAY_US, NOON_US, run

NOBODY = FilterContext()


def test_versions_side_by_side_are_the_whole_series(store: Store, account_id: str) -> None:
    insert_runs(
        store,
        [
            run(account_id, n, deployment_version=("v1", "v1", "v2", "")[n % 4], response_time_ms=float(n), executed_on_us=NOON_US + n * 3_600_000_000)
            for n in range(40)
        ],
    )  # fmt: skip
    selection = Selection(account_id, from_us=NOON_US, to_us=NOON_US + 2 * DAY_US, now_us=NOON_US + 2 * DAY_US)
    whole = series(store, selection, NOBODY)
    split = series_by(store, selection, NOBODY, "deployment_version")
    assert [(group.name, group.total_requests) for group in split.groups] == [("v1", 20), ("", 10), ("v2", 10)]
    assert (split.step_seconds, split.left_out) == (whole.step_seconds, 0)
    for index, point in enumerate(whole.points):
        assert {group.points[index].at_us for group in split.groups} == {point.at_us}
        assert sum(group.points[index].total_requests for group in split.groups) == point.total_requests


def test_the_busiest_are_shown_and_the_rest_are_counted(store: Store, account_id: str) -> None:
    insert_runs(store, [run(account_id, n, source=f"s{n % 12}") for n in range(25)])
    selection = Selection(account_id, from_us=NOON_US, to_us=NOON_US + DAY_US, now_us=NOON_US + DAY_US)
    split = series_by(store, selection, NOBODY, "source")
    assert (len(split.groups), split.left_out) == (MAX_GROUPS, 2)
    assert split.groups[0].name == "s0"


def test_models_are_compared_by_the_catalogs_name(store: Store, account_id: str) -> None:
    insert_runs(store, [run(account_id, 1, model="a"), run(account_id, 2, model="b")])
    selection = Selection(account_id, from_us=NOON_US, to_us=NOON_US + DAY_US, now_us=NOON_US + DAY_US)
    split = series_by(store, selection, FilterContext(names={"a": "A", "b": "A"}), "model")
    assert [(group.name, group.total_requests) for group in split.groups] == [("A", 2)]


def test_nothing_has_no_groups_and_an_unknown_field_is_refused(store: Store, account_id: str) -> None:
    assert series_by(store, Selection(account_id, now_us=NOON_US), NOBODY, "model").groups == []
    with pytest.raises(SelectionError, match="by must be one of"):
        series_by(store, Selection(account_id), NOBODY, "input")
