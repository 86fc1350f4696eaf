"""Content that comes apart from its span."""

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltraces.ingest.otlp.logs import apply_contents
from modeltraces.ingest.recordings import Limits
from modeltraces.run import Run
from tests.ingest.otlp.building import (
    SPAN_ID,
    START_NS,
    TRACE_ID,
    chat,
    decode_logs,
    event,
    log,
    parts_of,
)
from tests.ingest.otlp.strategies import unhurried

SYSTEM = log("gen_ai.system.message", {"content": "Be brief."}, time_unix_nano=START_NS)
USER = log("gen_ai.user.message", {"content": "weather?"}, time_unix_nano=START_NS + 1)
ASSISTANT = log(
    "gen_ai.assistant.message",
    {"tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
    time_unix_nano=START_NS + 2,
)
TOOL = log("gen_ai.tool.message", {"content": "18 degrees", "id": "1"}, time_unix_nano=START_NS + 3)
CHOICE = log(
    "gen_ai.choice",
    {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Sunny."}},
    time_unix_nano=START_NS + 4,
)
MESSAGES = (SYSTEM, USER, ASSISTANT, TOOL, CHOICE)
DETAILS = log(
    "gen_ai.client.inference.operation.details",
    attributes={
        "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "weather?"}]}],
        "gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "text", "content": "Sunny."}]}],
        "gen_ai.system_instructions": [{"type": "text", "content": "Be brief."}],
        "gen_ai.tool.definitions": [{"name": "f"}],
        "gen_ai.response.finish_reasons": ["stop"],
    },
)
CONVERSATION = "system: Be brief.\n\nuser: weather?\n\nassistant: [tool call] f({})\n\ntool: 18 degrees"


def test_a_record_a_message_fills_input_and_output_in_the_messages_order() -> None:
    run = apply_contents(chat({"gen_ai.request.temperature": 0.5}), parts_of(*MESSAGES))
    assert run.input == CONVERSATION
    assert run.output == "Sunny."
    assert run.finish_reasons == ["stop"]
    assert run.input_size == len(CONVERSATION)
    request = json.loads(run.request)
    assert [message["role"] for message in request["messages"]] == ["system", "user", "assistant", "tool"]
    assert (request["model"], request["temperature"]) == ("gpt-4o", 0.5)
    assert run.version == 6
    assert run.borrowed == ["finish_reasons", "input", "output", "request", "response"]


def test_one_record_a_call_fills_everything() -> None:
    run = apply_contents(chat(), parts_of(DETAILS))
    assert (run.input, run.output) == ("system: Be brief.\n\nuser: weather?", "Sunny.")
    assert json.loads(run.request)["tools"] == [{"name": "f"}]
    assert run.finish_reasons == ["stop"]
    assert run.version == 2


def test_the_run_given_is_not_changed() -> None:
    run = chat()
    before = repr(run)
    apply_contents(run, parts_of(*MESSAGES))
    assert repr(run) == before


@unhurried
@given(
    order=st.permutations(range(len(MESSAGES))),
    repeats=st.lists(st.integers(0, len(MESSAGES) - 1), max_size=5),
    split=st.integers(0, len(MESSAGES)),
)
def test_any_order_of_any_repeats_in_any_batches_gives_the_same_run(
    order: list[int], repeats: list[int], split: int
) -> None:
    parts = parts_of(*MESSAGES)
    expected = apply_contents(chat(), parts)
    sent = [MESSAGES[number] for number in (*order, *repeats)]
    arrived = parts_of(*sent[:split]) + parts_of(*sent[split:])
    assert apply_contents(chat(), arrived) == expected
    earlier = apply_contents(chat(), arrived[: split + 1])
    assert apply_contents(earlier, arrived) == expected


def test_records_of_one_instant_keep_the_order_they_were_sent_in() -> None:
    same = [log(f"gen_ai.{role}.message", {"content": role}) for role in ("system", "user", "assistant", "user")]
    parts = parts_of(*same[:3])
    random.Random(3).shuffle(parts)
    assert apply_contents(chat(), parts).input == "system: system\n\nuser: user\n\nassistant: assistant"


def test_what_the_span_itself_says_stays() -> None:
    own = chat(
        {"gen_ai.input.messages": '[{"role":"user","content":"own"}]', "gen_ai.response.finish_reasons": ["length"]}
    )
    run = apply_contents(own, parts_of(DETAILS))
    assert (run.input, run.output, run.finish_reasons) == ("own", "Sunny.", ["length"])
    assert run.borrowed == ["output", "response"]


def test_empty_records_of_an_emitter_with_content_off_blank_nothing() -> None:
    empty = (
        log("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": {"role": "assistant"}}),
        log("gen_ai.user.message", {}),
        log("gen_ai.user.message", {"content": None}),
        log("gen_ai.client.inference.operation.details", attributes={"gen_ai.operation.name": "chat"}),
    )
    filled = apply_contents(chat(), parts_of(*MESSAGES))
    both = apply_contents(chat(), parts_of(*MESSAGES, *empty))
    assert (both.input, both.output, both.request) == (filled.input, filled.output, filled.request)
    alone = apply_contents(chat(), parts_of(*empty))
    assert (alone.input, alone.output, alone.finish_reasons) == ("", "", ["stop"])


def test_a_choice_whose_tool_calls_stand_beside_the_message_is_read() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}
    choice = log("gen_ai.choice", {"index": 0, "message": {"content": None}, "tool_calls": [call]})
    assert apply_contents(chat(), parts_of(choice)).output == '[tool call] f({"a":1})'


