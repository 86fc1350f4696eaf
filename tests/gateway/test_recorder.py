"""The recorder beside a journal that is full: whom it costs a record or an answer, since when, and when that is over."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from modeltraces.catalog.key_authenticator import KeyIdentity
from modeltraces.gateway.exchange import Exchange
from modeltraces.gateway.journal import UNRECORDED, Journal
from modeltraces.gateway.reading.outcome import Outcome
from modeltraces.gateway.recorder import Recorder
from modeltraces.gateway.targets import Target
from modeltraces.ingest.recordings import Limits

KEY = KeyIdentity("k", "account", "key", frozenset({"gateway"}), "", "", None)
NO_LIMITS = SimpleNamespace(spend=lambda key, outcome: None)
TARGET = Target("m", "", "c", "", "openai", "http://127.0.0.1:9", "m", None)


def recorder_of(directory: Path, *, refuses: bool) -> Recorder:
    made = Recorder(
        Journal(directory, 100_000), cast(Any, None), Limits(), refuses_when_full=refuses, limiter=cast(Any, NO_LIMITS)
    )
    made.journal.open()
    return made


def call(recorder: Recorder) -> None:
    request = {"model": "m", "messages": [{"role": "user", "content": "x" * 3000}]}
    recorder.record(Exchange(KEY, "chat", "m", TARGET, request, False), Outcome(response={}))


def test_one_that_refuses_keeps_what_it_let_in_and_counts_whom_it_turned_away(tmp_path: Path) -> None:
    recorder = recorder_of(tmp_path, refuses=True)
    let_in = 0
    while recorder.lets_in():
        call(recorder)
        let_in += 1
    assert not recorder.lets_in()
    pressure = recorder.pressure
    assert pressure is not None
    assert (pressure.is_full, pressure.refuses, pressure.missed) == (True, True, 2)
    assert pressure.missed_since_us is not None
    found = recorder.journal.oldest()
    assert found is not None
    assert len(found[1]) == let_in


def test_one_that_serves_counts_what_went_unrecorded(tmp_path: Path) -> None:
    recorder = recorder_of(tmp_path, refuses=False)
    before = UNRECORDED._value.get()
    for _ in range(30):
        assert recorder.lets_in()
        call(recorder)
    found = recorder.journal.oldest()
    assert found is not None
    lost = 30 - len(found[1])
    assert lost > 0
    pressure = recorder.pressure
    assert pressure is not None
    assert (pressure.is_full, pressure.refuses, pressure.missed) == (True, False, lost)
    assert UNRECORDED._value.get() - before == lost


@pytest.mark.parametrize("refuses", [True, False])
def test_it_fills_before_it_is_full(tmp_path: Path, refuses: bool) -> None:
    recorder = recorder_of(tmp_path, refuses=refuses)
    while recorder.pressure is None:
        call(recorder)
    assert not recorder.pressure.is_full
    assert recorder.pressure.missed == 0


@pytest.mark.parametrize("refuses", [True, False])
def test_a_journal_that_cannot_be_written_is_told_and_refuses_until_it_can(tmp_path: Path, refuses: bool) -> None:
    recorder = recorder_of(tmp_path / "journal", refuses=refuses)
    (tmp_path / "journal").rename(tmp_path / "away")
    before = UNRECORDED._value.get()
    assert recorder.lets_in()
    call(recorder)
    assert UNRECORDED._value.get() - before == 1
    pressure = recorder.pressure
    assert pressure is not None
    assert (pressure.is_full, pressure.missed, pressure.trouble) == (False, 1, "no such file or directory")
    assert recorder.lets_in() is not refuses
    (tmp_path / "away").rename(tmp_path / "journal")
    recorder.start()
    deadline = time.monotonic() + 5
    while recorder.pressure is not None:
        assert time.monotonic() < deadline, "nobody looked whether it can be written again"
        time.sleep(0.02)
    recorder.stop()
    assert recorder.lets_in()
    call(recorder)
    assert recorder.journal.held_bytes > 0
