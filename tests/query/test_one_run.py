"""Lists' summaries, one run, and new runs."""

from dataclasses import replace

import pytest

from modeltraces.query.filters import FilterContext, parse
from modeltraces.query.metrics import count_runs
from modeltraces.query.runs import get_run, list_runs, runs_since, summaries
from modeltraces.query.selection import Selection
from modeltraces.run import new_request_id, request_id_of_span
from modeltraces.store.engine import Store
from modeltraces.store.rows import insert_runs
from tests.query.runs import NOON_US, run

NOBODY = FilterContext()


@pytest.mark.parametrize(
    "request_id",
    [
        request_id_of_span("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", NOON_US + 123_456),
        new_request_id(NOON_US + 123_456),
        "chosen by the caller",
        # Looks like one of ours, and bears another time than the run's.
        "01890a5d-ac96-774b-bcce-b302099a8057",
        "'; DROP TABLE runs; --",
    ],
    # One of them is random, and two processes must collect the same tests.
    ids=["of a span", "made here", "chosen", "of another time", "hostile"],
)
def test_a_run_is_found_by_its_request_id_whole(store: Store, account_id: str, request_id: str) -> None:
    whole = run(
        account_id, request_id=request_id, executed_on_us=NOON_US + 123_456, input="in 🙂" * 1000, output="out",
        request='{"messages": []}', response="{}", attributes={"env": "prod"}, finish_reasons=["stop"],
        response_time_ms=1.5, input_tokens=3, error_type="", borrowed=["input"],
    )  # fmt: skip
    insert_runs(store, [whole, run(account_id, 1), run(f"{account_id} of another", request_id=request_id, input="no")])
    assert get_run(store, account_id, request_id) == whole


def test_a_run_of_another_account_is_not_there(store: Store, account_id: str) -> None:
    insert_runs(store, [run(account_id, 1)])
    assert get_run(store, f"{account_id} B", "run-00001") is None
    assert get_run(store, account_id, "run-00009") is None
    assert summaries(store, f"{account_id} B", [(NOON_US + 1_000_000, "run-00001")], FilterContext()) == []


def test_a_recording_that_was_folded_leads_to_its_run_and_counts_nowhere(store: Store, account_id: str) -> None:
    folded = run(account_id, 1, superseded_by="run-00002", version=2)
    kept = run(account_id, 2, version=3)
    insert_runs(store, [folded, kept])
    assert get_run(store, account_id, "run-00001") == kept
    everything = Selection(account_id)
    assert count_runs(store, everything, NOBODY) == 1
    page = list_runs(store, everything, NOBODY, limit=10, cursor=None, secret=b"x")
    assert [one.request_id for one in page.runs] == ["run-00002"]


def test_runs_that_fold_into_each_other_end_the_search(store: Store, account_id: str) -> None:
    insert_runs(store, [run(account_id, 1, superseded_by="run-00002"), run(account_id, 2, superseded_by="run-00001")])
    assert get_run(store, account_id, "run-00001") is None


def test_a_run_sent_twice_is_read_once_as_its_latest_version(store: Store, account_id: str) -> None:
    insert_runs(store, [run(account_id, 1, version=2, output="complete", status="failed")])
    insert_runs(store, [run(account_id, 1, version=1, output="")])
    page = list_runs(store, Selection(account_id), NOBODY, limit=10, cursor=None, secret=b"x")
    assert [one.output for one in page.runs] == ["complete"]
    found = get_run(store, account_id, "run-00001")
    assert found is not None
    assert found.output == "complete"
    # The older version would match: it must not come back through the filter.
    for text in ("-status:failed", "-output:complete"):
        assert count_runs(store, replace(Selection(account_id), filter=parse(text)), NOBODY) == 0


@pytest.mark.parametrize(
    ("text", "truncated"),
    [("x" * 499, False), ("x" * 500, False), ("x" * 501, True), ("🙂" * 500, False), ("🙂" * 501, True), ("", False)],
)
def test_lists_carry_500_characters_and_say_whether_there_is_more(
    store: Store, account_id: str, text: str, truncated: bool
) -> None:
    insert_runs(store, [run(account_id, 1, input=text, output=text)])
    (one,) = list_runs(store, Selection(account_id), NOBODY, limit=1, cursor=None, secret=b"x").runs
    assert (one.input, one.input_truncated) == (text[:500], truncated)
    assert (one.output, one.output_truncated) == (text[:500], truncated)


def test_new_runs_come_in_the_order_they_were_received_none_left_out(store: Store, account_id: str) -> None:
    # Seven of one commit, executed in another order than they came.
    insert_runs(store, [run(account_id, number, received_on_us=NOON_US + 50) for number in range(7)])
    insert_runs(store, [run(account_id, 99, received_on_us=NOON_US + 40, source="x")])
    selection = Selection(account_id)
    seen: list[str] = []
    since, last = NOON_US, None
    while found := runs_since(store, selection, NOBODY, since, 3, after=last):
        seen += [one.request_id for one in found]
        last, since = found[-1], found[-1].received_on_us
    assert seen == ["run-00099", *(f"run-{number:05d}" for number in range(7))]
    assert runs_since(store, selection, NOBODY, NOON_US + 50, 3) == []
    only = replace(selection, filter=parse("source:x"))
    assert [one.request_id for one in runs_since(store, only, NOBODY, NOON_US, 9)] == ["run-00099"]
