"""What stands above a run's input and output."""

from datetime import UTC

import pytest

from modeltraces.run import Run, now_us
from modeltraces.web.address import Address
from modeltraces.web.detail import detail


@pytest.mark.parametrize(
    ("text", "size", "note"),
    [
        ("Hello?", 6, ""),
        ("Hel", 6, "shortened from 6 B when it was recorded"),
        ("", 6, "6 B, not recorded"),
        ("", 0, ""),
    ],
)
def test_a_text_that_was_not_kept_is_not_called_shortened(text: str, size: int, note: str) -> None:
    run = Run("a", "r", now_us(), "gpt-4o", input=text, input_size=size)
    shown = detail(run, Address(), UTC, kind="external", base_model="", previous_id=None, next_id=None, now_us=now_us())
    assert shown.payloads[0].note == note


def test_a_payload_that_was_removed_says_when_and_after_how_long() -> None:
    at = 1_764_000_000_000_000
    run = Run("a", "r", at, "gpt-4o", input_size=6, output="kept", payload_removed_on_us=at + 86_400_000_000)
    shown = detail(run, Address(), UTC, kind="external", base_model="", previous_id=None, next_id=None, now_us=now_us())
    assert [(one.note, one.removed) for one in shown.payloads] == [
        ("6 B", "Payload removed on 25 Nov 2025, after 1 day"),
        ("", ""),
    ]


def test_a_base_model_that_only_the_catalog_knows_says_so() -> None:
    for said, shown_as in (
        ("gpt-4o-2024", ("gpt-4o-2024", "")),
        ("", ("of/catalog", "As the catalog says: the run itself does not.")),
    ):
        run = Run("a", "r", now_us(), "gpt-4o", base_model=said)
        shown = detail(
            run, Address(), UTC, kind="external", base_model="of/catalog", previous_id=None, next_id=None, now_us=now_us()
        )  # fmt: skip
        row = next(row for row in shown.metadata if row.label == "Base Model")
        assert (row.value.text, row.value.title) == shown_as


@pytest.mark.parametrize(
    ("address", "shown_as"),
    [
        ("[127.0.0.1:8701]", "127.0.0.1:8701"),
        ("[llm.internal:8000]", "llm.internal:8000"),
        ("[llm.internal:8000]:8000", "llm.internal:8000"),
        ("[::1]:8000", "[::1]:8000"),
        ("[fe80::1]", "[fe80::1]"),
        ("llm.internal:8000", "llm.internal:8000"),
        ("llm.internal", "llm.internal"),
        ("", "—"),
    ],
)
def test_only_an_ipv6_address_stands_in_brackets(address: str, shown_as: str) -> None:
    run = Run("a", "r", now_us(), "gpt-4o", server_address=address)
    shown = detail(run, Address(), UTC, kind="external", base_model="", previous_id=None, next_id=None, now_us=now_us())
    row = next(row for row in shown.more if row.label == "Server Address")
    assert row.value.text == shown_as
    # By that it is found.
    if address:
        assert row.value.title == ("" if shown_as == address else f"recorded as {address}")
