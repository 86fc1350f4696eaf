"""Base models: what the run itself says, or else the catalog; the same to filter, table, order, suggestions and exports."""

import csv
import io

import pytest

from modeltraces.query.export import export
from modeltraces.query.filters import FilterContext, parse
from modeltraces.query.metrics import metrics
from modeltraces.query.runs import list_runs, neighbours
from modeltraces.query.selection import Order, Selection
from modeltraces.query.suggest import suggest
from modeltraces.store.engine import Store
from modeltraces.store.rows import insert_runs
from tests.query.runs import DAY_US, NOON_US, run

SAYS, SILENT, UNKNOWN = "run-00001", "run-00002", "run-00003"
CATALOG = FilterContext(base_models={"llama": "meta/llama-3", "renamed": "meta/llama-3", "gpt": ""})


@pytest.fixture
def runs(store: Store, account_id: str) -> Store:
    insert_runs(
        store,
        [
            run(account_id, 1, model="llama", base_model="another/llama"),
            run(account_id, 2, model="llama"),
            run(account_id, 3, model="gpt"),
        ],
    )
    return store


def asked(account_id: str, text: str = "", sort: str = "executed_on", order: Order = "asc") -> Selection:
    return Selection(account_id, filter=parse(text), filter_text=text, sort=sort, order=order, now_us=NOON_US + DAY_US)


def listed(store: Store, selection: Selection, limit: int = 50, cursor: str | None = None) -> dict[str, str]:
    page = list_runs(store, selection, CATALOG, limit=limit, cursor=cursor, secret=b"secret")
    found = {one.request_id: one.base_model for one in page.runs}
    return found if page.next_cursor is None else found | listed(store, selection, limit, page.next_cursor)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('base_model:"meta/llama-3"', [SILENT]),
        ('base_model:"META/*"', [SILENT]),
        ('base_model:("meta/llama-3" OR "another/llama")', [SAYS, SILENT]),
        ("base_model:*", [SAYS, SILENT]),
        ('-base_model:"meta/llama-3"', [SAYS, UNKNOWN]),
    ],
)
def test_a_filter_finds_the_base_model_that_is_shown(runs: Store, account_id: str, text: str, found: list[str]) -> None:
    assert list(listed(runs, asked(account_id, text))) == found
    assert metrics(runs, asked(account_id, text), CATALOG).total_requests == len(found)


def test_the_table_and_the_export_show_the_same(runs: Store, account_id: str) -> None:
    with export(runs, asked(account_id), CATALOG, format="csv") as pieces:
        rows = csv.DictReader(io.StringIO(b"".join(pieces).decode(), newline=""))
        exported = {row["Request ID"]: row["Base Model"] for row in rows}
    assert exported == listed(runs, asked(account_id)) == {SAYS: "another/llama", SILENT: "meta/llama-3", UNKNOWN: ""}


@pytest.mark.parametrize(("order", "expected"), [("asc", [SAYS, SILENT, UNKNOWN]), ("desc", [SILENT, SAYS, UNKNOWN])])
def test_runs_are_sorted_and_paged_by_it(runs: Store, account_id: str, order: Order, expected: list[str]) -> None:
    selection = asked(account_id, sort="base_model", order=order)
    assert list(listed(runs, selection, limit=1)) == expected
    assert neighbours(runs, selection, CATALOG, expected[1]) == (expected[0], expected[2])
    with export(runs, selection, CATALOG, format="csv") as pieces:
        lines = b"".join(pieces).decode().splitlines()[1:]
    assert [line.split(",")[1].strip('"') for line in lines] == expected


def test_it_is_suggested(runs: Store, account_id: str) -> None:
    suggested = suggest(runs, asked(account_id), CATALOG, "base_model", "meta")
    assert [(one.value, one.count) for one in suggested] == [("meta/llama-3", 1)]
