"""Numbers, durations and instants as the page writes them."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltraces.web import formatting

THIN = "\N{NARROW NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [
        (None, "—"),
        (0, "0 ms"),
        (0.42, "0.4 ms"),
        (9.94, "9.9 ms"),
        (9.96, "10 ms"),
        (380, "380 ms"),
        (999.4, "999 ms"),
        (999.6, "1.00 s"),
        (1240, "1.24 s"),
        (9994, "9.99 s"),
        (9996, "10.0 s"),
        (59_940, "59.9 s"),
        (59_960, "1:00 min"),
        (64_000, "1:04 min"),
        (3_599_400, "59:59 min"),
        (3_599_600, "1:00 h"),
        (5_400_000, "1:30 h"),
        (172_799_000, "47:59 h"),
        (172_800_000, "2 d"),
        (216_000_000, "2.5 d"),
        (86_400_000 * 99.96, "100 d"),
        (86_400_000 * 1_234, f"1{THIN}234 d"),
        (1e308, f">9{THIN}999 d"),
        (float("inf"), f">9{THIN}999 d"),
    ],
)
def test_durations_have_three_figures_and_a_unit(milliseconds: float | None, shown: str) -> None:
    assert formatting.duration(milliseconds) == shown


@given(st.one_of(st.floats(0, 1e10), st.floats(0, allow_nan=False)))
def test_a_duration_never_shows_sixty_seconds_or_a_thousand_milliseconds(milliseconds: float) -> None:
    number, unit = formatting.duration_parts(milliseconds)
    assert unit in ("ms", "s", "min", "h", "d")
    assert len(number) <= 6, "a card has no room for more"
    if unit == "ms":
        assert float(number) < 1000
    elif unit == "s":
        assert float(number) < 60
    elif unit != "d":
        assert int(number.rpartition(":")[2]) < 60


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "—"), (0, "0"), (999, "999"), (12_400, f"12{THIN}400"), (-1_234_567, f"−1{THIN}234{THIN}567")],
)
def test_counts_are_grouped_by_thousands(value: int | None, shown: str) -> None:
    assert formatting.count(value) == shown


@pytest.mark.parametrize(
    ("fraction", "shown"),
    [
        (None, "—"), (0, "0%"), (1, "100%"), (0.05, "5%"), (0.0427, "4.3%"), (0.0042, "0.42%"), (0.00001, "<0.01%"),
        (0.99999, ">99.9%"), (0.5, "50%"), (0.999, "99.9%"),
    ],
)  # fmt: skip
def test_percentages_never_round_to_nothing_or_to_all(fraction: float | None, shown: str) -> None:
    assert formatting.percent(fraction) == shown


@given(st.floats(1e-12, 1 - 1e-12))
def test_a_part_is_never_shown_as_nothing_or_all(fraction: float) -> None:
    assert formatting.percent(fraction) not in ("0%", "100%", "0.00%", "100.0%")


@pytest.mark.parametrize(
    ("byte_count", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1200, "1.2 KB"),
        (999_600, "1.0 MB"),
        (1_200_000, "1.2 MB"),
        (250_000_000, "250 MB"),
        (5 * 10**12, "5000 GB"),
    ],
)
def test_sizes_are_in_units_of_a_thousand(byte_count: int, shown: str) -> None:
    assert formatting.size(byte_count) == shown


def us(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1_000_000  # type: ignore[misc, arg-type]


def test_instants_are_shown_in_the_readers_zone() -> None:
    moment = us(2026, 11, 24, 23, 30, 5)
    assert formatting.instant(moment, now_us=moment) == "24 Nov, 23:30:05"
    assert formatting.instant(moment, ZoneInfo("Europe/Berlin"), now_us=moment) == "25 Nov, 00:30:05"
    assert formatting.instant(None) == "—"


def test_the_year_is_said_when_it_is_another_one() -> None:
    moment = us(2025, 12, 31, 23, 30, 0)
    now = us(2026, 1, 2, 0, 0, 0)
    assert formatting.instant(moment, now_us=now) == "31 Dec 2025, 23:30:00"
    assert formatting.instant(moment, ZoneInfo("Europe/Berlin"), now_us=now) == "1 Jan, 00:30:00"
    assert formatting.day(moment) == "31 Dec 2025"


@given(st.integers(-2_000_000_000_000_000, 7_000_000_000_000_000))
def test_the_utc_form_is_the_instant_to_the_millisecond(instant_us: int) -> None:
    parsed = datetime.fromisoformat(formatting.iso(instant_us))
    assert abs(parsed.timestamp() * 1_000_000 - instant_us) <= 1000


@pytest.mark.parametrize("name", [None, "", "Nowhere/City", "../../etc/passwd", "x" * 1000, "\0", "/abs"])
def test_a_zone_that_is_none_is_utc(name: str | None) -> None:
    assert formatting.zone_of(name) is UTC


def test_zones_are_labelled_with_their_offset_at_the_time() -> None:
    winter, summer = us(2026, 1, 1), us(2026, 7, 1)
    berlin = ZoneInfo("Europe/Berlin")
    assert formatting.zone_label(berlin, winter) == "Europe/Berlin (UTC+1)"
    assert formatting.zone_label(berlin, summer) == "Europe/Berlin (UTC+2)"
    assert formatting.zone_label(ZoneInfo("Asia/Kolkata"), winter) == "Asia/Kolkata (UTC+5:30)"
    assert formatting.zone_label(ZoneInfo("America/New_York"), winter) == "America/New_York (UTC−5)"
    assert formatting.zone_label(UTC, winter) == "UTC"


@pytest.mark.parametrize(
    ("credits", "shown"),
    [
        ("0", "0.00"),
        ("0.000001", "<0.01"),
        ("0.014", "0.01"),
        ("3.500000", "3.50"),
        ("152.833333", "152.83"),
        ("1813.9", f"1{THIN}813.90"),
        ("1814.113", f"1{THIN}814.11"),
        ("99999.996", f"100{THIN}000.00"),
        ("123456.789", f"123{THIN}457"),
    ],
)
def test_credits_have_two_decimals_and_what_is_not_zero_never_reads_as_zero(credits: str, shown: str) -> None:
    assert formatting.credits_text(Decimal(credits)) == shown
