"""Metrics as cards: their change against the period before, what is absent, and the chart's words."""

import json
from datetime import UTC
from decimal import Decimal

import pytest

from modeltraces.api.hosting import Hosting
from modeltraces.catalog.hosting.intervals import Hosted, Interval, hosted
from modeltraces.catalog.model_entries import ModelEntry
from modeltraces.query.metrics import Metrics, Percentiles
from modeltraces.query.series import Point, Series
from modeltraces.query.series_by import Group, Groups
from modeltraces.web.address import Address
from modeltraces.web.changes import point_change, relative_change
from modeltraces.web.comparison import compared, comparison
from modeltraces.web.contexts import Chart, Comparison, MetricCard
from modeltraces.web.hosting_card import hosting_card
from modeltraces.web.overview import overview
from modeltraces.web.steps import Steps

NONE = Percentiles(None, None, None)
BEFORE = "the 7 days before"
ENTRY = ModelEntry("id", "llama", "open_source", "", "", (), (), None, (), 0, False)
CREDITS = MetricCard("credits", "Hosting Credits", "", ())


def metrics(total: int, failed: int, p90: float | None) -> Metrics:
    times = Percentiles(p90, p90, p90)
    return Metrics(total, failed, failed / total if total else None, times, None, None, 0.0, 0)


def series(*totals: int) -> Series:
    return Series(
        60, [Point(i * 60_000_000, total, 0, Percentiles(1, 2, 3) if total else NONE) for i, total in enumerate(totals)]
    )


def steps(made: Series, from_us: int | None = None, now_us: int = 10**15) -> Steps:
    return Steps.of(made, from_us, None, now_us)


@pytest.mark.parametrize(
    ("now", "before", "good", "text", "tone", "words"),
    [
        (110, 100, None, "10%", "neutral", "up 10% from the 7 days before"),
        (110, 100, "down", "10%", "neutral", "up 10% from the 7 days before"),
        (125, 100, "down", "25%", "bad", "up 25% from the 7 days before"),
        (75, 100, "down", "25%", "good", "down 25% from the 7 days before"),
        (100, 100.2, "down", "same", "neutral", "as in the 7 days before"),
        (5000, 100, None, "50×", "neutral", "50× of the 7 days before"),
        (123_456, 100, None, "1 235×", "neutral", "1 235× of the 7 days before"),
        (1e308, 1e-308, None, ">9 999×", "neutral", ">9 999× of the 7 days before"),
        (0, 100, "down", "100%", "good", "down 100% from the 7 days before"),
    ],
)
def test_changes_say_how_much_in_which_direction_and_whether_it_is_good(
    now: float, before: float, good: str | None, text: str, tone: str, words: str
) -> None:
    change = relative_change(now, before, BEFORE, good)
    assert change is not None
    assert (change.text, change.tone, change.words) == (text, tone, words)


@pytest.mark.parametrize(("now", "before"), [(None, 5), (5, None), (5, 0)])
def test_there_is_no_change_from_nothing(now: float | None, before: float | None) -> None:
    assert relative_change(now, before, BEFORE, None) is None


@pytest.mark.parametrize(
    ("now", "before", "text", "tone"),
    [
        (0.05, 0.04, "1.0 pp", "bad"),
        (0.03, 0.04, "1.0 pp", "good"),
        (0.04, 0.0427, "0.27 pp", "neutral"),
        (0.42, 0.40, "2.0 pp", "neutral"),
        (0.04, 0.04, "same", "neutral"),
    ],
)
def test_rates_change_by_percentage_points(now: float, before: float, text: str, tone: str) -> None:
    change = point_change(now, before, BEFORE)
    assert change is not None
    assert (change.text, change.tone) == (text, tone)


def test_a_rate_of_nothing_has_no_change() -> None:
    assert point_change(None, 0.1, BEFORE) is None
    assert point_change(0.1, None, BEFORE) is None


def test_hosting_credits_have_no_card_where_they_are_not_defined() -> None:
    for card, keys in ((CREDITS, ["total", "times", "failures", "credits"]), (None, ["total", "times", "failures"])):
        made = overview(
            metrics(10, 1, 5.0),
            None,
            series(5, 5),
            steps(series(5, 5)),
            ever=1_000,
            period=BEFORE,
            hosting=card,
            zone=UTC,
            now_us=0,
        )
        assert [card.key for card in made.cards] == keys


