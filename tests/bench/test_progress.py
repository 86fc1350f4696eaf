"""How far a measurement is, as a terminal shows it and as a file holds it."""

import sys
import time

import pytest

from bench.progress import LINE_SECONDS, Progress, in_words


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_in_a_file_it_has_lines_of_its_own_and_few(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress("Making 500 runs", "about 20 s")
    for made in range(0, 501, 10):
        progress.show(f"{made} runs")
        clock[0] += LINE_SECONDS / 20
    progress.end("500 runs are made")
    assert capsys.readouterr().err.splitlines() == [
        "Making 500 runs (about 20 s) …", "200 runs", "400 runs", "500 runs are made"
    ]  # fmt: skip


def test_on_a_terminal_each_is_written_over_the_one_before(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    progress = Progress("Export")
    progress.show("csv is done")
    progress.show("all")
    progress.end()
    assert capsys.readouterr().err == "Export …\n\r\x1b[Kcsv is done\r\x1b[Kall\r\x1b[K"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.1, "about 10 s"), (44, "about 40 s"), (90, "about 2 minutes"), (600, "about 10 minutes")]
)
def test_how_long_it_takes_is_said_roundly(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
