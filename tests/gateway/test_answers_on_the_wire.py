"""How an answer is written: with its head when it is there at once, when it is not, and to who speaks HTTP/1.0."""

import asyncio
import json
from typing import Any, cast

import httpx
import pytest

from modeltraces.http_answer import JoinedWrites
from tests.gateway.faults import CHAT, SSE, ask, event, only_run, said
from tests.gateway.raw import RawUpstream, http, piece, say
from tests.support.server import Server


class Wire:
    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        assert not self.is_closed, "written after the end"
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True


def old(server: Server, account: str, *, stream: bool) -> tuple[bytes, bytes]:
    """Head and body of a call in HTTP/1.0."""
    body = json.dumps(ask(stream=stream)).encode()
    lines = [
        f"POST {CHAT} HTTP/1.0",
        f"x-api-key: {server.key('gateway', account=account)}",
        f"Content-Length: {len(body)}",
    ]
    head, _, answer = say(server.port, "\r\n".join(lines).encode() + b"\r\n\r\n" + body, 5).partition(b"\r\n\r\n")
    return head.lower(), answer


def test_a_stream_reaches_a_caller_of_http_1_0_without_chunks(
    hurried: Server, raw_account: str, raw_reader: httpx.Client, raw: RawUpstream
) -> None:
    events = event("hi", "stop"), b"data: [DONE]\n\n"
    raw.sends(SSE, *map(piece, events), b"0\r\n\r\n")
    head, body = old(hurried, raw_account, stream=True)
    assert head.startswith(b"http/1.1 200")
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head
    assert body == b"".join(events)
    assert only_run(raw_reader)["output"] == "hi"


def test_an_answer_of_a_known_length_keeps_it_for_a_caller_of_http_1_0(
    hurried: Server, raw_account: str, raw_reader: httpx.Client, raw: RawUpstream
) -> None:
    raw.sends(http(200, said("ok"), "Content-Type: application/json"))
    head, body = old(hurried, raw_account, stream=False)
    assert b"content-length: %d" % len(said("ok")) in head
    assert body == said("ok")
    assert only_run(raw_reader)["status"] == "success"


@pytest.mark.parametrize("ends", ["goes on", "is closed", "is closed from outside"])
def test_a_head_waits_for_the_first_piece_of_its_body_and_no_longer_than_a_turn(ends: str) -> None:
    async def write() -> list[bytes]:
        wire = Wire()
        joined = JoinedWrites(cast(Any, wire), asyncio.get_running_loop())
        joined.write(b"head ")
        joined.write(b"first ")
        joined.write(b"second ")
        assert wire.written == [b"head first ", b"second "]
        late = JoinedWrites(cast(Any, wire), asyncio.get_running_loop())
        late.write(b"late head")
        assert len(wire.written) == 2
        if ends == "is closed":
            late.close()
        elif ends == "is closed from outside":
            wire.close()
        await asyncio.sleep(0)
        return wire.written[2:]

    assert asyncio.run(write()) == ([] if ends == "is closed from outside" else [b"late head"])
