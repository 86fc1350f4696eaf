"""`serve` ends with one clear line when it cannot start, and never harms what is there."""

import os
import shutil
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from modeltraces.serving import address_of
from modeltraces.settings import DEMO_FILE
from tests.support.server import Server, command, free_port, run_command

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
        assert "need a ClickHouse server" in line
        elsewhere = f"chdb://{server.data_dir}/runs"
        line = line_of("--port=0", f"--data-dir={tmp_path / 'other'}", MODELTRACES_STORE_URL=elsewhere)
        assert "in use by another modeltraces process" in line
        origin, goal = f"sqlite:///{server.data_dir}/catalog.db", f"sqlite:///{tmp_path}/copy.db"
        refused = run_command("catalog", "copy", "--from", origin, "--to", goal)
        assert refused.returncode == 1
        (line,) = refused.stderr.splitlines()
        assert line.startswith("modeltraces: A server uses the catalog")
        assert "--while-running" in line
        done = run_command("catalog", "copy", "--from", origin, "--to", goal, "--while-running")
        assert (done.returncode, "1 accounts" in done.stdout) == (0, True), done.stderr
        with server.client() as client:
            assert client.get("/readyz").status_code == 200
    finally:
        server.close()


def test_a_data_directory_that_the_demo_filled_is_served_and_said(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    server.data_dir.mkdir(mode=0o700)
    (server.data_dir / DEMO_FILE).write_text("{}")
    try:
        server.start()
        (line,) = [line for line in server.log.splitlines() if "demo" in line]
        assert line.startswith(f"{server.data_dir} holds the demo's runs")
        assert "--data-dir" in line
    finally:
        server.close()


def as_ordinary_user() -> list[str]:
    """What to put before a command so that rights count for it, also when root runs the tests."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root may write anywhere, and there is no setpriv to make it an ordinary user")
    without = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={without}", f"--inh-caps={without}"]


@pytest.mark.parametrize("inside", ["", "data"], ids=["itself", "its parent"])
def test_a_read_only_data_directory_is_said(tmp_path: Path, inside: str) -> None:
    place = tmp_path / "place"
    place.mkdir()
    place.chmod(0o500)
    data_dir = place / inside
    done = subprocess.run(
        [*as_ordinary_user(), *command("serve", "--port=0", "--otlp-grpc-port=0", f"--data-dir={data_dir}")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("modeltraces: ")
    assert "--data-dir" in line
    assert list(place.iterdir()) == []


def test_a_directory_that_became_read_only_is_said(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    server.start()
    assert server.stop() == 0
    (tmp_path / "data" / "catalog.db").chmod(0o400)
    (tmp_path / "data").chmod(0o500)
    try:
        done = subprocess.run(
            [*as_ordinary_user(), *command("serve", "--port=0", "--otlp-grpc-port=0", f"--data-dir={tmp_path / 'data'}")],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    finally:
        (tmp_path / "data").chmod(0o700)
    assert done.returncode != 0
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    server.close()


def test_what_is_kept_is_nobody_elses_to_read(tmp_path: Path) -> None:
    """Prompts stand in it."""
    server = Server(tmp_path / "data", from_nothing=True)
    server.start()
    try:
        for path in (server.data_dir, server.data_dir / "runs"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o700
        for name in ("catalog.db", "secret.key"):
            assert stat.S_IMODE((server.data_dir / name).stat().st_mode) == 0o600
    finally:
        server.close()


@pytest.mark.parametrize("arguments", [["--port=abc"], ["--prot=1"], ["--data-dir"], ["extra"]])
def test_an_option_that_cannot_be_read_is_one_line(arguments: list[str]) -> None:
    assert "--help" in line_of(*arguments)


def test_the_address_that_is_told_can_be_opened() -> None:
    assert address_of("127.0.0.1", 8321) == "http://127.0.0.1:8321"
    assert address_of("::1", 8321) == "http://[::1]:8321"
    assert address_of("0.0.0.0", 8321) == "http://127.0.0.1:8321"
    assert address_of("::", 8321) == "http://[::1]:8321"


def test_two_ports_that_are_one_are_said(tmp_path: Path) -> None:
    port = free_port()
    done = run_command("serve", f"--port={port}", f"--otlp-grpc-port={port}", f"--data-dir={tmp_path / 'd'}")
    assert done.returncode != 0
    (line,) = done.stderr.strip().splitlines()
    assert "--otlp-grpc-port" in line


def test_a_file_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a directory")
    assert "--data-dir" in line_of("--port=0", f"--data-dir={tmp_path / 'data'}")


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"MODELTRACES_STORE_URL": "mysql://nope"}, "chdb:// or clickhouse://"),
        (
            {"MODELTRACES_STORE_URL": "clickhouse://user:hunter2@127.0.0.1:1/db"},
            "Check that the ClickHouse server runs",
        ),
        ({"MODELTRACES_STORE_URL": "chdb://runs"}, "chdb:///"),
        ({"MODELTRACES_COMMIT_WAIT_MS": "soon"}, "MODELTRACES_COMMIT_WAIT_MS"),
        ({"MODELTRACES_PORT": "99999"}, "MODELTRACES_PORT"),
        ({"MODELTRACES_LOG_LEVEL": "loud"}, "MODELTRACES_LOG_LEVEL"),
        ({"MODELTRACES_REDACT_PATTERNS": '["(unclosed"]'}, "not a regular expression"),
        ({"MODELTRACES_ADMIN_EMAIL": "a@example.com"}, "MODELTRACES_ADMIN_PASSWORD"),
        ({"MODELTRACES_ADMIN_PASSWORD_FILE": "/nonexistent/secret"}, "secret"),
        ({"MODELTRACES_SECRET_KEY_FILE": "/dev/null"}, "MODELTRACES_SECRET_KEY_FILE is empty"),
        ({"MODELTRACES_REDACT_PATTERNS": "sk-hunter2"}, "MODELTRACES_REDACT_PATTERNS: must be a JSON list"),
    ],
)
def test_a_bad_setting_is_said_by_its_name(tmp_path: Path, environment: dict[str, str], says: str) -> None:
    options = [] if "MODELTRACES_PORT" in environment else ["--port=0"]
    line = line_of(*options, f"--data-dir={tmp_path / 'data'}", **environment)
    assert says in line
    assert "hunter2" not in line
