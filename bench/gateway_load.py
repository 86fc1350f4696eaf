"""The gateway under load: many streams at once, and very many calls. `python -m bench.gateway_load streams|calls`.

The caller is raw sockets in a process of its own, as the upstream is (`bench/raw_upstream.py`).
"""

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import Final

import uvloop

from bench.raw_upstream import CHUNKS, MARK, connect, recorded, request_of, running_upstream
from bench.results import Section, machine, quantile, show
from bench.server import memory_mb, running
from tests.support.processor import processor_seconds
from tests.support.server import Server

_STALL_MS: Final = 250.0


async def _stream(port: int, request: bytes, begins_in: float, late: list[float]) -> bool:
    """Whether it came whole; each chunk's lateness in ms goes to `late`."""
    await asyncio.sleep(begins_in)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    chunks, tail = 0, b""
    while data := await reader.read(65536):
        now = time.monotonic() * 1e6
        for part in data.split(MARK)[1:]:
            late.append((now - int(part[: part.index(b",")])) / 1000)
            chunks += 1
        tail = (tail + data)[-64:]
        if tail.endswith(b"0\r\n\r\n"):
            break
    writer.close()
    return chunks == CHUNKS + 1 and b"[DONE]" in tail


async def _streams(port: int, request: bytes, count: int, spread: float) -> tuple[list[float], int]:
    late: list[float] = []
    whole = await asyncio.gather(*(_stream(port, request, spread * n / count, late) for n in range(count)))
    return late, sum(whole)


async def _calls(port: int, request: bytes, count: int, concurrent: int) -> None:
    left = iter(range(count))

    async def caller() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in left:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            assert head.startswith(b"http/1.1 200"), head
            await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n")[0]))
        writer.close()

    await asyncio.gather(*(caller() for _ in range(concurrent)))


def _measure_streams(server: Server, upstream: int, count: int, pause: float) -> Section:
    table = Section(
        f"{count:,} streams at once, {CHUNKS} chunks each, one in {pause * 1000:.0f} ms",
        ("way", "whole", "chunks/s", "late p50 ms", "p99 ms", "most ms", f"over {_STALL_MS:.0f} ms", "gateway's CPU"),
        note=f"Load average {os.getloadavg()[0]:.1f} before. Late: from the upstream's write to the caller's read.",
    )
    assert server.process is not None
    key = server.key("gateway")
    for way, port, path in (
        ("direct", upstream, "/v1/chat/completions"),
        ("gateway", server.port, "/gateway/openai/v1/chat/completions"),
    ):
        request = request_of(port, key, path, stream=True)
        uvloop.run(_streams(port, request, 20, 0.1))
        began, used = time.monotonic(), processor_seconds(server.process.pid)
        late, whole = uvloop.run(_streams(port, request, count, pause * 10))
        took = time.monotonic() - began
        share = (processor_seconds(server.process.pid) - used) / took
        stalls = sum(ms > _STALL_MS for ms in late)
        table.add(
            way, whole, len(late) / took, quantile(late, 0.5), quantile(late, 0.99), max(late), stalls, f"{share:.0%}"
        )
    found = recorded(server, count + 20)
    assert found == count + 20, f"{found:,} recorded of {count + 20:,}"
    return table


def _measure_calls(server: Server, count: int) -> Section:
    table = Section("Memory over calls", ("calls", "calls/s", "server MB", "recorded"))
    request = request_of(server.port, server.key("gateway"), "/gateway/openai/v1/chat/completions", stream=False)
    steps = 10
    for step in range(1, steps + 1):
        began = time.monotonic()
        uvloop.run(_calls(server.port, request, count // steps, 16))
        rate = count // steps / (time.monotonic() - began)
        made = count // steps * step
        table.add(made, rate, memory_mb(server), recorded(server, made))
    assert table.rows[-1][3] == count // steps * steps, "recorded is not served"
    return table


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.gateway_load", description=__doc__)
    parser.add_argument("mode", choices=["streams", "calls"])
    parser.add_argument("--count", type=int, help="streams at once (default 1,000), or calls (default 100,000)")
    parser.add_argument("--pause-ms", type=float, default=250, help="between two chunks of a stream")
    options = parser.parse_args()
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    pause = options.pause_ms / 1000
    with (
        running_upstream(pause) as port,
        tempfile.TemporaryDirectory(prefix="modeltraces-bench-") as directory,
        running(Path(directory) / "data") as server,
    ):
        connect(server, port)
        if options.mode == "streams":
            show([_measure_streams(server, port, options.count or 1_000, pause)])
        else:
            show([_measure_calls(server, options.count or 100_000)])


if __name__ == "__main__":
    main()
