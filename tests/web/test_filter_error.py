"""What is said of a filter that cannot be read: the mark, and what was probably meant."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest

from modeltraces.query.selection import SelectionError, parse_selection
from modeltraces.web.address import Address
from modeltraces.web.contexts import FilterError
from modeltraces.web.filter_error import filter_error, rows_with_wrong

BERLIN = ZoneInfo("Europe/Berlin")
NOW_US = int(datetime(2026, 11, 24, 15, 0, tzinfo=UTC).timestamp()) * 1_000_000


def wrong(text: str) -> SelectionError:
    with pytest.raises(SelectionError) as caught:
        parse_selection([("filter", text)], account_id="a", now_us=NOW_US)
    return caught.value


def told(text: str, zone: tzinfo = BERLIN) -> FilterError:
    return filter_error(Address(filter=text), wrong(text), zone, NOW_US)


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ('response_time>"2 seconds" status:failed', '"2 seconds"'),
        ("status:maybe response_time>2s", "maybe"),
        ("(status:maybe)", "maybe"),
        ('response_time>"a \\" b" x', '"a \\" b"'),
        ("status:", ""),
    ],
)
def test_the_whole_of_what_is_wrong_is_marked(text: str, marked: str) -> None:
    error = told(text)
    assert error.marked == marked
    assert error.before + error.marked + error.after == text


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("latency>2s", "response_time>2s"),
        ("status:failed duration>=2s", "status:failed response_time>=2s"),
        ("prompt:refund", "input:refund"),
        ('completion:"I cannot"', 'output:"I cannot"'),
        ("-user:x", "-user_id:x"),
        ("executed_on>12:00", "executed_on>2026-11-24T12:00:00+01:00"),
        # It is 16:00 in Berlin: the last 18:00 was yesterday's.
        ("executed_on>18:00", "executed_on>2026-11-23T18:00:00+01:00"),
        ("executed_on>2026-07-24T12:00 status:failed", "executed_on>2026-07-24T12:00:00+02:00 status:failed"),
        ('executed_on>="2026-11-24 12:00:30"', "executed_on>=2026-11-24T12:00:30+01:00"),
        # What cannot be guessed, or would be wrong again, is not offered.
        ("latency>fast", ""),
        ("executed_on>noon", ""),
        ("executed_on>25:00", ""),
        ("executed_on>2026-02-30T12:00", ""),
        ("nonsense:x", ""),
    ],
)
def test_what_was_probably_meant_is_offered_whole(text: str, meant: str) -> None:
    error = told(text)
    assert [one.label for one in error.instead] == ([meant] if meant else [])
    assert [bool(one.href) for one in error.instead] == ([True] if meant else [])


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("respons_time>2s status:failed", ["response_time>2s status:failed"]),
        # Two are misspelt: mended by itself, neither makes it right.
        ("(modell:gpt-4o OR statuss:failed)", []),
        ("-statuss:failed", ["-status:failed"]),
        # `input` is near, too, but takes no `>`: what would be wrong again is not offered.
        ("inputt_tokens>5", ["input_tokens>5", "output_tokens>5"]),
    ],
)
def test_a_misspelt_field_is_mended_by_a_link_and_told_once(text: str, meant: list[str]) -> None:
    error = told(text)
    assert [one.label for one in error.instead][: len(meant) or 1] == meant
    # Where no link can mend it, the words name the field; nothing says it twice.
    assert ("Did you mean" in error.message) == (not meant)
    assert error.expected == ""


def test_a_time_in_utc_ends_with_z() -> None:
    assert told("executed_on>12:00", UTC).instead[0].label == "executed_on>2026-11-24T12:00:00Z"


def test_rows_come_back_with_the_wrong_one_named() -> None:
    text = "status:failed OR input_tokens>many OR source:x"
    rows = rows_with_wrong(text, wrong(text))
    assert rows is not None
    assert (rows["joint"], rows["wrong"]) == ("OR", 1)
    assert rows["rows"] == [
        {"field": "status", "operator": ":", "value": "failed"},
        {"field": "input_tokens", "operator": ">", "value": "many"},
        {"field": "source", "operator": ":", "value": "x"},
    ]


@pytest.mark.parametrize(
    "text", ["status:maybe", "latency>2s", "response_time>x input_tokens>y", "(a OR b) response_time>x"]
)
def test_what_rows_cannot_hold_gives_none(text: str) -> None:
    assert rows_with_wrong(text, wrong(text)) is None
