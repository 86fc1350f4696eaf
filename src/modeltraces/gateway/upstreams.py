"""The connections to all upstreams: one is opened, or taken up again, for each attempt of a call."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from yarl import URL

from modeltraces.gateway.connection import UpstreamConnection
from modeltraces.gateway.sockets import Place, SocketGuard
from modeltraces.gateway.upstream_errors import NotTaken, OverTime, Unreachable, Unsendable

_IDLE_SECONDS: Final = 60.0
"""That a connection is kept for the next call: servers close theirs after a minute or more."""
_SWEEP_SECONDS: Final = 15.0
_STAGGER_SECONDS: Final = 0.25
"""Before the next address of a name is tried beside one that has not answered (RFC 8305)."""
_SAFE_TWICE: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_BODILESS: Final = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
"""Without a body these say nothing of its length."""


class _Server(NamedTuple):
    is_secure: bool
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Limit:
    """Seconds that one attempt may take."""

    connect: float
    silent: float
    total: float


@lru_cache(maxsize=1024)
def _split(address: str) -> tuple[_Server, str, str]:
    """(server, Host, what stands behind the method)."""
    url = URL(address, encoded=True)
    if url.scheme not in ("http", "https") or not url.raw_host or url.port is None:
        raise Unsendable(address)
    return _Server(url.scheme == "https", url.raw_host, url.port), url.host_port_subcomponent or "", url.raw_path_qs


@dataclass(slots=True, eq=False)
class Upstreams:
    """One per process, on its event loop."""

    guard: SocketGuard
    _idle: dict[_Server, list[UpstreamConnection]] = field(default_factory=dict)
    _sweeping: asyncio.TimerHandle | None = None
    _tls: ssl.SSLContext | None = None

    async def send(
        self,
        method: str,
        address: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        limit: Limit,
        meanwhile: Callable[[], None],
    ) -> UpstreamConnection:
        """Until the answer's head is there. Whoever gets it gives it back. `meanwhile`: to do when the request is on its way.
        Raises UpstreamError."""
        server, host, target = _split(address)
        head = _head(method, target, host, headers, body)
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + limit.total
        while True:
            connection = self._taken(server, loop.time())
            is_old = connection is not None
            if connection is None:
                connection = await self._opened(server, loop, limit, ends_at)
            try:
                connection.send(
                    head, body, has_body=method != "HEAD", silent_seconds=limit.silent, ends_at=ends_at
                )  # fmt: skip
                meanwhile()
                await connection.head()
            except BaseException as error:
                connection.close()
                # It had been closed while nobody asked. What may not be done twice is not: it may have been read.
                if is_old and method in _SAFE_TWICE and isinstance(error, Exception) and connection.has_said_nothing:
                    continue
                raise
            return connection

    def give_back(self, server_address: str, connection: UpstreamConnection) -> None:
        """The exchange is over, whether it came to its end or not."""
        connection.end()
        if connection.is_reusable:
            self._idle.setdefault(_split(server_address)[0], []).append(connection)
            if self._sweeping is None:
                self._sweeping = asyncio.get_running_loop().call_later(_SWEEP_SECONDS, self._sweep)

    def close(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        for connections in self._idle.values():
            for one in connections:
                one.close()
        self._idle.clear()

    def _taken(self, server: _Server, now: float) -> UpstreamConnection | None:
        """The one that was used last: the others grow old and are closed."""
        idle = self._idle.get(server)
        while idle:
            connection = idle.pop()
            if connection.is_reusable and now - connection.idle_since < _IDLE_SECONDS:
                return connection
            connection.close()
        return None

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        oldest = loop.time() - _IDLE_SECONDS
        for server, connections in tuple(self._idle.items()):
            kept = [one for one in connections if one.is_reusable and one.idle_since > oldest]
            for one in connections:
                if one not in kept:
                    one.close()
            if kept:
                self._idle[server] = kept
            else:
                del self._idle[server]
        self._sweeping = loop.call_later(_SWEEP_SECONDS, self._sweep) if self._idle else None

    async def _opened(
        self, server: _Server, loop: asyncio.AbstractEventLoop, limit: Limit, ends_at: float
    ) -> UpstreamConnection:
        seconds = min(limit.connect, ends_at - loop.time())
        try:
            async with asyncio.timeout(seconds):
                opened = await self._first_open(await _places(server, loop), loop)
                try:
                    _, connection = await loop.create_connection(
                        lambda: UpstreamConnection(loop),
                        sock=opened,
                        ssl=self._context if server.is_secure else None,
                        server_hostname=server.host.rstrip(".") if server.is_secure else None,
                    )
                except BaseException:
                    opened.close()
                    raise
                return connection
        except TimeoutError as error:
            raise (NotTaken() if seconds == limit.connect else OverTime()) from error
        except OSError as error:
            raise Unreachable(error) from error
        except UnicodeError as error:
            raise Unreachable(socket.gaierror(socket.EAI_NONAME, "the name is none")) from error

    @property
    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls

    async def _first_open(self, places: Sequence[Place], loop: asyncio.AbstractEventLoop) -> socket.socket:
        """Connected to the first that answers, each a moment after the one before. Raises OSError."""
        left = list(places)
        trying: set[asyncio.Task[socket.socket]] = set()
        error: BaseException | None = None
        try:
            while left or trying:
                if left:
                    trying.add(asyncio.ensure_future(self._open(left.pop(0), loop)))
                wait = _STAGGER_SECONDS if left else None
                done, trying = await asyncio.wait(trying, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    if (failure := task.exception()) is None:
                        trying |= done - {task}
                        return task.result()
                    error = error or failure
        finally:
            for task in trying:
                task.add_done_callback(_close)
                task.cancel()
        raise error or OSError("no address")

    async def _open(self, place: Place, loop: asyncio.AbstractEventLoop) -> socket.socket:
        opened = self.guard.open(place)
        try:
            opened.setblocking(False)
            with suppress(OSError):
                opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(opened, place[4])
        except BaseException:
            opened.close()
            raise
        return opened


async def _places(server: _Server, loop: asyncio.AbstractEventLoop) -> Sequence[Place]:
    """Where a host is, the two kinds of addresses by turns. Raises OSError."""
    with suppress(ValueError):
        literal = ipaddress.ip_address(server.host)
        if literal.version == 4:
            return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (server.host, server.port))]
    found: Sequence[Place] = await loop.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
    first = [one for one in found if one[0] == found[0][0]]
    second = [one for one in found if one[0] != found[0][0]]
    mixed = [one for pair in zip(first, second, strict=False) for one in pair]
    return [*mixed, *first[len(second) :], *second[len(first) :]]


def _close(task: "asyncio.Task[socket.socket]") -> None:
    """One that came too late."""
    if not task.cancelled() and task.exception() is None:
        task.result().close()


def _head(method: str, target: str, host: str, headers: Sequence[tuple[str, str]], body: bytes) -> bytes:
    """Raises Unsendable for what would be read as more than one request."""
    lines = [f"{method} {target} HTTP/1.1", f"host: {host}", *[f"{name}: {value}" for name, value in headers]]
    if body or method not in _BODILESS:
        lines.append(f"content-length: {len(body)}")
    text = "\r\n".join(lines)
    breaks = len(lines) - 1
    if text.count("\n") != breaks or text.count("\r") != breaks or "\0" in text or target.count(" "):
        raise Unsendable(method)
    return text.encode() + b"\r\n\r\n"
