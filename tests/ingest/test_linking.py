"""One call that is recorded more than once is one run, whatever the order in which its recordings come."""

import itertools
from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modeltraces.ingest.linking import Linker
from modeltraces.ingest.links import LinkIndex
from modeltraces.run import Run
from modeltraces.store.engine import ClickHouseStore
from tests.ingest.commits import START, Commits, span
from tests.support.random_cases import examples

FRAMEWORK = span("aa", ms=130, input="hello", output="hi there", session_id="s1", source_type="Agent", source="planner")
SDK = span(
    "bb", "aa", start_ms=5, input="hello", output="hi there", input_tokens=3, output_tokens=2, response_id="chatcmpl-1"
)
BARE = span("cc", "bb", start_ms=6, ms=90, input_tokens=3, base_model="gpt-4o-2024-08-06", response_id="chatcmpl-1")
ELSEWHERE = span("dd", trace="u", start_ms=2, ms=120, output="hi there", user_id="u1", response_id="chatcmpl-1")


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_recordings_of_one_call_are_one_run_in_every_order(
    store: ClickHouseStore, account_id: str, order: tuple[int, ...]
) -> None:
    recordings = (FRAMEWORK, SDK, BARE, ELSEWHERE)
    commits = Commits(store, account_id)
    for index in order:
        commits.commit(recordings[index])
    (run,) = commits.rows()
    assert run.request_id == SDK.request_id
    assert (run.input, run.output, run.input_tokens, run.output_tokens) == ("hello", "hi there", 3, 2)
    assert (run.session_id, run.user_id, run.base_model) == ("s1", "u1", "gpt-4o-2024-08-06")
    assert (run.source_type, run.source) == ("Agent", "planner")
    assert run.response_time_ms == 100
    assert {row.superseded_by for row in commits.rows(superseded=True)} == {SDK.request_id}


