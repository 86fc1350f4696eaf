"""A server whose runs live in a ClickHouse server that fails: senders are told, nothing acknowledged is lost, nothing
counts twice, and everything goes on when it is over, without a restart. (Every fault by itself: tests/store/test_server.py.)"""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.between import WRITES, Between, between
from tests.support.clickhouse import GIVEN, ClickHouse
from tests.support.otlp import PROTOBUF, genai_span, messages, traces
from tests.support.server import Server

pytestmark = pytest.mark.faults

FOREVER = 1000


@pytest.fixture(scope="module")
def way(clickhouse: ClickHouse) -> Iterator[Between]:
    url = clickhouse.new_database()
    # Ours asks for no password; it is to stand in no log all the same.
    with between(url if GIVEN else url.replace("://", "://me:hunter2@", 1)) as standing:
        yield standing


@pytest.fixture(scope="module")
def served(way: Between, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(
        tmp_path_factory.mktemp("served") / "data",
        {
            "MODELTRACES_STORE_URL": way.url,
            "MODELTRACES_QUERY_TIMEOUT_SECONDS": "2",
            "MODELTRACES_STORE_INSERT_SECONDS": "3",
            "MODELTRACES_STORE_CONNECT_SECONDS": "1",
        },
    )
    try:
        server.start()
        server.cast()
        yield server
        assert server.stop() == 0, server.log
        assert "hunter2" not in server.log
    finally:
        server.close()


def account_of(request: pytest.FixtureRequest, server: Server) -> str:
    return server.new_account(request.node.name)


def batch(words: int = 300) -> bytes:
    spans = (genai_span(gen_ai__input__messages=messages("user", f"text {n} " * words)) for n in range(20))
    return traces(*spans).SerializeToString()


def total(client: httpx.Client) -> int:
    return int(eventually(client, "GET", "/api/v1/metrics?period=all").json()["total_requests"])


def eventually(client: httpx.Client, method: str, path: str, content: bytes | None = None) -> httpx.Response:
    """The answer with 200: on a busy machine the short limits of this server are reached without any fault."""
    deadline = time.monotonic() + 30
    while (answer := client.request(method, path, content=content)).status_code != 200:
        assert answer.status_code == 503, answer.text
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.2)
    return answer


@pytest.mark.parametrize(
    "how",
    [
        {"reset": True, "passed_on": True},
        {"reset": True, "cut_after": 1000},
        {"status": 503},
    ],
    ids=str,
)
def test_a_commit_that_breaks_off_is_made_again_before_the_sender_is_answered(
    request: pytest.FixtureRequest, way: Between, served: Server, how: dict[str, Any]
) -> None:
    with served.client(account=account_of(request, served)) as client:
        body = batch()
        with way.failing(WRITES, **how) as fault:
            answer = client.post("/v1/traces", content=body, headers=PROTOBUF)
        assert (answer.status_code, fault.times) == (200, 0)
        assert total(client) == 20


@pytest.mark.parametrize(
    "how",
    [
        {"status": 500, "code": 252},
        {"status": 500, "code": 241},
        {"status": 500, "code": 164},
        {"wait_seconds": 4},
        None,
    ],
    ids=str,
)
def test_a_commit_that_cannot_be_made_is_refused_and_counts_once_when_it_is_sent_again(
    request: pytest.FixtureRequest, way: Between, served: Server, how: dict[str, Any] | None
) -> None:
    with served.client(account=account_of(request, served)) as client:
        client.headers.update(PROTOBUF)
        body = batch()
        if how is None:
            way.down()
            try:
                refused = client.post("/v1/traces", content=body)
                assert client.get("/readyz").status_code == 503
                assert client.get("/healthz").status_code == 200
            finally:
                way.up()
        else:
            with way.failing(WRITES, times=FOREVER, **how):
                refused = client.post("/v1/traces", content=body)
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0
        eventually(client, "POST", "/v1/traces", body)
        assert total(client) == 20


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"status": 500, "code": 159}, "Choose a shorter period"),
        ({"status": 500, "code": 241, "text": "Query memory limit exceeded"}, "too much memory"),
        ({"status": 503}, "The store does not answer"),
        ({"wait_seconds": 7}, "it took too long"),
    ],
    ids=str,
)
def test_a_question_ends_in_time_with_an_error_that_says_why(
    way: Between, served: Server, how: dict[str, Any], says: str
) -> None:
    began = time.monotonic()
    with served.client() as client, way.failing(r"/\* (page|runs|metrics)", times=FOREVER, **how):
        answer = client.get("/api/v1/metrics")
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"]
    assert says in answer.json()["detail"]
    assert "127.0.0.1" not in answer.text
    assert time.monotonic() - began < 10
    with served.client() as client:
        eventually(client, "GET", "/api/v1/metrics")


def test_a_store_that_takes_nothing_is_told_by_the_readiness_check(way: Between, served: Server) -> None:
    def readiness() -> int:
        return httpx.get(f"{served.url}/readyz").status_code

    with way.failing(r"INSERT INTO", times=FOREVER, status=500, code=242):
        wait_for(lambda: readiness() == 503)
        assert httpx.get(f"{served.url}/healthz").status_code == 200
    wait_for(lambda: readiness() == 200)


def test_an_export_that_breaks_off_is_no_shorter_file(
    request: pytest.FixtureRequest, way: Between, served: Server
) -> None:
    def ask(client: httpx.Client, form: str) -> httpx.Response:
        return client.get("/api/v1/runs/export", params={"format": form, "period": "all"})

    def is_broken_off(client: httpx.Client, form: str) -> bool:
        try:
            # What breaks off before anything was sent is answered as any other error.
            answer = ask(client, form)
            return answer.status_code == 503 and "broke off" in answer.text
        except httpx.TransportError:
            return True

    with served.client(account=account_of(request, served)) as client:
        client.headers.update(PROTOBUF)
        eventually(client, "POST", "/v1/traces", batch(10_000))
        for form, name in (("jsonl", "RowBinary"), ("csv", "CSV"), ("parquet", "Parquet")):
            whole = eventually(client, "GET", f"/api/v1/runs/export?format={form}&period=all")
            assert len(whole.content) > 1_000
            with way.failing(f"(?s)SELECT.*FORMAT {name}", break_answer_after=len(whole.content) * 2 // 3) as fault:
                assert is_broken_off(client, form)
            assert fault.times == 0
        jsonl = eventually(client, "GET", "/api/v1/runs/export?format=jsonl&period=all")
        assert len(jsonl.content.splitlines()) == 20


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
