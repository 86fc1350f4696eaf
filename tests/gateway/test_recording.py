"""What a key's recording leaves in the journal: the file itself is read."""

from pathlib import Path
from typing import Any, cast

import pytest

from modeltraces.catalog.db import Catalog
from modeltraces.catalog.key_authenticator import KeyIdentity
from modeltraces.catalog.key_limits import KeyLimits, Recording
from modeltraces.gateway.exchange import Exchange
from modeltraces.gateway.journal import Journal
from modeltraces.gateway.limits import KeyLimiter
from modeltraces.gateway.reading.outcome import Outcome
from modeltraces.gateway.recorder import Recorder
from modeltraces.gateway.targets import Target
from modeltraces.ingest.recordings import Limits

ASKED, ANSWERED = "the duck is under the stairs", "then feed it"
TARGET = Target("gpt-4o", "", "fake", "openai", "openai", "http://127.0.0.1:9/v1", "gpt-4o", None)


def journal_of(directory: Path, recording: Recording) -> bytes:
    """What is on disk of one call, before anything is stored."""
    journal = Journal(directory / "journal", 1 << 20)
    journal.open()
    limiter = KeyLimiter(Catalog(f"sqlite:///{directory}/catalog.db"))
    recorder = Recorder(journal, cast(Any, None), Limits(), refuses_when_full=True, limiter=limiter)
    key = KeyIdentity("k", "a", "ci", frozenset({"gateway"}), "", "", None, KeyLimits(recording=recording))
    request = {"model": "gpt-4o", "messages": [{"role": "user", "content": ASKED}]}
    response = {"choices": [{"index": 0, "message": {"role": "assistant", "content": ANSWERED}}]}
    outcome = Outcome(response, "resp-1", "gpt-4o-2026", input_tokens=7777, output_tokens=3)
    exchange = Exchange(key, "chat", "gpt-4o", TARGET, request, False, source="planner", status=200)
    recorder.record(exchange, outcome)
    journal.close()
    return b"".join(path.read_bytes() for path in (directory / "journal").iterdir())


@pytest.mark.parametrize(("recording", "has_text", "has_run"), [
    ("full", True, True), ("metadata", False, True), ("off", False, False),
])  # fmt: skip
def test_the_journal_holds_what_may_be_kept_and_no_more(
    tmp_path: Path, recording: Recording, has_text: bool, has_run: bool
) -> None:
    written = journal_of(tmp_path, recording)
    for text in (ASKED, ANSWERED):
        assert (text.encode() in written) == has_text
    for known in (b"7777", b"planner", b"gpt-4o-2026", f'"input_size":{len(ASKED)}'.encode()):
        assert (known in written) == has_run
