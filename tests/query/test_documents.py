"""`docs/fields.md` and `docs/filters.md` say what the catalog of fields and the language say."""

import re

import pytest

from modeltraces.query.fields import FIELDS, KIND_NOTES, OPERATORS, Field, Kind, field_named, nearest_names
from modeltraces.query.filters import MAX_CHARACTERS, MAX_DEPTH, MAX_TERMS, parse
from modeltraces.store.summing import EXACT_BELOW
from tests.docs.documents import ROOT

FIELDS_PAGE = (ROOT / "docs/fields.md").read_text()
FILTERS_PAGE = (ROOT / "docs/filters.md").read_text()


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_every_field_is_documented_as_it_is(field: Field) -> None:
    names = [field.name if field.kind != "map" else "attributes.KEY", *field.aliases]
    named = ", ".join(f"`{name}`" for name in names)
    row = f"| {named} | {field.label} | {field.kind} | {'yes' if field.sortable else ''} | {field.description} |"
    assert row in FIELDS_PAGE


@pytest.mark.parametrize("kind", OPERATORS)
def test_every_kind_is_documented_as_it_is(kind: Kind) -> None:
    signs = {"is": ":", "range": ":[a TO b]", "present": ":*"}
    operators = " ".join(f"`{signs.get(operator, operator)}`" for operator in OPERATORS[kind])
    assert f"| {kind} | {KIND_NOTES[kind]} | {operators} |" in FIELDS_PAGE


def test_no_field_is_documented_that_is_not_there() -> None:
    rows = re.findall(r"^\| `([\w.]+)`", FIELDS_PAGE, re.MULTILINE)
    assert rows
    assert all(field_named(name) for name in rows)


def test_the_example_and_the_bounds_are_those_of_the_language() -> None:
    example = re.search(r"```\n(.*?)\n```", FILTERS_PAGE, re.DOTALL)
    assert example is not None
    assert parse(example[1]) is not None
    assert f"{MAX_CHARACTERS} characters, {MAX_TERMS} values, and groups {MAX_DEPTH} deep" in FILTERS_PAGE.replace(
        "\n", " "
    )
    assert f"exact up to {EXACT_BELOW:,} runs" in FIELDS_PAGE.replace("\n", " ")


def test_names_that_look_alike_are_suggested() -> None:
    assert nearest_names("respons_time")[0] == "response_time"
    assert nearest_names("zzzzzz") == []
