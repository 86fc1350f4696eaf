"""A call that this server makes itself: through the same gateway as everybody's, without a connection in between."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from typing import Any, Final

from starlette.types import Message

from modeltraces.catalog.key_authenticator import KeyIdentity
from modeltraces.gateway.headers import Headers
from modeltraces.gateway.proxy import Gateway
from modeltraces.http_protocol import ABORT

_AHEAD: Final = 64
"""Messages that may wait for who reads; then the upstream is held back."""
_END_SECONDS: Final = 5.0
_under_way: "set[asyncio.Task[None]]" = set()
"""An event loop forgets tasks that nobody holds."""


class BrokenOff(Exception):
    """The answer had begun, and has no end."""


async def call_inside(
    gateway: Gateway, key: KeyIdentity, path: str, headers: Headers, body: bytes
) -> AsyncIterator[Message]:
    """What the caller would get: the answer's head and pieces, as ASGI says them. Raises BrokenOff.

    Who stops reading is a caller that left.
    """
    messages: asyncio.Queue[Message] = asyncio.Queue(_AHEAD)
    left = asyncio.Event()
    asked = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if asked:
            return asked.pop()
        await left.wait()
        return {"type": "http.disconnect"}

    task = asyncio.create_task(gateway.call(key, _scope(path, headers), receive, messages.put))
    _under_way.add(task)
    task.add_done_callback(_ended)
    try:
        while True:
            getting = asyncio.ensure_future(messages.get())
            await asyncio.wait({getting, task}, return_when=asyncio.FIRST_COMPLETED)
            if not getting.done():
                getting.cancel()
                raise BrokenOff
            message = getting.result()
            is_last = message["type"] == "http.response.body" and not message.get("more_body", False)
            if is_last:
                # It is being counted: not a caller that left.
                await asyncio.wait({task}, timeout=_END_SECONDS)
            yield message
            if is_last:
                return
    finally:
        left.set()


def _scope(path: str, headers: Headers) -> MutableMapping[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "client": None,
        "server": None,
        # There is nothing to abort: that the end is missing says it.
        "extensions": {ABORT: {"now": lambda: None}},
    }


def _ended(task: "asyncio.Task[None]") -> None:
    _under_way.discard(task)
    if not task.cancelled():
        # Told to who reads by the missing end; asked for here, so that the loop does not complain.
        task.exception()
