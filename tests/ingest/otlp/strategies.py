"""Attributes as hostile, careless and ordinary emitters send them."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from modeltraces.ingest.otlp.dialects.table import INDEXED_PREFIXES, LOOKUP

unhurried = settings(deadline=None)
"""An example takes a millisecond, or a second when the machine has other work."""

_json_texts = st.sampled_from(
    [
        "[]",
        "{}",
        "[1]",
        "[null]",
        '[{"role":"user"}]',
        '[{"role":3,"content":{"text":[1]}}]',
        '[{"role":"user","parts":[{"type":"tool_call"},{"type":"image_url","image_url":3},null]}]',
        '{"messages":[[{"kwargs":{"content":"a"}}]]}',
        '{"choices":[{"message":null}],"usage":3}',
        '{"choices":{"message":"a"}}',
        '{"content":[[[["a"]]]]}',
        '{"id":7,"content":"a"}',
        '{"generations":[[{"message":{"kwargs":{"response_metadata":[]}}}]]}',
        '[{"type":"blob","mime_type":4,"content":"' + "A" * 200 + '"}]',
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
        '{"a":NaN}',
        '["\\ud800"]',
        "{broken",
        "True",
        "18446744073709551616",
    ]
)
_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=30)
    | _json_texts
)
values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_tails = st.lists(
    st.sampled_from(
        ["0", "1", "9999999999", "-1", "message", "role", "content", "contents", "tool_calls", "tool_call", ""]
    ),
    max_size=6,
).map(".".join)
_names = (
    st.sampled_from(sorted(LOOKUP))
    | st.builds(lambda prefix, tail: prefix + tail, st.sampled_from(INDEXED_PREFIXES), _tails)
    | st.sampled_from(["gen_ai.request.temperature", "gen_ai.request.stop_sequences", "langfuse.observation.type"])
    | st.text(max_size=20)
)
span_attributes: st.SearchStrategy[dict[str, Any]] = st.dictionaries(_names, values, max_size=12)
