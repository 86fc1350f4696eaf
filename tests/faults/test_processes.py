"""Several identical processes over one store and one catalog: whichever is asked, the answer is the same."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from modeltraces.catalog.db import Catalog
from tests.gateway.upstream import serving
from tests.support.clickhouse import ClickHouse
from tests.support.otlp import PROTOBUF, genai_span, log_record, traces
from tests.support.server import Server

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def servers(clickhouse: ClickHouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """Two that were started at the same moment over an empty database. A third was, too; it has ended."""
    directory = tmp_path_factory.mktemp("processes")
    environment = {
        "MODELTRACES_STORE_URL": clickhouse.new_database(),
        "MODELTRACES_CATALOG_URL": f"sqlite:///{directory}/catalog.db",
        "MODELTRACES_SECRET_KEY": secrets.token_hex(32),
        "MODELTRACES_LIVE_INTERVAL_MS": "200",
    }
    one, other, third = [Server(directory / name, dict(environment)) for name in ("one", "other", "third")]
    with ExitStack() as closing:
        errors: list[BaseException] = []

        def start(server: Server) -> None:
            try:
                server.start()
            except BaseException as error:
                errors.append(error)

        starting = [threading.Thread(target=start, args=(server,)) for server in (one, other, third)]
        for server in (one, other, third):
            closing.callback(server.close)
        for thread in starting:
            thread.start()
        for thread in starting:
            thread.join()
        assert not errors, errors
        assert third.stop() == 0
        # They share it; the one that closes it is the first.
        one._catalog = other._catalog = Catalog(environment["MODELTRACES_CATALOG_URL"])
        other._keys = one._keys
        one.cast()
        yield one, other
        other._catalog = None
        for server in (one, other):
            assert server.stop() == 0, server.log
            assert "Traceback" not in server.log


def send(server: Server, account: str, *bodies: Any) -> None:
    with server.client(account=account) as client:
        for body in bodies:
            path = "/v1/logs" if "Logs" in type(body).__name__ else "/v1/traces"
            answer = client.post(path, content=body.SerializeToString(), headers=PROTOBUF)
            assert answer.status_code == 200, answer.text


def listed(server: Server, account: str) -> list[dict[str, Any]]:
    with server.client(account=account) as client:
        found: list[dict[str, Any]] = client.get("/api/v1/runs", params={"period": "all"}).json()["runs"]
    return found


def runs_in(server: Server, account: str) -> list[dict[str, Any]]:
    """Those that are listed, and counted."""
    found = listed(server, account)
    with server.client(account=account) as client:
        metrics = client.get("/api/v1/metrics", params={"period": "all"}).json()
    assert metrics["total_requests"] == len(found)
    return found


def at_once(*actions: Callable[[], Any]) -> None:
    threads = [threading.Thread(target=action) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)


def settled(server: Server, account: str, number: int = 1) -> list[dict[str, Any]]:
    """The runs, once there are so many: what two processes take in at the same moment is folded within a second or two."""
    deadline = time.monotonic() + 20
    while len(found := listed(server, account)) != number:
        assert time.monotonic() < deadline, [(run["request_id"], run["input"]) for run in found]
        time.sleep(0.1)
    return runs_in(server, account)


def test_a_run_that_one_acknowledged_is_in_the_others_next_answer(servers: tuple[Server, Server]) -> None:
    account = servers[0].new_account("next answer")
    for number in range(10):
        one, other = servers if number % 2 else servers[::-1]
        with one.client(account=account) as client:
            assert client.post("/api/v1/runs", json={"model": "m", "output": str(number)}).status_code == 200
        assert len(runs_in(other, account)) == number + 1


def test_a_batch_that_is_sent_to_both_at_once_counts_once(servers: tuple[Server, Server]) -> None:
    account = servers[0].new_account("both at once")
    body = traces(*(genai_span(gen_ai__usage__input_tokens=3) for _ in range(50)))
    at_once(*(partial(send, server, account, body) for server in servers for _ in range(3)))
    for server in servers:
        assert len(runs_in(server, account)) == 50


def test_an_id_that_is_given_to_both_at_once_counts_once(servers: tuple[Server, Server]) -> None:
    account = servers[0].new_account("id at once")
    given = [{"request_id": f"order-{number}", "model": "m", "input_tokens": 1} for number in range(20)]

    def post(server: Server) -> None:
        with server.client(account=account) as client:
            assert client.post("/api/v1/runs", json=given).status_code == 200

    at_once(*(partial(post, server) for server in servers))
    assert len(settled(servers[0], account, 20)) == 20
    post(servers[1])
    assert len(runs_in(servers[0], account)) == 20


@pytest.mark.parametrize("together", [False, True], ids=["after each other", "at once"])
def test_parent_child_and_text_that_come_to_different_processes_are_one_run(
    servers: tuple[Server, Server], together: bool
) -> None:
    one, other = servers
    account = one.new_account(f"linked {together}")
    trace, outer, inner = secrets.token_bytes(16), secrets.token_bytes(8), secrets.token_bytes(8)
    start = time.time_ns()
    parent = traces(
        genai_span(trace_id=trace, span_id=outer, start_ns=start, ms=300, gen_ai__conversation__id="c1"),
        scope="framework",
    )
    child = traces(
        genai_span(
            trace_id=trace,
            span_id=inner,
            parent=outer,
            start_ns=start + 1_000_000,
            ms=200,
            gen_ai__usage__input_tokens=7,
        ),
        scope="sdk",
    )
    text = log_record("gen_ai.user.message", {"content": "what was asked"}, trace_id=trace, span_id=inner)
    actions = [partial(send, server, account, body) for server, body in ((one, parent), (other, child), (one, text))]
    if together:
        at_once(*actions)
    else:
        for action in actions:
            action()
    (run,) = settled(other, account)
    deadline = time.monotonic() + 20
    while "what was asked" not in run["input"]:
        assert time.monotonic() < deadline, run
        time.sleep(0.1)
        (run,) = listed(other, account)
    assert (run["session_id"], run["input_tokens"]) == ("c1", 7)
    assert runs_in(one, account) == runs_in(other, account)


def test_a_call_through_one_gateway_and_its_span_sent_to_the_other_are_one_run(servers: tuple[Server, Server]) -> None:
    """The gateway's recording bears the response's id, and so does the program's own span around the call."""
    one, other = servers
    account = one.new_account("gateway")
    with serving() as upstream, one.client("admin", "gateway", account=account) as caller:
        made = {"name": "fake", "protocol": "openai", "base_url": f"{upstream.url}/v1", "models": ["*"]}
        assert caller.post("/api/v1/connections", json=made).status_code == 201
        began = time.time_ns()
        asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
        answer = caller.post("/gateway/openai/v1/chat/completions", json=asked)
        assert answer.status_code == 200
    said: dict[str, Any] = {
        "gen_ai__response__id": answer.json()["id"],
        "gen_ai__conversation__id": "what only the program knows",
    }
    ms = (time.time_ns() - began) / 1e6
    send(other, account, traces(genai_span(start_ns=began, ms=ms, **said), scope="sdk"))
    deadline = time.monotonic() + 20
    while len(runs := listed(other, account)) != 1 or not (runs[0]["connection_name"] and runs[0]["session_id"]):
        assert time.monotonic() < deadline, runs
        time.sleep(0.1)
    assert runs[0]["connection_name"] == "fake"
    assert runs_in(one, account) == runs


