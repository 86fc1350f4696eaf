"""What a misspelt model may have meant."""

import pytest

from modeltraces.catalog.nearest import nearest_names

NAMES = ("gpt-4o", "GPT-4o-mini", "llama-3.1-8b-instruct", "mistral-small")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("gpt-4oo", ["gpt-4o", "GPT-4o-mini"]),
        ("GPT-4O", ["gpt-4o", "GPT-4o-mini"]),
        ("llama", ["llama-3.1-8b-instruct"]),
        ("ll", []),
        ("unrelated", []),
    ],
)
def test_the_most_alike_come_first_then_those_that_hold_the_name(typed: str, meant: list[str]) -> None:
    assert nearest_names(typed, NAMES) == meant


def test_names_that_differ_in_case_alone_are_each_named() -> None:
    assert set(nearest_names("gpt", ["GPT-4", "gpt-4"])) == {"GPT-4", "gpt-4"}
