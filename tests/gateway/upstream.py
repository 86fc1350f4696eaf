"""A fake provider on the loopback interface, OpenAI's and Anthropic's ways; what a model's name says, it does."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

KEY = "sk-upstream-0123456789"
USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12, "prompt_tokens_details": {"cached_tokens": 4}}


@dataclass
class Upstream:
    url: str = ""
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    """(path, headers in lower case, body) of every call."""
    left: int = 0
    """Calls that were broken off by who called."""

    @property
    def last(self) -> tuple[str, dict[str, str], Any]:
        path, headers, body = self.asked[-1]
        return path, headers, orjson.loads(body) if body else None


def chunk(model: str, delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": f"{model}-2026",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more,
    }  # fmt: skip


def event(value: Any) -> bytes:
    return b"data: " + (value if isinstance(value, bytes) else orjson.dumps(value)) + b"\n\n"


async def _chat(request: web.Request, upstream: Upstream) -> web.StreamResponse:
    value = await request.json()
    model = value["model"]
    if model.startswith("status-"):
        status = int(model.removeprefix("status-"))
        return web.json_response({"error": {"message": f"no: {status}", "type": "bad", "code": "nope"}}, status=status)
    if not value.get("stream"):
        if model == "slow":
            await asyncio.sleep(30)
        message = {"role": "assistant", "content": "Größe 退款"}
        answer = {
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": f"{model}-2026",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": USAGE,
        }  # fmt: skip
        return web.json_response(answer, headers={"x-request-id": "req-up-1", "set-cookie": "a=b"})
    response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
    await response.prepare(request)
    wants_usage = bool((value.get("stream_options") or {}).get("include_usage"))
    extra = {"usage": None} if wants_usage else {}
    texts = ["Grö", "ße ", "退款", "."]
    try:
        await response.write(event(chunk(model, {"role": "assistant", "content": ""}, **extra)))
        for number, text in enumerate(texts):
            if model == "broken" and number == 2:
                assert request.transport is not None
                request.transport.abort()
                return response
            if model == "endless":
                await asyncio.sleep(0.05)
            data = event(chunk(model, {"content": text}, **extra))
            # In mid-character, as networks do.
            await response.write(data[:70])
            await response.write(data[70:])
        while model == "endless":
            await response.write(event(chunk(model, {"content": "x"}, **extra)))
            await asyncio.sleep(0.02)
        if model == "error-event":
            await response.write(event({"error": {"message": "overloaded", "type": "server_error"}}))
            return response
        await response.write(event(chunk(model, {}, "stop", **extra)))
        if wants_usage:
            await response.write(event({**chunk(model, {}), "choices": [], "usage": USAGE}))
        await response.write(event(b"[DONE]"))
    except (ConnectionResetError, asyncio.CancelledError):
        upstream.left += 1
        raise
    return response


async def _messages(request: web.Request, upstream: Upstream) -> web.StreamResponse:
    value = await request.json()
    usage = {"input_tokens": 5, "cache_read_input_tokens": 2, "output_tokens": 1}
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": value["model"],
        "content": [],
        "usage": usage,
    }
    if not value.get("stream"):
        return web.json_response({**message, "content": [{"type": "text", "text": "hello"}], "stop_reason": "end_turn"})
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    for name, data in (
        ("message_start", {"message": message}),
        ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
        ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "hel"}}),
        ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "lo"}}),
        ("content_block_stop", {"index": 0}),
        (
            "content_block_start",
            {"index": 1, "content_block": {"type": "tool_use", "id": "t1", "name": "f", "input": {}}},
        ),
        ("content_block_delta", {"index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"a":'}}),
        ("content_block_delta", {"index": 1, "delta": {"type": "input_json_delta", "partial_json": "1}"}}),
        ("content_block_stop", {"index": 1}),
        ("message_delta", {"delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 7}}),
        ("message_stop", {}),
    ):
        await response.write(b"event: " + name.encode() + b"\n" + event({"type": name, **data}))
    return response


async def _embeddings(request: web.Request, upstream: Upstream) -> web.StreamResponse:
    value = await request.json()
    data = [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}]
    return web.json_response(
        {"object": "list", "model": value["model"], "data": data, "usage": {"prompt_tokens": 2, "total_tokens": 2}}
    )


async def _files(request: web.Request, upstream: Upstream) -> web.StreamResponse:
    return web.json_response({"object": "list", "data": [{"id": "file-1"}]})


async def _by_path(request: web.Request, upstream: Upstream) -> web.StreamResponse | None:
    """What a path that begins with `/do-` asks for, whatever the call is."""
    what = request.path.split("/")[1].removeprefix("do-")
    if what.startswith("status-"):
        status, _, after = what.removeprefix("status-").partition("-")
        error = {"error": {"message": f"no: {status}", "type": "bad", "code": "nope"}}
        return web.json_response(error, status=int(status), headers={"retry-after": after} if after else {})
    assert request.transport is not None
    if what == "reset":
        request.transport.abort()
    elif what in ("silent", "head", "stall"):
        try:
            if what == "silent":
                await asyncio.sleep(30)
            response = web.StreamResponse(headers={"content-type": "text/event-stream"})
            await response.prepare(request)
            await response.write(event(chunk("m", {"content": "one"})) if what == "stall" else b"")
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            upstream.left += 1
            raise
    return None


def _operation(path: str) -> str:
    """`chat/completions` of OpenAI's way, with whatever stands before `/v1/`, or of Azure's deployments."""
    parts = path.split("/openai/deployments/")
    return parts[1].partition("/")[2] if len(parts) > 1 else path.partition("/v1/")[2]


_HANDLERS = {"chat/completions": _chat, "messages": _messages, "embeddings": _embeddings, "files": _files}


@contextmanager
def serving() -> Iterator[Upstream]:
    upstream = Upstream()
    loop = asyncio.new_event_loop()

    async def handle(request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        upstream.asked.append((request.path_qs, headers, await request.read()))
        if request.path.startswith("/do-") and (done := await _by_path(request, upstream)) is not None:
            return done
        handler = _HANDLERS.get(_operation(request.path))
        return await handler(request, upstream) if handler else web.json_response({"error": "no such path"}, status=404)

    async def start() -> web.AppRunner:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server = site._server
        assert isinstance(server, asyncio.Server)
        upstream.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return runner

    # In a thread from the start: the browser tests leave a loop running in this one.
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield upstream
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
