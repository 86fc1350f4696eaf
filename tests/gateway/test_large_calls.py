"""A call of many megabytes is recorded while other calls go on; in what order they end tells, not how long they take."""

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.types import Message

from modeltraces.catalog.key_authenticator import KeyIdentity
from modeltraces.gateway.asked import Asked
from modeltraces.gateway.calls import call_of
from modeltraces.gateway.relay import Relay
from modeltraces.gateway.targets import Target

KEY = KeyIdentity("k", "account", "key", frozenset({"gateway"}), "", "", None)
TARGET = Target("m", "", "c", "", "openai", "http://127.0.0.1:9", "m", None)
LARGE, SMALL = 10 << 20, 100


class Recorder:
    """Takes its time with the first call that it is given, until it is let go."""

    def __init__(self) -> None:
        self.recorded: list[tuple[int, bool]] = []
        self.is_recording, self.may_end = threading.Event(), threading.Event()
        self._threads = ThreadPoolExecutor(1)

    def record(self, exchange: Any, outcome: Any) -> None:
        if exchange.request_bytes > SMALL:
            self.is_recording.set()
            assert self.may_end.wait(20), "nobody else could go on"
        self.recorded.append((exchange.request_bytes, exchange.has_client_left))

    def later(self, record: Any) -> "Future[None]":
        return self._threads.submit(record)

    def close(self) -> None:
        self._threads.shutdown(wait=True)


def passing(recorder: Recorder, size: int, sent: list[bytes]) -> Any:
    async def send(message: Message) -> None:
        sent.append(message.get("body", b""))

    async def pieces() -> AsyncIterator[bytes]:
        yield b"{"
        yield b"}"

    coming = pieces()

    async def read() -> bytes:
        return await anext(coming, b"")

    answer = SimpleNamespace(
        status=200, headers=((b"Content-Type", b"application/json"),), read=read, may_be_silent=lambda seconds: None
    )
    call = call_of("openai", "POST", "chat/completions")
    asked = Asked("openai", "POST", "chat/completions", "", [], call, b"x" * size, {"model": "m"})
    timeouts = cast(Any, SimpleNamespace(idle=1.0))
    relay = Relay(cast(Any, recorder), timeouts, asked.exchange(KEY, TARGET), call, {"type": "http"}, send)
    return relay, relay.pass_on(cast(Any, answer), False)


async def until(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 20)


def test_others_end_while_it_is_recorded_and_its_own_end_waits_for_that() -> None:
    recorder = Recorder()

    async def go() -> None:
        sent: list[bytes] = []
        large = asyncio.ensure_future(passing(recorder, LARGE, sent)[1])
        await until(recorder.is_recording)
        for _ in range(50):
            await passing(recorder, SMALL, [])[1]
        assert recorder.recorded == [(SMALL, False)] * 50
        assert not large.done()
        assert b"}" not in b"".join(sent), "it is on disk before its caller sees the end"
        recorder.may_end.set()
        await large
        assert b"".join(sent) == b"{}"

    asyncio.run(go())
    recorder.close()
    assert recorder.recorded[50:] == [(LARGE, False)]


@pytest.mark.parametrize("when", ["waiting", "being recorded"])
def test_one_whose_caller_leaves_is_recorded_once(when: str) -> None:
    recorder = Recorder()

    async def go() -> None:
        first = asyncio.ensure_future(passing(recorder, LARGE, [])[1])
        await until(recorder.is_recording)
        relay, work = passing(recorder, LARGE + 1, [])
        second = asyncio.ensure_future(work) if when == "waiting" else first
        await asyncio.sleep(0)
        second.cancel()
        with suppress(asyncio.CancelledError):
            await second
        relay.record(client_left=True)
        recorder.may_end.set()
        with suppress(asyncio.CancelledError):
            await first
        work.close()

    asyncio.run(go())
    recorder.close()
    assert [size for size, _ in recorder.recorded] == [LARGE, LARGE + 1]
