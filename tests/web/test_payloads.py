"""JSON mode: re-indented, with the model's name made whole, and nothing else changed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltraces.run import ModelKind
from modeltraces.web.payloads import model_suffix, pretty

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=25,
)


@given(json_values, st.booleans())
def test_any_payload_reads_back_as_itself(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert json.loads(pretty(text)) == value


@given(json_values)
def test_it_stands_as_the_standard_library_would_write_it(value: Any) -> None:
    compact = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert pretty(compact) == json.dumps(value, ensure_ascii=False, indent=2)


def test_numbers_escapes_and_repeated_keys_stand_as_they_were_recorded() -> None:
    payload = '{"n": 1.00, "big": 123456789012345678901234567890, "e": 1E+5, "s": "\\u00e9\\/", "n": 2}'
    shown = pretty(payload)
    for part in ("1.00", "123456789012345678901234567890", "1E+5", '"\\u00e9\\/"', '"n": 2'):
        assert part in shown


def test_the_model_of_the_outermost_object_bears_the_suffix() -> None:
    payload = '{"model": "llama", "tools": [{"model": "inner"}], "note": "model"}'
    shown = json.loads(pretty(payload, "@v2"))
    assert shown == {"model": "llama@v2", "tools": [{"model": "inner"}], "note": "model"}


def test_in_an_outermost_array_each_objects_model_does() -> None:
    assert json.loads(pretty('[{"model": "a"}, {"model": "b"}]', "@v2")) == [{"model": "a@v2"}, {"model": "b@v2"}]


def test_a_suffix_is_added_once_and_escaped() -> None:
    assert json.loads(pretty('{"model": "llama@v2"}', "@v2")) == {"model": "llama@v2"}
    assert json.loads(pretty('{"model": "m"}', '@a "quoted" \\ name')) == {"model": 'm@a "quoted" \\ name'}


def test_a_model_that_is_no_text_is_left_alone() -> None:
    assert json.loads(pretty('{"model": 7, "models": "x"}', "@v2")) == {"model": 7, "models": "x"}
    assert json.loads(pretty('{"model": {"name": "x"}}', "@v2")) == {"model": {"name": "x"}}


def test_empty_objects_and_arrays_stay_closed() -> None:
    assert pretty('{"a":{},"b":[],"c":[ ]}') == '{\n  "a": {},\n  "b": [],\n  "c": []\n}'


@pytest.mark.parametrize("text", ["", "plain words", '{"cut": "off', "[1, 2", "{'single': 1}", "NaN-ish"])
def test_what_is_not_json_comes_back_as_it_is(text: str) -> None:
    assert pretty(text, "@v2") == text


def test_nesting_without_end_is_no_trouble() -> None:
    payload = "[" * 50_000 + "]" * 50_000
    assert pretty(payload).replace("\n", "").replace(" ", "") == payload


@pytest.mark.parametrize(
    ("kind", "version", "connection", "suffix"),
    [
        ("open_source", "v2", "azure", "@v2"),
        ("fine_tuned", "v7", "", "@v7"),
        ("external", "v2", "azure-eu", "@azure-eu"),
        ("external", "v2", "", ""),
        ("open_source", "", "azure", ""),
        (None, "v1", "azure", "@v1"),
        (None, "", "azure", "@azure"),
        (None, "", "", ""),
    ],
)
def test_deployed_models_bear_their_version_external_ones_their_connection(
    kind: ModelKind | None, version: str, connection: str, suffix: str
) -> None:
    assert model_suffix(kind, version, connection) == suffix
