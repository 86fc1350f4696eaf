"""A place in what comes from several writers: nothing is missed, nothing is long."""

from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from modeltraces.ingest.links import LinkIndex
from modeltraces.ingest.others import Others
from modeltraces.run import Run
from modeltraces.store.engine import Store
from modeltraces.store.news import VISIBLE_SECONDS, Depth, Seen
from modeltraces.store.rows import insert_runs

instants = st.integers(0, 10**16)
places = st.builds(Seen, instants, st.dictionaries(st.text("0123456789abcdef", max_size=8), instants, max_size=5))


@given(places)
def test_a_place_goes_as_text_and_comes_back(seen: Seen) -> None:
    assert Seen.from_text(seen.to_text()) == seen


@given(st.text() | st.text("0123456789,="))
def test_what_is_no_place_is_none(text: str) -> None:
    seen = Seen.from_text(text)
    assert seen is None or Seen.from_text(seen.to_text()) == seen


def test_most_looks_go_back_a_little_and_the_first_through_all() -> None:
    depth, now = Depth(), 10**15
    assert [depth.floor_us(now) for _ in range(3)] == [0, now - 15_000_000, now - 15_000_000]
    assert Seen(5, {"a": 9}).condition()[1]["first"] == 5
    assert Seen(5, {"a": 9}).condition(7)[1]["first"] == 7
    assert Seen(5).condition(7)[1] == {"since": 7}


def test_a_writer_goes_on_where_it_was_and_one_that_is_silent_is_left_out() -> None:
    minute = 60_000_000
    seen = Seen(10 * minute).with_row("a", 11 * minute).with_row("a", 9 * minute).with_row("b", 12 * minute)
    assert seen.by_writer == {"a": 11 * minute, "b": 12 * minute}
    later = seen.at(12 * minute + VISIBLE_SECONDS * 1_000_000 - minute // 2)
    assert later == Seen(11 * minute + minute // 2, {"b": 12 * minute})
    assert later.with_row("a", 11 * minute).by_writer == later.by_writer


def test_what_came_before_a_look_that_goes_back_a_little_is_not_passed_over(store: Store) -> None:
    second = 1_000_000
    now = 2_000_000_000 * second
    account_id = f"news-{uuid4()}"

    def stored(request_id: str, received_on_us: int) -> None:
        one = Run(account_id, request_id, now, "m", received_on_us=received_on_us)
        insert_runs(store, [one], account_id[-12:])

    others = Others(store, LinkIndex(), "me")
    others.begin(now)
    others.look(now)
    stored("told", now + second)
    others.look(now + 2 * second)
    # A commit that took long, and the next one of the same writer.
    stored("slow", now + 5 * second)
    stored("quick", now + 30 * second)
    others.look(now + 31 * second)
    assert all(others.index.request(account_id, one) for one in ("told", "slow", "quick"))
