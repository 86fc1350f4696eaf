"""Live traffic lands in a real server through the real ways in, and outlives the server's restarts."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from modeltraces.demo.models import MODELS
from modeltraces.demo.sources import WORKLOADS
from modeltraces.demo.traffic import LiveTraffic
from tests.support.server import Server


def wait_until(reached: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@contextmanager
def flowing(traffic: LiveTraffic) -> Iterator[LiveTraffic]:
    stop = threading.Event()
    thread = traffic.start(stop)
    try:
        yield traffic
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive(), "the traffic did not stop"


def test_what_the_server_acknowledged_is_counted_and_is_from_now(server: Server) -> None:
    account = server.new_account("live traffic")
    with flowing(LiveTraffic(server.url, server.key(account=account), runs_per_second=200, seed=5)) as traffic:
        wait_until(lambda: traffic.report.acknowledged >= 60)
    assert (traffic.report.refused, traffic.report.unreachable) == (0, 0)
    with server.client(account=account) as client:
        metrics = client.get("/api/v1/metrics", params={"period": "24h"}).json()
        runs = client.get("/api/v1/runs", params={"period": "24h", "limit": 1000}).json()["runs"]
    assert metrics["total_requests"] == len(runs) == traffic.report.acknowledged
    assert {run["model"] for run in runs} <= set(MODELS)
    # Which of them, the hour and the day of the week say.
    assert len({run["source"] for run in runs}) > 3
    assert {(run["source_type"], run["source"]) for run in runs} <= {(one.source_type, one.source) for one in WORKLOADS}
    assert all(run["input"] for run in runs)
    assert all(run["time_to_first_token_ms"] for run in runs if run["streaming"] and run["status"] == "success")


def test_it_waits_for_a_server_that_is_away_and_goes_on_when_it_is_back(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    try:
        server.start()
        key = server.key()
        assert server.stop() == 0
        with flowing(LiveTraffic(server.url, key, runs_per_second=100, seed=6)) as traffic:
            wait_until(lambda: traffic.report.unreachable >= 1)
            server.start()
            wait_until(lambda: traffic.report.acknowledged >= 3, seconds=60)
        with server.client() as client:
            metrics = client.get("/api/v1/metrics", params={"period": "24h"}).json()
        assert metrics["total_requests"] == traffic.report.acknowledged
        assert server.stop() == 0
    finally:
        server.close()


def test_a_key_that_is_refused_is_counted_and_not_hammered(server: Server) -> None:
    with flowing(LiveTraffic(server.url, "mt_unknown", runs_per_second=1000, seed=7)) as traffic:
        wait_until(lambda: traffic.report.refused >= 1)
        time.sleep(0.5)
    assert traffic.report.refused == 1
    assert traffic.report.acknowledged == 0


@pytest.mark.parametrize("rate", [0.001])
def test_it_stops_at_once_although_the_next_run_is_far_off(rate: float) -> None:
    began = time.monotonic()
    with flowing(LiveTraffic("http://127.0.0.1:9", "mt_unused", runs_per_second=rate, seed=8)):
        pass
    assert time.monotonic() - began < 5
