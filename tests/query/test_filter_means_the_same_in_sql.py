"""Random filters over random runs: the engine finds the very runs that the plain model says."""

import itertools

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from modeltraces.query.fields import Operator
from modeltraces.query.filters import Bound, Filter, FilterContext, Pattern, Span, Term, compile, negated, parse
from modeltraces.run import Run
from modeltraces.store.engine import Store
from modeltraces.store.rows import insert_runs
from tests.query.filters import filters, terms
from tests.query.naive import matches
from tests.query.runs import DAY_US, NOON_US, run, various_runs
from tests.support.random_cases import examples

OPERATORS: tuple[Operator, ...] = ("is", ">", ">=", "<", "<=")
PATTERNS = [Pattern(tuple(text.split("|"))) for text in (
    "refund", "refund|", "|refund", "|refund|", "re|nd", "100%", "|%|", "a_b", "|a_b|", "1|%", "возврат|", "|ГРÖ|", "退款",
    "|退款|", "退|", "a*b", "back\\slash", "|\\|", "|n\nb|", "Größe", "|größe", "x|x|x", "🙂", 'quo"te', "=1+1",
)]  # fmt: skip
EVERY_SHAPE: list[Filter] = [
    *(Term(field, "is", (pattern,)) for field in ("input", "text", "source", "session_id", "finish_reasons",
      "attributes.env", "error") for pattern in PATTERNS),
    *(Term(field, operator, (value,)) for operator in OPERATORS for field, value in (
        ("response_time", 2000.0), ("response_time", 0.1), ("input_tokens", 5), ("total_tokens", 6),
        ("payload_removed_on", Span(NOON_US, NOON_US + 9000)), ("executed_on", Span(NOON_US, NOON_US + 1)), ("executed_on", Span(NOON_US - DAY_US // 2, NOON_US + DAY_US // 2)),
    )),
    Term("executed_on", "range", (Span(NOON_US, NOON_US + 1), Span(NOON_US - DAY_US // 2, NOON_US + DAY_US // 2))),
    Term("payload_removed_on", "present", ()),
    Term("response_time", "range", (0.1, 2000.0)),
    Term("source", "is", tuple(PATTERNS)),
    Term("source", "is", (Pattern(("REFUND",)), Pattern(("größe",)))),
    Term("session_id", "is", (Pattern(("refund",)), Pattern(("Größe",)))),
    Term("finish_reasons", "is", (Pattern(("REFUND",)), Pattern(("退款",)))),
    Term("model_kind", "is", (Pattern(("external",)), Pattern(("fine_tuned",)))),
]  # fmt: skip
"""What each branch of the compiler makes, so that none is left to chance."""

CONTEXT = FilterContext({"external": ["gpt-4o"], "open_source": ["llama-3", "other"], "fine_tuned": []})
_numbers = itertools.count()


def stored(store: Store, runs: list[Run]) -> str:
    account_id = f"filters {next(_numbers)}"
    for one in runs:
        one.account_id = account_id
    insert_runs(store, runs)
    return account_id


def found(store: Store, account_id: str, filter: Filter) -> set[str]:
    sql, params = compile(filter, CONTEXT)
    rows = store.query(
        f"SELECT request_id FROM runs FINAL WHERE account_id = {{account:String}} AND {sql}",
        {**params, "account": account_id},
    )
    return {request_id for (request_id,) in rows}


@pytest.fixture(scope="module")
def various(store: Store) -> list[Run]:
    runs = various_runs("", 250)
    stored(store, runs)
    return runs


@settings(
    max_examples=examples(30, thorough=200),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(asked=st.lists(terms(), min_size=20, max_size=20) | st.lists(filters, min_size=10, max_size=10))
@example(asked=EVERY_SHAPE)
def test_the_engine_finds_the_runs_that_the_plain_model_finds(
    store: Store, various: list[Run], asked: list[Filter]
) -> None:
    bound = Bound()
    tests = ", ".join(compile(filter, CONTEXT, bound)[0] for filter in asked)
    rows = store.query(
        f"SELECT request_id, {tests} FROM runs FINAL WHERE account_id = {{account:String}}",
        {**bound.params, "account": various[0].account_id},
    )
    answers = {row[0]: row[1:] for row in rows}
    for place, filter in enumerate(asked):
        found = {request_id for request_id, row in answers.items() if row[place]}
        assert found == {one.request_id for one in various if matches(filter, one, CONTEXT)}, filter


@pytest.mark.parametrize(
    "text",
    [
        "response_time>2s",
        "input_tokens:[1 TO 5]",
        "response_time:*",
        "session_id:x",
        "total_tokens>=1",
        "attributes.env:x",
    ],
)
def test_a_filter_and_its_negation_part_all_runs_in_two_even_where_the_value_is_unknown(
    store: Store, text: str
) -> None:
    runs = [
        run("", 1, response_time_ms=None),
        run("", 2, response_time_ms=5000.0, input_tokens=3, output_tokens=1, session_id="x", attributes={"env": "x"}),
        run("", 3, response_time_ms=10.0, input_tokens=9),
    ]
    account_id = stored(store, runs)
    filter = parse(text)
    assert filter is not None
    yes, no = found(store, account_id, filter), found(store, account_id, negated(filter))
    assert yes | no == {one.request_id for one in runs}
    assert not yes & no
    assert "run-00002" in yes
    assert "run-00001" in no


@pytest.mark.parametrize(
    "text",
    [
        "x' OR '1'='1", "'; DROP TABLE runs; --", "{f0:String}", "\\", "\\'", "%", "_", "\x00", "\t", "\r\n", "`", "/*",
        "$1", "}", "\ufeff", "🙂" * 50,
    ],
)  # fmt: skip
@pytest.mark.parametrize("field", ["input", "source", "session_id", "error", "attributes.env", "finish_reasons"])
def test_what_looks_like_sql_is_only_text(store: Store, field: str, text: str) -> None:
    with_it = run("", 1, input=text, source=text, session_id=text, error_message=text, finish_reasons=[text])
    with_it.attributes = {"env": text}
    account_id = stored(store, [with_it, run("", 2, input="other", source="other", session_id="other")])
    for filter in (
        Term(field, "is", (Pattern((text,)),)),
        Term(field, "is", (Pattern((text, "")),)),
        Term(field, "is", (Pattern(("", text)),)),
        Term(field, "is", (Pattern((text[:1], text[1:])),)),
    ):
        assert found(store, account_id, filter) == {"run-00001"}


@pytest.mark.parametrize(
    ("text", "needle"),
    [
        ("Das ist die GRÖSSE der Größe", "größe"),
        ("Клиент просит ВОЗВРАТ", "возврат"),
        ("客户要求退款,请检查", "退款"),
        ("顧客が返金を求めています", "返金"),
        ("العميل يطلب استرداد المبلغ", "استرداد"),
        ("고객이 환불을 요청합니다", "환불"),
        ("ग्राहक धनवापसी चाहता है", "धनवापसी"),
        ("thanks 🙏🏽 done", "🙏🏽"),
        ("ΑΘΗΝΑ και Δελφοί", "αθηνα"),
        ("İstanbul'da", "stanbul"),
    ],
)
def test_a_word_is_found_in_every_script_whatever_its_case(store: Store, text: str, needle: str) -> None:
    account_id = stored(store, [run("", 1, input=text), run("", 2, output=text), run("", 3, input="nothing of it")])
    filter = parse(f'"{needle}"')
    assert filter is not None
    assert found(store, account_id, filter) == {"run-00001", "run-00002"}


def test_a_bare_word_is_found_in_the_request_id(store: Store) -> None:
    account_id = stored(store, [run("", 1), run("", 2)])
    filter = parse("N-00002")
    assert filter is not None
    assert found(store, account_id, filter) == {"run-00002"}
