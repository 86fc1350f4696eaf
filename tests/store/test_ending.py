"""A question to a ClickHouse server that nobody waits for any more is ended there, and a server that cannot end it does no harm."""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from modeltraces.api.export_pieces import Pieces
from modeltraces.query.export import new_mark
from modeltraces.store.engine import ClickHouseStore, EngineLimits
from modeltraces.store.errors import StoreError
from tests.support.between import Between, between
from tests.support.clickhouse import ClickHouse, opened

# Of these there is none: it gives no piece until its time is up.
ENDLESS = "SELECT number FROM numbers(1000000000000) WHERE sipHash64(number) = 0 SETTINGS max_execution_time = 90, log_comment = '{}'"
PATIENCE_SECONDS = 30


@pytest.fixture(scope="module")
def way(clickhouse: ClickHouse) -> Iterator[Between]:
    with between(clickhouse.new_database()) as standing:
        yield standing


@pytest.fixture(scope="module")
def remote(way: Between) -> Iterator[ClickHouseStore]:
    with opened(way.url, EngineLimits(read_waits=(), write_waits=())) as store:
        yield store


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def running(store: ClickHouseStore, mark: str) -> bool:
    ((found,),) = store.query(
        "SELECT count() FROM system.processes WHERE Settings['log_comment'] = {mark:String}", {"mark": mark}
    )
    return bool(found)


class Reader:
    """Waits for the first piece of an endless export in a thread of its own."""

    def __init__(self, store: ClickHouseStore) -> None:
        self.mark = new_mark()
        make = partial(store.stream, ENDLESS.format(self.mark), format="CSV", mark=self.mark)
        self.pieces = Pieces(make, partial(store.end, self.mark))
        self.failed: list[BaseException] = []
        self.thread = threading.Thread(target=self._take, daemon=True)
        self.thread.start()
        wait_until(lambda: running(store, self.mark))

    def leave(self) -> None:
        closing = threading.Thread(target=self.pieces.close, daemon=True)
        closing.start()
        for thread in (closing, self.thread):
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive(), "what nobody waits for is worked out"

    def _take(self) -> None:
        try:
            self.pieces.take()
        except BaseException as error:
            self.failed.append(error)


def test_what_a_reader_who_left_waited_for_is_ended_and_nothing_else(remote: ClickHouseStore) -> None:
    left, other = Reader(remote), Reader(remote)
    left.leave()
    assert [isinstance(error, StoreError) for error in left.failed] == [True]
    wait_until(lambda: not running(remote, left.mark))
    assert running(remote, other.mark)
    assert other.thread.is_alive()
    other.leave()
    wait_until(lambda: not running(remote, other.mark))
    assert remote.query("SELECT 41 + 1") == [(42,)]


@pytest.mark.parametrize("how", [{"status": 500, "code": 497}, {"status": 503}, {"reset": True}], ids=str)
def test_one_that_cannot_be_ended_is_waited_for_and_tried_again(
    way: Between, remote: ClickHouseStore, how: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    reader = Reader(remote)
    with way.failing(r"KILL QUERY", times=3, **how) as fault:
        reader.leave()
        assert fault.times == 0
    wait_until(lambda: not running(remote, reader.mark))
    assert capsys.readouterr().out.count("it could not be ended") == 1
    assert remote.query("SELECT 41 + 1") == [(42,)]


def test_what_has_ended_already_is_no_error(remote: ClickHouseStore) -> None:
    remote.end(new_mark())
    remote.end("it's \\ gone")
