"""`kill -9` while calls go through the gateway: every call that the caller has whole is a run after the restart, once.

And what a key has used of its day outlives a restart.
"""

import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.gateway.upstream import Upstream, serving
from tests.support.server import Server

ROUNDS = 8
CALLERS = 3
CHAT = "/gateway/openai/v1/chat/completions"


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with serving() as found:
        yield found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("killed") / "data").start()
    with running.client("admin") as admin:
        made = {"name": "fake", "protocol": "openai", "base_url": f"{upstream.url}/v1"}
        assert admin.post("/api/v1/connections", json=made).status_code == 201
    yield running
    running.close()


class Caller(threading.Thread):
    """Calls until it is told to stop, keeping the Request IDs of the answers that it has whole."""

    def __init__(self, server: Server, number: int) -> None:
        super().__init__(daemon=True)
        self.url, self.number = server.url + CHAT, number
        self.headers = {"x-api-key": server.key("gateway")}
        self.whole: list[str] = []
        self.enough = threading.Event()

    def run(self) -> None:
        asked = {"model": "gpt-4o", "stream": self.number == 0, "messages": [{"role": "user", "content": "hi"}]}
        with httpx.Client(timeout=10, headers=self.headers) as client:
            while not self.enough.is_set():
                try:
                    answer = client.post(self.url, json=asked)
                except httpx.TransportError:
                    self.enough.wait(0.02)
                    continue
                if answer.status_code == 200:
                    self.whole.append(answer.headers["x-request-id"])


@pytest.mark.timeout(300)
def test_every_call_that_was_whole_is_a_run_after_kill_9(server: Server) -> None:
    whole: list[str] = []
    for number in range(ROUNDS):
        callers = [Caller(server, place) for place in range(CALLERS)]
        for caller in callers:
            caller.start()
        callers[0].enough.wait(0.1 + 0.05 * (number % 7))
        server.kill()
        for caller in callers:
            caller.enough.set()
        for caller in callers:
            caller.join()
            whole += caller.whole
        server.start()
    assert len(whole) > ROUNDS
    assert server.stop() == 0, server.log
    server.start()
    with server.client() as reader:
        stored: list[str] = []
        cursor = ""
        while True:
            page = reader.get("/api/v1/runs", params={"limit": 1000, **({"cursor": cursor} if cursor else {})}).json()
            stored += [run["request_id"] for run in page["runs"]]
            if not (cursor := page["next_cursor"]):
                break
    assert set(whole) <= set(stored)
    assert len(stored) == len(set(stored))


def test_a_restart_begins_no_day_of_a_limited_key_anew(server: Server) -> None:
    while time.time() % 86_400 > 86_340:
        time.sleep(1)
    with server.client("admin") as admin:
        key = admin.post("/api/v1/keys", json={"name": "limited", "tokens_per_day": 20}).json()["key"]
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}

    def status() -> int:
        return httpx.post(server.url + CHAT, json=asked, headers={"x-api-key": key}).status_code

    assert [status(), status(), status()] == [200, 200, 429]
    assert server.stop() == 0, server.log
    server.start()
    assert status() == 429
