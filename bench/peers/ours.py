"""This system, asked in its own API."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import httpx

from bench.peers.system import Period, Summary
from bench.server import running
from modeltraces.query.times import rfc3339
from modeltraces.run import Run, request_id_of_span
from tests.support.server import Server


class Ours:
    name = "modeltraces"
    path = "/v1/traces"

    def __init__(self, server: Server, client: httpx.Client) -> None:
        assert server.process is not None
        self.version = version("modeltraces")
        self.port, self.pid, self.data_dir = server.port, server.process.pid, server.data_dir
        self.headers: Mapping[str, str] = {"Authorization": f"Bearer {server.key()}"}
        self._client = client

    def _get(self, path: str, period: Period | None = None, **params: str) -> httpx.Response:
        bounds = {"from": rfc3339(period.start_us), "to": rfc3339(period.end_us)} if period else {}
        response = self._client.get(path, params={**bounds, **params})
        assert response.status_code == 200, f"{response.url}: {response.status_code} {response.text[:300]}"
        return response

    def count(self, period: Period) -> int:
        return int(self._get("/api/v1/metrics", period).json()["total_requests"])

    def newest(self, period: Period) -> Sequence[str]:
        return [run["trace_id"] for run in self._get("/api/v1/runs", period, limit="50").json()["runs"]]

    def summary(self, period: Period) -> Summary:
        found = self._get("/api/v1/metrics", period).json()
        return Summary(found["total_requests"], **found["response_time_ms"])

    def hourly(self, period: Period) -> Mapping[int, float]:
        points = self._get("/api/v1/metrics/series", period, step_seconds="3600").json()["points"]
        return {
            round(datetime.fromisoformat(point["at"]).timestamp()) * 1_000_000: point["response_time_ms"]["p90"]
            for point in points
            if point["total_requests"]
        }

    def containing(self, period: Period, text: str) -> Sequence[str]:
        found = self._get("/api/v1/runs", period, limit="50", filter=f'input:"{text}"').json()
        return [run["trace_id"] for run in found["runs"]]

    def one(self, run: Run) -> str:
        return self._get(f"/api/v1/runs/{request_id_of_span(run.trace_id, run.span_id, run.executed_on_us)}").text


@contextmanager
def running_ours(data_dir: Path) -> Iterator[Ours]:
    with running(data_dir) as server, server.client() as client:
        yield Ours(server, client)
