"""How many runs a second are durable and queryable, over each way in, with more connections and longer batches."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal
from zlib import crc32

import orjson
from google.protobuf import json_format

from bench.client import request_bytes, send_all
from bench.generate import one_shape
from bench.progress import Progress, in_words
from bench.results import Section, quantile
from bench.server import memory_mb, running
from modeltraces.demo.emitting import native_of, trace_request
from modeltraces.run import Run, now_us
from tests.support.server import Server

Way = Literal["otlp protobuf", "otlp json", "native json"]

WAYS: Final[tuple[Way, ...]] = ("otlp protobuf", "otlp json", "native json")
CONNECTIONS: Final = (1, 4, 16)
BATCHES: Final = (1, 100, 512)
_PREPARING_SECONDS: Final = 1.0
"""What is sent is made before each."""
_PATHS: Final[dict[Way, tuple[str, str]]] = {
    "otlp protobuf": ("/v1/traces", "application/x-protobuf"),
    "otlp json": ("/v1/traces", "application/json"),
    "native json": ("/api/v1/runs", "application/json"),
}


def body_of(way: Way, runs: list[Run]) -> bytes:
    if way == "native json":
        return orjson.dumps([native_of(run) for run in runs])
    request = trace_request(runs, "gen_ai")
    if way == "otlp protobuf":
        return request.SerializeToString()
    spans = json_format.MessageToDict(request)
    for resource in spans["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span, run in zip(scope["spans"], runs, strict=False):
                # OTLP's JSON has ids in hexadecimal, where protobuf's has base64.
                span.update(traceId=run.trace_id, spanId=run.span_id)
                if run.parent_span_id:
                    span["parentSpanId"] = run.parent_span_id
    return orjson.dumps(spans)


def measure(
    data_dir: Path,
    *,
    runs: int,
    connection_counts: Sequence[int] = CONNECTIONS,
    batches: Sequence[int] = BATCHES,
    seconds: float = 5.0,
) -> list[Section]:
    """`runs`: of one measurement, at most (with single runs, a twentieth of it); `seconds`: of one, at most."""
    table = Section(
        f"Ingest: durable and queryable runs a second (up to {runs:,} runs each)",
        ("way in", "connections", "runs a request", "runs/s", "MB/s", "request p50 ms", "request p95 ms", "server MB"),
        note="Timed from the first byte sent until the count is read back and right.",
    )
    in_all = len(WAYS) * len(batches) * len(connection_counts)
    progress = Progress(
        f"Ingest: {in_all} measurements, of each way in, with more connections and longer requests",
        in_words(in_all * (seconds + _PREPARING_SECONDS)),
    )
    with running(data_dir) as server:
        _warm_up(server, min(1_000, runs))
        for way in WAYS:
            for batch in batches:
                for connections in connection_counts:
                    count = max(200, runs // 20) if batch == 1 else runs // batch * batch
                    table.add(way, connections, batch, *_one(server, way, connections, batch, count, seconds))
                    progress.show(f"{len(table.rows)} of {in_all} measured: {way}")
    progress.end()
    return [table]


def _warm_up(server: Server, runs: int) -> None:
    _one(server, "otlp protobuf", 1, 100, runs // 100 * 100, 10.0, account="warm-up")


def _one(
    server: Server, way: Way, connections: int, batch: int, count: int, at_most_seconds: float, account: str = ""
) -> tuple[float, ...]:
    account = server.new_account(account or f"{way} {connections} {batch}")
    key = server.key(account=account)
    made = one_shape("", now_us(), runs=count, seed=crc32(account.encode()))
    path, content_type = _PATHS[way]
    requests = [
        request_bytes(path, body_of(way, made[start : start + batch]), content_type, key, server.port)
        for start in range(0, count, batch)
    ]
    with server.client(account=account) as client:
        began = time.perf_counter()
        sent = send_all(server.port, requests, connections, at_most_seconds=at_most_seconds)
        answer = client.get("/api/v1/metrics", params={"period": "24h"})
        seconds = time.perf_counter() - began
    stored = answer.json()["total_requests"]
    acknowledged = sent.statuses[200] * batch
    assert stored == acknowledged, f"{way}: {acknowledged} were acknowledged, {stored} are counted; {sent.statuses}"
    return (
        stored / seconds,
        sum(map(len, requests)) / 1e6 / seconds * stored / count,
        quantile(sent.latencies_ms, 0.5),
        quantile(sent.latencies_ms, 0.95),
        memory_mb(server),
    )
