"""A fake provider on raw sockets, in a process of its own: what it costs is taken from the gateway, as all share the machine's cores.

A chunk of a stream bears the instant at which it was written, so that its lateness is known where it arrives. A call that is not
streamed is answered after as many milliseconds as its header `x-answer-ms` says, else at once. Each answer has an id of its own, as
those of providers have: by one id for all, every call would be looked up as another recording of all the others.
"""

import asyncio
import itertools
import multiprocessing
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from multiprocessing.connection import Connection
from typing import Final, TypeVar

import orjson
import uvloop

from tests.support.server import Server

T = TypeVar("T")

CHUNKS: Final = 50
MARK: Final = b'"at":'
_USAGE: Final = {"prompt_tokens": 60, "completion_tokens": CHUNKS}
_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_ANSWER_MS: Final = re.compile(rb"x-answer-ms: (\d+)", re.IGNORECASE)


def _framed(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


_ids: Final = itertools.count()


def _event(answer_id: str, delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {"at": round(time.monotonic() * 1e6), "id": answer_id, "model": "gpt-4o", "choices": [choice]}
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


def _last(answer_id: str) -> bytes:
    return b"data: " + orjson.dumps({"id": answer_id, "choices": [], "usage": _USAGE}) + b"\n\ndata: [DONE]\n\n"


_NUMBER: Final = b"000000000000"
_WHOLE: Final = orjson.dumps(
    {
        "id": f"chatcmpl-{_NUMBER.decode()}",
        "model": "gpt-4o",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "fine"}, "finish_reason": "stop"}],
        "usage": _USAGE,
    }
)
_PLAIN: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
    len(_WHOLE),
    _WHOLE,
)


def _plain() -> bytes:
    return _PLAIN.replace(_NUMBER, b"%012d" % next(_ids), 1)


class _Upstream(asyncio.Protocol):
    def __init__(self, pause: float) -> None:
        self.pause, self.data = pause, b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.data += data
        head, gap, body = self.data.partition(b"\r\n\r\n")
        if not gap or not body.endswith(b"}"):
            return
        self.data = b""
        if b'"stream":true' in body:
            asyncio.get_running_loop().call_soon(self._chunk, f"chatcmpl-{next(_ids)}", 0)
        elif asked := _ANSWER_MS.search(head):
            asyncio.get_running_loop().call_later(int(asked[1]) / 1000, self.transport.write, _plain())
        else:
            self.transport.write(_plain())

    def _chunk(self, answer_id: str, number: int) -> None:
        if number == CHUNKS:
            self.transport.write(_framed(_event(answer_id, {}, "stop") + _last(answer_id)) + b"0\r\n\r\n")
            return
        self.transport.write((_HEAD if number == 0 else b"") + _framed(_event(answer_id, {"content": "word "})))
        asyncio.get_running_loop().call_later(self.pause, self._chunk, answer_id, number + 1)


def _serve(said: Connection, pause: float) -> None:
    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Upstream(pause), "127.0.0.1", 0, backlog=4096)
        said.send(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    uvloop.run(serve())


def request_of(port: int, key: str, path: str, *, stream: bool = False, answer_ms: int = 0) -> bytes:
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "How is the weather in Lisbon?"}]}
    more = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    body = orjson.dumps({**asked, **more})
    wait = f"X-Answer-Ms: {answer_ms}\r\n" if answer_ms else ""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\n"
        f"{wait}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@contextmanager
def listening(serve: Callable[[Connection, T], None], given: T) -> Iterator[int]:
    """The port that `serve(said, given)`, in a process of its own, says."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, given), daemon=True)
    process.start()
    try:
        yield int(ours.recv())
    finally:
        process.terminate()


def running_upstream(pause: float = 0.0) -> AbstractContextManager[int]:
    """Its port. `pause`: seconds between two chunks of a stream."""
    return listening(_serve, pause)


def connect(server: Server, port: int) -> None:
    """Have the server's default account call the provider for every model."""
    with server.client("admin") as admin:
        made = {"name": "fake", "protocol": "openai", "base_url": f"http://127.0.0.1:{port}/v1", "models": ["*"]}
        assert admin.post("/api/v1/connections", json=made).status_code == 201


def recorded(server: Server, count: int) -> int:
    """How many runs the account has, when it has as many as that or a minute has gone."""
    with server.client() as reader:
        deadline = time.monotonic() + 60
        while True:
            found = int(reader.get("/api/v1/metrics").json()["total_requests"])
            if found >= count or time.monotonic() > deadline:
                return found
            time.sleep(0.2)