@pytest.mark.timeout(900)
@settings(
    max_examples=examples(15, thorough=200), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_splitting_repeating_and_restarting_change_nothing(
    store: ClickHouseStore, account_id: str, data: st.DataObject
) -> None:
    recordings = [FRAMEWORK, SDK, BARE, ELSEWHERE]
    sent = data.draw(st.permutations(recordings * 2))
    together = Commits(store, f"{account_id} together {uuid4()}")
    together.commit(*recordings)
    apart = Commits(store, f"{account_id} apart {uuid4()}")
    while sent:
        size = data.draw(st.integers(1, len(sent)))
        apart.commit(*sent[:size])
        sent = sent[size:]
        if data.draw(st.booleans()):
            apart.restart()
    assert apart.rows() == together.rows()
    assert apart.rows(superseded=True) == together.rows(superseded=True)


def test_a_recording_sent_again_long_after_does_not_count_again(store: ClickHouseStore, account_id: str) -> None:
    commits = Commits(store, account_id)
    commits.commit(FRAMEWORK, SDK)
    commits.linker = Linker(store, LinkIndex())  # forgotten: the window has passed
    commits.commit(FRAMEWORK)
    assert [run.request_id for run in commits.rows()] == [SDK.request_id]


def test_calls_in_one_trace_stay_apart(store: ClickHouseStore, account_id: str) -> None:
    commits = Commits(store, account_id)
    first = span("e1", "a9", input="one", output="1", response_id="chatcmpl-1")
    second = span("e2", "a9", start_ms=200, input="two", output="2", response_id="chatcmpl-2")
    commits.commit(first, second)
    assert len(commits.rows()) == 2


def test_each_try_inside_one_framework_span_is_a_run(store: ClickHouseStore, account_id: str) -> None:
    commits = Commits(store, account_id)
    outer = span("f0", ms=900, input="hello", output="hi", response_id="chatcmpl-9")
    failed = span(
        "f1", "f0", start_ms=10, input="hello", status="failed", error_type="RateLimitError", error_message="slow down"
    )
    passed = span("f2", "f0", start_ms=500, ms=300, input="hello", output="hi", response_id="chatcmpl-9")
    commits.commit(failed, passed, outer)
    assert [(run.request_id, run.status) for run in commits.rows()] == [
        (failed.request_id, "failed"),
        (passed.request_id, "success"),
    ]


def test_a_response_id_that_a_server_gives_to_every_response_links_nothing(
    store: ClickHouseStore, account_id: str
) -> None:
    commits = Commits(store, account_id)
    for number in range(5):
        commits.commit(
            span(f"a{number}", trace=f"t{number}", instrumentation="sdk", response_id="chatcmpl-123", output="x")
        )
    assert len(commits.rows()) == 5


@pytest.mark.parametrize("scope", ["dd", ""])
def test_one_id_for_every_response_costs_nothing_while_one_instrumentation_records_them(
    store: ClickHouseStore, account_id: str, scope: str
) -> None:
    """Each call was read back with all the others: a commit of a hundred took six times as long."""
    commits = Commits(store, account_id)
    same = [
        replace(BARE, span_id=f"{number:016x}", request_id=str(number), trace_id=str(number)) for number in range(60)
    ]
    for start in range(0, 60, 20):
        commits.commit(*same[start : start + 20])
    assert commits.store.read_back == 0
    assert len(commits.rows()) == 60
    commits.commit(replace(ELSEWHERE, instrumentation=scope, response_id=BARE.response_id))
    assert commits.store.read_back, "of another instrumentation it may be one with each of them"
    again = commits.store.read_back
    commits.commit(replace(ELSEWHERE, instrumentation=scope, request_id="x", span_id="e" * 16, trace_id="x"))
    assert commits.store.read_back > again, "nor is that one alone any more"


def test_a_try_that_was_taken_for_the_call_is_a_run_when_the_one_that_passed_comes(
    store: ClickHouseStore, account_id: str
) -> None:
    commits = Commits(store, account_id)
    outer = span("f0", ms=900, input="hello", session_id="s1", source_type="Agent", source="planner")
    failed = span("f1", "f0", start_ms=10, status="failed", error_type="RateLimitError", error_message="slow down")
    passed = span("f2", "f0", start_ms=500, ms=300, input="hello", output="hi")
    commits.commit(outer, failed)
    assert [run.request_id for run in commits.rows()] == [failed.request_id]
    commits.commit(passed)
    alone, counted = commits.rows()
    assert alone == replace(failed, response_time_ms=100.0, version=0), "nothing is left of what it had borrowed"
    assert (counted.request_id, counted.session_id, counted.source) == (passed.request_id, "s1", "planner")
    commits.commit(failed)
    assert commits.rows() == [alone, counted]


def test_embeddings_inside_a_chat_are_another_run(store: ClickHouseStore, account_id: str) -> None:
    commits = Commits(store, account_id)
    commits.commit(span("a1", input="q", output="a"), span("a2", "a1", operation="embeddings"))
    assert len(commits.rows()) == 2


def test_a_given_id_keeps_its_first_start(store: ClickHouseStore, account_id: str) -> None:
    commits = Commits(store, account_id)
    for attempt, start in enumerate((0, START + 5, 0, START)):
        run = Run(account_id, "order-17", start, "m", received_on_us=START + 100 + attempt, output=str(attempt))
        commits.linker.settle_given_ids([run])
        commits.commit(run)
        if attempt == 1:
            commits.restart()
    (kept,) = commits.rows()
    assert (kept.executed_on_us, kept.output) == (START + 100, "3")


def test_other_accounts_recordings_are_never_read(store: ClickHouseStore, account_id: str) -> None:
    mine, theirs = Commits(store, account_id), Commits(store, account_id + " theirs")
    theirs.linker = mine.linker
    mine.commit(FRAMEWORK)
    theirs.commit(SDK)
    assert len(mine.rows()) == len(theirs.rows()) == 1
