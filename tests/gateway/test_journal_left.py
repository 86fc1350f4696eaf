"""A journal that another version, or another time, left behind: what can be stored is, and what cannot holds up nothing."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import orjson

from modeltraces.api.identity import SESSION_COOKIE
from modeltraces.catalog import users
from modeltraces.catalog.sessions import Sessions
from modeltraces.gateway.journal import Journal
from modeltraces.run import Run, new_request_id, now_us
from tests.support.server import ALICE, Server


def record(account_id: str, **more: object) -> bytes:
    run = Run(account_id, new_request_id(now_us()), now_us(), "m")
    values = {one.name: getattr(run, one.name) for one in dataclasses.fields(Run)}
    return orjson.dumps({"key": "k", "run": values | more})


def test_records_that_cannot_be_read_are_set_aside_and_the_others_stored(tmp_path: Path) -> None:
    server = Server(tmp_path / "data").start()
    try:
        account = server.account_id()
        assert server.stop() == 0
        journal = Journal(server.data_dir / "journal", 1 << 20)
        journal.open()
        unreadable = [b"no json", b'{"key": "k"}', record(account, executed_on_us=None)]
        for one in (
            record(account, input="first"), *unreadable, record("gone", input="of nobody"),
            record(account, input="of a later version", a_later_field=1), record(account, input="last"),
        ):  # fmt: skip
            journal.append(one)
        journal.close()
        server.start()
        with server.client("admin") as admin:
            deadline = time.monotonic() + 10
            while len(found := admin.get("/api/v1/runs").json()["runs"]) != 3:
                assert time.monotonic() < deadline, server.log
                time.sleep(0.05)
        assert {run["input"] for run in found} == {"first", "of a later version", "last"}
        deadline = time.monotonic() + 5
        while list((server.data_dir / "journal").glob("*.journal")):
            assert time.monotonic() < deadline, server.log
            time.sleep(0.05)
        kept = (server.data_dir / "journal" / "unreadable").read_bytes()
        assert kept.splitlines() == unreadable
        assert "cannot be read" in server.log
        assert server.stop() == 0
    finally:
        server.close()


def found_id(server: Server, email: str) -> str:
    user = users.find(server.catalog, email)
    assert user is not None
    return user.id


def waited_for(server: Server, what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline, server.log
        time.sleep(0.05)


def test_a_run_that_the_store_refuses_is_set_aside_in_sight_and_stored_once_it_can_be(tmp_path: Path) -> None:
    server = Server(tmp_path / "data").start()
    try:
        account = server.account_id()
        assert server.stop() == 0
        directory = server.data_dir / "journal"
        journal = Journal(directory, 1 << 20)
        journal.open()
        refused = record(account, input="refused", input_tokens=-5)
        for number in range(20):
            journal.append(refused if number == 7 else record(account, input=f"{number}"))
        journal.close()
        server.start()
        waited_for(server, lambda: list((directory / "refused").glob("*.journal")))
        waited_for(server, lambda: not list(directory.glob("*.journal")))
        with server.client("admin") as admin:
            assert {run["input"] for run in admin.get("/api/v1/runs").json()["runs"]} == {
                f"{number}" for number in range(20) if number != 7
            }
            assert "modeltraces_gateway_set_aside_total 1.0" in admin.get("/metrics").text
        assert "the store refuses a recorded call" in server.log
        token = Sessions(server.catalog).create(found_id(server, ALICE), account).token
        cookies = {SESSION_COOKIE: token}
        rejected = httpx.get(f"{server.url}/settings/monitoring/rejected", cookies=cookies, follow_redirects=True)
        assert "the store refuses this run" in rejected.text
        assert "The store refused a recorded call." in rejected.text
        assert server.stop() == 0
        (kept,) = (directory / "refused").glob("*.journal")
        assert kept.read_bytes().endswith(refused)
        # As after an update that stores it.
        journal = Journal(directory, 1 << 20)
        journal.open()
        journal.append(refused.replace(b'"input_tokens":-5', b'"input_tokens":5'))
        journal.close()
        kept.rename(directory / kept.name)
        server.start()
        waited_for(server, lambda: list((directory / "refused").glob("*.journal")))
        with server.client("admin") as admin:
            waited_for(server, lambda: admin.get("/api/v1/metrics").json()["total_requests"] == 20)
        assert server.stop() == 0
    finally:
        server.close()
