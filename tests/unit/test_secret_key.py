"""What is said of a secret key that was given."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from modeltraces.secret_key import secret_key
from modeltraces.settings import load_settings


@pytest.mark.parametrize(
    ("given", "is_told"), [("x", True), ("hunter2" * 4, True), ("0123456789abcdef" * 2, False), ("é" * 16, False)]
)
def test_a_key_that_can_be_guessed_is_told_at_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: str, is_told: bool
) -> None:
    monkeypatch.setenv("MODELTRACES_SECRET_KEY", given)
    with capture_logs() as lines:
        assert secret_key(load_settings(data_dir=tmp_path)) == given.encode()
    assert ["openssl rand -base64 48" in line["event"] for line in lines] == [True] * is_told
    assert "hunter2" not in str(lines)
