"""Arize Phoenix on SQLite, as `phoenix serve` starts it; asked in GraphQL, as its own page does.

Its REST API lists spans too, but has no counts, percentiles or texts.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import httpx

from bench.peers.environments import executable, requirement_of
from bench.peers.process import served
from bench.peers.system import PATIENCE_SECONDS, Period, Summary
from modeltraces.query.times import rfc3339
from modeltraces.run import Run
from tests.support.server import free_port

_LISTED: Final = """
query ($project: ID!, $period: TimeRange!, $condition: String) {
  node(id: $project) { ... on Project {
    spans(first: 50, timeRange: $period, filterCondition: $condition, sort: {col: startTime, dir: desc}) {
      edges { node {
        spanId name statusCode startTime latencyMs tokenCountTotal
        trace { traceId } input { truncatedValue } output { truncatedValue }
      } } } } } }
"""
_COUNT: Final = """
query ($project: ID!, $period: TimeRange!) { node(id: $project) { ... on Project { recordCount(timeRange: $period) } } }
"""
_SUMMARY: Final = """
query ($project: ID!, $period: TimeRange!) {
  node(id: $project) { ... on Project {
    recordCount(timeRange: $period)
    p50: spanLatencyMsQuantile(probability: 0.5, timeRange: $period)
    p90: spanLatencyMsQuantile(probability: 0.9, timeRange: $period)
    p99: spanLatencyMsQuantile(probability: 0.99, timeRange: $period)
  } } }
"""
_HOURLY: Final = """
query ($project: ID!, $period: TimeRange!) {
  node(id: $project) { ... on Project {
    traceLatencyMsPercentileTimeSeries(timeRange: $period, timeBinConfig: {scale: HOUR}) { data { timestamp p50 p90 p99 } }
  } } }
"""
_ONE: Final = """
query ($span: String!) {
  getSpanByOtelId(spanId: $span) {
    spanId name statusCode statusMessage startTime endTime latencyMs attributes events { name message timestamp }
    input { value mimeType } output { value mimeType }
  } }
"""


class Phoenix:
    name = "Phoenix"
    path = "/v1/traces"
    headers: Mapping[str, str] = {}

    def __init__(self, port: int, pid: int, data_dir: Path, client: httpx.Client) -> None:
        self.version = requirement_of("phoenix").partition("==")[2]
        self.port, self.pid, self.data_dir = port, pid, data_dir
        self._client = client
        self._project = client.get("/v1/projects/default").json()["data"]["id"]

    def _ask(self, query: str, period: Period | None = None, **more: Any) -> Any:
        variables = {"project": self._project, **more}
        if period:
            variables["period"] = {"start": rfc3339(period.start_us), "end": rfc3339(period.end_us)}
        response = self._client.post("/graphql", json={"query": query, "variables": variables})
        assert response.status_code == 200, response.text[:500]
        answer = response.json()
        assert "errors" not in answer, f"{query}: {response.text[:500]}"
        return answer["data"]

    def _listed(self, period: Period, condition: str | None) -> Sequence[str]:
        spans = self._ask(_LISTED, period, condition=condition)["node"]["spans"]["edges"]
        return [edge["node"]["trace"]["traceId"] for edge in spans]

    def count(self, period: Period) -> int:
        return int(self._ask(_COUNT, period)["node"]["recordCount"])

    def newest(self, period: Period) -> Sequence[str]:
        return self._listed(period, None)

    def summary(self, period: Period) -> Summary:
        found = self._ask(_SUMMARY, period)["node"]
        return Summary(found["recordCount"], found["p50"], found["p90"], found["p99"])

    def hourly(self, period: Period) -> Mapping[int, float]:
        points = self._ask(_HOURLY, period)["node"]["traceLatencyMsPercentileTimeSeries"]["data"]
        return {
            round(datetime.fromisoformat(point["timestamp"]).timestamp()) * 1_000_000: point["p90"]
            for point in points
            if point["p90"] is not None
        }

    def containing(self, period: Period, text: str) -> Sequence[str]:
        return self._listed(period, f"'{text}' in input.value")

    def one(self, run: Run) -> str:
        response = self._client.post("/graphql", json={"query": _ONE, "variables": {"span": run.span_id}})
        assert response.status_code == 200, response.text[:500]
        return response.text


@contextmanager
def running_phoenix(data_dir: Path, environments: Path) -> Iterator[Phoenix]:
    port, grpc_port = free_port(), free_port()
    command = [str(executable("phoenix", environments)), "serve"]
    environment = {
        "PHOENIX_HOST": "127.0.0.1", "PHOENIX_PORT": str(port), "PHOENIX_GRPC_PORT": str(grpc_port),
        "PHOENIX_WORKING_DIR": str(data_dir), "PHOENIX_TELEMETRY_ENABLED": "false",
        "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
    }  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    with (
        served(command, data_dir, environment, f"{address}/healthz") as pid,
        httpx.Client(base_url=address, timeout=PATIENCE_SECONDS) as client,
    ):
        yield Phoenix(port, pid, data_dir, client)
