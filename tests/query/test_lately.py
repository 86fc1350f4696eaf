"""Pages are looked for first where the last one lay, and are those of all runs whatever became of these."""

from dataclasses import replace
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modeltraces.query.filters import FilterContext, parse
from modeltraces.query.runs import list_runs
from modeltraces.query.selection import Order, Selection
from modeltraces.run import Run
from modeltraces.store.engine import ClickHouseStore, Store
from modeltraces.store.rows import insert_runs
from tests.query.naive import matches
from tests.query.runs import NOON_US, SECOND_US, run
from tests.support.random_cases import examples

SECRET = b"a secret of the tests"
NOBODY = FilterContext()


def pages(store: Store, selection: Selection, limit: int) -> list[str]:
    """All runs of a selection, by cursors forth; each page is asked for again from the page behind it, too."""
    seen: list[str] = []
    cursor, before = None, None
    while True:
        page = list_runs(store, selection, NOBODY, limit=limit, cursor=cursor, secret=SECRET)
        ids = [one.request_id for one in page.runs]
        if before is not None and page.previous_cursor is not None:
            back = list_runs(store, selection, NOBODY, limit=limit, cursor=page.previous_cursor, secret=SECRET)
            assert [one.request_id for one in back.runs] == before
        seen += ids
        before, cursor = ids, page.next_cursor
        if cursor is None:
            return seen


def expected(runs: dict[str, Run], selection: Selection) -> list[str]:
    start = -(1 << 62) if selection.from_us is None else selection.from_us
    end = 1 << 62 if selection.to_us is None else selection.to_us
    chosen = [
        one
        for one in runs.values()
        if not one.superseded_by
        and start <= one.executed_on_us < end
        and (selection.filter is None or matches(selection.filter, one, NOBODY))
    ]
    ordered = sorted(chosen, key=lambda one: (one.executed_on_us, one.request_id), reverse=selection.order == "desc")
    return [one.request_id for one in ordered]


def some_runs(account_id: str, chance: Random, first: int) -> list[Run]:
    """Some together, some far from all others."""
    around = NOON_US + chance.randrange(-20, 20) * 3600 * SECOND_US
    width = chance.choice((1, 1000, 3600)) * SECOND_US
    return [
        run(
            account_id,
            first + number,
            executed_on_us=around + chance.randrange(width),
            status=chance.choice(("success", "success", "success", "failed")),
        )
        for number in range(chance.randrange(1, 25))
    ]


@settings(
    max_examples=examples(12, thorough=150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, 1 << 32))
def test_pages_are_those_of_all_runs_while_runs_come_and_go(store: Store, seed: int) -> None:
    chance, account_id = Random(seed), str(uuid4())
    runs: dict[str, Run] = {}
    for _ in range(5):
        new = some_runs(account_id, chance, len(runs))
        # Some are folded into others, and are no longer there.
        gone = [
            replace(one, superseded_by=new[0].request_id, version=one.version + 1)
            for one in chance.sample(list(runs.values()), len(runs) // 3)
        ]
        insert_runs(store, [*new, *gone])
        runs |= {one.request_id: one for one in (*new, *gone)}
        for text in ("", "status:failed"):
            orders: tuple[Order, ...] = ("desc", "asc")
            for order in orders:
                edges = sorted(chance.choice(list(runs.values())).executed_on_us for _ in range(2))
                for start, end in ((None, None), (edges[0], edges[1] + 1), (None, edges[1])):
                    selection = Selection(
                        account_id, from_us=start, to_us=end, order=order, filter_text=text, filter=parse(text)
                    )
                    limit = chance.choice((3, 10))
                    assert pages(store, selection, limit) == expected(runs, selection)


@pytest.mark.parametrize("order", ["desc", "asc"])
def test_the_next_page_is_read_where_the_last_one_lay(
    store: ClickHouseStore, account_id: str, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert_runs(store, [run(account_id, number) for number in range(400)])
    asked: list[str] = []
    query = ClickHouseStore.query

    def look(self: ClickHouseStore, sql: str, params: Any = None, *, surface: str = "") -> Any:
        if surface == "runs.keys":
            asked.append(sql)
        return query(self, sql, params, surface=surface)

    monkeypatch.setattr(ClickHouseStore, "query", look)
    selection = Selection(account_id, order=order)
    first = list_runs(store, selection, NOBODY, limit=20, cursor=None, secret=SECRET)
    assert [" AND executed_on " in sql for sql in asked] == [False]
    again = list_runs(store, selection, NOBODY, limit=20, cursor=None, secret=SECRET)
    second = list_runs(store, selection, NOBODY, limit=20, cursor=first.next_cursor, secret=SECRET)
    # One question each, of a part of the time.
    sign = ">=" if order == "desc" else "<="
    assert [f" AND executed_on {sign} " in sql for sql in asked] == [False, True, True]
    assert again == first
    assert second.runs[0].request_id == f"run-{379 if order == 'desc' else 20:05d}"
