"""Where bodies are decoded: small ones at once, others in processes of their own, huge ones here, one at a time.

Python decodes on one core a process: in the server's own it takes that core from the pages and from the commits
(`docs/decisions/0005-decoding-processes.md`).
"""

import asyncio
import pickle
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar, cast

import anyio.to_process
import anyio.to_thread
import structlog
from anyio import BrokenWorkerProcess, CapacityLimiter

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger(__name__)

_INLINE_BYTES: Final = 16 << 10
"""Bodies up to this are decoded on the event loop: handing them over would take longer."""
_HEAVY_BYTES: Final = 8 << 20
"""Bodies over this are decoded one at a time: unfolded they take several times their size."""


@dataclass(slots=True)
class Decoders:
    processes: int
    """How many decode at once; with 0, threads of this process do."""
    _process_limiter: CapacityLimiter = field(init=False)
    _threads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(2))
    _heavy: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(1))

    def __post_init__(self) -> None:
        self._process_limiter = CapacityLimiter(max(1, self.processes))

    async def run(self, decode: Callable[P, T], size: int, /, *args: P.args, **kwargs: P.kwargs) -> T:
        """`decode(*args)`, a function of `decoding.py`, of a body of `size` bytes. Raises what it raises."""
        if size <= _INLINE_BYTES:
            return decode(*args, **kwargs)
        read = partial(decode, *args, **kwargs)
        if size > _HEAVY_BYTES:
            return await anyio.to_thread.run_sync(read, limiter=self._heavy)
        if self.processes:
            try:
                # Shielded: a sender that leaves would end the process that decodes for it.
                return await asyncio.shield(self._in_process(read))
            except (BrokenWorkerProcess, OSError) as error:
                log.warning("a decoding process failed; its request is decoded here", error=repr(error))
        return await anyio.to_thread.run_sync(read, limiter=self._threads)

    async def _in_process(self, read: Callable[[], T]) -> T:
        packed = await anyio.to_process.run_sync(_packed, read, limiter=self._process_limiter)
        return cast(T, await anyio.to_thread.run_sync(pickle.loads, packed, limiter=self._threads))


def _packed(read: Callable[[], Any]) -> bytes:
    """Runs in a process of its own. Packed here, so that the other side can unpack it off its event loop."""
    # Ctrl-C reaches the whole group; the server decides when its processes end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return pickle.dumps(read(), pickle.HIGHEST_PROTOCOL)
