"""What a call through the gateway costs beside the same call made directly, plain and streamed; and that each is recorded.

`python -m bench.gateway`. The fake upstream has a process of its own, the caller another: all share the machine's cores.
"""

import argparse
import asyncio
import itertools
import multiprocessing
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path

import aiohttp
import orjson
from aiohttp import web

from bench.gateway_rate import measure
from bench.peer_proxies import KEY, litellm
from bench.results import Section, machine, quantile, show
from bench.server import memory_mb, running

_CHUNKS = 50
_PLAIN: dict[str, object] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "How is the weather in Lisbon? " * 8}],
}
_STREAMED = {**_PLAIN, "stream": True, "stream_options": {"include_usage": True}}
_USAGE = {"prompt_tokens": 60, "completion_tokens": _CHUNKS, "total_tokens": 60 + _CHUNKS}
_ids = itertools.count()


def _event(answer_id: str, delta: dict[str, str], finish: str | None = None) -> bytes:
    chunk = {
        "id": answer_id, "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }  # fmt: skip
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


async def _answer(request: web.Request) -> web.StreamResponse:
    asked = orjson.loads(await request.read())
    answer_id = f"chatcmpl-{next(_ids)}"
    if not asked.get("stream"):
        message = {"role": "assistant", "content": "It is 18 degrees and sunny in Lisbon. " * 6}
        body = {
            "id": answer_id, "object": "chat.completion", "created": 1, "model": "gpt-4o",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": _USAGE,
        }  # fmt: skip
        return web.Response(body=orjson.dumps(body), content_type="application/json")
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    for _ in range(_CHUNKS):
        await response.write(_event(answer_id, {"content": "word "}))
        await asyncio.sleep(0)
    await response.write(_event(answer_id, {}, "stop"))
    await response.write(
        b"data: " + orjson.dumps({"id": answer_id, "choices": [], "usage": _USAGE}) + b"\n\ndata: [DONE]\n\n"
    )
    return response


def _upstream(said: Connection) -> None:
    async def serve() -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", _answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server = site._server
        assert isinstance(server, asyncio.Server)
        said.send(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    asyncio.run(serve())


async def _calls(
    url: str, headers: dict[str, str], body: Mapping[str, object], concurrent: int, count: int
) -> list[float]:
    """Milliseconds of each call; with a stream, until its end."""
    times: list[float] = []
    left = iter(range(count))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers) as session:

        async def caller() -> None:
            for _ in left:
                began = time.perf_counter()
                async with session.post(url, json=body) as answer:
                    assert answer.status == 200, await answer.text()
                    await answer.read()
                times.append((time.perf_counter() - began) * 1000)

        await asyncio.gather(*(caller() for _ in range(concurrent)))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.gateway", description=__doc__)
    parser.add_argument("--calls", type=int, default=2_000)
    parser.add_argument(
        "--litellm", type=Path, help="the executable of LiteLLM's proxy, measured beside it on the same work"
    )
    parser.add_argument(
        "--rate", type=float, help="calls a second at instants of their own, instead of callers without a pause"
    )
    parser.add_argument("--turns", type=int, default=8, help="of two seconds for each way, with --rate")
    options = parser.parse_args()
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    if options.rate:
        with (
            tempfile.TemporaryDirectory(prefix="modeltraces-bench-") as directory,
            running(Path(directory) / "data") as server,
        ):
            show([measure(server, options.rate, options.turns)])
        return
    ours, theirs = multiprocessing.Pipe()
    upstream = multiprocessing.get_context("spawn").Process(target=_upstream, args=(theirs,), daemon=True)
    upstream.start()
    direct = f"http://127.0.0.1:{ours.recv()}/v1"
    table = Section(
        "Calls directly and through the gateway",
        ("call", "concurrent", "way", "p50 ms", "p99 ms", "calls/s"),
        note="The upstream, the gateway and the caller share the cores.",
    )
    with (
        tempfile.TemporaryDirectory(prefix="modeltraces-bench-") as directory,
        running(Path(directory) / "data") as server,
        ExitStack() as peers,
    ):
        with server.client("admin") as admin:
            made = {"name": "fake", "protocol": "openai", "base_url": direct}
            assert admin.post("/api/v1/connections", json=made).status_code == 201
        through = {"authorization": f"Bearer {server.key('gateway')}"}
        no_headers: dict[str, str] = {}
        ways = [("direct", direct, no_headers), ("gateway", f"{server.url}/gateway/openai/v1", through)]
        if options.litellm:
            address = peers.enter_context(litellm(options.litellm, direct))
            ways.append(("litellm", address, {"authorization": f"Bearer {KEY}"}))
        served = 0
        for name, body in (("plain", _PLAIN), (f"stream of {_CHUNKS} chunks", _STREAMED)):
            for concurrent in (1, 16, 64):
                count = options.calls // (5 if concurrent == 1 else 1) // (1 if body is _PLAIN else 4)
                for way, base, headers in ways:
                    url = f"{base}/chat/completions"
                    asyncio.run(_calls(url, headers, body, concurrent, 20))
                    began = time.perf_counter()
                    times = asyncio.run(_calls(url, headers, body, concurrent, count))
                    rate = count / (time.perf_counter() - began)
                    table.add(name, concurrent, way, quantile(times, 0.5), quantile(times, 0.99), rate)
                    served += (count + 20) if way == "gateway" else 0
        with server.client() as reader:
            deadline = time.monotonic() + 60
            while (
                recorded := reader.get("/api/v1/metrics").json()["total_requests"]
            ) < served and time.monotonic() < deadline:
                time.sleep(0.2)
        show([table])
        print(f"served {served:,}, recorded {recorded:,}; server {memory_mb(server):.0f} MB")
        assert recorded == served
    upstream.terminate()


if __name__ == "__main__":
    main()
