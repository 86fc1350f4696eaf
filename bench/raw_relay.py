"""A relay that passes bytes on as they come, in a process of its own: what any process between a caller and an upstream adds on a
machine, however little it does."""

import asyncio
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection

import uvloop

from bench.raw_upstream import listening


class _Side(asyncio.Protocol):
    def __init__(self, other: "_Side | None" = None) -> None:
        self.other = other
        self.early = b""
        """What came before there was another side."""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self.early += data
        else:
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
                self.opening = loop.create_task(self._open())

            async def _open(self) -> None:
                _, self.other = await loop.create_connection(lambda: _Side(self), "127.0.0.1", upstream)
                self.other.transport.write(self.early)

        server = await loop.create_server(Caller, "127.0.0.1", 0)
        said.send(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    uvloop.run(serve())


def running_relay(upstream: int) -> AbstractContextManager[int]:
    """Its port. `upstream`: the port that it passes on to."""
    return listening(_serve, upstream)
