from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltraces.catalog.amounts import amount_text, parse_amount
from modeltraces.catalog.errors import Invalid


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0.5", "0.5"),
        (" 0.50 ", "0.5"),
        (0.1, "0.1"),
        (2, "2"),
        (30, "30"),
        ("3e1", "30"),
        ("3E+1", "30"),
        ("+1.25", "1.25"),
        (".5", "0.5"),
        ("5.", "5"),
        (Decimal("1.250"), "1.25"),
        ("0.000000001", "0.000000001"),
        (1e-9, "0.000000001"),
        ("1000000000", "1000000000"),
        ("0", "0"),
        ("-0", "0"),
        (-0.0, "0"),
        ("0.000", "0"),
        ("1" + "." + "0" * 40, "1"),
    ],
)
def test_an_amount_is_what_was_typed(value: Any, text: str) -> None:
    assert amount_text(parse_amount(value, "price")) == text


@pytest.mark.parametrize("value", ["", " ", "NaN", "nan", "sNaN", "Infinity", "-Infinity", "inf", "x", "1,5", "0x10"])
def test_what_is_no_number_is_refused_with_an_example(value: str) -> None:
    with pytest.raises(Invalid, match=r'price must be a number or a decimal string such as "0\.5"'):
        parse_amount(value, "price")


@pytest.mark.parametrize("value", ["1_000", "１", "٣", "1e", "1 2", "--1"])
def test_spellings_that_only_python_takes_are_refused(value: str) -> None:
    with pytest.raises(Invalid, match="price must be"):
        parse_amount(value, "price")


@pytest.mark.parametrize("value", [True, False, None, [], {}, b"1", object()])
def test_other_types_are_refused(value: Any) -> None:
    with pytest.raises(Invalid, match="price must be a number"):
        parse_amount(value, "price")


@pytest.mark.parametrize("value", ["-1", -0.5, "-1e-9", Decimal("-3"), float("nan"), float("inf"), float("-inf")])
def test_negative_and_unending_ones_are_refused(value: Any) -> None:
    with pytest.raises(Invalid, match="price must be a number"):
        parse_amount(value, "price")


@pytest.mark.parametrize(
    "value",
    [
        "1000000000.1",
        "1e10",
        pytest.param(10**5000, id="10 to the 5000"),
        "9" * 5000,
        1e300,
        "0.0000000001",
        "1e-10",
        # Python would round these when it normalizes them, and take them for short ones.
        "999999999.00000000000000000000000000001",
        "1." + "0" * 900 + "1",
        # Written out, these would fill the memory.
        "1e-999999999",
        "1e999999999",
        Decimal("1e-999999999"),
    ],
)
def test_amounts_beyond_what_is_kept_are_refused(value: Any) -> None:
    with pytest.raises(Invalid, match="price must be at most 1,000,000,000 with at most 9 decimals"):
        parse_amount(value, "price")


@pytest.mark.parametrize("value", ["0e999999999", "0e-999999999", Decimal("0e-999999")])
def test_a_zero_with_a_huge_exponent_is_a_short_zero(value: Any) -> None:
    assert amount_text(parse_amount(value, "price")) == "0"


@given(st.decimals(min_value=0, max_value=1_000_000_000, places=9))
def test_an_amount_reads_back_as_itself(amount: Decimal) -> None:
    text = amount_text(parse_amount(amount, "price"))
    assert Decimal(text) == amount
    assert "E" not in text
    assert not text.startswith("-")
    assert amount_text(parse_amount(text, "price")) == text


@given(
    st.one_of(
        st.text(max_size=30),
        st.floats(),
        st.integers(),
        st.decimals(),
        st.from_regex(r"-?[0-9]{0,3}\.?[0-9]{0,3}[eE]?[-+]?[0-9]{0,9}"),
    )
)
def test_whatever_comes_is_an_amount_or_refused(value: Any) -> None:
    try:
        amount = parse_amount(value, "price")
    except Invalid:
        return
    assert 0 <= amount <= 1_000_000_000
    assert len(amount_text(amount)) <= 20
