"""The filter's text: what it says, and what is told about what is wrong with it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltraces.query.filters import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    MAX_TERMS,
    And,
    Filter,
    FilterError,
    Not,
    Or,
    Pattern,
    Span,
    Term,
    parse,
    sentence,
    to_text,
)
from tests.query.filters import filters
from tests.query.runs import DAY_US, NOON_US


def is_(field: str, *texts: str) -> Term:
    return Term(field, "is", tuple(Pattern(tuple(text.split("*"))) for text in texts))


MIDNIGHT_US = NOON_US - DAY_US // 2


def test_the_designs_example_says_what_it_says() -> None:
    text = (
        'status:failed response_time>2s (source_type:Agent OR source:"billing-*") -output:"cannot help" '
        "input_tokens>=1000 refund"
    )
    assert parse(text) == And(
        (
            is_("status", "failed"),
            Term("response_time", ">", (2000.0,)),
            Or((is_("source_type", "Agent"), is_("source", "billing-*"))),
            Not(is_("output", "cannot help")),
            Term("input_tokens", ">=", (1000,)),
            is_("text", "refund"),
        )
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b OR c d", Or((And((is_("text", "a"), is_("text", "b"))), And((is_("text", "c"), is_("text", "d")))))),
        ("a AND (b OR c)", And((is_("text", "a"), Or((is_("text", "b"), is_("text", "c")))))),
        ("NOT a", Not(is_("text", "a"))),
        ("-(a OR b)", Not(Or((is_("text", "a"), is_("text", "b"))))),
        ("--a", is_("text", "a")),
        ("source:(a OR b OR \"c d\")", is_("source", "a", "b", "c d")),
        ("source:*", Term("source", "present")),
        ("-response_time:*", Not(Term("response_time", "present"))),
        ("input_tokens:[10 TO 20]", Term("input_tokens", "range", (10, 20))),
        ("response_time:[* TO 2s]", Term("response_time", "range", (None, 2000.0))),
        ("response_time:>2s", Term("response_time", ">", (2000.0,))),
        ("response_time >= 2s", Term("response_time", ">=", (2000.0,))),
        ("response_time_ms<1", Term("response_time", "<", (1.0,))),
        ("response_time:250ms", Term("response_time", "is", (250.0,))),
        ("response_time:1m", Term("response_time", "is", (60_000.0,))),
        ("response_time:1.5h", Term("response_time", "is", (5_400_000.0,))),
        ("streaming:TRUE", Term("streaming", "is", (True,))),
        ("status:Failed", is_("status", "failed")),
        ("attributes.gen_ai.request.seed:7", is_("attributes.gen_ai.request.seed", "7")),
        ('attributes."my key":x', is_("attributes.my key", "x")),
        ("executed_on>=2026-11-01", Term("executed_on", ">=", (Span(MIDNIGHT_US, MIDNIGHT_US + DAY_US),))),
        ("executed_on<2026-11-01T13:00:00+01:00", Term("executed_on", "<", (Span(NOON_US, NOON_US + 1),))),
        ("source:http://x/y?z=1", is_("source", "http://x/y?z=1")),
        ("10:30", is_("text", "10:30")),
        ('"OR"', is_("text", "OR")),
        (r'"a \"b\" \* \\ c"', Term("text", "is", (Pattern(('a "b" * \\ c',)),))),
        (r"C:\new".replace("C:", "-x-"), Not(Term("text", "is", (Pattern((r"x-\new",)),)))),
        ("source:a**b", Term("source", "is", (Pattern(("a", "b")),))),
        ("退款 Größe", And((is_("text", "退款"), is_("text", "Größe")))),
    ],
)  # fmt: skip
def test_a_filter_is_read(text: str, expected: Filter) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_no_filter_is_no_filter(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("statu:failed", 0, "no field 'statu'. Did you mean status"),
        ("a nonsense:1", 2, "no field 'nonsense'"),
        ("größe>2", 0, "no field 'größe'"),
        ("response-time>2s", 0, "Did you mean response_time"),
        ("see http://x", 4, 'put it in "quotes"'),
        ("attributes:x", 0, "needs its key"),
        ("attributes.:x", 0, "needs its key"),
        ("status:oops", 7, "success or failed, not 'oops'"),
        ("status:err*", 7, "takes no *"),
        ("status:*", 7, "cannot be asked for presence"),
        ("status>failed", 0, "takes no >"),
        ("source:[a TO b]", 0, "takes no range"),
        ("model_kind:closed", 11, "open_source, fine_tuned or external"),
        ("streaming:maybe", 10, "true or false"),
        ("response_time>soon", 14, "250ms, 2s, 1m or 1.5h"),
        ("response_time>-2s", 14, "250ms, 2s, 1m or 1.5h"),
        ("input_tokens>1.5", 13, "whole number"),
        ("input_tokens>99999999999999999999", 13, "whole number"),
        ("input_tokens:[9 TO 1]", 0, "ends before it begins"),
        ("input_tokens:[* TO *]", 0, "one end at least"),
        ("executed_on>2026-11-01T00:00:00", 12, "has no offset"),
        ("executed_on>2026-13-01", 12, "is not a time that exists"),
        ("executed_on>yesterday", 12, "a date such as 2026-11-01"),
        ('output:"abc', 7, "quote is not closed"),
        ('a "b', 2, "quote is not closed"),
        ("(a OR b", 0, "( is not closed"),
        ("a (b (c)", 2, "( is not closed"),
        ("source:(a OR b", 7, "( is not closed"),
        ("input_tokens:[1 TO", 18, "ends too early"),
        ("input_tokens:[1 TO 2", 13, "[ is not closed"),
        ("a)", 1, "closes nothing"),
        ("()", 1, "missing before )"),
        ("status:", 7, "value must follow status:"),
        ("status: failed", 7, "without a space"),
        ('source:""', 7, "is empty"),
        ('""', 0, "is empty"),
        ("*", 0, "cannot stand here"),
        ("source:(a OR *)", 13, "cannot stand here"),
        ("source:(a b)", 10, "cannot stand here"),
        ("a OR", 4, "ends too early"),
        ("a AND OR b", 6, "joins two terms"),
        ("OR a", 0, "joins two terms"),
        ("a or b", 2, "Write OR"),
        ("a && b", 2, "Write AND"),
        ("not a", 0, "Write NOT"),
        ("- a", 0, "cannot stand here"),
        ("status=failed", 0, "write status:value"),
        ("status!=failed", 0, "write -status:value"),
        ("[a]", 0, "cannot stand here"),
        ("response_time:>(1 OR 2)", 0, "follows a colon"),
        ('source"x":1', 6, "cannot follow a name"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, position: int, message: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text)
    assert caught.value.position == position
    assert message in caught.value.message


def test_what_was_expected_is_told() -> None:
    with pytest.raises(FilterError) as caught:
        parse("status:oops")
    assert caught.value.expected == ["success or failed"]
    with pytest.raises(FilterError) as caught:
        parse("statu:failed")
    assert caught.value.expected == ["status"]


def test_brackets_that_change_nothing_are_no_groups() -> None:
    assert parse("(" * 300 + "a" + ")" * 300) == parse("a")
    assert parse("((a)) ((b c))") == parse("a b c")


@pytest.mark.parametrize(
    "text",
    [
        "a" * (MAX_CHARACTERS + 1),
        "-(a " * (MAX_DEPTH + 1) + "b" + ")" * (MAX_DEPTH + 1),
        "(a OR b (" * MAX_DEPTH + "c" + "))" * MAX_DEPTH,
        "a " * (MAX_TERMS + 1),
        f"source:({' OR '.join('a' for _ in range(MAX_TERMS + 1))})",
    ],
)
def test_a_filter_beyond_its_bounds_is_refused(text: str) -> None:
    with pytest.raises(FilterError):
        parse(text)


@pytest.mark.parametrize("text", ["(" * 1900 + "a" + ")" * 1900, "-" * 3000 + "a", "NOT " * 900 + "a"])
def test_a_long_filter_that_says_little_is_read(text: str) -> None:
    assert parse(text) is not None


@given(filters)
def test_the_canonical_text_of_a_filter_reads_as_that_filter(filter: Filter) -> None:
    assert parse(to_text(filter)) == filter


@given(st.text(max_size=60) | st.text(alphabet='ab:*()[]"\\-<>= \nTOANDR.', max_size=30))
def test_any_text_is_read_or_told_off_within_itself(text: str) -> None:
    told = None
    filter = None
    try:
        filter = parse(text)
    except FilterError as error:
        told = error
    if told is None:
        assert parse(to_text(filter)) == filter
    else:
        assert 0 <= told.position <= len(text)
        assert told.message


@given(filters)
def test_every_filter_can_be_said_in_words(filter: Filter) -> None:
    assert sentence(filter)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("status:failed response_time>2s", "Status is failed and Response Time is more than 2s"),
        ("-status:failed OR refund", "Status is not failed or Input, output or Request ID contains “refund”"),
        ('-output:"cannot help"', "Output does not contain “cannot help”"),
        ("source:billing-*", "Source matches billing-*"),
        ("-source:(a OR b)", "Source is not a and is not b"),
        ("a (b OR -(c d))", "Input, output or Request ID contains “a” and (Input, output or Request ID contains “b” or "
         "not (Input, output or Request ID contains “c” and Input, output or Request ID contains “d”))"),
        ("executed_on>=2026-11-01 -input_tokens:[1 TO 5]",
         "Executed on is from 2026-11-01 and Input Tokens is not between 1 and 5"),
        ("response_time:[* TO 2s] attributes.env:* -error:*",
         "Response Time is at most 2s and attribute env is known and Error is unknown"),
        ("", "all runs"),
    ],
)  # fmt: skip
def test_a_filter_in_plain_words(text: str, said: str) -> None:
    assert sentence(parse(text)) == said
