"""Filters as the builder's rows."""

from typing import Any

import pytest

from modeltraces.query.filters import parse
from modeltraces.web.filter_rows import reads_texts, rows_of


def rows(text: str) -> Any:
    return rows_of(parse(text))


def row(field: str, operator: str, value: str) -> dict[str, str]:
    return {"field": field, "operator": operator, "value": value}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("status:failed", [row("status", ":", "failed")]),
        ("response_time>2s", [row("response_time", ">", "2s")]),
        ("-source:x", [row("source", "-:", "x")]),
        ("user_id:*", [row("user_id", ":*", "")]),
        ("-user_id:*", [row("user_id", "-:*", "")]),
        ("refund", [row("text", ":", "refund")]),
        ("attributes.env:prod", [row("attributes.env", ":", "prod")]),
    ],
)
def test_one_term_is_one_row(text: str, expected: list[dict[str, str]]) -> None:
    assert rows(text) == {"joint": "AND", "rows": expected}


def test_terms_joined_by_and_or_by_or_are_rows_of_that_joint() -> None:
    assert rows("status:failed source:x")["joint"] == "AND"
    assert rows("status:failed OR source:x")["joint"] == "OR"
    assert len(rows("a b c")["rows"]) == 3


@pytest.mark.parametrize(
    "text",
    ["a (b OR c)", "source:(a OR b)", "input_tokens:[1 TO 5]", "-(a b)", "-response_time>2s"],
)
def test_what_rows_cannot_say_is_none(text: str) -> None:
    assert rows(text) is None


@pytest.mark.parametrize("text", ["refund", "input:x", "-output:x", "status:failed (source:a OR input:b)"])
def test_filters_that_look_into_texts_are_known(text: str) -> None:
    assert reads_texts(parse(text))


@pytest.mark.parametrize("text", ["", "status:failed", "source:a OR -error:x", "attributes.input:x"])
def test_filters_that_do_not_are_known_too(text: str) -> None:
    assert not reads_texts(parse(text))
