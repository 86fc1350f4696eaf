"""The alarm about a journal that is filling up: what happens, since when and to how many calls, why, and what to do."""

from dataclasses import replace
from datetime import UTC

from modeltraces.gateway.recorder import Pressure
from modeltraces.web.alarm import alarm_of

NOW_US = 1_795_000_000_000_000
AT_US = NOW_US - 600_000_000
FILLING = Pressure(14 << 20, 16 << 20, False, True, 0, None, AT_US)


def said(pressure: Pressure) -> str:
    found = alarm_of(pressure, 0, UTC, NOW_US)
    assert found is not None
    return f"{found.title} {found.text}"


def test_there_is_none_while_there_is_room() -> None:
    assert alarm_of(None, 0, UTC, NOW_US) is None


def test_what_the_store_refused_is_told_until_its_files_are_gone() -> None:
    one, many = (alarm_of(None, refused, UTC, NOW_US) for refused in (1, 1234))
    assert one is not None
    assert many is not None
    assert one.title == "The store refused a recorded call."
    assert many.title == "The store refused 1\N{NARROW NO-BREAK SPACE}234 recorded calls."
    assert "journal/refused/" in many.text
    full = alarm_of(replace(FILLING, is_full=True), 1, UTC, NOW_US)
    assert full is not None
    assert "is full" in full.title, "what costs calls goes first"


def test_one_that_fills_says_how_full_it_is_and_what_comes_then() -> None:
    text = said(FILLING)
    assert "87% full" in text
    assert "When it is full, calls through the gateway are refused with HTTP 503." in text
    assert "The store has taken nothing since 18 Nov, 10:56:40" in text
    assert "MODELTRACES_GATEWAY_JOURNAL_MEGABYTES" in text
    assert "unrecorded" in said(replace(FILLING, refuses=False))


def test_a_full_one_says_since_when_and_how_many() -> None:
    full = replace(FILLING, is_full=True, missed=1234, missed_since_us=AT_US)
    assert (
        "Calls through the gateway are refused with HTTP 503 since 18 Nov, 10:56:40 (1\N{NARROW NO-BREAK SPACE}234 so far)."
        in said(full)
    )
    assert "are served unrecorded since" in said(replace(full, refuses=False))


def test_a_store_that_is_only_slow_is_not_called_away() -> None:
    text = said(replace(FILLING, store_away_since_us=None))
    assert "faster than the store takes them" in text
    assert "taken nothing" not in text


def test_one_that_cannot_be_written_says_why_whatever_room_it_has() -> None:
    text = said(
        replace(
            FILLING, held_bytes=0, missed=3, missed_since_us=AT_US, trouble="no space left on device", refuses=False
        )
    )
    assert text.startswith(
        "The journal of recorded calls cannot be written. Calls through the gateway are served unrecorded"
    )
    assert "(3 so far)" in text
    assert "The system says: no space left on device. Make room on the disk" in text
    assert "taken nothing" not in text