def test_span_events_are_read_as_log_records_are_and_belong_to_the_span() -> None:
    run = chat(
        events=[
            event("gen_ai.system.message", {"content": "Be brief."}),
            event("gen_ai.user.message", {"gen_ai.event.content": '{"role":"user","content":"weather?"}'}),
            event("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": '{"content":"Sunny."}'}),
        ]
    )
    assert (run.input, run.output) == ("system: Be brief.\n\nuser: weather?", "Sunny.")
    assert run.finish_reasons == ["stop"]
    assert (run.borrowed, run.version) == ([], 1)


def test_the_oldest_events_hold_the_whole_prompt_as_json_text() -> None:
    run = chat(
        events=[
            event("gen_ai.content.prompt", {"gen_ai.prompt": '[{"role":"user","content":"weather?"}]'}),
            event("gen_ai.content.completion", {"gen_ai.completion": '[{"role":"assistant","content":"Sunny."}]'}),
        ]
    )
    assert (run.input, run.output) == ("weather?", "Sunny.")


def test_a_record_without_a_time_of_its_own_has_the_observed_one() -> None:
    [part] = parts_of(log("gen_ai.user.message", {"content": "a"}, time_unix_nano=0, observed_time_unix_nano=START_NS))
    assert part.at_us == START_NS // 1000


def test_the_events_name_may_stand_in_an_attribute() -> None:
    [part] = parts_of(log("", {"content": "a"}, {"event.name": "gen_ai.user.message"}))
    assert part.name == "gen_ai.user.message"


def test_other_log_records_are_ignored_and_counted() -> None:
    decoded = decode_logs(log("http.request"), log("", "plain text"), log("gen_ai.evaluation.result"))
    assert (decoded.contents, decoded.rejected, decoded.ignored) == ([], [], 3)


BAD_IDS: dict[str, dict[str, Any]] = {
    "none": {"trace_id": b"", "span_id": b""},
    "zero": {"trace_id": bytes(16), "span_id": bytes(8)},
    "short": {"trace_id": b"abc"},
    "no span id": {"span_id": b""},
}


@pytest.mark.parametrize("fields", BAD_IDS.values(), ids=BAD_IDS)
def test_content_that_names_no_call_is_refused_and_never_guessed_at(fields: dict[str, Any]) -> None:
    decoded = decode_logs(log("gen_ai.choice", {"message": {"content": "a"}}, **fields), USER)
    assert len(decoded.contents) == 1
    [rejection] = decoded.rejected
    assert "trace id" in rejection.reason
    assert "gen_ai.choice" in rejection.subject


def test_a_part_belongs_to_its_account_and_span_and_the_same_record_is_the_same_part() -> None:
    [part] = parts_of(USER)
    assert (part.account_id, part.trace_id, part.span_id) == ("A", TRACE_ID.hex(), SPAN_ID.hex())
    assert parts_of(SYSTEM, USER)[1].part_id == part.part_id
    assert parts_of(log("gen_ai.user.message", {"content": "other"}))[0].part_id != part.part_id


def test_long_content_is_cut_where_it_is_stored_and_its_size_kept() -> None:
    limits = Limits(max_part_bytes=1000, max_payload_bytes=10_000)
    parts = parts_of(log("gen_ai.user.message", {"content": "é" * 5000}), limits=limits)
    assert len(parts[0].body) < 2000
    run = apply_contents(chat(), parts)
    assert run.input.endswith("[cut: 10000 bytes in all]")
    assert (run.input_size, run.payload_cut) == (10_000, True)


def test_metadata_only_keeps_the_sizes_of_what_log_records_said() -> None:
    parts = parts_of(DETAILS, limits=Limits(record_content=False))
    assert "weather?" not in parts[0].body
    run = apply_contents(chat(limits=Limits(record_content=False)), parts)
    assert (run.input, run.output, run.output_size) == ("", "", len("Sunny."))
    assert run.input_size > 0
    assert "weather?" not in repr(run)


def test_redaction_happens_before_a_part_is_stored() -> None:
    parts = parts_of(*MESSAGES, limits=Limits(redact=lambda text: text.replace("18", "**")))
    assert "18 degrees" not in repr(parts)
    assert apply_contents(chat(), parts).input.endswith("tool: ** degrees")


def test_an_exception_event_marks_the_call_as_failed() -> None:
    record = log(
        "gen_ai.client.operation.exception",
        attributes={"exception.type": "TimeoutError", "exception.message": "too slow"},
    )
    run = apply_contents(chat(), parts_of(record))
    assert (run.status, run.error_type, run.error_message) == ("failed", "TimeoutError", "too slow")


def test_no_parts_leave_the_run_as_it_is() -> None:
    run = chat()
    assert apply_contents(run, []) == run


@unhurried
@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "gen_ai.user.message",
                    "gen_ai.choice",
                    "gen_ai.client.inference.operation.details",
                    "gen_ai.content.prompt",
                    "gen_ai.client.operation.exception",
                ]
            ),
            st.recursive(
                st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=20),
                lambda inner: (
                    st.lists(inner, max_size=3)
                    | st.dictionaries(
                        st.sampled_from(["content", "message", "role", "index", "tool_calls", "finish_reason", "x"]),
                        inner,
                        max_size=4,
                    )
                ),
                max_leaves=8,
            ),
        ),
        max_size=4,
    )
)
def test_records_of_any_shape_neither_raise_nor_break_the_payload(records: list[tuple[str, Any]]) -> None:
    made = [log(name, body, {"gen_ai.input.messages": body}) for name, body in records]
    decoded = decode_logs(*made)
    assert not any("could not be read" in rejection.reason for rejection in decoded.rejected)
    run: Run = apply_contents(chat(), decoded.contents)
    for payload in (run.request, run.response):
        assert payload == "" or isinstance(json.loads(payload), dict)
