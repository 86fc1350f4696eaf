"""What is suggested at a place of the filter line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltraces.query.filters import parse
from modeltraces.query.suggest import Suggestion as Found
from modeltraces.web.suggestions import fields_for, place_of, values_for, wants_data


def inserted(text: str, found: tuple[Found, ...] = ()) -> list[str]:
    place = place_of(text, len(text))
    items = fields_for(place) if place.field is None else values_for(place, found)
    return [text[: place.start] + item.insert + text[place.end :] for item in items]


def test_nothing_typed_suggests_every_kind_of_field() -> None:
    assert inserted("")[:3] == ["status:", "request_id:", "response_time>"]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("stat", "status:"),
        ("-stat", "-status:"),
        ("status:failed resp", "status:failed response_time>"),
        ("(sour", "(source_type:"),
        ("deploy", "deployment_version:"),
        ("attr", "attributes."),
    ],
)
def test_a_fields_name_is_completed_in_its_place(text: str, first: str) -> None:
    assert inserted(text)[0] == first


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("status:", ["status:success", "status:failed"]),
        ("status:fa", ["status:failed"]),
        ("-status:fa", ["-status:failed"]),
        ("refund status:(fa", ["refund status:(failed"]),
        ("model_kind:fine", ["model_kind:fine_tuned"]),
        ("response_time>2", ["response_time>2s"]),
    ],
)
def test_values_are_completed(text: str, expected: list[str]) -> None:
    assert inserted(text) == expected


def test_values_of_the_data_are_quoted_where_they_must_be() -> None:
    found = (Found("refund agent", 12_400), Found('a "b" *', 1), Found("plain", 1))
    assert inserted("source:", found) == ['source:"refund agent"', 'source:"a \\"b\\" \\*"', "source:plain"]
    assert inserted('source:"refund a', found) == ['source:"refund agent"']
    place = place_of("source:", 7)
    assert values_for(place, found)[0].hint == "12\N{NARROW NO-BREAK SPACE}400"


def test_only_open_sets_of_words_are_looked_for_in_the_data() -> None:
    assert wants_data(place_of("source:a", 8))
    assert wants_data(place_of("attributes.env:p", 16))
    for text in ("status:", "response_time>", "input:", "streaming:"):
        assert not wants_data(place_of(text, len(text)))


def test_a_field_without_known_values_says_what_it_takes() -> None:
    place = place_of("executed_on:", 12)
    (note,) = values_for(place, ())
    assert note.insert == ""
    assert "RFC 3339" in note.hint


def test_the_caret_not_the_end_decides() -> None:
    place = place_of("stat source:x", 4)
    assert (place.start, place.end, place.typed) == (0, 4, "stat")


def test_a_space_within_quotes_does_not_end_the_word() -> None:
    assert place_of('source:"a b', 11).typed == "a b"
    assert place_of('input:"x y" sta', 15).typed == "sta"


@given(st.text(alphabet='ab:"\\()-* >=statusource.', max_size=40), st.integers(-5, 60))
def test_any_text_and_caret_give_a_place_inside_the_text(text: str, caret: int) -> None:
    place = place_of(text, caret)
    assert 0 <= place.start <= place.end <= len(text)


@given(st.text(min_size=1, max_size=30).filter(lambda text: text.strip() == text and "\0" not in text))
def test_a_suggested_value_is_always_a_filter_that_can_be_read(value: str) -> None:
    (text,) = inserted("source:", (Found(value, 1),))
    assert parse(text) is not None
