"""How a call went: times, tokens, failure."""

from typing import Any

import pytest

from modeltraces.run import LONGEST_MS, executed_on_ms_of, request_id_of_span
from tests.ingest.otlp.building import CHAT, NOW_US, SPAN_ID, START_NS, TRACE_ID, chat, decode, event, span

ERROR = {"code": 2}
THIRTY_DAYS_MS = 2_592_000_000
TRACEBACK = (
    'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\n    call()\n'
    "openai.RateLimitError: Error code: 429 - slow down\n"
)


def test_the_request_id_is_the_spans_and_bears_its_start() -> None:
    run = chat()
    assert run.request_id == request_id_of_span(TRACE_ID.hex(), SPAN_ID.hex(), START_NS // 1000)
    assert executed_on_ms_of(run.request_id) == START_NS // 1_000_000
    assert (run.trace_id, run.span_id, run.executed_on_us) == (TRACE_ID.hex(), SPAN_ID.hex(), START_NS // 1000)
    assert chat(parent_span_id=b"\x07" * 8).parent_span_id == "07" * 8
    assert run.received_on_us == NOW_US
    assert (run.account_id, run.instrumentation) == ("A", "test.scope")


def test_an_end_before_the_start_is_clamped_and_flagged() -> None:
    run = chat(end_time_unix_nano=START_NS - 1)
    assert (run.response_time_ms, run.response_time_clamped) == (0.0, True)
    run = chat(end_time_unix_nano=START_NS)
    assert (run.response_time_ms, run.response_time_clamped) == (0.0, False)


@pytest.mark.parametrize(
    ("fields", "is_flagged"),
    [
        ({"start_time_unix_nano": 1_000_000_000_000_000_000}, True),
        ({"end_time_unix_nano": 7_258_118_400_000_000_000}, True),
        ({"end_time_unix_nano": START_NS + LONGEST_MS * 1_000_000 + 1}, True),
        ({"end_time_unix_nano": START_NS + LONGEST_MS * 1_000_000}, False),
    ],
)
def test_an_end_of_more_than_30_days_later_is_clamped_and_flagged(fields: dict[str, Any], is_flagged: bool) -> None:
    run = chat(**fields)
    assert (run.response_time_ms, run.response_time_clamped) == (LONGEST_MS, is_flagged)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no start": ({"start_time_unix_nano": 0}, "no start time"),
    "a nanosecond after 1970": ({"start_time_unix_nano": 1}, "before the year 2000"),
    "no end": ({"end_time_unix_nano": 0}, "no end time"),
    "1970": ({"start_time_unix_nano": 1_000_000_000}, "before the year 2000"),
    "seconds for nanoseconds": ({"start_time_unix_nano": 1_795_000_000}, "before the year 2000"),
    "2200": ({"start_time_unix_nano": 7_258_118_400_000_000_000}, "ahead of this server's clock"),
    "a day and a second ahead": ({"start_time_unix_nano": (NOW_US + 86_401_000_000) * 1000}, "ahead"),
    "no trace id": ({"trace_id": b""}, "trace id"),
    "zero trace id": ({"trace_id": bytes(16)}, "trace id"),
    "short trace id": ({"trace_id": b"abc"}, "trace id"),
    "long trace id": ({"trace_id": b"a" * 17}, "trace id"),
    "zero span id": ({"span_id": bytes(8)}, "span id"),
    "long span id": ({"span_id": b"a" * 16}, "span id"),
}


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("gen_ai.request.model", "model"),
        ("gen_ai.response.model", "base_model"),
        ("gen_ai.provider.name", "provider"),
        ("gen_ai.deployment.version", "deployment_version"),
        ("modeltraces.connection_name", "connection_name"),
    ],
)
@pytest.mark.parametrize("value", ["a\0b", "a\nb", "a\x7fb"])
def test_a_name_with_control_characters_is_kept_with_a_sign_where_they_stood(name: str, field: str, value: str) -> None:
    assert getattr(chat({name: value}), field) == "a\ufffdb"


