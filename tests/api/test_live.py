"""The live view: every run that lands, once at least, also after a reader was cut off; and no longer than its key stands."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import orjson

from modeltraces.catalog import keys
from tests.support.server import Server


class Reader:
    """A reader of server-sent events, as the standard describes one."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.iter_lines()
        self.last_id = ""

    def runs(self, most: int) -> Iterator[dict[str, Any]]:
        data = ""
        for line in self._lines:
            name, _, value = line.partition(": ")
            if name == "id":
                self.last_id = value
            elif name == "data":
                data = value
            elif not line and data:
                yield orjson.loads(data)
                data, most = "", most - 1
                if not most:
                    return


@contextmanager
def reading(server: Server, account: str, last_id: str = "", **params: str) -> Iterator[Reader]:
    headers = {"Last-Event-ID": last_id} if last_id else {}
    with (
        server.client(account=account) as client,
        client.stream("GET", "/api/v1/runs/stream", params=params, headers=headers, timeout=20) as answer,
    ):
        assert answer.status_code == 200
        reader = Reader(answer)
        assert next(reader._lines) == "retry: 2000"
        reader.last_id = next(reader._lines).removeprefix("id: ")
        yield reader


def send(server: Server, account: str, names: list[str], model: str = "m") -> None:
    with server.client(account=account) as client:
        runs = [{"model": model, "session_id": name} for name in names]
        assert client.post("/api/v1/runs", json=runs).status_code == 200


def test_a_thousand_runs_of_one_commit_all_come(server: Server) -> None:
    account = server.new_account("live thousand")
    names = [f"s{number}" for number in range(1000)]
    with reading(server, account) as reader:
        send(server, account, names)
        assert {run["session_id"] for run in reader.runs(1000)} == set(names)


def test_a_reader_that_was_cut_off_misses_nothing(server: Server) -> None:
    account = server.new_account("live cut off")
    first, second = [f"a{number}" for number in range(500)], [f"b{number}" for number in range(10)]
    with reading(server, account) as reader:
        send(server, account, first)
        seen = {run["session_id"] for run in reader.runs(230)}
    send(server, account, second)
    with reading(server, account, reader.last_id) as again:
        while not seen >= {*first, *second}:
            seen |= {run["session_id"] for run in again.runs(1)}


def test_a_reader_that_was_cut_off_before_the_first_run_misses_nothing(server: Server) -> None:
    account = server.new_account("live early")
    with reading(server, account) as reader:
        pass
    send(server, account, ["while away"])
    with reading(server, account, reader.last_id) as again:
        assert [run["session_id"] for run in again.runs(1)] == ["while away"]


def test_a_model_that_comes_with_the_run_has_its_kind(server: Server) -> None:
    account = server.new_account("live kinds")
    with reading(server, account, filter="model_kind:external") as reader:
        send(server, account, ["x"], model="brand new")
        (run,) = reader.runs(1)
    assert (run["model"], run["model_kind"]) == ("brand new", "external")


def test_a_view_ends_with_its_key(server: Server) -> None:
    account = server.new_account("live revoked")
    account_id = server.account_id(account)
    plain, key = keys.create_key(server.catalog, account_id, "short", actor="test", scopes=["read"])
    seen: list[str] = []
    ended = threading.Event()
    opened = threading.Event()

    def watch() -> None:
        with httpx.stream(
            "GET", f"{server.url}/api/v1/runs/stream", headers={"x-api-key": plain}, timeout=60
        ) as answer:
            for line in answer.iter_lines():
                opened.set()
                seen.append(line)
        ended.set()

    threading.Thread(target=watch, daemon=True).start()
    assert opened.wait(10)
    keys.revoke_key(server.catalog, account_id, key.id, actor="test")
    began = time.monotonic()
    while not ended.wait(1) and time.monotonic() - began < 40:
        send(server, account, ["later"])
    assert ended.is_set(), "a key that was revoked still reads"
