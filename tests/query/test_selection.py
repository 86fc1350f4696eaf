"""What query parameters ask for, and what is told about those that cannot be used."""

from datetime import timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltraces.query.fields import SORTABLE
from modeltraces.query.filters import Filter, to_text
from modeltraces.query.selection import QueryString, Selection, SelectionError, parse_limit, parse_selection
from modeltraces.query.times import PERIODS, datetime_of, parse_instant, parse_zone, rfc3339, us_of
from tests.query.filters import filters
from tests.query.runs import DAY_US, NOON_US


def parsed(params: QueryString, *, also: tuple[str, ...] = ()) -> Selection:
    return parse_selection(params, account_id="a", now_us=NOON_US, also=also)


def test_without_parameters_it_is_the_last_seven_days_newest_first() -> None:
    assert parsed({}) == Selection("a", from_us=NOON_US - 7 * DAY_US, period="7d", now_us=NOON_US)


def test_every_parameter_is_taken() -> None:
    selection = parsed(
        [
            ("model", "gpt-4o"), ("model", 'a/b "c" 🙂'), ("from", "2026-10-01T00:00:00Z"),
            ("to", "2026-10-02T02:00:00.5+02:00"), ("filter", "status:failed"), ("sort", "response_time_ms"),
            ("order", "asc"), ("limit", "10"), ("cursor", "x"),
        ]
    )  # fmt: skip
    assert selection.models == ("gpt-4o", 'a/b "c" 🙂')
    assert selection.from_us == us_of(datetime_of(1_790_812_800_000_000))
    assert selection.to_us == selection.from_us + DAY_US + 500_000
    assert to_text(selection.filter) == "status:failed"
    assert (selection.sort, selection.order, selection.period) == ("response_time", "asc", None)


def test_a_mapping_of_lists_is_taken_as_well() -> None:
    assert parsed({"model": ["a", "b"], "period": "all"}).models == ("a", "b")


@pytest.mark.parametrize(
    ("params", "parameter", "message"),
    [
        ({"modell": "x"}, "modell", "Did you mean model"),
        ({"zzz": "x"}, "zzz", "Known: model"),
        ({"model": ""}, "model", "is empty"),
        ([("model", f"m{n}") for n in range(201)], "model", "At most 200"),
        ({"period": "8d"}, "period", "24h, 7d, 30d, 90d, all"),
        ({"period": "7d", "from": "2026-10-01T00:00:00Z"}, "period", "not both"),
        ([("period", "7d"), ("period", "7d")], "period", "given 2 times"),
        ({"from": "2026-10-01T00:00:00"}, "from", "has no offset"),
        ({"from": "2026-10-01T00:00:00 02:00"}, "from", "%2B"),
        ({"from": "2026-10-01"}, "from", "RFC 3339"),
        ({"from": "yesterday"}, "from", "RFC 3339"),
        ({"from": "2026-02-30T00:00:00Z"}, "from", "not a time that exists"),
        ({"from": "0001-01-01T00:00:00Z"}, "from", "between the years"),
        ({"from": "0001-01-01T00:00:00+23:59"}, "from", ""),
        ({"to": "9999-01-01T00:00:00Z"}, "to", "between the years"),
        ({"to": "2026-10-01T00:00:00+2:00"}, "to", "offset"),
        ({"from": "2026-10-02T00:00:00Z", "to": "2026-10-01T00:00:00Z"}, "from", "before to"),
        ({"from": "2026-10-02T00:00:00Z", "to": "2026-10-02T00:00:00Z"}, "from", "before to"),
        ({"sort": "input"}, "sort", "Sortable: status"),
        ({"sort": ""}, "sort", "Sortable"),
        ({"order": "up"}, "order", "asc or desc"),
        ({"limit": "0"}, "limit", "1 to 1000"),
        ({"limit": "1001"}, "limit", "1 to 1000"),
        ({"limit": "-1"}, "limit", "1 to 1000"),
        ({"limit": "٣"}, "limit", "1 to 1000"),
        ({"limit": "9" * 5000}, "limit", "1 to 1000"),
    ],
)  # fmt: skip
def test_a_parameter_that_cannot_be_used_is_told(params: QueryString, parameter: str, message: str) -> None:
    with pytest.raises(SelectionError) as caught:
        parsed(params)
    assert caught.value.parameter == parameter
    assert message in caught.value.message


def test_a_wrong_filter_is_told_with_its_place_and_what_was_expected() -> None:
    with pytest.raises(SelectionError) as caught:
        parsed({"filter": "status:oops"})
    error = caught.value
    assert (error.parameter, error.position, error.expected) == ("filter", 7, ["success or failed"])


def test_an_endpoint_may_take_more_parameters() -> None:
    assert parsed({"format": "csv"}, also=("format",)).period == "7d"
    with pytest.raises(SelectionError):
        parsed({"format": "csv"})


def test_the_limit_is_fifty_unless_given() -> None:
    assert parse_limit({}) == 50
    assert parse_limit([("limit", "1000")]) == 1000
    assert parse_limit({}, default=7) == 7


@given(
    filter=st.none() | filters,
    models=st.lists(st.text(min_size=1), unique=True, max_size=3),
    sort=st.sampled_from(SORTABLE),
    order=st.sampled_from(("asc", "desc")),
    period=st.sampled_from((*PERIODS, None)),
    start=st.none() | st.integers(0, NOON_US),
    length=st.none() | st.integers(1, 10**15),
)
def test_a_selection_gives_parameters_that_give_it_again(
    filter: Filter | None,
    models: list[str],
    sort: str,
    order: str,
    period: str | None,
    start: int | None,
    length: int | None,
) -> None:
    params = [("model", name) for name in models] + [("sort", sort), ("order", order), ("filter", to_text(filter))]
    if period is not None:
        params.append(("period", period))
    else:
        params += [("from", rfc3339(start))] if start is not None else []
        params += [("to", rfc3339((start or 0) + length))] if length is not None else []
    selection = parsed(params)
    assert parsed(selection.to_params()) == selection


def test_the_period_before_is_as_long_and_ends_where_this_one_begins() -> None:
    before = parsed({"period": "24h"}).before()
    assert before is not None
    assert (before.from_us, before.to_us) == (NOON_US - 2 * DAY_US, NOON_US - DAY_US)
    before = parsed({"from": "2026-10-03T00:00:00Z", "to": "2026-10-04T00:00:00Z"}).before()
    assert before is not None
    assert rfc3339(before.from_us or 0) == "2026-10-02T00:00:00.000000Z"
    assert rfc3339(before.to_us or 0) == "2026-10-03T00:00:00.000000Z"


@pytest.mark.parametrize(
    "params", [{"period": "all"}, {"to": "2026-10-04T00:00:00Z"}, {"from": "2027-01-01T00:00:00Z"}]
)
def test_there_is_no_period_before_one_that_has_no_length(params: QueryString) -> None:
    assert parsed(params).before() is None


@given(st.integers(-2_208_988_800_000_000, 10_382_169_600_000_000))
def test_an_instant_is_written_and_read_to_the_microsecond(us: int) -> None:
    assert parse_instant(rfc3339(us)) == us
    assert parse_instant(rfc3339(us, timezone(timedelta(hours=5, minutes=45)))) == us


@pytest.mark.parametrize(
    "name", ["", "Mars/Olympus", "../../etc/passwd", "/etc/passwd", "Europe", "a\x00b", "x" * 5000]
)
def test_an_unknown_time_zone_is_told(name: str) -> None:
    with pytest.raises(ValueError, match="is not known"):
        parse_zone(name)
