"""Servers over one PostgreSQL that have no ClickHouse server: the second would have runs of its own, unseen by the first."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import PASSWORD as DATABASE_PASSWORD
from tests.support.postgres import Postgres
from tests.support.server import Server, run_command

pytestmark = pytest.mark.faults


@pytest.fixture
def environment(postgres: Postgres) -> Iterator[dict[str, str]]:
    url = postgres.new_database()
    yield {"MODELTRACES_CATALOG_URL": url, "MODELTRACES_SECRET_KEY": secrets.token_hex(32)}
    postgres.drop(url)


def refused(environment: dict[str, str], data_dir: Path) -> str:
    """What is said when a server of this directory does not start."""
    ended = run_command("serve", "--port=0", "--otlp-grpc-port=0", f"--data-dir={data_dir}", environment=environment)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert DATABASE_PASSWORD not in line
    return line


def test_a_second_server_with_a_store_of_its_own_does_not_start(environment: dict[str, str], tmp_path: Path) -> None:
    one, other = Server(tmp_path / "one", environment), Server(tmp_path / "other", environment)
    moved = Server(tmp_path / "moved", environment)
    try:
        one.start()
        line = refused(environment, other.data_dir)
        assert f"the runs in {one.data_dir}/runs" in line
        assert f"others, in {other.data_dir}/runs" in line
        assert "Several processes need a ClickHouse server" in line
        assert "MODELTRACES_STORE_URL" in line
        assert one.stop() == 0
        one.data_dir.rename(moved.data_dir)
        moved.start()
        assert moved.stop() == 0
        assert "forget-store" in refused(environment, other.data_dir)
        assert run_command("catalog", "forget-store", environment=environment).returncode == 0
        other.start()
        assert other.stop() == 0
        assert f"the runs in {other.data_dir}/runs" in refused(environment, moved.data_dir)
    finally:
        for server in (one, other, moved):
            server.close()


def test_a_directory_with_both_is_one_installation_whatever_becomes_of_its_runs(tmp_path: Path) -> None:
    """Who removes the runs begins anew, and need not say so."""
    server = Server(tmp_path / "data")
    try:
        server.start()
        assert server.stop() == 0
        (server.data_dir / "runs").rename(tmp_path / "old runs")
        server.start()
        assert server.stop() == 0
    finally:
        server.close()


def test_a_sqlite_catalog_that_two_directories_share_is_told_of(tmp_path: Path) -> None:
    shared = {
        "MODELTRACES_CATALOG_URL": f"sqlite:///{tmp_path}/catalog.db",
        "MODELTRACES_SECRET_KEY": secrets.token_hex(32),
    }
    servers = [Server(tmp_path / name, shared) for name in ("one", "other")]
    try:
        for server in servers:
            server.start()
        told = [f"the runs in {servers[0].data_dir}/runs" in server.log for server in servers]
        assert told == [False, True]
    finally:
        for server in servers:
            server.close()
