"""The gateway under load: many streams at once, and very many calls. `python -m bench.gateway_load streams|calls`.

A chunk bears the instant at which the upstream wrote it, so that its lateness is known where it arrives. Upstream and caller are
raw sockets in processes of their own: what they cost is taken from the gateway, as all share the machine's cores.
"""

import argparse
import asyncio
import multiprocessing
import os
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import orjson
import uvloop

from bench.results import Section, machine, quantile, show
from bench.server import memory_mb, running
from tests.support.server import Server

_CHUNKS: Final = 50
_STALL_MS: Final = 250.0
_USAGE: Final = {"prompt_tokens": 60, "completion_tokens": _CHUNKS}
_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_MARK: Final = b'"at":'


def _framed(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def _event(delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {"at": round(time.monotonic() * 1e6), "id": "c", "model": "gpt-4o", "choices": [choice]}
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


_LAST: Final = b"data: " + orjson.dumps({"id": "c", "choices": [], "usage": _USAGE}) + b"\n\ndata: [DONE]\n\n"
_WHOLE: Final = orjson.dumps(
    {
        "id": "c",
        "model": "gpt-4o",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "fine"}, "finish_reason": "stop"}],
        "usage": _USAGE,
    }
)
_PLAIN: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
    len(_WHOLE),
    _WHOLE,
)


class _Upstream(asyncio.Protocol):
    def __init__(self, pause: float) -> None:
        self.pause, self.data = pause, b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.data += data
        _, gap, body = self.data.partition(b"\r\n\r\n")
        if not gap or not body.endswith(b"}"):
            return
        self.data = b""
        if b'"stream":true' in body:
            asyncio.get_running_loop().call_soon(self._chunk, 0)
        else:
            self.transport.write(_PLAIN)

    def _chunk(self, number: int) -> None:
        if number == _CHUNKS:
            self.transport.write(_framed(_event({}, "stop") + _LAST) + b"0\r\n\r\n")
            return
        self.transport.write((_HEAD if number == 0 else b"") + _framed(_event({"content": "word "})))
        asyncio.get_running_loop().call_later(self.pause, self._chunk, number + 1)


def _serve(said: Connection, pause: float) -> None:
    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Upstream(pause), "127.0.0.1", 0, backlog=4096)
        said.send(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    uvloop.run(serve())


def _request(port: int, key: str, path: str, *, stream: bool) -> bytes:
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "How is the weather in Lisbon?"}]}
    more = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    body = orjson.dumps({**asked, **more})
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _stream(port: int, request: bytes, begins_in: float, late: list[float]) -> bool:
    """Whether it came whole; each chunk's lateness in ms goes to `late`."""
    await asyncio.sleep(begins_in)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    chunks, tail = 0, b""
    while data := await reader.read(65536):
        now = time.monotonic() * 1e6
        for part in data.split(_MARK)[1:]:
            late.append((now - int(part[: part.index(b",")])) / 1000)
            chunks += 1
        tail = (tail + data)[-64:]
        if tail.endswith(b"0\r\n\r\n"):
            break
    writer.close()
    return chunks == _CHUNKS + 1 and b"[DONE]" in tail


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


def _seconds_of(process: int) -> float:
    """Of processor time that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _recorded(server: Server, count: int) -> int:
    with server.client() as reader:
        deadline = time.monotonic() + 60
        while True:
            found = int(reader.get("/api/v1/metrics").json()["total_requests"])
            if found >= count or time.monotonic() > deadline:
                return found
            time.sleep(0.2)


def _measure_streams(server: Server, upstream: int, count: int, pause: float) -> Section:
    table = Section(
        f"{count:,} streams at once, {_CHUNKS} chunks each, one in {pause * 1000:.0f} ms",
        ("way", "whole", "chunks/s", "late p50 ms", "p99 ms", "most ms", f"over {_STALL_MS:.0f} ms", "gateway's CPU"),
        note=f"Load average {os.getloadavg()[0]:.1f} before. Late: from the upstream's write to the caller's read.",
    )
    assert server.process is not None
    key = server.key("gateway")
    for way, port, path in (
        ("direct", upstream, "/v1/chat/completions"),
        ("gateway", server.port, "/gateway/openai/v1/chat/completions"),
    ):
        request = _request(port, key, path, stream=True)
        uvloop.run(_streams(port, request, 20, 0.1))
        began, used = time.monotonic(), _seconds_of(server.process.pid)
        late, whole = uvloop.run(_streams(port, request, count, pause * 10))
        took = time.monotonic() - began
        share = (_seconds_of(server.process.pid) - used) / took
        stalls = sum(ms > _STALL_MS for ms in late)
        table.add(
            way, whole, len(late) / took, quantile(late, 0.5), quantile(late, 0.99), max(late), stalls, f"{share:.0%}"
        )
    recorded = _recorded(server, count + 20)
    assert recorded == count + 20, f"{recorded:,} recorded of {count + 20:,}"
    return table


def _measure_calls(server: Server, count: int) -> Section:
    table = Section("Memory over calls", ("calls", "calls/s", "server MB", "recorded"))
    request = _request(server.port, server.key("gateway"), "/gateway/openai/v1/chat/completions", stream=False)
    steps = 10
    for step in range(1, steps + 1):
        began = time.monotonic()
        uvloop.run(_calls(server.port, request, count // steps, 16))
        rate = count // steps / (time.monotonic() - began)
        made = count // steps * step
        table.add(made, rate, memory_mb(server), _recorded(server, made))
    assert table.rows[-1][3] == count // steps * steps, "recorded is not served"
    return table


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.gateway_load", description=__doc__)
    parser.add_argument("mode", choices=["streams", "calls"])
    parser.add_argument("--count", type=int, help="streams at once (default 1,000), or calls (default 100,000)")
    parser.add_argument("--pause-ms", type=float, default=250, help="between two chunks of a stream")
    options = parser.parse_args()
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    ours, theirs = multiprocessing.Pipe()
    pause = options.pause_ms / 1000
    upstream = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, pause), daemon=True)
    upstream.start()
    port = ours.recv()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="modeltraces-bench-") as directory,
            running(Path(directory) / "data") as server,
        ):
            with server.client("admin") as admin:
                made = {"name": "fake", "protocol": "openai", "base_url": f"http://127.0.0.1:{port}/v1"}
                assert admin.post("/api/v1/connections", json={**made, "models": ["*"]}).status_code == 201
            if options.mode == "streams":
                show([_measure_streams(server, port, options.count or 1_000, pause)])
            else:
                show([_measure_calls(server, options.count or 100_000)])
    finally:
        upstream.terminate()


if __name__ == "__main__":
    main()
