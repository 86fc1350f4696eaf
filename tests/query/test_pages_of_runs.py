"""Pages by cursor: every run once, in order, both ways, whatever arrives meanwhile."""

import base64
import itertools
import random
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modeltraces.query.cursor import CursorError, Position, decode, encode
from modeltraces.query.fields import SORTABLE, field_named
from modeltraces.query.filters import FilterContext, parse
from modeltraces.query.runs import list_runs, neighbours
from modeltraces.query.selection import Order, Selection
from modeltraces.run import Run
from modeltraces.store.engine import Store
from modeltraces.store.rows import insert_runs
from tests.query.runs import NOON_US, run
from tests.support.random_cases import examples

SECRET = b"a secret of the tests"
NOBODY = FilterContext()


def population(account_id: str, size: int = 60) -> list[Run]:
    chance = random.Random(7)
    made = []
    for number in range(size):
        one = run(account_id, number, model=chance.choice(("a", "b")), source=chance.choice(("", "s", "Ü", "退")))
        # Few instants and few values: ties everywhere.
        one.executed_on_us = NOON_US + chance.randrange(5) * 1_000_000
        one.status = chance.choice(("success", "failed"))
        one.response_time_ms = chance.choice((None, 0.1, 0.30000000000000004, 7.1, 1e300, 5e-324))
        one.time_to_first_token_ms = chance.choice((None, 1.0))
        one.input_tokens = chance.choice((None, 0, 2**53 + 1))
        one.output_tokens = chance.choice((None, 1))
        one.deployment_version = chance.choice(("", "v1", "v2"))
        made.append(one)
    return made


@pytest.fixture(scope="module")
def account(store: Store) -> str:
    insert_runs(store, population("pages"))
    return "pages"


def in_order(runs: list[Run], sort: str, order: Order) -> list[str]:
    spec = field_named(sort)
    assert spec is not None

    def value(one: Run) -> Any:
        if sort == "executed_on":
            return one.executed_on_us
        if sort == "total_tokens":
            both = (one.input_tokens, one.output_tokens)
            return None if None in both else sum(count or 0 for count in both)
        return getattr(one, spec.columns[0])

    def place(one: Run) -> tuple[Any, int, str]:
        return value(one), one.executed_on_us, one.request_id

    known = [one for one in runs if value(one) not in (None, "")]
    unknown = [one for one in runs if value(one) in (None, "")]
    by_start: Callable[[Run], tuple[int, str]] = lambda one: (one.executed_on_us, one.request_id)  # noqa: E731
    down = order == "desc"
    ordered = sorted(known, key=place, reverse=down) + sorted(unknown, key=by_start, reverse=down)
    return [one.request_id for one in ordered]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("sort", SORTABLE)
def test_pages_hold_every_run_once_in_order_forth_and_back(store: Store, account: str, sort: str, order: Order) -> None:
    selection = Selection(account, sort=sort, order=order)
    expected = in_order(population(account), sort, order)
    seen, cursor, pages = [], None, []
    while True:
        page = list_runs(store, selection, NOBODY, limit=17, cursor=cursor, secret=SECRET)
        pages.append(page)
        seen += [one.request_id for one in page.runs]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == expected
    assert pages[0].previous_cursor is None
    for before, after in itertools.pairwise(pages):
        back = list_runs(store, selection, NOBODY, limit=17, cursor=after.previous_cursor, secret=SECRET)
        assert back.runs == before.runs
        assert (back.previous_cursor is None) == (before is pages[0])
        assert back.next_cursor is not None


def test_runs_that_arrive_between_two_pages_move_nothing(store: Store, account_id: str) -> None:
    old = [run(account_id, number) for number in range(10)]
    insert_runs(store, old)
    selection = Selection(account_id)
    first = list_runs(store, selection, NOBODY, limit=4, cursor=None, secret=SECRET)
    insert_runs(store, [run(account_id, number) for number in range(100, 110)])
    second = list_runs(store, selection, NOBODY, limit=10, cursor=first.next_cursor, secret=SECRET)
    assert [one.request_id for one in (*first.runs, *second.runs)] == [one.request_id for one in reversed(old)]
    newer = list_runs(store, selection, NOBODY, limit=20, cursor=encode(
        selection, Position(None, first.runs[0].executed_on_us, first.runs[0].request_id), "before", SECRET
    ), secret=SECRET)  # fmt: skip
    assert len(newer.runs) == 10


