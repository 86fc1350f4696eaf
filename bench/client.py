"""A client that costs little beside the server it measures: ready-made requests over kept-alive connections."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import uvloop


@dataclass(slots=True)
class Sent:
    seconds: float
    statuses: dict[int, int]
    latencies_ms: list[float]


def request_bytes(path: str, body: bytes, content_type: str, key: str, port: int) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def send_all(port: int, requests: Sequence[bytes], connections: int, *, at_most_seconds: float) -> Sent:
    """Send the requests, each connection the next one when its last was answered, until all are or the time is over.

    A request that the server had no room for is sent again. Each request is sent whole, and its answer awaited.
    """
    return uvloop.run(_send_all(port, requests, connections, at_most_seconds))


async def _send_all(port: int, requests: Sequence[bytes], connections: int, at_most_seconds: float) -> Sent:
    waiting = list(reversed(requests))
    sent = Sent(0.0, {}, [])
    began = time.perf_counter()
    asyncio.get_running_loop().call_later(at_most_seconds, waiting.clear)
    await asyncio.gather(*[_connection(port, waiting, sent) for _ in range(connections)])
    sent.seconds = time.perf_counter() - began
    return sent


async def _connection(port: int, waiting: list[bytes], sent: Sent) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while waiting:
        request = waiting.pop()
        began = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").lower().split("\r\n")
        length = next(int(line[15:]) for line in lines if line.startswith("content-length:"))
        await reader.readexactly(length)
        status = int(lines[0].split(" ")[1])
        sent.statuses[status] = sent.statuses.get(status, 0) + 1
        if status in (429, 503):
            waiting.append(request)
            await asyncio.sleep(0.1)
        else:
            sent.latencies_ms.append((time.perf_counter() - began) * 1000)
    writer.close()
    await writer.wait_closed()
