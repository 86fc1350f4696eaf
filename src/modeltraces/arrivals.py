"""Bodies on their way in: one that stops coming is let go, and all are when the server is stopped, whatever they were sent to."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Final, TypeVar

T = TypeVar("T")

_MOST_IDLES: Final = 10
"""A body may take so many times the idle seconds in all: a sender of one byte now and then is no better than none."""


class NotComing(Exception):
    """The rest of the body is not waited for; the text says why. `status`: 408, or 503 where the server is being stopped."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.headers = {"Connection": "close", **({"Retry-After": "2"} if status == 503 else {})}


@dataclass(slots=True)
class Arrivals:
    """One per process."""

    idle_seconds: float
    """That a body may stop coming."""
    stopping: bool = False
    _waiting: dict[asyncio.Timeout, asyncio.AbstractEventLoop] = field(default_factory=dict)

    def stop(self) -> None:
        """Nothing was begun for who is waited for: what they hold up is the server's end. May be called by a signal's handler."""
        self.stopping = True
        for timeout, loop in tuple(self._waiting.items()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._let_go, timeout)

    def _let_go(self, timeout: asyncio.Timeout) -> None:
        if timeout in self._waiting:
            timeout.reschedule(0)


class Arrival:
    """One body's."""

    __slots__ = ("_arrivals", "_latest", "_loop")

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._loop = asyncio.get_running_loop()
        self._latest = self._loop.time() + arrivals.idle_seconds * _MOST_IDLES

    async def piece(self, coming: Awaitable[T]) -> T:
        """The next one, when it is there. Raises NotComing."""
        arrivals = self._arrivals
        until = 0.0 if arrivals.stopping else min(self._loop.time() + arrivals.idle_seconds, self._latest)
        timeout = asyncio.timeout_at(until)
        try:
            async with timeout:
                arrivals._waiting[timeout] = self._loop
                try:
                    return await coming
                finally:
                    del arrivals._waiting[timeout]
        except TimeoutError as error:
            if arrivals.stopping:
                raise NotComing(
                    503, "The server is being stopped, and the body was not whole. Send it again."
                ) from error
            idle = f"{arrivals.idle_seconds:g} second{'' if arrivals.idle_seconds == 1 else 's'}"
            raise NotComing(
                408, f"The body stopped coming for {idle}, or took {_MOST_IDLES} times as long in all. Send it again."
            ) from error
