"""What stands in the table's cells."""

import re
from dataclasses import replace
from datetime import UTC

import pytest

from modeltraces.query.runs import Page, RunSummary
from modeltraces.web.address import Address
from modeltraces.web.table import COLUMNS, NINE, columns, row_of, table
from modeltraces.web.templating import environment

RUN = RunSummary(
    request_id="01a20e20-888c-8d49-b065-3aa3715101fb", executed_on_us=1_764_000_000_000_000, received_on_us=0,
    status="success", model="llama", base_model="", provider="", deployment_version="v2", connection_name="",
    operation="chat", response_time_ms=1240.4, response_time_clamped=False, time_to_first_token_ms=None, streaming=False,
    source_type="Agent", source="triage", input="Hello", output="", input_size=5, output_size=0,
    input_tokens=12_400, output_tokens=None, cached_input_tokens=None, reasoning_tokens=None, error_type="",
    error_message="", error_code="", trace_id="", span_id="", parent_span_id="", session_id="", user_id="",
    payload_removed_on_us=0,
)  # fmt: skip


def cell(column: str, run: RunSummary = RUN) -> str:
    return row_of(run, Address(columns=(column,)), UTC, run.executed_on_us).cells[column].text


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("response_time", "1.24 s"),
        ("time_to_first_token", "—"),
        ("deployment_version", "v2"),
        ("input", "Hello"),
        ("output", "—"),
        ("input_tokens", "12\N{NARROW NO-BREAK SPACE}400"),
        ("output_tokens", "—"),
        ("user_id", "—"),
    ],
)
def test_cells_say_what_is_known_and_a_dash_else(column: str, text: str) -> None:
    assert cell(column) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("system: Be brief.\n\nuser: Where is\nmy order?", "Where is my order?"),
        ("developer: Be brief.\n\nuser: Hi", "Hi"),
        ("system: Be brief.\n\nuser: ", "system: Be brief. user:"),
        ("system: only instructions", "system: only instructions"),
        ("user: Hi\n\nassistant: Hello\n\nuser: Again", "user: Hi assistant: Hello user: Again"),
        ("  \n ", "—"),
    ],
)
def test_the_preview_of_an_input_leaves_shared_instructions_out(text: str, shown: str) -> None:
    assert cell("input", replace(RUN, input=text)) == shown


def test_a_payload_that_was_removed_is_not_called_unknown() -> None:
    removed = replace(RUN, input="", payload_removed_on_us=RUN.executed_on_us + 14 * 86_400_000_000 + 1)
    shown = row_of(removed, Address(columns=("input",)), UTC, RUN.executed_on_us).cells["input"]
    assert (shown.text, shown.title) == ("removed", "Payload removed on 8 Dec 2025, after 14 days")
    assert cell("input", replace(removed, input="of another recording")) == "of another recording"


def test_the_nine_columns_are_the_default_and_request_id_is_always_there() -> None:
    assert tuple(column.key for column in columns(Address())) == NINE
    assert [column.key for column in columns(Address(columns=("output", "model", "nonsense")))] == [
        "request_id",
        "model",
        "output",
    ]


def test_a_row_says_its_model_where_runs_of_several_are_shown() -> None:
    keys = [column.key for column in columns(Address(), several=True)]
    assert keys == [*NINE[:2], "model", *NINE[2:]]
    assert row_of(RUN, Address(), UTC, RUN.executed_on_us, several=True).cells["model"].text == "llama"
    assert "model" not in [column.key for column in columns(Address(columns=("output",)), several=True)]


def test_every_column_that_can_be_chosen_can_be_shown() -> None:
    shown = row_of(RUN, Address(columns=COLUMNS), UTC, RUN.executed_on_us)
    assert set(shown.cells) == set(COLUMNS) - {"status", "request_id", "executed_on"}


def test_the_sorted_column_offers_the_other_direction_and_others_their_large_end() -> None:
    by_key = {column.key: column for column in columns(Address())}
    assert by_key["executed_on"].sorted == "descending"
    assert by_key["executed_on"].sort_href.endswith("?order=asc")
    assert by_key["response_time"].sort_href.endswith("?sort=response_time")
    assert by_key["input"].sort_href == ""
    flipped = {column.key: column for column in columns(Address(sort="response_time"))}
    assert flipped["response_time"].sort_href.endswith("?sort=response_time&order=asc")


def page_of(rows: int, before: str | None, after: str | None) -> Page:
    return Page([RUN] * rows, after, before)


def test_pages_lead_on_and_back_by_their_cursors() -> None:
    made = table(Address(filter="x"), page_of(50, None, "on"), 120, UTC, now_us=RUN.executed_on_us)
    assert made.next_href.endswith("?filter=x&cursor=on&after=50")
    assert made.previous_href == ""
    assert made.count_text == "120 runs"
    assert made.range_text == "1\N{EN DASH}50 of 120"
    second = Address(filter="x", cursor="on", after=50)
    made = table(second, page_of(50, "back", "on2"), 120, UTC, now_us=RUN.executed_on_us)
    assert made.range_text == "51\N{EN DASH}100 of 120"
    assert made.next_href.endswith("&cursor=on2&after=100")
    assert made.previous_href.endswith("&cursor=back")


def test_a_place_that_is_not_known_is_not_claimed() -> None:
    nowhere = Address(cursor="on")
    made = table(nowhere, page_of(50, "back", "on2"), 120, UTC, now_us=RUN.executed_on_us)
    assert made.range_text == "50 of 120"
    assert "after" not in made.next_href
    # The address was written by hand, or runs were deleted: it cannot be.
    made = table(replace_after(nowhere, 100), page_of(50, "back", None), 120, UTC, now_us=RUN.executed_on_us)
    assert made.range_text == "50 of 120"
    made = table(replace_after(nowhere, 50), page_of(50, "back", None), None, UTC, now_us=RUN.executed_on_us)
    assert made.range_text == "51\N{EN DASH}100"
    # Back at the first page, whatever the address says.
    made = table(replace_after(nowhere, 50), page_of(50, None, "on"), 120, UTC, now_us=RUN.executed_on_us)
    assert made.range_text == "1\N{EN DASH}50 of 120"


def replace_after(address: Address, after: int) -> Address:
    return replace(address, after=after)


@pytest.mark.parametrize(("given", "parts"), [("x-nc-xss", 1), ("abc", 1), ("x-nc-xss1", 2), (RUN.request_id, 2)])
def test_an_id_is_parted_only_where_its_head_may_have_to_be_cut(given: str, parts: int) -> None:
    made = str(environment().globals["m"].short_id(given)).strip()  # type: ignore[attr-defined]
    assert made.count("<span") == (0 if parts == 1 else 2)
    assert re.sub("<[^>]*>", "", made) == given
