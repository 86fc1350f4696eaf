"""An upstream that fails at random, by its seed, and what a caller must see and a run must say of each call.

What call number n gets is a function of the seed and n alone: both sides work it out by themselves. Served in a process of
its own by `python -m tests.gateway.random_upstream`, which prints its port.
"""

import asyncio
import random
import re
import sys
from dataclasses import dataclass
from typing import Any, Final

import orjson

FAULTS: Final = (
    ("success", 40), ("stream", 30), ("status", 8), ("not json", 3), ("reset at once", 4), ("reset in body", 4),
    ("reset in stream", 4), ("error in stream", 3), ("no last event", 2), ("garbage in stream", 2),
)  # fmt: skip
_NUMBER: Final = re.compile(rb'"call (\d+)"')
_USAGE: Final = re.compile(rb'"include_usage": *true')
_WORDS: Final = ("Größe", "退款", "ok", "مرحبا", "🎉", "\\n", '"quoted"', "plain")


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens to one call."""

    fault: str
    is_stream: bool
    wants_usage: bool
    status: int
    words: tuple[str, ...]
    input_tokens: int
    comes: int
    """Of the words, how many come before it breaks."""
    cuts: int
    """Bytes of each write."""

    @property
    def text(self) -> str:
        return " ".join(self.words)


def plan_of(seed: int, number: int) -> Plan:
    chance = random.Random(f"{seed} {number}")
    fault = chance.choices([name for name, _ in FAULTS], [weight for _, weight in FAULTS])[0]
    is_stream = "stream" in fault or fault == "no last event" or (fault == "reset at once" and chance.random() < 0.5)
    words = tuple(chance.choices(_WORDS, k=chance.randint(1, 12)))
    status = chance.choice((400, 404, 429, 500, 503, 529)) if fault == "status" else 200
    return Plan(
        fault, is_stream, chance.random() < 0.5, status, words, chance.randint(1, 9999), chance.randint(0, len(words)),
        chance.choice((7, 64, 300, 100_000)),
    )  # fmt: skip


def request_of(plan: Plan, number: int) -> dict[str, Any]:
    asked: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": f"call {number}"}]}
    if plan.is_stream:
        asked["stream"] = True
        if plan.wants_usage:
            asked["stream_options"] = {"include_usage": True}
    return asked


def usage_of(plan: Plan) -> dict[str, int]:
    return {"prompt_tokens": plan.input_tokens, "completion_tokens": len(plan.words)}


def whole_body(plan: Plan) -> bytes:
    if plan.fault == "status":
        return orjson.dumps({"error": {"type": "some_error", "message": plan.text, "code": "c"}})
    if plan.fault == "not json":
        return plan.text.encode() + b"<"
    choice = {"index": 0, "message": {"role": "assistant", "content": plan.text}, "finish_reason": "stop"}
    return orjson.dumps({"id": "c", "model": "m-1", "choices": [choice], "usage": usage_of(plan)})


def events(plan: Plan, with_usage: bool) -> list[bytes]:
    """Those that come. `with_usage`: as it was asked of the upstream, or as the caller asked."""

    def event(value: Any) -> bytes:
        return b"data: " + (value if isinstance(value, bytes) else orjson.dumps(value)) + b"\n\n"

    def chunk(delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {"id": "c", "object": "chat.completion.chunk", "model": "m-1", "choices": [choice]}

    found = [event(chunk({"content": word if not at else f" {word}"})) for at, word in enumerate(plan.words)]
    if plan.fault in ("reset in stream", "error in stream", "no last event"):
        found = found[: plan.comes]
    if plan.fault == "error in stream":
        found.append(event({"error": {"message": "overloaded", "type": "server_error"}}))
    if plan.fault == "garbage in stream":
        found[plan.comes : plan.comes] = [b": ping\n\n", event(b"{not json"), b"nonsense\n\n"]
    if plan.fault in ("stream", "garbage in stream"):
        found.append(event(chunk({}, "stop")))
        if with_usage:
            found.append(event({"id": "c", "choices": [], "usage": usage_of(plan)}))
        found.append(event(b"[DONE]"))
    return found


def said_so_far(plan: Plan) -> str:
    broken = plan.fault in ("reset in stream", "error in stream", "no last event")
    return " ".join(plan.words[: plan.comes] if broken else plan.words)


class _Server(asyncio.Protocol):
    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.data = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data
        head, gap, body = self.data.partition(b"\r\n\r\n")
        if not gap:
            return
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        assert length is not None
        if len(body) < int(length[1]):
            return
        self.data = b""
        number = _NUMBER.search(body)
        assert number is not None, body
        plan = plan_of(self.seed, int(number[1]))
        self.answering = asyncio.ensure_future(self._answer(plan, _USAGE.search(body) is not None))

    async def _answer(self, plan: Plan, with_usage: bool) -> None:
        if plan.fault == "reset at once":
            self.transport.abort()
            return
        if plan.is_stream:
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
            sent = b"".join(events(plan, with_usage))
            pieces = [sent[at : at + plan.cuts] for at in range(0, len(sent), plan.cuts)]
            written = [f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces]
            breaks = plan.fault == "reset in stream"
            end = b"" if breaks else b"0\r\n\r\n"
        else:
            body = whole_body(plan)
            kind = b"text/plain" if plan.fault == "not json" else b"application/json"
            head = b"HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (plan.status, kind, len(body))
            breaks = plan.fault == "reset in body"
            sent = body[: len(body) // 2] if breaks else body
            written, end = [sent[at : at + plan.cuts] for at in range(0, len(sent), plan.cuts)], b""
        for at, piece in enumerate([head, *written, end]):
            self.transport.write(piece)
            if at % 4 == 3:
                await asyncio.sleep(0)
        if breaks:
            # What was sent before arrives before the break.
            await asyncio.sleep(0.02)
            self.transport.abort()


async def _serve(seed: int) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _Server(seed), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
