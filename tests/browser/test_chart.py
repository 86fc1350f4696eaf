"""The chart's axes and what a drag over it chooses."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chart import drag_over_chart
from tests.browser.conftest import Visit

_RECORD = """
(() => {
  const draw = CanvasRenderingContext2D.prototype.fillText;
  window.drawn = [];
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
    const { width } = this.measureText(text);
    const left = this.textAlign === "right" ? x - width : this.textAlign === "center" ? x - width / 2 : x;
    window.drawn.push({ text, inside: left >= 0 && left + width <= this.canvas.width });
    return draw.apply(this, arguments);
  };
  const stroke = CanvasRenderingContext2D.prototype.stroke;
  window.stroked = new Set();
  CanvasRenderingContext2D.prototype.stroke = function () {
    window.stroked.add(this.strokeStyle);
    return stroke.apply(this, arguments);
  };
})();
"""
"""What the chart writes on its canvas, and whether it fits."""
_STROKED = """
() => {
  const colour = (name) => {
    const probe = document.body.appendChild(document.createElement("i"));
    probe.style.color = `var(${name})`;
    const value = getComputedStyle(probe).color;
    probe.remove();
    const canvas = document.createElement("canvas").getContext("2d");
    canvas.strokeStyle = value;
    return canvas.strokeStyle;
  };
  return ["--chart-90", "--chart-99"].filter((name) => window.stroked.has(colour(name)));
}
"""
"""Which of the percentiles have a line."""
_REDRAW = """
(p99) => {
  const place = document.querySelector("#chart-data");
  const data = JSON.parse(place.textContent);
  data.p99 = data.at.map((_, i) => p99[i % p99.length]);
  data.p90 = data.p99.map((value) => value / 2);
  place.textContent = JSON.stringify(data);
  window.drawn.length = 0;
  document.dispatchEvent(new Event("swapped"));
}
"""
_FEWER = """
(steps) => {
  const place = document.querySelector("#chart-data");
  const data = JSON.parse(place.textContent);
  for (const name of ["at", "ok", "failed", "p90", "p99"]) data[name] = data[name].slice(-steps);
  place.textContent = JSON.stringify(data);
  document.dispatchEvent(new Event("swapped"));
}
"""
_REDRAW_FROM = """
([from, step]) => {
  const place = document.querySelector("#chart-data");
  const data = JSON.parse(place.textContent);
  data.at = data.at.map((_, i) => from + i * step);
  data.step = step;
  place.textContent = JSON.stringify(data);
  window.drawn.length = 0;
  document.dispatchEvent(new Event("swapped"));
}
"""


@pytest.fixture
def page(visit: Visit) -> Page:
    visit.page.add_init_script(_RECORD)
    page = visit.go()
    expect(page.locator(".chart-area canvas")).to_be_visible()
    return page


def drawn(page: Page, values: list[float]) -> list[str]:
    """What the axes say once the P99 takes these values in turn."""
    page.evaluate(_REDRAW, values)
    page.wait_for_function("window.drawn.length > 0")
    found: list[dict[str, Any]] = page.evaluate("window.drawn")
    assert [one["text"] for one in found if not one["inside"]] == [], "no label is clipped"
    return [one["text"] for one in found]


def test_response_times_stand_at_round_values_and_whole(page: Page) -> None:
    for values, ticks in (
        ([200_000.0, 400_000.0], ["0", "2 min", "4 min", "6 min"]),
        ([40.0, 90.0], ["0", "50 ms", "100 ms"][:2]),
        ([21_000.0, 29_000.0], ["0", "10 s", "20 s", "30 s"]),
        ([5_000_000.0, 6_100_000.0], ["0", "30 min", "1 h", "1:30 h"]),
    ):
        labels = drawn(page, values)
        assert [tick for tick in ticks if tick not in labels] == [], labels
        expect(page.locator("[data-chart-logarithmic]")).to_be_hidden()


def test_one_very_slow_run_does_not_flatten_the_others(page: Page) -> None:
    labels = drawn(page, [*[2_000.0] * 40, 600_000.0])
    assert [tick for tick in ("1 s", "10 s", "1 min", "10 min") if tick not in labels] == [], labels
    expect(page.locator("[data-chart-logarithmic]")).to_be_visible()


def test_times_that_are_seconds_apart_are_told_apart(page: Page) -> None:
    steps = len(page.evaluate("JSON.parse(document.querySelector('#chart-data').textContent).at"))
    midnight = datetime(2026, 3, 2, tzinfo=ZoneInfo(page.evaluate("document.body.dataset.zone")))
    for begin, seconds in ((midnight.replace(hour=9, minute=58), 240), (midnight - timedelta(seconds=60), 240)):
        page.evaluate(_REDRAW_FROM, [int(begin.timestamp()), seconds / steps])
        page.wait_for_function("window.drawn.length > 0")
        labels = [one["text"] for one in page.evaluate("window.drawn")]
        times = [label for label in labels if ":" in label]
        assert len(times) == len(set(times)) > 3, labels
        assert {len(time) for time in times} == {len("09:58:30")}, labels
        # The day itself stands at its midnight, once.
        assert labels.count("2 Mar") == (begin < midnight), labels
    page.evaluate(_REDRAW_FROM, [int(midnight.timestamp()) + 36_000, 4 * 3_600 / steps])
    assert {"11:00", "12:00", "13:00"} <= {one["text"] for one in page.evaluate("window.drawn")}


def test_a_drag_chooses_whole_steps(page: Page) -> None:
    data = page.evaluate("JSON.parse(document.querySelector('#chart-data').textContent)")
    drag_over_chart(page, 0.503, 0.755)
    chosen: list[str] = page.evaluate("['from', 'to'].map((name) => new URL(location.href).searchParams.get(name))")
    assert all(int(datetime.fromisoformat(at).timestamp()) in data["at"] for at in chosen), chosen


def test_where_steps_are_narrow_p90_stands_alone(page: Page) -> None:
    key = page.locator(".legend").get_by_text("P99")
    expect(key).to_be_visible()
    assert page.evaluate(_STROKED) == ["--chart-90", "--chart-99"]
    page.evaluate("window.stroked.clear()")
    page.set_viewport_size({"width": 390, "height": 800})
    expect(key).to_be_hidden()
    page.wait_for_function(f"({_STROKED})().length > 0")
    assert page.evaluate(_STROKED) == ["--chart-90"]
    # The head comes anew from the server also when the chart below it stays.
    page.evaluate("document.querySelector('.legend .p99').hidden = false; document.dispatchEvent(new Event('swapped'))")
    expect(key).to_be_hidden()
    page.evaluate(_FEWER, 40)
    expect(key).to_be_visible()
    page.reload()
    expect(key).to_be_hidden()
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(key).to_be_visible()
