"""A full disk: refused with 503 and said so, nothing acknowledged is lost, and all goes on when there is room again."""

import contextlib
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.server import Server

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="a small file system takes root"),
]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def send(client: httpx.Client, number: int) -> int:
    run = {"model": "m", "request_id": f"run-{number}", "input": secrets.token_hex(400_000)}
    return client.post("/api/v1/runs", json=run).status_code


def fill(disk: Path) -> None:
    with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as file:
        while file.write(b"x" * 65536):
            pass


def ids(client: httpx.Client) -> set[str]:
    answer = client.get("/api/v1/runs", params={"period": "all", "limit": "1000"})
    assert answer.status_code == 200, answer.text
    return {run["request_id"] for run in answer.json()["runs"]}


def test_a_full_disk_refuses_and_recovers(small_disk: Path) -> None:
    server = Server(small_disk / "data")
    server.start()
    try:
        acknowledged: set[str] = set()
        status = 0
        with server.client() as client:
            for number in range(400):
                status = send(client, number)
                if status != 200:
                    break
                acknowledged.add(f"run-{number}")
            assert status == 503
            assert acknowledged, "there was room for some"
            refusal = client.post(
                "/api/v1/runs", json={"model": "m", "request_id": "late", "input": secrets.token_hex(400_000)}
            )
            assert refusal.status_code == 503
            assert refusal.headers["retry-after"]
            assert refusal.headers["content-type"] == "application/problem+json"
            assert ids(client) >= acknowledged
            assert client.get("/healthz").status_code == 200
            fill(small_disk)
            time.sleep(1.1)
            assert client.get("/readyz").status_code == 503
            (small_disk / "filler").unlink()
            subprocess.run(["mount", "-o", "remount,size=512m", small_disk], check=True)
            assert send(client, 1000) == 200
            assert ids(client) >= acknowledged | {"run-1000"}
        server.kill()
        server.start()
        with server.client() as client:
            found = ids(client)
            assert found >= acknowledged | {"run-1000"}
            assert len(found) == client.get("/api/v1/metrics", params={"period": "all"}).json()["total_requests"]
    finally:
        server.close()
