"""The page's address holds its whole state."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from modeltraces.web.address import Address
from modeltraces.web.notices import notices

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
words = texts.filter(lambda text: text.strip() == text and text != "")


ADDRESSES = st.builds(
    Address,
    models=st.lists(words, max_size=3).map(tuple),
    period=st.sampled_from(["24h", "7d", "30d", "90d", "all"]),
    filter=texts.map(str.strip),
    sort=st.sampled_from(["executed_on", "response_time"]),
    order=st.sampled_from(["asc", "desc"]),
    cursor=texts,
    columns=st.lists(st.sampled_from(["input", "output", "model"]), unique=True).map(tuple),
    compare=st.sampled_from(["", "deployment_version", "model"]),
    measure=st.sampled_from(["", "p99", "requests"]),
)


@given(ADDRESSES)
def test_every_state_comes_back_from_its_address(address: Address) -> None:
    assert Address.of(QueryParams(address.url.partition("?")[2])) == address


def test_defaults_are_left_out() -> None:
    assert Address().url == "/settings/monitoring/model-traces"


def test_another_selection_begins_with_its_first_page() -> None:
    assert Address(cursor="here").changed(filter="x").cursor == ""
    assert Address(cursor="here").changed(cursor="there").cursor == "there"


def test_explicit_times_take_the_place_of_the_period() -> None:
    address = Address.of(QueryParams("from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z"))
    assert address.period == ""
    assert "period" not in address.url
    assert address.changed(period="24h", from_="", to="").url.endswith("?period=24h")


def test_a_run_opens_inside_the_same_state() -> None:
    address = Address(models=("a/b",), cursor="c")
    assert address.run_url("x/ y").startswith("/settings/monitoring/model-traces/runs/x%2F%20y?model=a%2Fb")


def test_the_chart_compares_without_leaving_the_place_in_the_list() -> None:
    address = Address(cursor="here", after=50).kept(compare="deployment_version")
    assert (address.cursor, address.after) == ("here", 50)
    assert address.changed(filter="x").compare == "deployment_version"


@given(ADDRESSES, texts)
def test_the_address_of_each_model_is_that_of_the_state_with_it_alone(address: Address, name: str) -> None:
    assert address.of_each_model()(name) == address.changed(models=(name,)).url


def said(query: str, unknown: tuple[str, ...] = ()) -> list[tuple[str, list[str]]]:
    params = QueryParams(query)
    return [(one.text, [link.href for link in one.links]) for one in notices(params, Address.of(params), unknown)]


def test_what_an_address_means_nothing_by_is_said_with_what_was_meant() -> None:
    assert said("model=a&period=24h&columns=input,model&compare=model&after=50&cursor=c") == []
    assert said("modle=a%2Fb&period=24h") == [
        (
            "This page knows no parameter “modle”, and left it out.",
            ["/settings/monitoring/model-traces?model=a%2Fb&period=24h"],
        )
    ]
    assert said("period=7d&model=a&model=b&period=30d") == [
        ("This address says “period” 2 times; the last one counts.", [])
    ]
    assert said("utm_source=x&utm_source=y") == [("This page knows no parameter “utm_source”, and left it out.", [])]
    assert said("columns=input,modell") == [
        ("There is no column “modell”.", ["/settings/monitoring/model-traces?columns=input,model"])
    ]


@pytest.mark.parametrize(
    ("query", "first", "more"),
    [
        ("&".join(f"modle{n}=x" for n in range(900)), "This page knows no parameter “modle0”, and left it out.", "So it is with 895 more of its parameters."),
        ("columns=" + ",".join(f"modell{n}" for n in range(900)), "There is no column “modell0”.", "So it is with 895 more of its columns."),
        ("&".join(f"model=m{n}" for n in range(6)), "No model is named “m0”.", "So it is with 1 more of its models."),
    ],
)  # fmt: skip
def test_of_many_the_first_five_are_said_and_how_many_more_there_are(query: str, first: str, more: str) -> None:
    """Each had a link to the address without it: a page of 2,000 such columns had 38 MB."""
    query += "&model=known"
    found = said(query, tuple(f"m{n}" for n in range(6)) if query.startswith("model=") else ())
    assert len(found) == 6
    assert (found[0][0], found[5]) == (first, (more, []))


def test_as_many_as_are_said_are_no_more() -> None:
    assert [text for text, _ in said("&".join(f"x{n}=" for n in range(5)))][-1].startswith(
        "This page knows no parameter “x4”"
    )


def test_a_model_that_is_not_there_is_said_beside_those_that_are() -> None:
    assert said("model=a&model=b", ("b",)) == [("No model is named “b”.", [])]
    assert said("model=a&model=b", ("a", "b")) == [], "then the table says it"
