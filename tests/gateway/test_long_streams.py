"""A stream without end: it passes, and what is kept of it to be recorded has an end."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest
from starlette.types import Message

from modeltraces.catalog.key_authenticator import KeyIdentity
from modeltraces.gateway import relay as module
from modeltraces.gateway.calls import Call, call_of
from modeltraces.gateway.exchange import Exchange
from modeltraces.gateway.reading.outcome import Outcome
from modeltraces.gateway.relay import Relay
from modeltraces.gateway.targets import Family, Target

KEY = KeyIdentity("k", "account", "key", frozenset({"gateway"}), "", "", None)
TARGET = Target("m", "", "c", "", "openai", "http://127.0.0.1:9", "m", None)
LIMIT = 2_000


def chat(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def tool(arguments: str) -> dict[str, Any]:
    return chat({"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]})


def block(delta: dict[str, Any]) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": delta}


CASES: dict[str, tuple[Family, str, dict[str, Any], list[Any]]] = {
    "text": (
        "openai", "chat/completions", chat({"content": "word "}),
        [chat({}, "stop"), {"choices": [], "usage": {"completion_tokens": 7}}, b"[DONE]"],
    ),
    "a tool's arguments": (
        "openai", "chat/completions", tool("word "),
        [chat({}, "tool_calls"), {"choices": [], "usage": {"completion_tokens": 7}}, b"[DONE]"],
    ),
    "a message": (
        "anthropic", "messages", block({"type": "text_delta", "text": "word "}),
        [{"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}, {"type": "message_stop"}],
    ),
    "a response": (
        "openai", "responses", {"type": "response.output_text.delta", "delta": "word "},
        [{"type": "response.completed", "response": {"status": "completed", "usage": {"output_tokens": 7}}}],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_it_passes_whole_and_is_kept_as_far_as_it_may_with_its_end(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RECORDED_BYTES", LIMIT)
    family, path, each, last = CASES[case]
    call = call_of(family, "POST", path)
    assert call is not None
    events = [
        b"data: " + (one if isinstance(one, bytes) else orjson.dumps(one)) + b"\n\n" for one in [each] * 1000 + last
    ]
    passed, outcome = passed_on(call, events)
    assert passed == b"".join(events)
    assert outcome.is_complete
    assert outcome.output_tokens == 7
    assert len(outcome.finish_reasons) == 1
    kept = orjson.dumps(outcome.response)
    assert 5 < kept.count(b"word ") < 100
    assert len(kept) < LIMIT


def passed_on(call: Call, events: list[bytes]) -> tuple[bytes, Outcome]:
    sent: list[bytes] = []
    recorded: list[Outcome] = []

    async def send(message: Message) -> None:
        sent.append(message.get("body", b""))

    coming = iter(events)

    async def read() -> bytes:
        return next(coming, b"")

    answer = SimpleNamespace(
        status=200, headers=((b"Content-Type", b"text/event-stream"),), read=read, may_be_silent=lambda seconds: None
    )
    relay = Relay(
        cast(Any, SimpleNamespace(record=lambda exchange, outcome: recorded.append(outcome))),
        cast(Any, SimpleNamespace(idle=1.0)),
        Exchange(KEY, "chat", "m", TARGET, {}, True), call, {"type": "http"}, send,
    )  # fmt: skip
    asyncio.run(relay.pass_on(cast(Any, answer), False))
    (outcome,) = recorded
    return b"".join(sent), outcome
