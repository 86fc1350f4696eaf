"""`python -m bench.soak --minutes 30`: runs at a steady rate, and people who look at them; what grows meanwhile, and what fails.

Every request is new runs: a few bodies made beforehand, whose trace ids and times are written over before each is sent. At the
end every run that was acknowledged must be counted, once.
"""

import argparse
import asyncio
import os
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
import uvloop

from bench.client import request_bytes
from bench.generate import one_shape
from bench.results import Section, machine, quantile, show, write_json
from bench.server import memory_mb, running
from modeltraces.demo.emitting import trace_request
from modeltraces.run import now_us
from tests.support.server import Server

BATCH: Final = 512
_BODIES: Final = 8
_CONNECTIONS: Final = 8
_LOOKS: Final = (
    ("metrics", "/api/v1/metrics", {"period": "24h"}),
    ("series", "/api/v1/metrics/series", {"period": "24h"}),
    ("newest 50", "/api/v1/runs", {"period": "24h", "limit": "50"}),
    ("failed 50", "/api/v1/runs", {"period": "24h", "limit": "50", "filter": "status:failed"}),
    ("text", "/api/v1/runs", {"period": "24h", "limit": "50", "filter": "invoice"}),
)


class Body:
    """One request of `BATCH` runs, and where in it stand what must differ the next time."""

    def __init__(self, seed: int, key: str, port: int) -> None:
        request = trace_request(one_shape("", now_us(), runs=BATCH, seed=seed), "gen_ai")
        content = request.SerializeToString()
        self._whole = bytearray(request_bytes("/v1/traces", content, "application/x-protobuf", key, port))
        self._ids: list[int] = []
        self._times: list[tuple[int, int]] = []
        self._made = time.time_ns()
        at = 0
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    # Some spans share a trace.
                    at = self._whole.index(span.trace_id, at)
                    self._ids.append(at)
                    for instant in (span.start_time_unix_nano, span.end_time_unix_nano):
                        self._times.append((self._whole.index(struct.pack("<Q", instant), at), instant))
                    at += 16

    def new(self) -> bytes:
        later = time.time_ns() - self._made
        for at in self._ids:
            self._whole[at : at + 16] = os.urandom(16)
        for at, instant in self._times:
            struct.pack_into("<Q", self._whole, at, instant + later)
        return bytes(self._whole)


@dataclass
class Seen:
    """Since the last look; a thread each for who sends and who reads."""

    acknowledged: int = 0
    refused: int = 0
    errors: list[str] = field(default_factory=list)
    latencies: dict[str, list[float]] = field(default_factory=dict)


async def _send(server: Server, bodies: Sequence[Body], rate: float, ends: float, seen: Seen) -> None:
    every = BATCH / rate
    due = time.perf_counter()
    lock = asyncio.Lock()
    turn = 0

    async def connection() -> None:
        nonlocal due, turn
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        while True:
            async with lock:
                due = max(due + every, time.perf_counter() - 1)
                mine, turn = due, turn + 1
                request = bodies[turn % len(bodies)].new()
            if mine >= ends:
                break
            await asyncio.sleep(max(0.0, mine - time.perf_counter()))
            status = 503
            while status in (429, 503):
                writer.write(request)
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                await reader.readexactly(int(head.partition("content-length:")[2].split("\r\n")[0]))
                status = int(head.split(" ")[1])
                if status == 200:
                    seen.acknowledged += BATCH
                elif status in (429, 503):
                    seen.refused += 1
                    await asyncio.sleep(0.2)
                else:
                    seen.errors.append(f"ingest: HTTP {status}")
        writer.close()

    await asyncio.gather(*[connection() for _ in range(_CONNECTIONS)])


def _look(server: Server, key: str, ends: float, seen: Seen) -> None:
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
        while time.perf_counter() < ends:
            for name, path, params in _LOOKS:
                began = time.perf_counter()
                try:
                    status = client.get(path, params=params).status_code
                except httpx.HTTPError as error:
                    seen.errors.append(f"{name}: {error}")
                    continue
                seen.latencies.setdefault(name, []).append((time.perf_counter() - began) * 1000)
                if status != 200:
                    seen.errors.append(f"{name}: HTTP {status}")
            time.sleep(0.5)


def _parts(data_dir: Path) -> int:
    """Directories of the engine's tables that are parts: those that are read, and those not yet deleted."""
    return sum(1 for _ in (data_dir / "runs").glob("store/*/*/*_*_*_*"))


def soak(data_dir: Path, *, minutes: float, rate: float, rows: int = 10) -> list[Section]:
    """Raises AssertionError when something failed, or the count at the end is not what was acknowledged."""
    table = Section(
        f"{minutes:g} minutes of {rate:,.0f} runs a second, in batches of {BATCH}",
        ("minute", "runs", "refused", "memory MB", "parts", *(f"{name} p95 ms" for name, _, _ in _LOOKS)),
        note="Refused is what was told to come again, and did.",
    )
    with running(data_dir) as server:
        key = server.key("ingest", "read")
        bodies = [Body(seed, key, server.port) for seed in range(_BODIES)]
        seen = Seen()
        began = time.perf_counter()
        ends = began + minutes * 60
        threads = [
            threading.Thread(target=lambda: uvloop.run(_send(server, bodies, rate, ends, seen))),
            threading.Thread(target=_look, args=(server, key, ends, seen)),
        ]
        for thread in threads:
            thread.start()
        for row in range(1, rows + 1):
            time.sleep(max(0.0, began + row * minutes * 60 / rows - time.perf_counter()))
            if row == rows:
                # What is under way at the end counts, too.
                for thread in threads:
                    thread.join()
            latencies, seen.latencies = seen.latencies, {}
            table.add(
                row * minutes / rows, seen.acknowledged, seen.refused, memory_mb(server), _parts(data_dir),
                *(quantile(latencies.get(name) or [float("nan")], 0.95) for name, _, _ in _LOOKS),
            )  # fmt: skip
            sys.stderr.write(".")
            sys.stderr.flush()
        sys.stderr.write("\n")
        with server.client() as client:
            stored = client.get("/api/v1/metrics", params={"period": "all"}).json()["total_requests"]
    assert not seen.errors, f"{len(seen.errors)} failed, the first: {seen.errors[0]}"
    assert stored == seen.acknowledged, f"{seen.acknowledged} were acknowledged, {stored} are counted"
    return [table]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=5_000, help="runs a second")
    parser.add_argument("--data-dir", type=Path, help="keep what is stored there")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    with tempfile.TemporaryDirectory(prefix="modeltraces-soak-") as directory:
        data_dir = options.data_dir or Path(directory) / "data"
        sections = soak(data_dir, minutes=options.minutes, rate=options.rate)
    show(sections)
    if options.json:
        write_json(options.json, sections)


if __name__ == "__main__":
    main()
