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
    _waiting: "set[_Waiting]" = field(default_factory=set)

    def stop(self) -> None:
        """Nothing was begun for who is waited for: what they hold up is the server's end. May be called by a signal's handler."""
        self.stopping = True
        for one in tuple(self._waiting):
            if not one.loop.is_closed():
                one.loop.call_soon_threadsafe(one.give_up)


class _Waiting:
    """For one piece. `asyncio.timeout` does the same, and takes some ten microseconds of every call."""

    __slots__ = ("gave_up", "loop", "task")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.task = asyncio.current_task(loop)
        self.gave_up = False

    def give_up(self) -> None:
        if self.task is not None and not self.gave_up:
            self.gave_up = True
            self.task.cancel()


class Arrival:
    """One body's."""

    __slots__ = ("_arrivals", "_latest", "_loop")

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._loop = asyncio.get_running_loop()
        self._latest = self._loop.time() + arrivals.idle_seconds * _MOST_IDLES

    async def piece(self, coming: Awaitable[T]) -> T:
        """The next one, when it is there. Raises NotComing."""
        arrivals, loop = self._arrivals, self._loop
        waiting = _Waiting(loop)
        # First: a signal may come between the two.
        arrivals._waiting.add(waiting)
        until = 0.0 if arrivals.stopping else min(loop.time() + arrivals.idle_seconds, self._latest)
        timer = loop.call_at(until, waiting.give_up)
        try:
            return await coming
        except asyncio.CancelledError:
            if waiting.gave_up and waiting.task is not None and not waiting.task.uncancel():
                raise self._not_coming() from None
            raise
        finally:
            waiting.task = None
            timer.cancel()
            arrivals._waiting.discard(waiting)

    def _not_coming(self) -> NotComing:
        if self._arrivals.stopping:
            return NotComing(503, "The server is being stopped, and the body was not whole. Send it again.")
        seconds = self._arrivals.idle_seconds
        idle = f"{seconds:g} second{'' if seconds == 1 else 's'}"
        return NotComing(
            408, f"The body stopped coming for {idle}, or took {_MOST_IDLES} times as long in all. Send it again."
        )
