"""Lists' summaries, one run, and new runs."""

from dataclasses import replace

import pytest

from modeltraces.query.filters import FilterContext, parse
from modeltraces.query.metrics import count_runs
from modeltraces.query.runs import Arrival, get_run, list_runs, runs_since, summaries
from modeltraces.query.selection import Selection
from modeltraces.run import new_request_id, request_id_of_span
from modeltraces.store.engine import Store
from modeltraces.store.news import Seen
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
    assert looked_through(store, selection, Seen(NOON_US)) == ["run-00099", *(f"run-{n:05d}" for n in range(7))]
    assert runs_since(store, selection, NOBODY, Seen(NOON_US + 50), 3) == ([], False)
    only = replace(selection, filter=parse("source:x"))
    assert looked_through(store, only, Seen(NOON_US)) == ["run-00099"]


def test_what_a_writer_with_a_late_clock_stores_is_not_left_out(store: Store, account_id: str) -> None:
    selection, seen = Selection(account_id), Seen(NOON_US)
    insert_runs(store, [run(account_id, 1, received_on_us=NOON_US + 1000)], "fast")
    (arrival,) = runs_since(store, selection, NOBODY, seen, 9)[0]
    assert (arrival.run.request_id, arrival.writer) == ("run-00001", "fast")
    seen = seen.with_row(arrival.writer, arrival.received_on_us)
    insert_runs(store, [run(account_id, number, received_on_us=NOON_US + number) for number in (2, 3, 4, 5)], "late")
    insert_runs(store, [run(account_id, 6, received_on_us=NOON_US + 2000)], "fast")
    assert looked_through(store, selection, seen) == ["run-00006", *(f"run-{n:05d}" for n in (2, 3, 4, 5))]
    # What goes to a reader and comes back with it means the same.
    assert looked_through(store, selection, Seen.from_text(seen.to_text())) == looked_through(store, selection, seen)


def looked_through(store: Store, selection: Selection, seen: Seen | None) -> list[str]:
    """Request IDs, three at a time."""
    assert seen is not None
    ids: list[str] = []
    last: Arrival | None = None
    more = True
    while more:
        found, more = runs_since(store, selection, NOBODY, seen, 3, after=last)
        ids += [one.run.request_id for one in found]
        last = found[-1] if found else None
    return ids
