"""Whatever an upstream sends as a stream's events, reading them never fails, and what comes of it can be recorded."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeltraces.gateway.reading.anthropic import MessageStream
from modeltraces.gateway.reading.openai import ChatStream, ResponsesStream
from modeltraces.gateway.reading.outcome import StreamReader

_NAMES = (
    "choices", "delta", "index", "content", "tool_calls", "function", "name", "arguments", "usage", "error", "message", "type",
    "response", "output_index", "content_index", "finish_reason", "stop_reason", "content_block", "text", "partial_json",
    "function_call", "id", "model", "object", "output", "status", "incomplete_details", "prompt_tokens", "input",
)  # fmt: skip
_WORDS = (
    "", "response.output_text.delta", "response.completed", "response.failed", "error", "message_start", "message_delta", "failed",
    "content_block_start", "content_block_delta", "content_block_stop", "message_stop", "text_delta", "input_json_delta",
    "thinking_delta", "tool_use", "incomplete",
)  # fmt: skip
_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2**54) | st.floats(allow_nan=False) | st.sampled_from(_WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=5),
    max_leaves=20,
)


@pytest.mark.parametrize("reader", [ChatStream, ResponsesStream, MessageStream])
@settings(max_examples=40, deadline=None)
@given(events=st.lists(st.tuples(st.sampled_from(_WORDS), _values), max_size=6))
def test_no_event_breaks_the_reading_of_a_stream(reader: type[StreamReader], events: list[tuple[str, Any]]) -> None:
    stream = reader()
    for name, value in events:
        if isinstance(value, dict) and name:
            value = {"type": name, **value}
        stream.event(name, orjson.dumps(value))
    outcome = stream.end()
    orjson.dumps(outcome.response)
    for text in (
        outcome.error_type,
        outcome.error_message,
        outcome.error_code,
        outcome.served_model,
        outcome.response_id,
    ):
        assert isinstance(text, str)
    assert all(isinstance(reason, str) for reason in outcome.finish_reasons)
