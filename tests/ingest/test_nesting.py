"""Calls that two instrumentations record in two spans which do not speak of each other."""

from dataclasses import dataclass, field, replace
from random import Random
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modeltraces.catalog.models import SeenModel
from modeltraces.ingest.recordings import ContentPart
from modeltraces.ingest.writer import Batch, Writer
from modeltraces.run import Run
from modeltraces.store.engine import ClickHouseStore
from tests.ingest.commits import Commits, span
from tests.ingest.otlp.building import log, parts_of
from tests.support.random_cases import examples

PROGRAM = {"service.name": "app", "service.instance.id": "5541fb84"}
FAILED = {"status": "failed", "error_type": "RateLimitError", "error_code": "429"}


def outer(**fields: object) -> Run:
    return span("aa", **({"ms": 130, "input": "user: hello", "instrumentation": "framework"} | fields))  # type: ignore[arg-type]


def inner(**fields: object) -> Run:
    values = {"start_ms": 4, "ms": 120, "trace": "u", "input": "user:\nhello", "instrumentation": "sdk"} | fields
    return span("bb", **values)  # type: ignore[arg-type]


BLANK_INNER = inner(input="", attributes=PROGRAM)
WITHOUT_TEXT = (outer(attributes=PROGRAM), BLANK_INNER)

ONE_CALL = {
    "the same text in two traces": (outer(), inner()),
    "the same text in one trace": (outer(), inner(trace="t")),
    "the same text, and both failed": (outer(**FAILED), inner(**FAILED)),
    "one trace, and no text in the inner one": (outer(), inner(trace="t", input="")),
    "one trace, and no text in either": (outer(input=""), inner(trace="t", input="")),
    "one program, and no text in the inner one": WITHOUT_TEXT,
    "no text, in a program that waited for a core": (
        outer(ms=170, attributes=PROGRAM),
        inner(start_ms=25, input="", attributes=PROGRAM),
    ),
    "the outer one names no model": (outer(model="unknown"), inner()),
    "the outer one names the model that served": (outer(model="gpt-4o-1"), inner(base_model="gpt-4o-1")),
    "a framework's own id": (outer(response_id="run-1"), inner(response_id="chatcmpl-1")),
    "clocks of whole milliseconds": (outer(start_ms=5), inner(start_ms=4)),
    "a stream that broke unseen by one": (
        outer(**FAILED, output="hi th"),
        inner(streaming=True, output="hi th"),
    ),
}
TWO_CALLS = {
    "one instrumentation": (outer(), inner(instrumentation="framework")),
    "instrumentations without a name": (outer(instrumentation=""), inner()),
    "another prompt": (outer(), inner(input="user: good bye")),
    "another prompt in one trace": (outer(), inner(trace="t", input="user: good bye")),
    "one after the other": (outer(ms=2), inner(start_ms=3, ms=2)),
    "one after the other in one trace": (outer(ms=2), inner(trace="t", start_ms=2, ms=2)),
    "they overlap, and neither lies in the other": (outer(), inner(start_ms=60)),
    "another model": (outer(), inner(model="gpt-4o-mini")),
    "another outcome": (outer(**FAILED), inner(output="hi")),
    "another error": (outer(**FAILED), inner(**FAILED | {"error_code": "400"})),
    "another program": (outer(attributes=PROGRAM | {"service.name": "other"}), inner(attributes=PROGRAM)),
    "two responses": (outer(response_id="chatcmpl-1"), inner(response_id="chatcmpl-2")),
    "embeddings": (outer(), inner(operation="embeddings")),
    "no text, and another process": (outer(attributes=PROGRAM | {"service.instance.id": "x"}), BLANK_INNER),
    "no text, and nobody knows which process": (outer(), inner(input="")),
    "no text, and a while between their ends": (outer(ms=200, attributes=PROGRAM), BLANK_INNER),
    "no text, and other tokens": (replace(WITHOUT_TEXT[0], input_tokens=3), replace(BLANK_INNER, input_tokens=4)),
    "no text, and another provider": (replace(WITHOUT_TEXT[0], provider="a"), replace(BLANK_INNER, provider="b")),
    "an end before its start": (outer(), inner(ms=0, response_time_clamped=True)),
}


@pytest.mark.parametrize("pair", ONE_CALL.values(), ids=ONE_CALL)
@pytest.mark.parametrize("arrival", ["together", "outer first", "inner first", "restarted between"])
def test_one_call(store: ClickHouseStore, account_id: str, pair: tuple[Run, Run], arrival: str) -> None:
    commits = Commits(store, account_id)
    if arrival == "together":
        commits.commit(*pair)
        assert commits.store.read_back == 0
    else:
        first, second = reversed(pair) if arrival == "inner first" else pair
        commits.commit(first)
        if arrival == "restarted between":
            commits.restart()
        commits.commit(second)
    assert len(commits.rows()) == 1
    assert len(commits.rows(superseded=True)) == 1