def test_the_live_view_of_one_shows_what_the_other_takes_in(servers: tuple[Server, Server]) -> None:
    one, other = servers
    account = one.new_account("live")
    came: list[tuple[str, float]] = []
    last_id: list[str] = []
    opened, enough = threading.Event(), threading.Event()

    def watch() -> None:
        with (
            other.client(account=account) as client,
            client.stream("GET", "/api/v1/runs/stream", timeout=20) as answer,
        ):
            for line in answer.iter_lines():
                opened.set()
                name, _, value = line.partition(": ")
                if name == "id":
                    last_id[:] = [value]
                if name == "data":
                    came.append((orjson.loads(value)["session_id"], time.monotonic()))
                    if len({session for session, _ in came}) == 6:
                        enough.set()
                        return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    assert opened.wait(10)
    sent: dict[str, float] = {}
    for number in range(6):
        server = servers[number % 2]
        with server.client(account=account) as client:
            name = f"s{number}"
            assert client.post("/api/v1/runs", json={"model": "m", "session_id": name}).status_code == 200
            sent[name] = time.monotonic()
        time.sleep(0.1)
    assert enough.wait(15), came
    watcher.join(5)
    # The other goes on where this one was, whichever process the balancer chooses.
    with one.client(account=account) as client:
        assert client.post("/api/v1/runs", json={"model": "m", "session_id": "later"}).status_code == 200
        headers = {"Last-Event-ID": last_id[0]}
        with client.stream("GET", "/api/v1/runs/stream", headers=headers, timeout=20) as answer:
            data = next(value for line in answer.iter_lines() if (value := line.removeprefix("data: ")) != line)
    assert orjson.loads(data)["session_id"] in {"later", came[-1][0]}


def test_a_key_of_one_is_a_key_of_the_other_and_a_cursor_too(servers: tuple[Server, Server]) -> None:
    one, other = servers
    account = one.new_account("cursors")
    with one.client(account=account) as client:
        assert client.post("/api/v1/runs", json=[{"model": "m"}] * 5).status_code == 200
        page = client.get("/api/v1/runs", params={"limit": 3}).json()
    with other.client(account=account) as client:
        following = client.get("/api/v1/runs", params={"limit": 3, "cursor": page["next_cursor"]})
    assert following.status_code == 200
    assert len({run["request_id"] for run in [*page["runs"], *following.json()["runs"]]}) == 5


def test_one_that_is_killed_leaves_nothing_undone(servers: tuple[Server, Server], tmp_path: Path) -> None:
    one, _ = servers
    account = one.new_account("killed")
    doomed = Server(tmp_path / "doomed", one.environment)
    doomed._catalog, doomed._keys = one.catalog, one._keys
    try:
        doomed.start()
        body = traces(*(genai_span() for _ in range(10)))
        send(doomed, account, body)
        doomed.kill()
        assert len(runs_in(one, account)) == 10
        send(one, account, body)
        assert len(runs_in(one, account)) == 10
    finally:
        doomed._catalog = None
        doomed.close()


def test_the_readiness_of_each_is_its_own(servers: tuple[Server, Server]) -> None:
    for server in servers:
        assert httpx.get(f"{server.url}/readyz").status_code == 200
