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