@pytest.mark.parametrize("pair", TWO_CALLS.values(), ids=TWO_CALLS)
def test_two_calls(store: ClickHouseStore, account_id: str, pair: tuple[Run, Run]) -> None:
    commits = Commits(store, account_id)
    commits.commit(pair[0])
    commits.commit(pair[1])
    assert len(commits.rows()) == 2


def test_a_broken_stream_has_failed_though_the_richer_recording_did_not_see_it(
    store: ClickHouseStore, account_id: str
) -> None:
    commits = Commits(store, account_id)
    commits.commit(*ONE_CALL["a stream that broke unseen by one"])
    (run,) = commits.rows()
    assert (run.status, run.error_type, run.streaming, run.output) == ("failed", "RateLimitError", True, "hi th")


def test_a_run_without_a_model_borrows_it_and_gives_it_back(store: ClickHouseStore, account_id: str) -> None:
    commits = Commits(store, account_id)
    nameless = outer(model="unknown", output="hi", attributes=PROGRAM)
    commits.commit(nameless, inner(attributes=PROGRAM, ms=110, start_ms=9))
    (run,) = commits.rows()
    assert (run.request_id, run.model, run.borrowed) == (nameless.request_id, "gpt-4o", ["model"])
    closer = span("cc", trace="v", start_ms=1, ms=128, instrumentation="sdk", model="o3", input="user: hello")
    commits.commit(replace(closer, attributes=PROGRAM))
    assert [row.model for row in commits.rows()] == ["o3", "gpt-4o"]


@dataclass
class Listed:
    """Knows which models entered the catalog."""

    models: set[str] = field(default_factory=set)

    def ensure(self, account_id: str, seen: dict[str, SeenModel]) -> None:
        self.models |= set(seen)


def test_a_model_that_only_a_folded_recording_names_is_not_listed(store: ClickHouseStore, account_id: str) -> None:
    listed = Listed()
    writer = Writer(store, listed)
    writer.start()
    try:
        pair = [replace(run, account_id=account_id) for run in ONE_CALL["the outer one names no model"]]
        writer.submit(Batch(account_id, "traces", pair)).result(30)
    finally:
        writer.stop()
    assert listed.models == {"gpt-4o"}


def test_three_instrumentations_around_one_call_are_one_run(store: ClickHouseStore, account_id: str) -> None:
    commits = Commits(store, account_id)
    middle = span("cc", trace="v", start_ms=2, ms=126, input="user: hello", instrumentation="gateway")
    for recording in (inner(), outer(), middle):
        commits.commit(recording)
    assert len(commits.rows()) == 1


def test_tries_inside_one_framework_call_are_runs(store: ClickHouseStore, account_id: str) -> None:
    commits = Commits(store, account_id)
    tries = [
        span(f"b{number}", trace="u", start_ms=5 + 40 * number, ms=30, input="user: hello", instrumentation="sdk")
        for number in range(3)
    ]
    for recording in (tries[1], outer(), tries[2], tries[0]):
        commits.commit(recording)
    assert len(commits.rows()) == 3


def pairs(count: int, *, seed: int, spacing_ms: float, text: str = "ping") -> list[tuple[Run, Run]]:
    """Equal calls side by side, each recorded by two instrumentations in two traces."""
    random = Random(seed)
    made = []
    for number in range(count):
        start, ms = number * spacing_ms + random.random(), random.uniform(80, 120)
        before, after = random.uniform(0.1, 1), random.uniform(0.1, 1)
        made.append(
            (
                span(f"{number:03}a", trace=f"{number}a", start_ms=start, ms=before + ms + after,
                     instrumentation="framework", input=text, output=str(number % 2), session_id=f"s{number}"),
                span(f"{number:03}b", trace=f"{number}b", start_ms=start + before, ms=ms,
                     instrumentation="sdk", input=text, output=str(number % 2), response_id=f"chatcmpl-{number}"),
            )
        )  # fmt: skip
    return made


@pytest.mark.parametrize("size", [1, 7, 80])
def test_equal_calls_side_by_side_keep_their_number_and_what_is_theirs(
    store: ClickHouseStore, account_id: str, size: int
) -> None:
    made = pairs(24, seed=1, spacing_ms=5)
    sent = [recording for pair in made for recording in pair]
    Random(2).shuffle(sent)
    commits = Commits(store, account_id)
    for start in range(0, len(sent), size):
        commits.commit(*sent[start : start + size])
    counted = {run.response_id: run.session_id for run in commits.rows()}
    assert counted == {f"chatcmpl-{number}": f"s{number}" for number in range(24)}


