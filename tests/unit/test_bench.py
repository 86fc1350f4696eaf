"""The benchmark runs, at a size that says nothing of speed."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.documents import ROOT


def ran(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]


def titles(figures: Path) -> list[str]:
    return [one["title"] for one in json.loads(figures.read_text())["measurements"]]


@pytest.mark.timeout(300)
def test_everything_that_is_measured_works_at_a_small_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = tmp_path / "figures.json"
    # In this process, whose programs are forked: half of the time went into what six of them import.
    monkeypatch.setattr(sys, "argv", ["bench", "--small", f"--json={figures}"])
    monkeypatch.chdir(ROOT)
    runpy.run_module("bench", run_name="__main__")
    found = titles(figures)
    assert any(title.startswith("Ingest: durable and queryable") for title in found)
    assert "Answers over 600 runs, one at a time" in found
    assert {"Export", "The server"} <= set(found)


@pytest.mark.timeout(600)
def test_a_directory_is_filled_and_measured_and_filling_it_again_changes_nothing(
    tmp_path: Path, thorough: bool
) -> None:
    if not thorough:
        pytest.skip("a minute: with --thorough")
    for _ in range(2):
        ran("bench.fill", f"--data-dir={tmp_path / 'data'}", "--runs=3000", "--days=2")
    ran("bench", "--only=pages", f"--data-dir={tmp_path / 'data'}", f"--json={tmp_path / 'figures.json'}")
    assert "Answers over 3,000 runs, one at a time" in titles(tmp_path / "figures.json")
