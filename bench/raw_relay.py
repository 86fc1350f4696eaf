"""A relay that passes bytes on as they come, in a process of its own: what any process between a caller and an upstream adds on a
machine, however little it does."""

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

import uvloop


class _Side(asyncio.Protocol):
    def __init__(self, other: "_Side | None" = None) -> None:
        self.other = other
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        assert self.other is not None, "the caller spoke before the upstream was reached"
        self.other.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None:
            self.other.transport.close()


def _serve(said: Connection, upstream: int) -> None:
    async def serve() -> None:
        loop = asyncio.get_running_loop()

        class Caller(_Side):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                super().connection_made(transport)
                self.transport.pause_reading()
                self.opening = loop.create_task(self._open())

            async def _open(self) -> None:
                _, self.other = await loop.create_connection(lambda: _Side(self), "127.0.0.1", upstream)
                self.transport.resume_reading()

        server = await loop.create_server(Caller, "127.0.0.1", 0)
        said.send(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    uvloop.run(serve())


@contextmanager
def running_relay(upstream: int) -> Iterator[int]:
    """Its port. `upstream`: the port that it passes on to."""
    ours, theirs = multiprocessing.Pipe()
    relay = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, upstream), daemon=True)
    relay.start()
    try:
        yield int(ours.recv())
    finally:
        relay.terminate()
