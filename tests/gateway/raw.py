"""An upstream of raw bytes in a thread of its own, so that it can misbehave in every way, one way a test; and a raw caller."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Answer = Callable[["Conversation"], Awaitable[None]]


@dataclass
class Conversation:
    head: bytes
    body: bytes
    writer: asyncio.StreamWriter
    upstream: "RawUpstream"

    @property
    def first_line(self) -> str:
        return self.head.partition(b"\r\n")[0].decode()

    def header(self, name: str) -> list[str]:
        lines = [line.partition(b":") for line in self.head.split(b"\r\n")[1:]]
        return [value.decode("latin-1").strip() for key, _, value in lines if key.lower() == name.lower().encode()]

    async def send(self, *pieces: bytes, pause: float = 0.01) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            self.upstream.sent += len(piece)
            if pause:
                await asyncio.sleep(pause)

    def reset(self) -> None:
        self.writer.transport.abort()


@dataclass
class RawUpstream:
    url: str = ""
    answer: Answer | None = None
    asked: list[Conversation] = field(default_factory=list)
    sent: int = 0
    """Bytes that the last answer has got rid of."""
    left: threading.Event = field(default_factory=threading.Event)
    """The other side broke a conversation off."""

    def does(self, answer: Answer) -> None:
        self.answer, self.sent = answer, 0
        self.asked.clear()
        self.left.clear()

    def sends(self, *pieces: bytes, then_resets: bool = False) -> None:
        async def answer(conversation: Conversation) -> None:
            await conversation.send(*pieces)
            if then_resets:
                conversation.reset()

        self.does(answer)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._converse(reader, writer)
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            conversation = Conversation(head, b"", writer, self)
            length = conversation.header("content-length")
            conversation.body = await reader.readexactly(int(length[0])) if length else b""
            self.asked.append(conversation)
            assert self.answer is not None
            work = asyncio.ensure_future(self.answer(conversation))
            watch = asyncio.ensure_future(reader.read(1))
            await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                # Its last bytes may still be on their way when the other side has said goodbye.
                await asyncio.wait({work}, timeout=0.2)
            if not work.done():
                self.left.set()
                work.cancel()
            watch.cancel()
            await asyncio.gather(work, watch, return_exceptions=True)


def http(status: int, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunked(kind: str, *headers: str) -> bytes:
    """The head of an answer whose length nobody knows: its body follows, a `piece` each."""
    lines = ["HTTP/1.1 200 OK", f"Content-Type: {kind}", "Transfer-Encoding: chunked", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def piece(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


@contextmanager
def raw_upstream() -> Iterator[RawUpstream]:
    upstream = RawUpstream()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> asyncio.Server:
        server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0, limit=1 << 20)
        upstream.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return server

    async def end() -> None:
        server.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        # A transport is closed by the loop, one turn later.
        await asyncio.sleep(0)

    server = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield upstream
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def full_queue() -> Iterator[str]:
    """An address at which nobody ever takes the connection."""
    with socket.socket() as listening, contextlib.ExitStack() as waiting:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(listening.getsockname())
        time.sleep(0.05)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def say(port: int, data: bytes, seconds: float = 5) -> bytes:
    """What a server answers to these bytes, until it ends the connection or is silent."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(data)
        heard = b""
        with contextlib.suppress(TimeoutError, ConnectionError):
            while got := connection.recv(65536):
                heard += got
        return heard