@given(
    sort=st.sampled_from(["executed_on", "response_time", "input_tokens"]),
    order=st.sampled_from(["asc", "desc"]),
    limit=st.integers(7, 40),
    seed=st.integers(0, 1 << 32),
)
@settings(
    max_examples=examples(3, thorough=60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_pages_hold_every_run_once_in_order_while_runs_come_in_and_are_sent_again(
    store: Store, sort: str, order: Order, limit: int, seed: int
) -> None:
    account_id, chance = f"coming {uuid4()}", random.Random(seed)
    old = population(account_id, 40)
    insert_runs(store, old)
    new = population(account_id, 200)[40:]
    done = threading.Event()

    def come_in() -> None:
        while new and not done.is_set():
            # What is sent again says the same of itself, and replaces its row.
            again = [replace(one, version=2) for one in chance.sample(old, 3)]
            insert_runs(store, [new.pop() for _ in range(min(len(new), chance.randint(1, 5)))] + again)

    coming = threading.Thread(target=come_in)
    coming.start()
    seen, cursor = [], None
    try:
        while True:
            page = list_runs(store, Selection(account_id, sort=sort, order=order), NOBODY, limit=limit, cursor=cursor, secret=SECRET)  # fmt: skip
            seen += [one.request_id for one in page.runs]
            cursor = page.next_cursor
            if cursor is None:
                break
    finally:
        done.set()
        coming.join()
    assert len(new) < 160, "runs came in meanwhile"
    assert len(seen) == len(set(seen))
    assert seen == [one for one in in_order(population(account_id, 200), sort, order) if one in set(seen)]
    assert {one.request_id for one in old} <= set(seen)


def test_a_page_that_is_just_full_is_the_last(store: Store, account_id: str) -> None:
    insert_runs(store, [run(account_id, number) for number in range(5)])
    page = list_runs(store, Selection(account_id), NOBODY, limit=5, cursor=None, secret=SECRET)
    assert len(page.runs) == 5
    assert page.next_cursor is None


def test_neighbours_walk_the_selection_in_its_order(store: Store, account: str) -> None:
    text = "source:s"
    selection = Selection(account, filter_text=text, filter=parse(text), sort="response_time", order="asc")
    kept = [one for one in population(account) if one.source == "s"]
    walk = in_order(kept, "response_time", "asc")
    for place, request_id in enumerate(walk):
        before = walk[place - 1] if place else None
        after = walk[place + 1] if place + 1 < len(walk) else None
        assert neighbours(store, selection, NOBODY, request_id) == (before, after)


def test_an_unknown_run_has_no_neighbours(store: Store, account: str) -> None:
    assert neighbours(store, Selection(account), NOBODY, "nope") == (None, None)
    assert neighbours(store, Selection("another account"), NOBODY, "run-00001") == (None, None)


PLACE = Position(2.5, NOON_US, "run-1")


def test_a_cursor_gives_its_place_back_exactly() -> None:
    selection = Selection("a", sort="response_time")
    for value in (None, 0.1, 5e-324, 2**53 + 1, "Ü\x00\n"):
        place = Position(value, NOON_US, "run 🙂")
        assert decode(selection, encode(selection, place, "before", SECRET), SECRET) == (place, "before")


@pytest.mark.parametrize(
    "other",
    [
        Selection("another account"),
        Selection("a", models=("m",)),
        Selection("a", from_us=1),
        Selection("a", period="7d"),
        Selection("a", filter=parse("x")),
        Selection("a", sort="status"),
        Selection("a", order="asc"),
    ],
)
def test_a_cursor_of_another_selection_is_refused(other: Selection) -> None:
    cursor = encode(Selection("a"), PLACE, "after", SECRET)
    with pytest.raises(CursorError):
        decode(other, cursor, SECRET)


def test_a_cursor_stays_good_while_a_named_period_moves_on() -> None:
    cursor = encode(Selection("a", from_us=1, period="7d"), PLACE, "after", SECRET)
    assert decode(Selection("a", from_us=2, period="7d"), cursor, SECRET) == (PLACE, "after")


def test_a_cursor_that_was_tampered_with_is_refused() -> None:
    selection = Selection("a")
    cursor = encode(selection, PLACE, "after", SECRET)
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    for place in range(len(raw)):
        changed = bytearray(raw)
        changed[place] ^= 1
        with pytest.raises(CursorError):
            decode(selection, base64.urlsafe_b64encode(changed).rstrip(b"=").decode(), SECRET)
    with pytest.raises(CursorError):
        decode(selection, cursor, b"another secret")


@pytest.mark.parametrize("text", ["", "x", "====", "é", "A" * 20_000, "bm90IGEgY3Vyc29y", "../..", "%00"])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(CursorError):
        decode(Selection("a"), text, SECRET)
