"""`kill -9` at any moment: every acknowledged run is there after the restart, once."""

import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.support.otlp import PROTOBUF, genai_span, traces
from tests.support.server import Server

ROUNDS, ALL_ROUNDS = 8, 20
SENDERS = 4


class Sender(threading.Thread):
    """Sends batches until it is told to stop, keeping the batches that were answered with 200."""

    def __init__(self, server: Server, number: int) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.number = number
        self.headers = {**PROTOBUF, "x-api-key": server.key()}
        self.acknowledged: list[str] = []
        self.unanswered: list[bytes] = []
        self.enough = threading.Event()

    def run(self) -> None:
        count = 0
        with httpx.Client(timeout=5) as client:
            while not self.enough.is_set():
                names = [f"{self.number}-{count}-{index}" for index in range(10)]
                body = traces(*(genai_span(gen_ai__conversation__id=name) for name in names)).SerializeToString()
                try:
                    answer = client.post(f"{self.server.url}/v1/traces", content=body, headers=self.headers)
                except httpx.ConnectError:
                    time.sleep(0.05)
                    continue
                except httpx.TransportError:
                    count += 1
                    self.unanswered.append(body)
                    time.sleep(0.02)
                    continue
                count += 1
                if answer.status_code == 200:
                    self.acknowledged += names
                else:
                    self.unanswered.append(body)


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_kills_lose_and_double_nothing(tmp_path: Path, thorough: bool) -> None:
    rounds = ALL_ROUNDS if thorough else ROUNDS
    server = Server(tmp_path / "data")
    server.start()
    senders = [Sender(server, number) for number in range(SENDERS)]
    try:
        for sender in senders:
            sender.start()
        for round_number in range(rounds):
            wait_for_more(senders)
            time.sleep(0.013 * (round_number % 8))
            server.kill()
            server.start()
        for sender in senders:
            sender.enough.set()
        for sender in senders:
            sender.join(30)
        acknowledged = [name for sender in senders for name in sender.acknowledged]
        assert len(acknowledged) >= 30 * rounds
        # What was not acknowledged may be there or not; sent again it must not be there twice.
        with httpx.Client(headers=senders[0].headers, timeout=30) as client:
            for sender in senders:
                for body in sender.unanswered:
                    assert client.post(f"{server.url}/v1/traces", content=body).status_code == 200
        stored = sessions(server)
        assert len(stored) == len(set(stored)), "doubled"
        assert set(acknowledged) <= set(stored), "lost"
        assert len(stored) == len(acknowledged) + 10 * sum(len(sender.unanswered) for sender in senders)
    finally:
        server.close()


def wait_for_more(senders: list[Sender], batches: int = 3) -> None:
    """Until so many more batches were acknowledged: the kill must hit a server at work."""
    had = sum(len(sender.acknowledged) for sender in senders)
    deadline = time.monotonic() + 60
    while sum(len(sender.acknowledged) for sender in senders) < had + 10 * batches:
        assert time.monotonic() < deadline, "the server takes nothing in"
        time.sleep(0.01)


def sessions(server: Server) -> list[str]:
    found: list[str] = []
    with (
        server.client() as client,
        client.stream("GET", "/api/v1/runs/export", params={"format": "jsonl", "period": "all"}) as answer,
    ):
        assert answer.status_code == 200
        import orjson

        for line in answer.iter_lines():
            found.append(orjson.loads(line)["session_id"])
    return found


def test_sigterm_finishes_what_was_accepted_and_ends_with_zero(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    server.start()
    sender = Sender(server, 0)
    try:
        sender.start()
        wait_for_more([sender])
        assert server.stop() == 0
        sender.enough.set()
        sender.join(30)
        server.start()
        assert set(sender.acknowledged) <= set(sessions(server))
        assert sender.acknowledged
    finally:
        server.close()
