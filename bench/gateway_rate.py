"""What the gateway adds to a call's time when calls come at a rate of their own, whatever became of the ones before.

Callers without a pause measure how many calls the cores can take: caller, upstream and gateway share them. Here each call has an
instant at which it is due, its time counts from there, and the same calls go directly, through a relay that does nothing but pass
bytes on, and through the gateway, by turns.
"""

import gc
import socket
import threading
import time
from collections.abc import Sequence
from typing import Final

from bench.raw_relay import running_relay
from bench.raw_upstream import connect, recorded, request_of, running_upstream
from bench.results import Section, quantile
from tests.support.server import Server

_TURN_SECONDS: Final = 2.0
_REST_SECONDS: Final = 1.2
"""After a turn: what it left to be stored must not be the next one's."""
_HEAD_END: Final = b"\r\n\r\n"


class _Caller:
    """One connection, and the calls that are due on it."""

    def __init__(self, port: int, request: bytes) -> None:
        self._request = request
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self) -> None:
        self._socket.sendall(self._request)
        heard = b""
        while _HEAD_END not in heard:
            heard += self._more()
        head, _, body = heard.partition(_HEAD_END)
        head = head.lower()
        assert head.startswith(b"http/1.1 200"), head
        left = int(head.partition(b"content-length:")[2].split(b"\r\n")[0]) - len(body)
        while left > 0:
            left -= len(self._more())

    def _more(self) -> bytes:
        got = self._socket.recv(65536)
        assert got, "the connection was closed"
        return got

    def due(self, instants: Sequence[float], times: list[float]) -> None:
        for instant in instants:
            time.sleep(max(0.0, instant - time.perf_counter()))
            self.call()
            times.append((time.perf_counter() - instant) * 1000)

    def close(self) -> None:
        self._socket.close()


def _turn(callers: Sequence[_Caller], rate: float, times: list[float]) -> None:
    begins = time.perf_counter() + 0.05
    instants = [begins + n / rate for n in range(int(rate * _TURN_SECONDS))]
    threads = [
        threading.Thread(target=caller.due, args=(instants[n :: len(callers)], times))
        for n, caller in enumerate(callers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _without_pause(caller: _Caller, count: int, times: list[float]) -> None:
    for _ in range(count):
        began = time.perf_counter()
        caller.call()
        times.append((time.perf_counter() - began) * 1000)


def measure(server: Server, rate: float, turns: int) -> Section:
    """By turns, `turns` of each way. `rate`: calls a second."""
    table = Section(
        "What the gateway adds to a call",
        ("calls", "way", "p50 ms", "p90 ms", "p99 ms", "added p50", "added p99"),
        note="Direct, through a relay that passes bytes on, and through the gateway, by turns; times from the instant at which a call was due.",
    )
    made = 0
    with running_upstream() as upstream, running_relay(upstream) as relay:
        connect(server, upstream)
        ports = {"direct": upstream, "relay": relay, "gateway": server.port}
        paths = dict.fromkeys(ports, "/v1/chat/completions") | {"gateway": "/gateway/openai/v1/chat/completions"}
        gc.disable()
        for title, connections, answer_ms in (
            ("one caller, without a pause", 1, 0),
            (f"{rate:g}/s on 16 connections", 16, 0),
            (f"{rate:g}/s, answered after 80 ms: {rate * 0.08:.0f} under way", 48, 80),
        ):
            times: dict[str, list[float]] = {way: [] for way in ports}
            callers = {
                way: [
                    _Caller(port, request_of(port, server.key("gateway"), paths[way], answer_ms=answer_ms))
                    for _ in range(connections)
                ]
                for way, port in ports.items()
            }
            for turn in range(-1, turns):
                for way, own in callers.items():
                    found: list[float] = []
                    if connections == 1:
                        _without_pause(own[0], int(rate * _TURN_SECONDS), found)
                    else:
                        _turn(own, rate, found)
                    made += len(found) if way == "gateway" else 0
                    # The first turn warms up.
                    times[way] += found if turn >= 0 else []
                    time.sleep(_REST_SECONDS)
            for one in (one for own in callers.values() for one in own):
                one.close()
            rows = {way: [quantile(found, q) for q in (0.5, 0.9, 0.99)] for way, found in times.items()}
            for way, row in rows.items():
                added = [mine - theirs for mine, theirs in zip(row, rows["direct"], strict=True)]
                table.add(title, way, *row, *(("", "") if way == "direct" else (added[0], added[2])))
        gc.enable()
        found_runs = recorded(server, made)
        assert found_runs == made, f"{found_runs:,} recorded of {made:,}"
    return table
