"""A live view while PostgreSQL is away: it goes on, and shows what came meanwhile."""

import orjson
import pytest

from tests.api.test_live import Reader, reading, send
from tests.support.postgres import Postgres
from tests.support.server import Server

pytestmark = pytest.mark.faults


def next_shown(reader: Reader) -> str:
    """The next run that is shown, or '' where it is said that the view waits."""
    name = ""
    for line in reader._lines:
        if line == ": waiting":
            return ""
        if line.startswith("data: "):
            name = orjson.loads(line.removeprefix("data: "))["session_id"]
        elif not line and name:
            return name
    raise AssertionError("the view has ended")


def test_a_live_view_outlasts_the_catalogs_absence(
    postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """It broke off, and the page said that Live has ended: who came again was refused with 503, and browsers stop at that."""
    if postgres.directory is None:
        pytest.skip("this PostgreSQL is not the tests' to stop")
    url = postgres.new_database()
    server = Server(tmp_path_factory.mktemp("away") / "data", {"MODELTRACES_CATALOG_URL": url})
    try:
        server.start()
        account = server.new_account("live")
        sent, shown = ["before"], set[str]()
        with reading(server, account) as reader:
            send(server, account, sent)
            assert next_shown(reader) == "before"
            server.catalog.close()
            postgres.stop()
            try:
                # Programs go on by what is known of their key; and so may a look, for a second.
                while "" not in shown:
                    sent.append(f"meanwhile {len(sent)}")
                    send(server, account, sent[-1:])
                    shown.add(next_shown(reader))
            finally:
                postgres.start()
            sent.append("after")
            send(server, account, sent[-1:])
            while not shown >= {*sent[1:]}:
                shown.add(next_shown(reader))
        assert server.log.count("a live view waits") == 1
        assert "Traceback" not in server.log
    finally:
        server.close()
        postgres.drop(url)