def test_without_requests_nothing_is_known_and_there_is_no_chart() -> None:
    made = overview(
        metrics(0, 0, None),
        None,
        series(0, 0),
        steps(series(0, 0)),
        ever=1_000,
        period=BEFORE,
        hosting=CREDITS,
        zone=UTC,
        now_us=0,
    )
    assert made.chart is None
    total, times, failures, _ = made.cards
    assert total.figures[0].value == "0"
    assert [figure.value for figure in times.figures] == ["—", "—", "—"]
    assert all(figure.none for figure in (*times.figures, *failures.figures))


def test_a_period_that_had_hardly_begun_is_not_compared_with() -> None:
    for before, told in ((metrics(5, 0, 1.0), True), (metrics(4, 0, 1.0), False)):
        made = overview(
            metrics(100, 1, 5.0),
            before,
            series(100),
            steps(series(100)),
            ever=1_000,
            period=BEFORE,
            hosting=None,
            zone=UTC,
            now_us=0,
        )
        assert [card.change is not None for card in made.cards] == [told] * 3


@pytest.mark.parametrize(("hours", "text"), [(5, "20\N{MULTIPLICATION SIGN}"), (4, None), (0, None)])
def test_a_period_that_was_hardly_hosted_is_not_compared_with(hours: int, text: str | None) -> None:
    def up(hours: int) -> Hosted:
        return hosted([Interval(0, hours * 3_600_000_000, 1, Decimal("1.5"))], None, None, 10**15)

    hosting = Hosting(True, (ENTRY,), (), up(100))
    card = hosting_card(hosting, metrics(100, 0, 5.0), up(hours), steps(series(1)), period=BEFORE, several=False)
    assert (card.change and card.change.text) == text


def test_the_chart_is_data_for_the_script_and_words_for_everybody() -> None:
    made = overview(
        metrics(12, 0, 5.0),
        None,
        series(2, 0, 10),
        steps(series(2, 0, 10)),
        ever=1_000,
        period=BEFORE,
        hosting=CREDITS,
        zone=UTC,
        now_us=0,
    )
    assert made.chart is not None
    data = json.loads(made.chart.data)
    assert data["ok"] == [2, 0, 10]
    assert data["p90"] == [2, None, 2]
    assert "Most requests: 10 at 1 Jan, 00:02:00." in made.chart.summary
    assert [row.cells[0] for row in made.chart.rows] == ["2", "10"]


def test_the_charts_data_cannot_end_its_element() -> None:
    made = overview(
        metrics(1, 0, 5.0),
        None,
        series(1),
        steps(series(1)),
        ever=1_000,
        period=BEFORE,
        hosting=CREDITS,
        zone=UTC,
        now_us=0,
    )
    assert made.chart is not None
    assert "<" not in made.chart.data


def by_version(address: Address, *names: str, left_out: int = 0, several: bool = False) -> Chart:
    """A chart of groups with 1, 2, … requests in the first step, none in the second, 5 in the third."""
    groups = [Group(name, 10 - i, series(i + 1, 0, 5).points) for i, name in enumerate(names)]
    return compared(
        address, Groups(60, groups, left_out), series(9, 0, 9), Comparison(), UTC, now_us=0, several=several
    )


VERSIONS = Address(compare="deployment_version")


def test_a_comparison_has_a_line_and_a_column_for_each_group() -> None:
    chart = by_version(VERSIONS, "v10", "", "v2")
    data = json.loads(chart.data)
    assert chart.lines == chart.headings == ("v2", "v10", "none")
    assert data["lines"] == [[2, None, 2]] * 3
    assert data["ok"] == [9, 0, 9]
    assert [row.cells for row in chart.rows] == [("2 ms", "2 ms", "2 ms")] * 2
    assert chart.summary.startswith(
        "Chart of P90 of the response time, by version: v2, v10, none. Highest: 2 ms of v2 at"
    )
    assert chart.note == ""


