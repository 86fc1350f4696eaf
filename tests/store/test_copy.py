"""`modeltraces store copy`: an embedded store into a server and back, resumed after a break, verified."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from modeltraces.run import Run
from modeltraces.store import copying
from modeltraces.store.cluster import on_cluster
from modeltraces.store.engine import ClickHouseStore, Params
from modeltraces.store.rows import insert_runs
from tests.support.between import WRITES, Between
from tests.support.clickhouse import ClickHouse, opened
from tests.support.server import Server, run_command

RUNS = 300
EVERYTHING = {"from": "2026-11-01T00:00:00Z", "to": "2026-11-25T00:00:00Z", "limit": "100"}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that ran on an embedded store and was stopped: runs of some days, one sent twice, and a refused one."""
    server = Server(tmp_path_factory.mktemp("copied") / "data")
    server.start()
    server.cast()
    try:
        with server.client() as client:
            runs = [
                {
                    "model": f"model-{number % 3}",
                    "request_id": f"r{number}",
                    "input": "Größe? 退款 " * (number % 50),
                    "output": None if number % 7 == 0 else "ok",
                    "executed_on": f"2026-11-{10 + number % 12}T10:{number % 60:02}:00Z",
                    "response_time_ms": None if number % 5 == 0 else number,
                    "error": {"type": "timeout", "message": "late"} if number % 7 == 0 else None,
                }
                for number in range(RUNS)
            ]
            assert client.post("/api/v1/runs", json=runs).status_code == 200
            assert client.post("/api/v1/runs", json=runs[:1]).status_code == 200
            client.post("/api/v1/runs", json=[{"input": "no model"}])
        assert server.stop() == 0
        yield server
    finally:
        server.close()


def copy(source: str, target: str) -> tuple[int, str]:
    done = run_command("store", "copy", "--from", source, "--to", target)
    return done.returncode, done.stdout if done.returncode == 0 else done.stderr


def embedded(server: Server) -> str:
    return f"chdb://{server.data_dir}/runs"


def answers(server: Server) -> list[object]:
    with server.client("read") as client:
        pages = ["/api/v1/metrics", "/api/v1/metrics/series", "/api/v1/runs"]
        found = [client.get(page, params=EVERYTHING) for page in pages]
    assert [answer.status_code for answer in found] == [200] * len(pages)
    return [without_clock(answer.json()) for answer in found]


def without_clock(answer: object) -> object:
    """What an answer says of the runs: its period ends now."""
    if isinstance(answer, dict):
        return {name: without_clock(of) for name, of in answer.items() if name not in ("period", "from", "to", "as_of")}
    return answer


def count(store: ClickHouseStore) -> int:
    return int(store.query("SELECT count() FROM runs FINAL")[0][0])


def test_it_moves_to_a_server_and_back_and_the_pages_say_the_same(
    filled: Server, clickhouse: ClickHouse, tmp_path: Path
) -> None:
    url = clickhouse.new_database()
    (tmp_path / "target").write_text(f"{url}\n")
    status, said = copy(embedded(filled), f"@{tmp_path}/target")
    assert status == 0, said
    assert f"{RUNS} runs" in said
    assert "1 rejections" in said
    assert f"Written now: {RUNS + 1} rows" in said
    status, said = copy(embedded(filled), url)
    assert (status, "Written now: 0 rows" in said) == (0, True), said

    filled.start()
    before = answers(filled)
    assert filled.stop() == 0
    filled.environment["MODELTRACES_STORE_URL"] = url
    try:
        filled.start()
        assert answers(filled) == before
        assert filled.stop() == 0
    finally:
        del filled.environment["MODELTRACES_STORE_URL"]

    status, said = copy(url, f"chdb://{tmp_path}/back")
    assert status == 0, said
    assert f"{RUNS} runs" in said


def test_it_goes_on_where_it_was_and_writes_what_is_missing(filled: Server, clickhouse: ClickHouse) -> None:
    url = clickhouse.new_database()
    between = Between(url)
    between.up()
    try:
        with between.failing(WRITES, times=1000, reset=True, cut_after=200):
            status, said = copy(embedded(filled), between.url)
        assert status == 1
        assert "modeltraces: the store does not answer" in said
    finally:
        between.down()
    with opened(url) as store:
        assert count(store) == 0
    assert copy(embedded(filled), url)[0] == 0
    with opened(url) as store:
        store.command("ALTER TABLE runs DELETE WHERE request_id IN ('r3', 'r4') SETTINGS mutations_sync = 1")
        assert count(store) == RUNS - 2
    status, said = copy(embedded(filled), url)
    assert status == 0, said
    with opened(url) as store:
        assert count(store) == RUNS


