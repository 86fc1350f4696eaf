"""`serve` ends with one clear line when it cannot start, and never harms what is there."""

import os
import socket
from pathlib import Path

import pytest

from tests.support.server import Server, run_command

pytestmark = pytest.mark.faults


def line_of(*arguments: str, **environment: str) -> str:
    done = run_command("serve", "--otlp-grpc-port=0", *arguments, environment=environment)
    assert done.returncode != 0, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("modeltraces: ")
    return lines[0]


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = line_of(f"--port={port}", f"--data-dir={tmp_path / 'd'}")
        assert str(port) in line
        assert "--port" in line
        done = run_command("serve", "--port=0", f"--otlp-grpc-port={port}", f"--data-dir={tmp_path / 'd'}")
    assert done.returncode != 0
    assert "--otlp-grpc-port" in done.stderr


def test_a_data_directory_in_use_is_said(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    server.start()
    try:
        line = line_of("--port=0", f"--data-dir={server.data_dir}")
        assert "in use by another modeltraces process" in line
        with server.client() as client:
            assert client.get("/readyz").status_code == 200
    finally:
        server.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere; see the file in the way below")
def test_a_read_only_data_directory_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "--data-dir" in line_of("--port=0", f"--data-dir={tmp_path / 'data'}")


def test_a_file_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a directory")
    assert "--data-dir" in line_of("--port=0", f"--data-dir={tmp_path / 'data'}")


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"MODELTRACES_STORE_URL": "mysql://nope"}, "chdb:// or clickhouse://"),
        ({"MODELTRACES_STORE_URL": "clickhouse://user:hunter2@127.0.0.1:1/db"}, "cannot be"),
        ({"MODELTRACES_COMMIT_WAIT_MS": "soon"}, "MODELTRACES_COMMIT_WAIT_MS"),
        ({"MODELTRACES_PORT": "99999"}, "MODELTRACES_PORT"),
        ({"MODELTRACES_LOG_LEVEL": "loud"}, "MODELTRACES_LOG_LEVEL"),
        ({"MODELTRACES_REDACT_PATTERNS": '["(unclosed"]'}, "not a regular expression"),
        ({"MODELTRACES_ADMIN_EMAIL": "a@example.com"}, "MODELTRACES_ADMIN_PASSWORD"),
        ({"MODELTRACES_ADMIN_PASSWORD_FILE": "/nonexistent/secret"}, "secret"),
    ],
)
def test_a_bad_setting_is_said_by_its_name(tmp_path: Path, environment: dict[str, str], says: str) -> None:
    options = [] if "MODELTRACES_PORT" in environment else ["--port=0"]
    line = line_of(*options, f"--data-dir={tmp_path / 'data'}", **environment)
    assert says in line
    assert "hunter2" not in line
