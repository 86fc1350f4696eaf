"""Sparklines: inside their box, with gaps where nothing is known."""

import re

from hypothesis import given
from hypothesis import strategies as st

from modeltraces.web.sparkline import HEIGHT, WIDTH, sparkline


@given(st.lists(st.none() | st.floats(0, 1e9), max_size=300))
def test_every_point_lies_inside_the_box(values: list[float | None]) -> None:
    spark = sparkline(values)
    if spark is None:
        return
    for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", spark.line + spark.area):
        assert 0 <= float(x) <= WIDTH
        assert 0 <= float(y) <= HEIGHT


def test_unknown_values_leave_a_gap() -> None:
    spark = sparkline([1, 2, None, 3, 4])
    assert spark is not None
    assert spark.line.count("M") == 2


def test_nothing_to_draw_is_nothing() -> None:
    assert sparkline([]) is None
    assert sparkline([0, 0, 0]) is None
    assert sparkline([None, None, 1]) is None


def test_the_largest_value_is_at_the_top_and_zero_at_the_bottom() -> None:
    spark = sparkline([0, 5, 10])
    assert spark is not None
    assert spark.line == f"M0.0 {HEIGHT - 1}.0L44.0 12.5L88.0 2.0"


def test_many_points_are_folded_by_their_mean() -> None:
    spark = sparkline([1.0] * 1000)
    assert spark is not None
    assert spark.line.count("L") == 43
