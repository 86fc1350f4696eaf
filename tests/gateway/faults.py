"""What calls of the tests of faults say, what a well-behaved upstream answers, and the run that came of it."""

import asyncio
import json
import time
from typing import Any

import httpx

from tests.gateway.raw import chunked

CHAT = "/gateway/openai/v1/chat/completions"
LIMIT = 1 << 20
USAGE = {"prompt_tokens": 9, "completion_tokens": 3}
SSE = chunked("text/event-stream")


def ask(**more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": "hi"}], **more}


def only_run(reader: httpx.Client) -> dict[str, Any]:
    deadline = time.monotonic() + 10
    while len(runs := reader.get("/api/v1/runs").json()["runs"]) != 1:
        assert time.monotonic() < deadline, runs
        time.sleep(0.03)
    found: dict[str, Any] = reader.get(f"/api/v1/runs/{runs[0]['request_id']}").json()
    return found


def said(text: str, **more: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return json.dumps({"id": "c1", "model": "m-1", "choices": [choice], "usage": USAGE, **more}).encode()


def event(text: str, finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    chunk = {"id": "c1", "object": "chat.completion.chunk", "model": "m-1", "choices": [choice], **more}
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"


def received(caller: httpx.Client, body: dict[str, Any]) -> tuple[bytes, bool]:
    """What came of a stream, and whether it came to its end."""
    got = b""
    with caller.stream("POST", CHAT, json=body) as answer:
        try:
            for part in answer.iter_raw():
                got += part
        except (httpx.RemoteProtocolError, httpx.ReadError):
            return got, False
    return got, True


async def forever() -> None:
    await asyncio.sleep(60)
