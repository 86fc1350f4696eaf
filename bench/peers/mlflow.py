"""MLflow's tracking server on SQLite, as `mlflow server` starts it; asked in its REST API for traces (version 3).

Its metrics come one a call: count and latency are two requests, one after the other.
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
from modeltraces.run import Run
from tests.support.server import free_port

_PERCENTILES: Final = [{"aggregation_type": "PERCENTILE", "percentile_value": share} for share in (50.0, 90.0, 99.0)]


class MLflow:
    name = "MLflow"
    path = "/v1/traces"

    def __init__(self, port: int, pid: int, data_dir: Path, client: httpx.Client) -> None:
        self.version = requirement_of("mlflow").partition("==")[2]
        self.port, self.pid, self.data_dir = port, pid, data_dir
        self._client = client
        self._experiment = self._experiment_id()
        self.headers: Mapping[str, str] = {"x-mlflow-experiment-id": self._experiment}

    def _experiment_id(self) -> str:
        known = self._client.get("/api/2.0/mlflow/experiments/get-by-name", params={"experiment_name": "bench"})
        if known.status_code == 200:
            return str(known.json()["experiment"]["experiment_id"])
        return str(self._post("/api/2.0/mlflow/experiments/create", {"name": "bench"})["experiment_id"])

    def _post(self, path: str, asked: Mapping[str, Any]) -> Any:
        response = self._client.post(path, json=asked)
        assert response.status_code == 200, f"{path}: {response.status_code} {response.text[:300]}"
        return response.json()

    def _metrics(self, period: Period, metric: str, aggregations: Any, **more: Any) -> list[Any]:
        asked = {
            "experiment_ids": [self._experiment], "view_type": "TRACES", "metric_name": metric,
            "aggregations": aggregations, "start_time_ms": period.start_us // 1000,
            # Of both bounds it takes the runs that began on them.
            "end_time_ms": period.end_us // 1000 - 1, "max_results": 1000, **more,
        }  # fmt: skip
        return list(self._post("/api/3.0/mlflow/traces/metrics", asked).get("data_points", ()))

    def _search(self, period: Period, also: str = "") -> Sequence[str]:
        asked = {
            "locations": [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": self._experiment}}],
            "filter": f"trace.timestamp_ms >= {period.start_us // 1000} AND trace.timestamp_ms < {period.end_us // 1000}{also}",
            "max_results": 50, "order_by": ["timestamp_ms DESC"],
        }  # fmt: skip
        found = self._post("/api/3.0/mlflow/traces/search", asked)
        return [trace["trace_id"].removeprefix("tr-") for trace in found.get("traces", ())]

    def count(self, period: Period) -> int:
        points = self._metrics(period, "trace_count", [{"aggregation_type": "COUNT"}])
        return int(points[0]["values"]["COUNT"]) if points else 0

    def newest(self, period: Period) -> Sequence[str]:
        return self._search(period)

    def summary(self, period: Period) -> Summary:
        (point,) = self._metrics(period, "latency", _PERCENTILES)
        values = point["values"]
        return Summary(self.count(period), values["P50.0"], values["P90.0"], values["P99.0"])

    def hourly(self, period: Period) -> Mapping[int, float]:
        points = self._metrics(period, "latency", _PERCENTILES, time_interval_seconds=3600)
        return {
            round(datetime.fromisoformat(point["dimensions"]["time_bucket"]).timestamp()) * 1_000_000: point["values"]["P90.0"]
            for point in points
        }  # fmt: skip

    def containing(self, period: Period, text: str) -> Sequence[str]:
        return self._search(period, f" AND span.attributes.`mlflow.spanInputs` LIKE '%{text}%'")

    def one(self, run: Run) -> str:
        response = self._client.get("/api/3.0/mlflow/traces/get", params={"trace_id": f"tr-{run.trace_id}"})
        assert response.status_code == 200, f"{response.url}: {response.status_code} {response.text[:300]}"
        return response.text


@contextmanager
def running_mlflow(data_dir: Path, environments: Path) -> Iterator[MLflow]:
    port = free_port()
    command = [str(executable("mlflow", environments)), "server", "--host", "127.0.0.1", "--port", str(port)]
    # On a busy machine a batch takes longer than the 5 s after which a worker is taken for dead.
    command.append("--uvicorn-opts=--timeout-worker-healthcheck 300")
    # Its jobs (evaluations, and the like) are not asked for, and would take their share of the processor.
    environment = {
        "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    with (
        served(command, data_dir, environment, f"{address}/health") as pid,
        httpx.Client(base_url=address, timeout=PATIENCE_SECONDS) as client,
    ):
        yield MLflow(port, pid, data_dir, client)