def test_what_stands_around_a_name_is_no_part_of_it_and_any_script_is() -> None:
    run = chat({"gen_ai.request.model": " 模型 \u200fنموذج\n", "deployment.version": "v1\r\n", "gen_ai.prompt": "a\0b"})
    assert (run.model, run.deployment_version) == ("模型 \u200fنموذج", "v1")
    assert chat({"gen_ai.request.model": "a\ufffdb"}).model == "a\ufffdb", "as it was sent"


@pytest.mark.parametrize(("fields", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_span_that_cannot_be_placed_is_refused_with_a_reason_and_the_rest_kept(
    fields: dict[str, Any], reason: str
) -> None:
    decoded = decode(span(CHAT, span_id=b"before!!"), span(CHAT, **fields), span(CHAT, span_id=b"after!!!"))
    assert [bytes.fromhex(run.span_id) for run in decoded.runs] == [b"before!!", b"after!!!"]
    [rejection] = decoded.rejected
    assert reason in rejection.reason
    assert "chat gpt-4o" in rejection.subject


def test_a_span_of_thirty_days_is_kept() -> None:
    assert chat(end_time_unix_nano=START_NS + THIRTY_DAYS_MS * 1_000_000).response_time_ms == THIRTY_DAYS_MS


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.response.time_to_first_chunk": 1e300},
        {"gen_ai.response.time_to_first_chunk": THIRTY_DAYS_MS / 1000 + 1},
        {"ai.response.msToFirstChunk": THIRTY_DAYS_MS + 1.0},
        {"langfuse.observation.completion_start_time": "2200-01-01T00:00:00Z"},
    ],
    ids=["more than anything", "seconds", "milliseconds", "an instant"],
)
def test_a_first_token_after_more_than_thirty_days_is_unknown_and_stays_an_attribute(
    attributes: dict[str, Any],
) -> None:
    run = chat(attributes)
    assert run.time_to_first_token_ms is None
    assert run.attributes.keys() >= attributes.keys()


def test_a_first_token_event_after_more_than_thirty_days_is_none() -> None:
    late = event("gen_ai.content.completion.chunk", {}, THIRTY_DAYS_MS + 1)
    assert chat(events=[late]).time_to_first_token_ms is None


def test_a_clock_less_than_a_day_ahead_is_let_through() -> None:
    assert decode(span(CHAT, start_time_unix_nano=(NOW_US + 86_399_000_000) * 1000)).runs


TOKENS: list[tuple[Any, int | None]] = [
    (42, 42),
    ("42", 42),
    (42.0, 42),
    (0, 0),
    (-1, None),
    ("many", None),
    ("", None),
    (float("nan"), None),
    (float("inf"), None),
    ([42], None),
    (True, None),
    (2**62, None),
    ("9" * 400, None),
]


@pytest.mark.parametrize(("given", "tokens"), TOKENS, ids=[repr(given)[:20] for given, _ in TOKENS])
def test_tokens_are_a_number_or_unknown_never_a_guess(given: Any, tokens: int | None) -> None:
    run = chat({"gen_ai.usage.input_tokens": given})
    assert run.input_tokens == tokens
    assert run.output_tokens is None
    if tokens is None and given != "":
        assert "gen_ai.usage.input_tokens" in run.attributes


def test_input_tokens_count_cached_ones_also_where_the_wire_left_them_out() -> None:
    counts = {"gen_ai.usage.cache_read.input_tokens": 900, "gen_ai.usage.cache_write.input_tokens": 50}
    assert chat({"gen_ai.usage.input_tokens": 10, **counts}).input_tokens == 960
    assert chat({"gen_ai.usage.input_tokens": 960, **counts}).input_tokens == 960


def test_total_tokens_stay_an_attribute_when_the_parts_are_unknown() -> None:
    assert chat({"gen_ai.usage.total_tokens": 59}).attributes["gen_ai.usage.total_tokens"] == "59"


