"""Values suggested from the data of the selection."""

import pytest

from modeltraces.query.filters import FilterContext
from modeltraces.query.selection import Selection, SelectionError
from modeltraces.query.suggest import suggest
from modeltraces.store.engine import Store
from modeltraces.store.rows import insert_runs
from tests.query.runs import NOON_US, run

CONTEXT = FilterContext({"open_source": ["llama-3"], "external": ["gpt-4o", "gpt-5"]})


@pytest.fixture(scope="module")
def selection(store: Store) -> Selection:
    account_id = "suggestions"
    insert_runs(
        store,
        [
            run(account_id, 1, source="billing", attributes={"env": "prod"}, finish_reasons=["stop", "length"]),
            run(account_id, 2, source="Billing-EU", attributes={"env": "dev", "zone": "x"}, finish_reasons=["stop"]),
            run(account_id, 3, source="Billing-EU", model="llama-3", streaming=True, status="failed"),
            run(account_id, 4, source="", model="unknown to the catalog"),
            run(account_id, 9999, source="after the period"),
            run("suggestions of another", 1, source="billing of another"),
        ],
    )
    return Selection(account_id, to_us=NOON_US + 100_000_000)


@pytest.mark.parametrize(
    ("name", "prefix", "expected"),
    [
        ("source", "", [("Billing-EU", 2), ("billing", 1)]),
        ("source", "BILLING-", [("Billing-EU", 2)]),
        ("source", "%", []),
        ("model", "", [("gpt-4o", 2), ("llama-3", 1), ("unknown to the catalog", 1)]),
        ("model_kind", "", [("external", 2), ("open_source", 1)]),
        ("status", "", [("success", 3), ("failed", 1)]),
        ("streaming", "t", [("true", 1)]),
        ("finish_reasons", "", [("stop", 2), ("length", 1)]),
        ("attributes", "", [("env", 2), ("zone", 1)]),
        ("attributes.env", "", [("dev", 1), ("prod", 1)]),
        ("attributes.none of it", "", []),
    ],
)
def test_values_are_those_of_the_selection_with_their_counts(
    store: Store, selection: Selection, name: str, prefix: str, expected: list[tuple[str, int]]
) -> None:
    assert [(one.value, one.count) for one in suggest(store, selection, CONTEXT, name, prefix)] == expected


def test_no_more_are_given_than_asked_for(store: Store, selection: Selection) -> None:
    assert len(suggest(store, selection, CONTEXT, "source", limit=1)) == 1


@pytest.mark.parametrize("name", ["input", "request_id", "response_time", "nonsense", "attributes."])
def test_a_field_without_suggestions_is_told(store: Store, selection: Selection, name: str) -> None:
    with pytest.raises(SelectionError) as caught:
        suggest(store, selection, CONTEXT, name)
    assert caught.value.parameter == "field"
