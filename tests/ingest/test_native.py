"""What the native API takes, and what it says of what it does not take."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltraces.ingest.native import Invalid, NativeRun, load_runs, run_of_json
from modeltraces.ingest.recordings import Limits, SourceDefaults

NOW = 1_795_520_000_000_000


def read(value: Any, limits: Limits | None = None, defaults: SourceDefaults | None = None) -> NativeRun:
    return run_of_json(
        value,
        account_id="a",
        defaults=defaults or SourceDefaults(key_name="ci"),
        limits=limits or Limits(),
        received_on_us=NOW,
    )


def test_a_model_is_enough() -> None:
    native = read({"model": "llama"})
    assert (native.run.model, native.run.status, native.given_id) == ("llama", "success", False)
    assert (native.run.source_type, native.run.source) == ("API", "ci")
    assert native.run.executed_on_us == NOW
    assert native.run.input_tokens is None


def test_without_a_start_the_run_ended_when_it_arrived() -> None:
    assert read({"model": "m", "response_time_ms": 1500}).run.executed_on_us == NOW - 1_500_000


def test_every_field_of_the_contract_is_kept() -> None:
    run = read(
        {
            "model": "m", "request_id": "order-17", "status": "failed", "base_model": "b", "deployment_version": "v2",
            "connection_name": "c", "operation": "chat", "response_time_ms": 12.5, "time_to_first_token_ms": 3,
            "executed_on": "2026-11-24T12:00:00.123456+02:00", "source_type": "Agent", "source": "planner", "input": "in",
            "output": "out", "input_tokens": 1, "output_tokens": 2, "cached_input_tokens": 3, "reasoning_tokens": 4,
            "finish_reasons": ["stop"], "streaming": True, "error": {"type": "T", "message": "M", "code": 429},
            "request": {"model": "m"}, "response": {"id": 1}, "trace_id": "ab" * 16, "span_id": "cd" * 8,
            "parent_span_id": "ef" * 8, "session_id": "s", "user_id": "u", "attributes": {"k": "v", "n": 1, "o": {"p": []}},
        }
    ).run  # fmt: skip
    assert run.executed_on_us == 1_795_514_400_123_456
    assert (run.request_id, run.status, run.error_type, run.error_message, run.error_code) == (
        "order-17",
        "failed",
        "T",
        "M",
        "429",
    )
    assert run.attributes == {"k": "v", "n": "1", "o": '{"p":[]}'}
    assert orjson.loads(run.request) == {"model": "m"}
    assert (run.trace_id, run.span_id, run.parent_span_id) == ("ab" * 16, "cd" * 8, "ef" * 8)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "'model' is required"),
        ({"model": ""}, "'model' is required"),
        ({"model": 5}, "'model' takes a string; this is a number"),
        ({"model": "m", "respone_time_ms": 5}, "did you mean 'response_time_ms'"),
        ({"model": "m", "status": "ok"}, "'status' is one of success, failed"),
        ({"model": "m", "status": "success", "error": "boom"}, "leave one of them out"),
        ({"model": "m", "executed_on": "2026-11-24T12:00:00"}, "no offset"),
        ({"model": "m", "executed_on": "yesterday"}, "RFC 3339"),
        ({"model": "m", "executed_on": 1795514400}, "RFC 3339"),
        ({"model": "m", "executed_on": "1970-01-01T00:00:00Z"}, "before the year 2000"),
        ({"model": "m", "executed_on": "2200-01-01T00:00:00Z"}, "in the future"),
        ({"model": "m", "response_time_ms": -1}, "not negative"),
        ({"model": "m", "response_time_ms": True}, "not negative"),
        ({"model": "m", "response_time_ms": 1e308}, r"no more than 30 days \(2592000000\)"),
        ({"model": "m", "response_time_ms": 2_592_000_001}, "no more than 30 days"),
        ({"model": "m", "response_time_ms": 10**400}, "no more than 30 days"),
        ({"model": "m", "time_to_first_token_ms": 1e15}, "'time_to_first_token_ms' .* no more than 30 days"),
        ({"model": "m", "input_tokens": 1.5}, "whole number"),
        ({"model": "m", "input_tokens": 2**60}, "whole number"),
        ({"model": "m", "input_tokens": 1e30}, r"not negative and below 2\^53 \(9007199254740992\)"),
        ({"model": "m", "trace_id": "xyz"}, "32 hexadecimal digits"),
        ({"model": "m", "trace_id": "0" * 32}, "not all zero"),
        ({"model": "m", "request_id": "a b"}, "printable ASCII"),
        ({"model": "m", "request_id": ""}, "printable ASCII"),
        ({"model": "m", "finish_reasons": {"a": 1}}, "list of at most 64 strings"),
        ({"model": "m", "error": {"typ": "x"}}, "type, message and code"),
        ({"model": "m", "attributes": []}, "takes an object"),
        ({"model": "m", "model_kind": "huge"}, "open_source, fine_tuned, external"),
        ({"model": "m", "streaming": "yes"}, "true or false"),
        ({"model": "x" * 600}, "longer than 512"),
        ({"model": "a\0b"}, "'model' must not contain line breaks or control characters"),
        ({"model": "a\nb"}, "'model' must not contain line breaks or control characters"),
        ({"model": "a\ud800b"}, "'model' must not contain"),
        ({"model": "m", "base_model": "a\x7fb"}, "'base_model' must not contain"),
        ({"model": "m", "provider": "a\tb"}, "'provider' must not contain"),
        ({"model": "m", "deployment_version": "v\0001"}, "'deployment_version' must not contain"),
        ({"model": "m", "connection_name": "a\x85b"}, "'connection_name' must not contain"),
    ],
)
def test_a_bad_field_is_named_with_what_it_takes(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(Invalid, match=says):
        read(fields)


def test_what_stands_around_a_name_is_no_part_of_it_and_any_script_is() -> None:
    run = read({"model": " 模型 \u200fنموذج\n", "deployment_version": "v1\r\n", "source": "a\tb"}).run
    assert (run.model, run.deployment_version, run.source) == ("模型 \u200fنموذج", "v1", "a\tb")


def test_thirty_days_are_a_response_time() -> None:
    run = read({"model": "m", "response_time_ms": 2_592_000_000, "time_to_first_token_ms": 2_592_000_000}).run
    assert (run.response_time_ms, run.time_to_first_token_ms) == (2_592_000_000.0, 2_592_000_000.0)


def test_an_error_makes_the_run_failed() -> None:
    assert read({"model": "m", "error": "boom"}).run.status == "failed"
    assert read({"model": "m", "error": {}}).run.status == "failed"


def test_what_an_export_gave_can_be_sent_in() -> None:
    assert (
        read(
            {"model": "m", "input": "x", "input_truncated": False, "error": None, "deployment_version": None}
        ).run.input
        == "x"
    )


def test_text_is_read_out_of_the_payloads() -> None:
    run = read(
        {
            "model": "m",
            "request": {"messages": [{"role": "user", "content": "مرحبا"}]},
            "response": {"choices": [{"message": {"role": "assistant", "content": "你好"}}]},
        }
    ).run
    assert (run.input, run.output) == ("مرحبا", "你好")


def test_over_long_parts_are_cut_and_the_size_is_kept() -> None:
    run = read({"model": "m", "input": "é" * 1000, "request": {"prompt": "é" * 1000}}, Limits(max_part_bytes=100)).run
    assert run.input_size == 2000
    assert len(run.input.encode()) < 200
    assert run.payload_cut
    assert isinstance(orjson.loads(run.request)["prompt"], str)


def test_metadata_only_keeps_sizes_and_no_text() -> None:
    run = read({"model": "m", "input": "secret", "output": "o", "request": {"a": 1}}, Limits(record_content=False)).run
    assert (run.input, run.output, run.request, run.input_size) == ("", "", "", 6)


def test_what_is_masked_is_masked_everywhere() -> None:
    limits = Limits(redact=lambda text: text.replace("4111", "[redacted]"))
    run = read(
        {
            "model": "m",
            "input": "card 4111",
            "output": "4111",
            "error": "4111",
            "request": {"a": ["4111"]},
            "response": "4111",
            "attributes": {"k": "4111"},
        },
        limits,
    ).run
    assert "4111" not in repr(run)


def test_keys_defaults_stand_in_for_the_source() -> None:
    defaults = SourceDefaults("Workflow", "nightly", "ci")
    assert read({"model": "m"}, defaults=defaults).run.source == "nightly"
    assert read({"model": "m", "source": "mine"}, defaults=defaults).run.source == "mine"


def test_lines_that_are_not_json_are_refused_one_by_one() -> None:
    values, many = load_runs(b'{"model":"a"}\n\nnot json\n{"model":"b"}', ndjson=True)
    assert many
    assert [isinstance(value, Invalid) for value in values] == [False, True, False]


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_names = st.sampled_from(["request_id", "status", "input", "output", "request", "response", "error", "attributes", "executed_on",
                          "input_tokens", "finish_reasons", "trace_id", "streaming", "source", "junk"])  # fmt: skip


@given(fields=st.dictionaries(_names, _json, max_size=6), model=st.text(st.characters(codec=None), max_size=40))
def test_whatever_comes_is_a_storable_run_or_a_clear_refusal(fields: dict[str, Any], model: str) -> None:
    try:
        run = read({"model": model, **fields}).run
    except Invalid:
        return
    for text in (
        run.model,
        run.input,
        run.output,
        run.request,
        run.response,
        run.error_message,
        *run.attributes.values(),
    ):
        assert "\0" not in text
        text.encode()
    assert run.request == "" or orjson.loads(run.request) is not ...