FAILURES: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, str, str]]] = {
    "status alone": ({}, {"status": {"code": 2, "message": "boom"}}, ("", "boom", "")),
    "error.type alone": ({"error.type": "timeout"}, {}, ("timeout", "", "")),
    "error.type and status": (
        {"error.type": "openai.RateLimitError"},
        {"status": {"code": 2, "message": "Error code: 429 - slow down"}},
        ("openai.RateLimitError", "Error code: 429 - slow down", "429"),
    ),
    "exception event alone": (
        {},
        {"events": [event("exception", {"exception.type": "ValueError", "exception.message": "bad"})]},
        ("ValueError", "bad", ""),
    ),
    "type in front of the message": (
        {},
        {"status": {"code": 2, "message": "RateLimitError: Error code: 429 - slow down"}},
        ("RateLimitError", "Error code: 429 - slow down", "429"),
    ),
    "a whole traceback": (
        {}, {"status": {"code": 2, "message": TRACEBACK}},
        ("openai.RateLimitError", "Error code: 429 - slow down", "429")),
    "HTTP status beside": (
        {"error.type": "overloaded_error", "http.response.status_code": 529},
        {"status": ERROR},
        ("overloaded_error", "", "529"),
    ),
    "HTTP 200 of a broken stream": (
        {"error.type": "connection_error", "http.response.status_code": 200},
        {"status": ERROR},
        ("connection_error", "", ""),
    ),
    "an SDK's message alone": (
        {},
        {"status": {"code": 2, "message": "Error code: 429 - slow down"}},
        ("RateLimitError", "Error code: 429 - slow down", "429"),
    ),
    "finish reason error": (
        {"gen_ai.response.finish_reasons": ["error"]},
        {},
        ("", "The generation ended with finish reason 'error'.", ""),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("attributes", "more", "expected"), FAILURES.values(), ids=FAILURES)
def test_a_failure_is_seen_however_it_is_spelled(
    attributes: dict[str, Any], more: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    run = chat(attributes, **more)
    assert run.status == "failed"
    assert (run.error_type, run.error_message, run.error_code) == expected


def test_a_traceback_is_kept_whole_beside_the_message() -> None:
    run = chat(status={"code": 2, "message": TRACEBACK})
    assert run.attributes["exception.stacktrace"] == TRACEBACK


def test_a_failed_call_keeps_its_partial_output() -> None:
    partial = '[{"role":"assistant","parts":[{"type":"text","content":"It is 18"}],"finish_reason":"error"}]'
    run = chat({"gen_ai.output.messages": partial, "error.type": "APIConnectionError"}, status=ERROR)
    assert (run.status, run.output, run.finish_reasons) == ("failed", "It is 18", ["error"])


def test_an_ok_or_unset_status_without_any_sign_of_failure_is_success() -> None:
    assert chat(status={"code": 1}).status == chat(status={"code": 0}).status == "success"
    run = chat({"http.response.status_code": 200})
    assert (run.error_code, run.attributes["http.response.status_code"]) == ("", "200")


@pytest.mark.parametrize(
    ("given", "reasons"),
    [
        (["stop"], ["stop"]),
        ("stop", ["stop"]),
        ('["tool_calls"]', ["tool_calls"]),
        (["stop", ""], ["stop"]),
        ([], []),
        (3, []),
    ],
)
def test_finish_reasons_are_a_list_as_they_were_said(given: Any, reasons: list[str]) -> None:
    assert chat({"gen_ai.response.finish_reasons": given}).finish_reasons == reasons


@pytest.mark.parametrize("given", ["soon", -1.0, float("nan"), float("inf"), True, [1]])
def test_a_first_token_time_that_is_none_is_unknown(given: Any) -> None:
    assert chat({"gen_ai.response.time_to_first_chunk": given}).time_to_first_token_ms is None
