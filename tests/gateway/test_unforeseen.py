"""What nobody foresaw: the caller sees the call fail, and there is one run that says so."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.types import Message

from modeltraces.catalog.key_authenticator import KeyIdentity
from modeltraces.gateway.asked import Asked
from modeltraces.gateway.calls import call_of
from modeltraces.gateway.forwarding import Forwarding
from modeltraces.gateway.relay import Relay
from modeltraces.gateway.routing import Router
from modeltraces.gateway.targets import Target
from modeltraces.gateway.timeouts import Timeouts
from modeltraces.gateway.usage import UsageAsking
from modeltraces.http_protocol import ABORT
from modeltraces.ingest.recordings import Limits

KEY = KeyIdentity("k", "account", "key", frozenset({"gateway"}), "", "", None)
TARGET = Target("m", "", "c", "", "openai", "http://127.0.0.1:9", "m", None)


@pytest.mark.parametrize("place", ["start", "body"])
def test_it_is_recorded_once_as_a_failure_of_the_gateway(place: str) -> None:
    recorded: list[Any] = []
    aborted: list[bool] = []

    async def send(message: Message) -> None:
        if message["type"].endswith(place):
            raise RuntimeError("nobody foresaw this")

    coming = iter((b"{", b"}"))

    async def read() -> bytes:
        return next(coming, b"")

    async def ask(*args: Any) -> Any:
        kind = ((b"Content-Type", b"application/json"),)
        return SimpleNamespace(status=200, headers=kind, read=read, may_be_silent=lambda seconds: None)

    given_back: list[Any] = []
    upstreams = SimpleNamespace(send=ask, give_back=lambda address, answer: given_back.append(answer))

    call = call_of("openai", "POST", "chat/completions")
    asked = Asked("openai", "POST", "chat/completions", "", [], call, b'{"model":"m"}', {"model": "m"})
    exchange = asked.exchange(KEY, TARGET)
    timeouts = Timeouts(1, 1, 1, 1)
    recorder = SimpleNamespace(record=lambda exchange, outcome: recorded.append(exchange.run(outcome, Limits())))
    scope = {"type": "http", "extensions": {ABORT: {"now": lambda: aborted.append(True)}}}
    forwarding = Forwarding(
        cast(Any, upstreams), timeouts, Router(), UsageAsking(), "account", asked, lambda target: "",
        exchange, Relay(cast(Any, recorder), timeouts, exchange, call, scope, send),
        False,
    )  # fmt: skip
    with pytest.raises(RuntimeError, match="nobody foresaw"):
        asyncio.run(forwarding.run([TARGET]))
    (run,) = recorded
    assert (run.status, run.error_type, run.error_message) == (
        "failed", "gateway", "The gateway failed in the middle of the call.",
    )  # fmt: skip
    assert aborted == ([True] if place == "body" else [])
    assert len(given_back) == 1
