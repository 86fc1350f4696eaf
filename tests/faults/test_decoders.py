"""The processes that decode large bodies: what they do is what the server does, and their death loses nothing."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.otlp import PROTOBUF, genai_span, traces
from tests.support.server import Server

_LONG = "x" * (20 << 10)
"""Makes a body too large to be decoded on the event loop."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    redacting = {"MODELTRACES_REDACT_PATTERNS": '["4111[0-9]+"]'}
    made = Server(tmp_path_factory.mktemp("decoders") / "data", environment=redacting).start()
    yield made
    made.close()


def decoders_of(server: Server) -> list[int]:
    assert server.process is not None
    children = Path(f"/proc/{server.process.pid}/task").glob("*/children")
    pids = [int(pid) for file in children for pid in file.read_text().split()]
    return [pid for pid in pids if b"to_process" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def send_long(server: Server, text: str) -> None:
    body = traces(genai_span(gen_ai__prompt=_LONG, gen_ai__conversation__id=text)).SerializeToString()
    with server.client() as client:
        assert client.post("/v1/traces", content=body, headers=PROTOBUF).status_code == 200


def count(server: Server, session: str) -> int:
    with server.client() as client:
        answer = client.get("/api/v1/metrics", params={"filter": f"session_id:{session}", "period": "all"})
    return int(answer.json()["total_requests"])


def test_a_long_body_is_decoded_outside_the_server(server: Server) -> None:
    send_long(server, "outside")
    assert len(decoders_of(server)) == 1
    assert count(server, "outside") == 1


@pytest.mark.parametrize(
    ("path", "content_type", "status", "says"),
    [
        ("/v1/traces", "application/x-protobuf", 400, "not an OTLP protobuf export of traces"),
        ("/v1/traces", "application/json", 400, "not an OTLP/JSON export of traces"),
        ("/v1/logs", "application/x-protobuf", 400, "not an OTLP protobuf export of logs"),
        ("/api/v1/runs", "application/json", 400, "the body is not JSON"),
    ],
)
def test_a_long_body_that_is_none_gets_its_error(
    server: Server, path: str, content_type: str, status: int, says: str
) -> None:
    with server.client() as client:
        answer = client.post(path, content="\0" * len(_LONG), headers={"Content-Type": content_type})
    assert answer.status_code == status
    assert says in answer.json()["detail"]


def test_a_long_bodys_runs_are_refused_one_by_one_and_masked(server: Server) -> None:
    runs = [{"model": "m", "input": f"{_LONG} card 41111234", "session_id": "masked"}, {"model": "m", "nonsense": 1}]
    with server.client() as client:
        answer = client.post("/api/v1/runs", json=runs).json()
        stored = client.get(f"/api/v1/runs/{answer['request_ids'][0]}").json()
    assert [refused["index"] for refused in answer["rejected"]] == [1]
    assert stored["input"].endswith("card [redacted]")


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_a_decoder_that_is_ended_loses_nothing(server: Server, sign: signal.Signals) -> None:
    send_long(server, "before")
    for pid in decoders_of(server):
        os.kill(pid, sign)
    for number in range(3):
        send_long(server, f"after-{sign}-{number}")
        assert count(server, f"after-{sign}-{number}") == 1


def test_decoders_end_with_the_server_however_it_ends(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    for end in (server.stop, server.kill):
        server.start()
        send_long(server, "last")
        pids = decoders_of(server)
        assert pids
        end()
        deadline = time.monotonic() + 10
        while any(Path(f"/proc/{pid}").exists() for pid in pids):
            assert time.monotonic() < deadline, "a decoding process outlives its server"
            time.sleep(0.05)
    server.close()
