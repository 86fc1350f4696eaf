"""Searches of texts: with what is known of the hours' texts the very same runs are found as by reading them all."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from modeltraces.query import covered, narrowing, searching
from modeltraces.query.filters import Bound, Filter, Pattern, Term, all_of, parse
from modeltraces.query.metrics import count_runs, metrics
from modeltraces.query.selection import Order
from modeltraces.run import Run
from modeltraces.store.coverage import US_PER_HOUR
from modeltraces.store.engine import Store
from modeltraces.store.retention import sweep
from modeltraces.store.retention_limits import Keep, Limits
from modeltraces.store.rows import insert_runs
from modeltraces.store.texts import folded
from tests.query.known_texts import (
    HOURS,
    LONG_AFTER_US,
    MIDNIGHT_US,
    NOBODY,
    ids_found,
    long_after,
    look_through,
    of,
    one_after_another,
    small_texts,
)
from tests.query.naive import matches
from tests.query.runs import DAY_US, SECOND_US, run

pytestmark = pytest.mark.whole_store
WORDS = (
    "quixotic", "QUIXOTIC", "Größe", "GRÖSSE", "große", "Возврат", "возвратный", "退款申请", "退款", "返品して", "ὈΔΥΣΣΕΎΣ", "ὀδυσσεύς",
    "İstanbul", "istanbul", "\N{KELVIN SIGN}elvin", "kelvin", "ſtraſſe", "STRASSE", "\N{LATIN CAPITAL LETTER SHARP S}", "a🙂b🙂c",
    "ab-cd_efgh", "naïve", "nai\N{COMBINING DIAERESIS}ve", "한국어", "0f3a9c77", "x", "المستخدم", "मेरा नाम",
    # Too long to be listed as words: of ASCII, of other characters, and of both.
    f"{'0123456789' * 26}quixoticREFUND", "退款申请" * 8, f"{'使用' * 12}GPT4模型", f"{'ж' * 40}{'Zz9' * 90}",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def small(store: Store) -> Iterator[None]:
    with small_texts(store):
        yield


@pytest.fixture
def clock(store: Store) -> int:
    return long_after(store)


def made(account_id: str, chance: Random, number: int, received_us: int) -> Run:
    def text() -> str:
        return " ".join(
            chance.choices(("the", "answer", "of", "it", *chance.choices(WORDS, k=2)), k=chance.randrange(8))
        )

    return replace(
        run(
            account_id,
            number,
            executed_on_us=MIDNIGHT_US + chance.randrange(HOURS * US_PER_HOUR),
            received_on_us=received_us,
        ),
        request_id=f"{chance.choice(('0f3a', 'run', 'Größe', 'b1'))}-{number:05d}",
        input=text(),
        output=text(),
    )


def searched(chance: Random) -> Filter:
    """Some part of some word, or of two, as a term of its own or with others."""
    word = chance.choice((*WORDS, f"{chance.choice(WORDS)} {chance.choice(WORDS)}", "0f3a-00", "run-0000", "größe-0"))
    start = chance.randrange(max(1, len(word) - 3))
    part = chance.choice(
        (word, word[start : start + chance.randrange(2, 7)], word.swapcase(), word.upper(), word.lower())
    ).strip()
    pattern = chance.choice(
        (Pattern((part or "x",)), Pattern((part or "x",)), Pattern((part[:2], part[2:] or "y", "")))
    )
    term = Term(chance.choice(("input", "output", "text")), "is", (pattern,))
    return term if chance.random() < 0.7 else all_of([term, Term("text", "is", (Pattern(("the",)),))])


@given(seed=st.integers(0, 10**6))
@settings(
    max_examples=2, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_search_finds_what_reading_every_text_finds_whatever_came_meanwhile(store: Store, seed: int) -> None:
    chance = Random(seed)
    account_id = f"texts-{seed}-{uuid4()}"
    clock = long_after(store)
    runs = [made(account_id, chance, number, clock - SECOND_US) for number in range(300)]
    insert_runs(store, runs)
    look_through(store, clock)
    # Late ones, and some that are sent again with another text.
    late = [made(account_id, chance, 1000 + number, clock + SECOND_US) for number in range(chance.randrange(3))]
    again = [
        replace(one, version=one.version + 1, output="Quixotically", received_on_us=clock + SECOND_US)
        for one in runs[:2]
    ]
    insert_runs(store, late + again)
    runs = again + runs[2:] + late
    changed = of(account_id, parse("uixotically"), "asc", "request_id")
    assert ids_found(store, changed) == sorted(one.request_id for one in again)
    if chance.random() < 0.5:
        look_through(store, clock + 2 * SECOND_US)
        assert ids_found(store, changed) == sorted(one.request_id for one in again)
    known = looked_up = 0
    for _ in range(8):
        filter = searched(chance)
        order: Order = chance.choice(("desc", "asc"))
        selection, by_id = of(account_id, filter, order), of(account_id, filter, "asc", "request_id")
        found, found_by_id = ids_found(store, selection), ids_found(store, by_id)
        measured = metrics(store, selection, NOBODY)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(covered, "FEWEST_RUNS", 10**9)
            assert (found, found_by_id) == (ids_found(store, selection), ids_found(store, by_id)), filter
            assert measured == metrics(store, selection, NOBODY), filter
        assert count_runs(store, selection, NOBODY) == len(found), filter
        known += narrowing.narrowed(store, selection, NOBODY, Bound()).condition != "true"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(narrowing, "FEWEST_STRETCHES", -1)
            assert count_runs(store, selection, NOBODY) == len(found), filter
            assert (metrics(store, selection, NOBODY), ids_found(store, by_id)) == (measured, found_by_id), filter
            looked_up += "text_words" in narrowing.narrowed(store, selection, NOBODY, Bound()).condition
        # To Python the Kelvin sign is a k in any text; to a search it is one where it stands in what is looked for.
        if repr(filter).isascii() and "k" not in str(filter).lower():
            assert set(found) == {one.request_id for one in runs if matches(filter, one, NOBODY)}, filter
    assert known > 0
    assert looked_up > 0


def test_a_rare_word_is_read_where_it_is_alone(store: Store, clock: int) -> None:
    account_id = f"rare-{uuid4()}"
    runs = one_after_another(account_id, clock, "the answer of it is number")
    runs[321].output = "That is quixotic."
    insert_runs(store, runs)
    look_through(store, clock)
    selection = of(account_id, parse("uixot"))
    bound = Bound("t")
    condition = narrowing.narrowed(store, selection, NOBODY, bound).condition
    ((read,),) = store.query(
        f"SELECT count() FROM runs FINAL WHERE account_id = {bound.text(account_id)} AND {condition}", bound.params
    )
    assert 1 <= read < 20
    assert ids_found(store, selection) == [runs[321].request_id]
    # What is in every stretch is read as ever.
    assert searching.steps_to_text(store, of(account_id, parse("answer")), None, bound, newest_first=True) == ["true"]


def test_what_is_known_of_texts_goes_with_them(store: Store, clock: int) -> None:
    account_id = f"gone-{uuid4()}"
    runs = one_after_another(account_id, clock, "quixotic")
    insert_runs(store, runs)
    look_through(store, clock)
    held = "SELECT count() FROM text_grams FINAL WHERE account_id = {account_id:String} AND notEmpty(places)"
    assert store.query(held, {"account_id": account_id})[0][0] > 0
    limits = Limits({account_id: MIDNIGHT_US + HOURS * US_PER_HOUR})
    sweep(store, Keep(Limits(), limits), LONG_AFTER_US)
    assert store.query(held, {"account_id": account_id}) == [(0,)]
    assert ids_found(store, of(account_id, parse("quixotic"))) == []
    look_through(store, clock + DAY_US)
    assert store.query(held, {"account_id": account_id}) == [(0,)]
    assert ids_found(store, of(account_id, parse("run-0001")))[-1] == runs[10].request_id


def test_an_hour_whose_rows_are_not_all_there_is_read(store: Store, clock: int) -> None:
    account_id = f"part-{uuid4()}"
    runs = one_after_another(account_id, clock, "quixotic")
    insert_runs(store, runs)
    look_through(store, clock)
    store.command(
        "ALTER TABLE text_grams DELETE WHERE account_id = {account_id:String} AND at % 2 = 0 SETTINGS mutations_sync = 2",
        {"account_id": account_id},
    )
    assert len(ids_found(store, of(account_id, parse("quixotic")))) == 400


def test_no_search_sees_a_difference_less_than_what_is_folded(store: Store) -> None:
    """Of every two characters that a search takes for one, both are folded to one; and what a text is cut at stands alone."""
    cased = [c for c in map(chr, (*range(0x80, 0xD800), *range(0xE000, 0x20000))) if c.lower() != c or c.upper() != c]
    characters = [*cased, *"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    params = {"characters": characters}
    one = "(SELECT arrayJoin({characters:Array(String)}) AS"
    apart = store.query(
        f"SELECT n, t FROM {one} n) AS a CROSS JOIN {one} t) AS b WHERE (positionCaseInsensitiveUTF8(t, n) > 0 "
        f"OR lowerUTF8(t) = lowerUTF8(n)) AND {folded('t')} != {folded('n')}",
        params,
    )
    assert apart == []
    cut = store.query(
        f"SELECT c FROM {one} c) WHERE length(splitByNonAlpha(concat('a', {folded('c')}, 'b'))) != 1", params
    )
    assert cut == []