def test_equal_calls_by_one_instrumentation_are_never_read_back(store: ClickHouseStore, account_id: str) -> None:
    commits = Commits(store, account_id)
    for _, recording in pairs(50, seed=1, spacing_ms=1):
        commits.commit(replace(recording, response_id=""))
    assert commits.store.read_back == 0
    assert len(commits.rows()) == 50


def test_calls_that_are_tied_already_are_not_read_back_for_those_beside_them(
    store: ClickHouseStore, account_id: str
) -> None:
    """Two instrumentations that read the provider's id: whose is whose is known without reading anything back."""
    commits = Commits(store, account_id)
    for one, other in pairs(50, seed=1, spacing_ms=1):
        commits.commit(replace(one, response_id=other.response_id), other)
    assert commits.store.read_back == 0
    assert len(commits.rows()) == 50


def test_text_that_comes_in_log_records_ties_too(store: ClickHouseStore, account_id: str) -> None:
    for order in ([0, 1, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]):
        commits = Commits(store, f"{account_id} {order}")
        silent = inner(input="", ms=100)
        for step in order:
            if step == 0:
                commits.commit(outer(input="hello"))
            elif step == 1:
                commits.commit(silent)
            else:
                commits.commit(parts=(says(silent, "hello"),))
        assert len(commits.rows()) == 1


def says(run: Run, text: str) -> ContentPart:
    """What an instrumentation's log record says of the run's input."""
    (part,) = parts_of(log("gen_ai.user.message", {"content": text}))
    return replace(part, trace_id=run.trace_id, span_id=run.span_id)


@st.composite
def crowded(draw: st.DrawFn) -> list[Run]:
    """Recordings that are as hard to tell apart as can be: few texts, traces and ids, at nearly the same time."""
    count = draw(st.integers(2, 7))
    recordings = []
    for number in range(count):
        failed = draw(st.booleans())
        recordings.append(
            span(
                f"s{number}",
                draw(st.sampled_from(["", "", "", *(f"s{other}" for other in range(count) if other != number)])),
                trace=draw(st.sampled_from("tu")),
                start_ms=draw(st.integers(0, 12)),
                ms=draw(st.sampled_from([3, 8, 20, 21])),
                instrumentation=draw(st.sampled_from(["framework", "sdk", "other"])),
                model=draw(st.sampled_from(["gpt-4o", "gpt-4o", "unknown"])),
                status="failed" if failed else "success",
                error_type="RateLimitError" if failed else "",
                streaming=draw(st.booleans()),
                input=draw(st.sampled_from(["", "hello", "hello", "good bye"])),
                output="" if failed else draw(st.sampled_from(["", "hi", "bye"])),
                response_id="" if failed else draw(st.sampled_from(["", "", "chatcmpl-1", "chatcmpl-2"])),
                session_id=draw(st.sampled_from(["", f"session {number}"])),
                source_type=draw(st.sampled_from(["Application", "Agent"])),
                attributes=draw(st.sampled_from([{}, {"service.name": "app", "service.instance.id": "p1"}])),
            )
        )
    return recordings


@pytest.mark.timeout(900)
@settings(
    max_examples=examples(20, thorough=200), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(recordings=crowded(), data=st.data())
def test_what_is_one_call_does_not_hang_on_how_the_recordings_came(
    store: ClickHouseStore, recordings: list[Run], data: st.DataObject
) -> None:
    together, apart = Commits(store, str(uuid4())), Commits(store, str(uuid4()))
    silent = [run for run in recordings if not run.input]
    parts = [says(run, "hello") for run in silent if data.draw(st.booleans())]
    together.commit(*recordings, parts=tuple(parts))
    everything: list[Run | ContentPart] = [*recordings, *parts]
    sent = data.draw(st.permutations(everything))
    sent += data.draw(st.lists(st.sampled_from(everything), max_size=3))
    while sent:
        size = data.draw(st.integers(1, len(sent)))
        now, sent = sent[:size], sent[size:]
        apart.commit(
            *(each for each in now if isinstance(each, Run)),
            parts=tuple(each for each in now if isinstance(each, ContentPart)),
        )
        if data.draw(st.booleans()):
            apart.restart()
    assert apart.rows() == together.rows()
    assert apart.rows(superseded=True) == together.rows(superseded=True)
