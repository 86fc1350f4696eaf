"""What the measurements say of a server."""

import os
from pathlib import Path

import pytest

from bench.server import disk_mb


def test_a_file_that_is_gone_when_it_is_looked_at_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "column.bin").write_bytes(bytes(2_000_000))
    (tmp_path / "there").write_bytes(bytes(500_000))
    assert disk_mb(tmp_path) == 2.5
    seen = list(os.walk(tmp_path))
    (tmp_path / "part" / "column.bin").unlink()
    monkeypatch.setattr(os, "walk", lambda _: seen)
    assert disk_mb(tmp_path) == 0.5
