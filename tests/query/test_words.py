"""Common words are counted by what is known of them, without their texts: the same runs as by reading, or they are read."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from modeltraces.query import covered, narrowing, word_lists
from modeltraces.query.filters import Bound, parse
from modeltraces.query.metrics import count_runs, metrics
from modeltraces.query.searching import Search, search_of
from modeltraces.query.selection import Selection, where
from modeltraces.run import Run
from modeltraces.store import words
from modeltraces.store.coverage import US_PER_HOUR
from modeltraces.store.engine import ClickHouseStore, EngineLimits, Rows, Store
from modeltraces.store.errors import QueryMemoryExceeded
from modeltraces.store.migrate import migrate
from modeltraces.store.retention import sweep
from modeltraces.store.retention_limits import Keep, Limits
from modeltraces.store.rows import insert_runs
from modeltraces.store.words import remove_words
from tests.query.known_texts import (
    HOURS,
    LONG_AFTER_US,
    MIDNIGHT_US,
    NOBODY,
    long_after,
    look_through,
    of,
    one_after_another,
    small_texts,
)
from tests.query.runs import SECOND_US
from tests.support.clickhouse import ClickHouse, opened

pytestmark = pytest.mark.whole_store
BLOB = "0123456789" * 26
SENTENCE = "退款申请已经收到" * 4


@pytest.fixture(scope="module", autouse=True)
def small(store: Store) -> Iterator[None]:
    with small_texts(store), pytest.MonkeyPatch.context() as patch:
        patch.setattr(narrowing, "FEWEST_STRETCHES", -1)
        yield


def stored(store: Store, account_id: str, runs: list[Run], clock: int) -> list[Run]:
    insert_runs(store, runs)
    look_through(store, clock)
    return runs


def looked_up(store: Store, selection: Selection) -> bool:
    return "text_words" in narrowing.narrowed(store, selection, NOBODY, Bound("t")).condition


def known(store: Store, account_id: str, text: str) -> Search:
    search = search_of(store, of(account_id, parse(text)))
    assert search is not None
    assert len(search.hours) == HOURS
    return search


def counted(store: Store, account_id: str, text: str) -> int:
    """By what is known, which must be what reading finds."""
    selection = of(account_id, parse(text))
    found = count_runs(store, selection, NOBODY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(covered, "FEWEST_RUNS", 10**9)
        assert found == count_runs(store, selection, NOBODY), text
    return found


def test_a_common_word_is_counted_without_its_texts(store: Store) -> None:
    account_id, clock = f"common-{uuid4()}", long_after(store)
    runs = one_after_another(account_id, clock, "Where is my refund, please?")
    for one in runs[::4]:
        one.output = "Refunded."
    stored(store, account_id, runs, clock)
    for text, count in (("refund", 400), ("output:fund", 100), ("efunde", 100), ("input:unded", 0), ("is", 400)):
        assert looked_up(store, of(account_id, parse(text))), text
        assert counted(store, account_id, text) == count
    # What is counted is what was known, not what stands in the texts.
    store.command(
        "ALTER TABLE runs UPDATE output = '' WHERE account_id = {account_id:String} SETTINGS mutations_sync = 2",
        {"account_id": account_id},
    )
    assert count_runs(store, of(account_id, parse("efunde")), NOBODY) == 100


def test_other_terms_hold_beside_a_word(store: Store) -> None:
    account_id, clock = f"beside-{uuid4()}", long_after(store)
    runs = one_after_another(account_id, clock, "refund")
    for number, one in enumerate(runs):
        one.status = "failed" if number % 3 == 0 else "success"
        one.user_id = f"user-{number % 50}"
    stored(store, account_id, runs, clock)
    assert looked_up(store, of(account_id, parse("refund status:failed")))
    assert counted(store, account_id, "refund status:failed") == 134
    assert counted(store, account_id, "refund -status:failed source:nobody") == 0
    # A user's runs are few: their texts are read sooner than the word is looked up.
    assert not looked_up(store, of(account_id, parse("refund user_id:user-7")))
    assert counted(store, account_id, "refund user_id:user-7") == 8


@pytest.mark.parametrize(
    "text", ["input:refund*", "input:*refund", '"my refund"', "input:(refund OR money)", "-refund"]
)
def test_what_is_not_a_part_of_one_word_is_read(store: Store, text: str) -> None:
    account_id, clock = f"read-{uuid4()}", long_after(store)
    runs = one_after_another(account_id, clock, "refund of my refund")
    runs[7].input = "refunds"
    stored(store, account_id, runs, clock)
    assert not looked_up(store, of(account_id, parse(text)))
    counted(store, account_id, text)


@pytest.mark.parametrize(
    ("text", "count"), [("GPT4", 3), ("789REFUND", 2), ("退款申请", 3), ("收到退款", 3), ("refund", 400), ("K", 0)]
)
def test_words_that_are_too_long_to_be_listed_are_read(store: Store, text: str, count: int) -> None:
    account_id, clock = f"long-{uuid4()}", long_after(store)
    runs = one_after_another(account_id, clock, "refund")
    for one in runs[:3]:
        one.input += f" {SENTENCE}GPT4模型"
    for one in runs[100:102]:
        one.output = f"{BLOB}refund"
    stored(store, account_id, runs, clock)
    assert looked_up(store, of(account_id, parse(text)))
    assert counted(store, account_id, text) == count


@pytest.mark.parametrize(
    ("text", "said"), [("STRAẞE", "straße"), ("\N{KELVIN SIGN}elvin", "kelvin"), ("\N{ANGSTROM SIGN}", "å")]
)
def test_characters_whose_other_case_takes_fewer_bytes_are_read(store: Store, text: str, said: str) -> None:
    account_id, clock = f"bytes-{uuid4()}", long_after(store)
    stored(store, account_id, one_after_another(account_id, clock, f"Die {said} ist breit"), clock)
    assert counted(store, account_id, text) == 400


def test_many_long_words_are_read_as_ever(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    account_id, clock = f"blobs-{uuid4()}", long_after(store)
    runs = one_after_another(account_id, clock, f"refund {BLOB}x")
    stored(store, account_id, runs, clock)
    assert looked_up(store, of(account_id, parse("refund")))
    monkeypatch.setattr(narrowing, "_MOST_LONG", 399)
    assert not looked_up(store, of(account_id, parse("refund")))


def test_as_many_runs_are_held_as_memory_is_given() -> None:
    memory = EngineLimits().query_memory_bytes
    assert 2_500_000 <= memory // word_lists._BYTES_BY_TWO < memory // word_lists._BYTES < 6_500_000


def test_a_word_of_too_many_runs_to_be_held_in_memory_is_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    account_id, clock = f"many-{uuid4()}", long_after(store)
    stored(store, account_id, one_after_another(account_id, clock, "refund"), clock)
    memory = store.limits.query_memory_bytes
    for most_us, name, other in ((0, "_BYTES_BY_TWO", "_BYTES"), (words.MOST_US, "_BYTES", "_BYTES_BY_TWO")):
        monkeypatch.setattr(word_lists, "MOST_US", most_us)
        monkeypatch.setattr(word_lists, other, 1)
        monkeypatch.setattr(word_lists, name, memory // 400 + 1)
        assert not looked_up(store, of(account_id, parse("refund")))
        monkeypatch.setattr(word_lists, name, memory // 400)
        assert looked_up(store, of(account_id, parse("refund")))
    assert counted(store, account_id, "refund") == 400


def test_runs_of_one_instant_are_told_apart(store: Store) -> None:
    account_id, clock = f"instant-{uuid4()}", long_after(store)
    runs = one_after_another(account_id, clock, "refund")
    for one, other in zip(runs[::2], runs[1::2], strict=True):
        other.executed_on_us = one.executed_on_us
        other.input = "nothing"
    stored(store, account_id, runs, clock)
    assert looked_up(store, of(account_id, parse("refund")))
    assert counted(store, account_id, "refund") == 200


def test_runs_of_one_instant_whose_keys_begin_alike_are_told_apart(store: Store) -> None:
    account_id, clock = f"alike-{uuid4()}", long_after(store)
    runs = one_after_another(account_id, clock, "refund")
    # Of a few thousand ids some have hashes that begin with the same bits: all that one number holds of them.
    ((one, other),) = store.query(
        "SELECT groupArray(2)(id) FROM (SELECT concat('alike-', toString(number)) AS id FROM numbers(20000)) "
        "GROUP BY bitShiftRight(cityHash64(id), 46) HAVING count() > 1 LIMIT 1",
    )[0]
    runs[0].request_id, runs[1].request_id = one, other
    runs[1].executed_on_us = runs[0].executed_on_us
    runs[1].input = "nothing"
    stored(store, account_id, runs, clock)
    held = "SELECT apart, count() FROM text_runs WHERE account_id = {account_id:String} GROUP BY apart ORDER BY apart"
    assert store.query(held, {"account_id": account_id}) == [(False, 1), (True, HOURS - 1)]
    assert looked_up(store, of(account_id, parse("refund")))
    assert counted(store, account_id, "refund") == 399


def test_more_words_than_are_named_are_looked_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    account_id, clock = f"named-{uuid4()}", long_after(store)
    runs = one_after_another(account_id, clock, "refund")
    for number, run in enumerate(runs):
        run.output = f"refund{number}" if number % 2 else "nothing"
    stored(store, account_id, runs, clock)
    monkeypatch.setattr(word_lists, "_MOST_WORDS", 10)
    for text, count in (("output:refund", 200), ("refund", 400), ("output:refund39", 6)):
        assert looked_up(store, of(account_id, parse(text)))
        assert counted(store, account_id, text) == count


def test_a_period_too_long_for_one_number_of_start_and_key_is_looked_up(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    account_id, clock = f"years-{uuid4()}", long_after(store)
    stored(store, account_id, one_after_another(account_id, clock, "refund"), clock)
    monkeypatch.setattr(word_lists, "MOST_US", US_PER_HOUR)
    assert looked_up(store, of(account_id, parse("refund")))
    assert counted(store, account_id, "refund") == 400


def test_hours_without_any_text_are_known(store: Store) -> None:
    account_id, clock = f"empty-{uuid4()}", long_after(store)
    runs = one_after_another(account_id, clock, "refund")
    for run in runs[40:]:
        run.input = run.output = ""
    stored(store, account_id, runs, clock)
    search = known(store, account_id, "refund")
    assert word_lists.word_lists(search).search.hours == search.hours
    assert counted(store, account_id, "refund") == 40


def test_late_runs_and_those_that_are_sent_again_count_as_they_are_now(store: Store) -> None:
    account_id, clock = f"late-{uuid4()}", long_after(store)
    runs = stored(store, account_id, one_after_another(account_id, clock, "refund"), clock)
    late = [replace(run, request_id=f"late-{run.request_id}", received_on_us=clock + SECOND_US) for run in runs[:5]]
    again = [replace(run, version=run.version + 1, input="-", received_on_us=clock + SECOND_US) for run in runs[50:53]]
    insert_runs(store, late + again)
    assert counted(store, account_id, "refund") == 402
    look_through(store, clock + 2 * SECOND_US)
    assert looked_up(store, of(account_id, parse("refund")))
    assert counted(store, account_id, "refund") == 402


def test_an_hour_whose_runs_are_gone_is_read(store: Store) -> None:
    account_id, clock = f"gone-{uuid4()}", long_after(store)
    stored(store, account_id, one_after_another(account_id, clock, "refund"), clock)
    store.command(
        "ALTER TABLE text_runs DELETE WHERE account_id = {account_id:String} AND at % 3 = 0 SETTINGS mutations_sync = 2",
        {"account_id": account_id},
    )
    assert looked_up(store, of(account_id, parse("refund")))
    assert counted(store, account_id, "refund") == 400


def lose_some_words(store: Store, account_id: str, hours: str = "true") -> None:
    """As a replica that lags behind has not got them yet."""
    store.command(
        "ALTER TABLE text_words DELETE WHERE account_id = {account_id:String} AND word = 'refund' "
        f"AND {hours} SETTINGS mutations_sync = 2",
        {"account_id": account_id},
    )


def test_an_hour_of_which_a_word_is_missing_is_read(store: Store) -> None:
    account_id, clock = f"lag-{uuid4()}", long_after(store)
    stored(store, account_id, one_after_another(account_id, clock, "my refund"), clock)
    lose_some_words(store, account_id, "at % 3 = 0")
    assert looked_up(store, of(account_id, parse("refund")))
    # All words of a block are counted, whichever are missing.
    for text, count in (("refund", 400), ("my", 400), ("nothing", 0)):
        assert counted(store, account_id, text) == count
    lose_some_words(store, account_id)
    assert not looked_up(store, of(account_id, parse("refund")))
    assert counted(store, account_id, "refund") == 400


def asked_while(store: Store, account_id: str, change: Callable[[int], None]) -> tuple[int, list[bool]]:
    """(a count of "refund", of each time it was asked whether its words were looked up), where something changes each time."""
    asked: list[bool] = []
    bound = Bound("t")

    def count(selection: Selection, also: str) -> Rows:
        asked.append("text_words" in also)
        change(len(asked))
        condition, params = where(selection, NOBODY)
        return store.query(f"SELECT count() FROM runs FINAL WHERE {condition} AND {also}", {**params, **bound.params})

    ((found,),) = narrowing.ask_narrowed(store, of(account_id, parse("refund")), NOBODY, bound, count)
    return found, asked


def test_what_is_removed_or_made_anew_while_it_is_asked_is_asked_again(store: Store) -> None:
    account_id, clock = f"meanwhile-{uuid4()}", long_after(store)
    runs = stored(store, account_id, one_after_another(account_id, clock, "refund"), clock)
    first = MIDNIGHT_US // US_PER_HOUR
    assert asked_while(store, account_id, lambda n: remove_words(store, first, first) if n == 1 else None) == (
        400,
        [True, True],
    )
    assert asked_while(store, account_id, lambda n: remove_words(store, first + min(n, 2), first + min(n, 2))) == (
        400,
        [True, True, False],
    )

    in_hours = "at % 10 = {}".format
    assert asked_while(
        store, account_id, lambda n: lose_some_words(store, account_id, in_hours((first + 3) % 10)) if n == 1 else None
    ) == (400, [True, True])

    def make_anew(number: int) -> None:
        if number == 1:
            late = replace(runs[399], version=2, received_on_us=clock + SECOND_US)
            insert_runs(store, [late])
            look_through(store, clock + 2 * SECOND_US)
            # What was made before is still there until parts are merged.
            store.command("OPTIMIZE TABLE text_words FINAL")

    assert asked_while(store, account_id, make_anew) == (400, [True, True])
    # A late run that makes nothing anew yet is no reason to ask again.
    later = replace(runs[398], version=2, received_on_us=clock + 3 * SECOND_US)
    assert asked_while(store, account_id, lambda n: insert_runs(store, [later])) == (400, [True])


def test_words_of_a_server_are_looked_up_and_asked_again_where_some_are_gone(clickhouse: ClickHouse) -> None:
    with opened(clickhouse.new_database()) as server:
        migrate(server)
        account_id, clock = f"server-{uuid4()}", long_after(server)
        runs = one_after_another(account_id, clock, "refund")
        runs[20].input += f" {BLOB}"
        stored(server, account_id, runs, clock)
        assert looked_up(server, of(account_id, parse("refund")))
        assert counted(server, account_id, "refund") == 400
        assert counted(server, account_id, "6789") == 1
        lost = "at % 3 = {}".format
        assert asked_while(server, account_id, lambda n: lose_some_words(server, account_id, lost(n))) == (
            400,
            [True, True, False],
        )


def test_the_questions_of_a_page_look_for_a_word_once(store: ClickHouseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    account_id, clock = f"once-{uuid4()}", long_after(store)
    runs = stored(store, account_id, one_after_another(account_id, clock, "refund"), clock)
    asked: list[str] = []
    query = ClickHouseStore.query

    def noted(self: ClickHouseStore, sql: str, params: Mapping[str, Any] | None = None, *, surface: str = "") -> Rows:
        asked.append(surface)
        return query(self, sql, params, surface=surface)

    monkeypatch.setattr(ClickHouseStore, "query", noted)
    whole, beginning = (
        of(account_id, parse("refund")),
        replace(of(account_id, parse("refund")), to_us=MIDNIGHT_US + US_PER_HOUR * 9 // 2),
    )
    assert count_runs(store, whole, NOBODY) == metrics(store, whole, NOBODY).total_requests == 400
    assert [asked.count(f"texts.{what}") for what in ("needle", "hours", "pieces", "words")] == [1, 1, 1, 1]
    # It is of the hours that are asked for, and of what is there now.
    assert count_runs(store, beginning, NOBODY) == 180
    assert asked.count("texts.words") == 2
    insert_runs(store, [replace(runs[0], request_id="late", received_on_us=clock + SECOND_US)])
    assert count_runs(store, whole, NOBODY) == 401
    assert asked.count("texts.words") == 3


def test_a_word_for_which_memory_is_short_is_read(store: Store) -> None:
    account_id, clock = f"memory-{uuid4()}", long_after(store)
    stored(store, account_id, one_after_another(account_id, clock, "refund"), clock)

    def fail(number: int) -> None:
        if number == 1:
            raise QueryMemoryExceeded("The query needed too much memory.")

    assert asked_while(store, account_id, fail) == (400, [True, False])


def test_an_hour_with_too_many_words_is_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "_MOST_WORDS", 30)
    account_id, clock = f"random-{uuid4()}", long_after(store)
    stored(store, account_id, one_after_another(account_id, clock, "refund"), clock)
    assert not looked_up(store, of(account_id, parse("refund")))
    assert counted(store, account_id, "refund") == 400


def test_words_go_with_their_texts(store: Store) -> None:
    account_id, clock = f"swept-{uuid4()}", long_after(store)
    stored(store, account_id, one_after_another(account_id, clock, "refund"), clock)
    limits = Limits({account_id: MIDNIGHT_US + HOURS * US_PER_HOUR})
    sweep(store, Keep(Limits(), limits), LONG_AFTER_US)
    for table in ("text_words", "text_runs"):
        held = f"SELECT count() FROM {table} WHERE account_id = {{account_id:String}}"
        assert store.query(held, {"account_id": account_id}) == [(0,)], table
    assert counted(store, account_id, "refund") == 0
