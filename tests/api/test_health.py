"""Liveness, readiness, and the shape of every error that no route made."""

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.support.server import Server


def test_a_living_server_says_so_to_get_and_head(server: Server) -> None:
    for path in ("/healthz", "/readyz"):
        assert httpx.get(server.url + path).status_code == 200
        assert httpx.head(server.url + path).status_code == 200


def test_metrics_are_for_admins(server: Server) -> None:
    assert httpx.get(f"{server.url}/metrics").status_code == 401
    with server.client("read", "ingest") as client:
        assert client.get("/metrics").status_code == 403
    with server.client("admin") as client:
        answer = client.get("/metrics")
    assert answer.status_code == 200
    assert "modeltraces_runs_stored_total" in answer.text
    assert "modeltraces_ingest_queue_bytes" in answer.text


def test_readiness_costs_little_whoever_asks(server: Server) -> None:
    with ThreadPoolExecutor(16) as pool, httpx.Client(base_url=server.url) as client:
        began = time.monotonic()
        assert {answer.status_code for answer in pool.map(lambda _: client.get("/readyz"), range(300))} == {200}
        assert time.monotonic() - began < 20


def test_a_catalog_that_fails_is_not_ready_and_said(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    server.start()
    try:
        with sqlite3.connect(server.data_dir / "catalog.db") as database:
            database.execute("UPDATE alembic_version SET version_num = 'other'")
        deadline = time.monotonic() + 10
        while (answer := httpx.get(f"{server.url}/readyz")).status_code == 200 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert "catalog" in answer.json()["detail"]
        assert answer.headers["retry-after"]
        assert httpx.get(f"{server.url}/healthz").status_code == 200
        assert "not ready" in server.log
    finally:
        server.close()


@pytest.mark.parametrize(
    ("verb", "path", "status"),
    [
        ("GET", "/nope", 404),
        ("GET", "/api/v1/nope", 404),
        ("GET", "/v1/traces", 405),
        ("PUT", "/api/v1/runs", 405),
        ("DELETE", "/api/v1/metrics", 405),
        ("OPTIONS", "/v1/traces", 405),
        ("GET", "/api/v1/runs/%FF%FE", 404),
        ("GET", "/api/v1/models/..%2F..%2Fetc", 404),
        ("GET", "/api/v1/runs?limit=x", 400),
    ],
)
def test_every_error_is_a_problem(server: Server, verb: str, path: str, status: int) -> None:
    with server.client() as client:
        answer = client.request(verb, path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    if status == 405:
        assert answer.headers["allow"]
