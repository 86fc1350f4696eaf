"""Live traffic lands in a real server through the real ways in, and outlives the server's restarts."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from modeltraces.demo.history import pace_at
from modeltraces.demo.models import MODELS
from modeltraces.demo.sources import WORKLOADS
from modeltraces.demo.traffic import OPENING_SECONDS, LiveTraffic, live_pace
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


def test_it_is_no_denser_than_the_busy_hours_of_the_history_and_never_dull() -> None:
    week = [hour * 3_600_000_000 for hour in range(7 * 24)]
    busiest = max(pace_at(at_us) for at_us in week)
    for at_us in week:
        pace = live_pace(at_us, OPENING_SECONDS)
        assert 0.1 <= pace <= busiest
        assert pace >= pace_at(at_us)
    # By day it is the history's own.
    assert sum(live_pace(at_us, OPENING_SECONDS) == pace_at(at_us) for at_us in week) > 70
    # The beginning is livelier, and still takes no more than a half of what the busiest ten minutes have.
    assert live_pace(0, 0) > 3 * live_pace(0, OPENING_SECONDS)
    assert live_pace(0, 0) * OPENING_SECONDS <= busiest * 600 / 2


def test_without_a_pace_of_its_own_it_has_that_of_the_demo(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modeltraces.demo.traffic.OPENING_PER_SECOND", 200.0)
    account = server.new_account("the demo's pace")
    with flowing(LiveTraffic(server.url, server.key(account=account), seed=9)) as traffic:
        wait_until(lambda: traffic.report.acknowledged >= 20)