@pytest.mark.parametrize(
    ("measure", "lines", "cells"),
    [("p99", [[3, None, 3]] * 2, ("3 ms", "3 ms")), ("requests", [[1, 0, 5], [2, 0, 5]], ("1", "2"))],
)
def test_a_comparison_is_of_the_measure_that_was_chosen(
    measure: str, lines: list[list[int | None]], cells: tuple[str, ...]
) -> None:
    chart = by_version(VERSIONS.kept(measure=measure), "v1", "v2")
    assert json.loads(chart.data)["lines"] == lines
    assert chart.rows[0].cells == cells


def test_the_groups_with_most_requests_are_compared_and_the_others_are_counted() -> None:
    chart = by_version(VERSIONS, *(f"v{i}" for i in range(9, 0, -1)), left_out=4)
    assert chart.lines == ("v4", "v5", "v6", "v7", "v8", "v9")
    assert chart.note == "The 6 versions with most requests; 7 more left out."


def test_versions_of_several_models_are_said_to_be_taken_together() -> None:
    assert "whichever model" in by_version(VERSIONS, "v1", several=True).note
    assert by_version(VERSIONS.kept(compare="model"), "a", "b", several=True).note == ""


@pytest.mark.parametrize(
    ("hosted", "external", "several", "labels"),
    [
        (True, False, False, ["None", "Versions"]),
        (False, True, False, ["None", "Connections"]),
        (True, True, True, ["None", "Versions", "Connections", "Models"]),
        (False, False, False, []),
    ],
)
def test_only_what_the_selection_can_differ_in_is_offered(
    hosted: bool, external: bool, several: bool, labels: list[str]
) -> None:
    offers = comparison(Address(), hosted=hosted, external=external, several=several)
    assert [option.label for option in offers.choices] == labels
    assert offers.measures == ()


def test_a_comparison_that_no_longer_applies_can_be_left() -> None:
    offers = comparison(VERSIONS.kept(measure="p99", cursor="c"), hosted=False, external=False, several=False)
    assert [(option.label, option.current) for option in offers.choices] == [("None", False), ("Versions", True)]
    assert offers.choices[0].href.endswith("model-traces?cursor=c")
    assert [option.label for option in offers.measures if option.current] == ["P99"]


def test_the_sparkline_of_requests_leaves_out_the_steps_that_the_period_holds_a_part_of() -> None:
    made = series(9, 4, 4, 4, 1)
    seen = steps(made, from_us=30_000_000, now_us=4 * 60_000_000 + 1)
    card, *_ = overview(
        metrics(22, 0, 5.0), None, made, seen, ever=1_000, period=BEFORE, hosting=None, zone=UTC, now_us=0
    ).cards
    assert card.spark is not None
    assert card.spark.line == "M0.0 2.0L44.0 2.0L88.0 2.0"
    assert steps(made, now_us=5 * 60_000_000).whole([1, 2, 3, 4, 5]) == [1, 2, 3, 4, 5]
    assert steps(Series(60, [])).whole([]) == []


def test_hosting_is_not_shared_out_among_the_requests_of_a_filter() -> None:
    up = hosted([Interval(0, 3_600_000_000, 1, Decimal("1.5"))], None, None, 10**15)
    asked = Metrics(500, 0, 0.0, NONE, None, None, 1.0, 500)
    for is_whole, note in ((True, "3 per 1\N{NARROW NO-BREAK SPACE}000 requests, 1 model"), (False, "1 model")):
        hosting = Hosting(True, (ENTRY,), (), up, is_whole)
        card = hosting_card(hosting, asked, None, steps(series(1)), period=BEFORE, several=True)
        assert card.note == note


def test_hosting_without_a_price_is_told_beside_the_sum_that_lacks_it() -> None:
    up = hosted(
        [Interval(0, 3_600_000_000, 1, Decimal("1.5")), Interval(0, 3_600_000_000, 3, None)], None, None, 10**15
    )
    asked = Metrics(500, 0, 0.0, NONE, None, None, 1.0, 500)
    card = hosting_card(Hosting(True, (ENTRY,), (), up), asked, None, steps(series(1)), period=BEFORE, several=False)
    assert card.note == "75% of the replica time has no price"
