"""A journal that another version, or another time, left behind: what can be stored is, and what cannot holds up nothing."""

import dataclasses
import time
from pathlib import Path

import orjson

from modeltraces.gateway.journal import Journal
from modeltraces.run import Run, new_request_id, now_us
from tests.support.server import Server


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
