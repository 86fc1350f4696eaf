"""Changing one member of a body leaves every other byte as it was."""

import time
import tracemalloc
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltraces.gateway.bodies import with_members

_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
_names = st.sampled_from(["model", "stream", "messages", 'mo"del', "a\\", ""]) | st.text()


@given(st.dictionaries(_names, _values), _values, st.booleans())
def test_it_reads_as_before_but_for_the_member(body: dict[str, Any], value: Any, spaced: bool) -> None:
    written = orjson.dumps(body, option=orjson.OPT_INDENT_2 if spaced else None)
    changed = with_members(written, {"model": value})
    assert orjson.loads(changed) == {**body, "model": value}


@given(st.dictionaries(_names, _values))
def test_the_same_value_again_changes_no_byte(body: dict[str, Any]) -> None:
    written = orjson.dumps({**body, "model": "gpt-4o"})
    assert with_members(written, {"model": "gpt-4o"}) == written


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        (b"{}", b'{"model":"m"}'),
        (b' { "a":1.0 }\n', b' {"model":"m", "a":1.0 }\n'),
        (b'{"a":{"model":"x"},"model" :\t"y" }', b'{"a":{"model":"x"},"model" :\t"m" }'),
        (b'{"model":"x","model":{"y":[1,{}]}}', b'{"model":"m","model":"m"}'),
        (b'{"mod\\u0065l":"x"}', b'{"mod\\u0065l":"m"}'),
        (b'{"a":"\\"model\\":1,","model":null}', b'{"a":"\\"model\\":1,","model":"m"}'),
    ],
)
def test_every_other_byte_stays(body: bytes, changed: bytes) -> None:
    assert with_members(body, {"model": "m"}) == changed


@pytest.mark.parametrize("text", ["A" * 8_000_000, "\\n\\u00e9" * 1_000_000], ids=["plain", "escapes"])
def test_the_text_of_a_large_image_is_passed_over_in_no_time_and_no_memory(text: str) -> None:
    body = b'{"model":"a","image":"' + text.encode() + b'"}'
    tracemalloc.start()
    began = time.process_time()
    changed = with_members(body, {"model": "b"})
    took, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert changed == body.replace(b'"a"', b'"b"', 1)
    assert took < 2
    assert peak < 4 * len(body)
