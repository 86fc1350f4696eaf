"""Models that were renamed or merged: runs keep the name they bear, and everything says the catalog's."""

import csv
import io
import json

import pytest

from modeltraces.query.export import export
from modeltraces.query.filters import FilterContext, parse
from modeltraces.query.filters.old_names import old_names
from modeltraces.query.metrics import metrics, requests_since_deployment
from modeltraces.query.runs import list_runs, neighbours, runs_since
from modeltraces.query.selection import Selection
from modeltraces.query.suggest import suggest
from modeltraces.store.engine import Store
from modeltraces.store.news import Seen
from modeltraces.store.rows import insert_runs
from tests.query.runs import DAY_US, NOON_US, run

BORNE = ("llama-8b", "meta/llama-8b")
RENAMED = FilterContext(
    names_of_kind={"open_source": [*BORNE, "Llama 8B"], "external": ["gpt-4o"]},
    names=dict.fromkeys(BORNE, "Llama 8B"),
    recorded=dict.fromkeys((*BORNE, "Llama 8B"), (*BORNE, "Llama 8B")),
    old_names=old_names(["Llama 8B", "gpt-4o"], [(name, "Llama 8B") for name in BORNE]),
)
SECRET = b"secret"


@pytest.fixture
def runs(store: Store, account_id: str) -> Store:
    insert_runs(
        store,
        [
            run(account_id, 1, model="llama-8b"),
            run(account_id, 2, model="meta/llama-8b"),
            run(account_id, 3, model="gpt-4o"),
            run(account_id, 4, model="Llama 8B"),
        ],
    )
    return store


def names(store: Store, selection: Selection) -> list[str]:
    return [one.model for one in list_runs(store, selection, RENAMED, limit=50, cursor=None, secret=SECRET).runs]


@pytest.mark.parametrize("chosen", ["Llama 8B", "llama-8b", "meta/llama-8b"])
def test_a_model_is_chosen_by_its_name_and_by_those_that_its_runs_bear(
    runs: Store, account_id: str, chosen: str
) -> None:
    selection = Selection(account_id, (chosen,), now_us=NOON_US + DAY_US)
    assert names(runs, selection) == ["Llama 8B"] * 3
    assert metrics(runs, selection, RENAMED).total_requests == 3


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('model:"Llama 8B"', 3),
        ('model:"llama 8b"', 3),
        ("model:llama*", 3),
        ("model:meta*", 0),
        ("model:llama-8b", 3),
        ("model:META/llama-8b", 3),
        ("-model:llama-8b", 1),
        ("model:(meta/llama-8b OR gpt-4o)", 4),
        ("status:failed OR (model:llama-8b AND -model:gpt-4o)", 3),
        ("model:(gpt-4o OR x)", 1),
        ('-model:"Llama 8B"', 1),
        ("model_kind:open_source", 3),
    ],
)
def test_a_filter_asks_for_the_catalogs_name_or_one_from_before(
    runs: Store, account_id: str, text: str, found: int
) -> None:
    selection = Selection(account_id, filter=parse(text), filter_text=text, now_us=NOON_US + DAY_US)
    assert len(names(runs, selection)) == found
    assert metrics(runs, selection, RENAMED).total_requests == found


def test_a_name_of_now_means_what_it_says_and_one_that_two_models_had_means_neither() -> None:
    names = ["A", "b", "c"]
    assert old_names(names, [("a", "b"), ("old", "b"), ("Old", "b"), ("both", "b"), ("BOTH", "c"), ("A", "A")]) == {
        "old": "b"
    }


def test_runs_are_sorted_and_paged_by_the_catalogs_name(runs: Store, account_id: str) -> None:
    selection = Selection(account_id, sort="model", order="asc", now_us=NOON_US + DAY_US)
    seen: list[str] = []
    cursor = None
    while True:
        page = list_runs(runs, selection, RENAMED, limit=1, cursor=cursor, secret=SECRET)
        seen += [one.model for one in page.runs]
        if (cursor := page.next_cursor) is None:
            break
    assert seen == ["Llama 8B"] * 3 + ["gpt-4o"]
    assert neighbours(runs, selection, RENAMED, "run-00003") == ("run-00004", None)


def test_suggestions_the_live_view_and_exports_say_the_catalogs_name(runs: Store, account_id: str) -> None:
    selection = Selection(account_id, ("llama-8b",), now_us=NOON_US + DAY_US)
    assert [(found.value, found.count) for found in suggest(runs, selection, RENAMED, "model")] == [("Llama 8B", 3)]
    assert {one.run.model for one in runs_since(runs, selection, RENAMED, Seen(0), 10)[0]} == {"Llama 8B"}
    texts = {}
    for format in ("csv", "jsonl", "parquet"):
        with export(runs, selection, RENAMED, format=format) as pieces:
            texts[format] = b"".join(pieces)
    assert len(list(csv.DictReader(io.StringIO(texts["csv"].decode())))) == 3
    assert [json.loads(line)["model"] for line in texts["jsonl"].splitlines()] == ["Llama 8B"] * 3
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(io.BytesIO(texts["parquet"]))
    assert table.column("model").to_pylist() == ["Llama 8B"] * 3


@pytest.mark.parametrize(
    ("models", "period", "since"),
    [
        ((), (None, None), 3),
        (("gpt-4o",), (None, None), 1),
        (("Llama 8B",), (None, None), 2),
        (("meta/llama-8b", "gpt-4o"), (NOON_US, NOON_US + DAY_US), 3),
        (("llama-8b",), (NOON_US + DAY_US, None), 2),
    ],
)
def test_runs_before_the_first_deployment_are_not_counted_since_it(
    runs: Store, account_id: str, models: tuple[str, ...], period: tuple[int | None, int | None], since: int
) -> None:
    """The runs are 1 to 4 seconds after noon; Llama 8B was deployed at the second one. Other models know nothing of it."""
    deployed = dict.fromkeys((*BORNE, "Llama 8B"), NOON_US + 2_000_000)
    selection = Selection(account_id, models, *period, now_us=NOON_US + DAY_US)
    deployed["elsewhere"] = NOON_US + 10 * DAY_US
    assert requests_since_deployment(runs, selection, RENAMED, deployed) == since
