"""Hours of commits whose fate is not known are taken for not summed up, until no insert can come any more."""

import pytest

from modeltraces.ingest.doubtful import Doubtful
from modeltraces.ingest.writer import Batch, Writer
from modeltraces.run import Run, now_us
from modeltraces.store.coverage import US_PER_HOUR, VERSIONS, declare
from modeltraces.store.engine import Store, StoreUnavailable

HOUR = 480_000


class Nobody:
    def ensure(self, account_id: str, seen: object) -> None: ...


def covered(store: Store, account_id: str) -> list[int]:
    rows = store.query(
        "SELECT at FROM summary_hours FINAL WHERE account_id = {account_id:String} AND covered ORDER BY at",
        {"account_id": account_id},
    )
    return [row[0] for row in rows]


def cover_again(store: Store, account_id: str) -> None:
    declare(store, [(account_id, at, True) for at in (HOUR, HOUR + 1)], now_us() * VERSIONS, covered=True)


def run(account_id: str, hour: int) -> Run:
    return Run(account_id, "one", hour * US_PER_HOUR + 5, "m")


def test_hours_are_taken_for_not_summed_up_at_once_and_twice_later(store: Store, account_id: str) -> None:
    now = [1000.0]
    doubtful = Doubtful(store, lambda: now[0])
    doubtful.add([run(account_id, HOUR)])
    for now[0], expected in (
        (1000.0, [HOUR + 1]),
        (1010.0, [HOUR, HOUR + 1]),
        (1130.0, [HOUR + 1]),
        (2000.0, [HOUR + 1]),
    ):
        cover_again(store, account_id)
        doubtful.settle()
        assert covered(store, account_id) == expected
    cover_again(store, account_id)
    now[0] = 9000.0
    doubtful.settle()
    assert covered(store, account_id) == [HOUR, HOUR + 1]


def test_a_commit_whose_answer_is_lost_is_taken_for_stored_by_the_sums(
    store: Store, account_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cover_again(store, account_id)
    writer = Writer(store, Nobody(), name="me")
    insert = store.insert

    def lost(table: str, columns: object) -> None:
        if table == "runs":
            raise StoreUnavailable("no answer came")
        insert(table, columns)  # type: ignore[arg-type]

    writer.start()
    try:
        with monkeypatch.context() as away:
            away.setattr(type(store), "insert", lambda _, table, columns: lost(table, columns))
            with pytest.raises(StoreUnavailable):
                writer.submit(Batch(account_id, "runs", [run(account_id, HOUR)])).result(30)
            assert covered(store, account_id) == [HOUR, HOUR + 1]
        writer.submit(Batch(account_id, "runs", [run(account_id, HOUR + 30)])).result(30)
    finally:
        writer.stop()
    assert covered(store, account_id) == [HOUR + 1]