def test_what_else_the_target_holds_is_said(filled: Server, clickhouse: ClickHouse) -> None:
    url = clickhouse.new_database()
    assert copy(embedded(filled), url)[0] == 0
    with opened(url) as store:
        store.command(
            "INSERT INTO runs (account_id, executed_on, request_id) VALUES ('a', '2026-11-12 10:02:00', 'other')"
        )
        store.command(
            "INSERT INTO runs (account_id, executed_on, request_id) VALUES ('a', '2026-01-01 00:00:00', 'other')"
        )
    status, said = copy(embedded(filled), url)
    assert status == 1
    assert "the target holds 1 rows that the source has not" in " ".join(said.split())


@pytest.mark.parametrize(
    ("source", "target", "says"),
    [
        ("chdb:///nowhere/at/all", "http://127.0.0.1:9/x", "there is no store at"),
        ("http://127.0.0.1:9/x", "http://127.0.0.1:9/x/", "the same store"),
        ("chdb://{here}", "chdb://{here}/other", "a process can open one embedded store"),
        ("nonsense", "http://127.0.0.1:9/x", "must begin with"),
        ("chdb://{here}", "http://127.0.0.1:9/x", "cannot be opened"),
        ("chdb://{here}", "@{here}/missing", "cannot be read from"),
    ],
)
def test_what_cannot_be_copied_is_one_line(tmp_path: Path, source: str, target: str, says: str) -> None:
    (tmp_path / "metadata").mkdir()
    status, said = copy(source.format(here=tmp_path), target.format(here=tmp_path))
    assert status == 1
    (line,) = said.strip().splitlines()
    assert says in line


def test_a_folder_that_is_no_store_is_not_made_one(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    status, said = copy(f"chdb://{tmp_path}", "http://127.0.0.1:9/x")
    assert (status, "there is no store at" in said) == (1, True), said
    assert "the folder `runs` in the data directory" in " ".join(said.split())
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_the_clusters_of_both_are_named(filled: Server, clickhouse: ClickHouse) -> None:
    done = run_command(
        "store", "copy", "--from", embedded(filled), "--to", clickhouse.new_database(), "--to-cluster", "nowhere"
    )
    assert (done.returncode, "it knows no such cluster" in done.stderr) == (1, True), done.stderr
    done = run_command(
        "store", "copy", "--from", embedded(filled), "--to", clickhouse.new_database(), "--from-cluster", "nowhere"
    )
    assert (done.returncode, "needs a ClickHouse server" in done.stderr) == (1, True), done.stderr


class Cluster:
    """A store of a cluster that is told what to take out and to take in."""

    def __init__(self) -> None:
        self.commands: list[str] = []

    def local(self, table: str) -> str:
        return on_cluster(table, "main")

    def command(self, sql: str, params: Params | None = None) -> None:
        self.commands.append(sql)

    def insert_block(self, table: str, columns: Sequence[str], block: bytes) -> None:
        self.commands.append(f"{len(block)} bytes into {table}")


def test_a_minute_that_is_too_large_is_cut_into_pieces_of_which_each_row_is_in_one(
    store: ClickHouseStore, account_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In one microsecond, as an import may have them; and some of them twice.
    at = 1_500_000_000_000_000
    runs = [Run(account_id, f"r{number}", at, "m", received_on_us=at) for number in range(400)]
    insert_runs(store, runs)
    insert_runs(store, runs[:50])
    monkeypatch.setattr(copying, "MOST_ROWS", 100)
    (table, *_) = copying.TABLES
    minute = datetime.fromtimestamp(at // 60_000_000 * 60, UTC)
    pieces = [part for part in copying._slices(store, table) if part.start == minute]
    assert len(pieces) == 6
    assert sum(part.rows for part in pieces) == 450
    found = [copying._checksum(store, part, {"request_id": "String"})[0] for part in pieces]
    assert sum(found) == 400
    assert max(found) <= 100
    assert "piece 6 of 6" in str(pieces[5])


def test_what_an_earlier_copy_left_is_taken_out_of_every_shard(store: ClickHouseStore) -> None:
    table = copying.TABLES[2]
    part = copying.Slice(table, datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, 0, 1, tzinfo=UTC), 0)
    cluster = Cluster()
    copying._write(store, cluster, part, ["account_id"])  # type: ignore[arg-type]
    assert cluster.commands[0].startswith("DELETE FROM rejections_local ON CLUSTER 'main' WHERE")


def test_a_store_that_a_server_has_open_is_not_copied(filled: Server, clickhouse: ClickHouse) -> None:
    filled.start()
    try:
        status, said = copy(embedded(filled), clickhouse.new_database())
    finally:
        filled.stop()
    assert (status, "in use by another modeltraces process" in said) == (1, True), said
