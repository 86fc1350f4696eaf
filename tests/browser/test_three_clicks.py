"""From the landing page to the one bad run with its payload: three clicks, whatever the complaint."""

import re

import pytest
from playwright.sync_api import Locator, Page, StorageState, expect

from tests.browser.chart import drag_over_chart
from tests.browser.conftest import TRACES, Visit, Visitors
from tests.browser.world import LLAMA


def first_row(page: Page) -> Locator:
    return page.locator("tr[data-run]").first


def milliseconds(page: Page) -> list[float]:
    cells = page.locator("td.c-response_time [title]").all()
    return [float((cell.get_attribute("title") or "").removesuffix(" ms")) for cell in cells]


def open_first(page: Page) -> None:
    # In the middle of the row: wherever one clicks.
    first_row(page).locator("td.c-source_type").click()
    expect(page.locator(".drawer [data-plain]").first).to_contain_text("Question")


def test_it_is_slow_since_a_while(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model={LLAMA}")
    # 1: the part of the chart that the complaint is about.
    drag_over_chart(page, 0.6, 0.9)
    expect(page.locator("#toolbar summary").filter(has_text="–")).to_be_visible()
    # 2: the P99.
    page.locator(".metric.times .figure").nth(1).get_by_role("link").click()
    page.wait_for_url("**sort=response_time**")
    expect(page.locator("th.c-response_time")).to_have_attribute("aria-sort", "descending")
    found = milliseconds(page)
    assert len(found) > 1
    assert found == sorted(found, reverse=True)
    expect(first_row(page)).to_be_in_viewport()
    assert "from=" in page.url
    # 3: the slowest run.
    open_first(page)


def test_there_are_failures(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model={LLAMA}&filter=source:%22refund%20agent%22")
    page.get_by_role("link", name="Failed", exact=True).click()
    page.wait_for_url("**status:failed**")
    expect(page.locator("#filter-text")).to_have_value('source:"refund agent" status:failed')
    expect(page.locator("tr[data-run]").first).to_be_in_viewport()
    expect(page.locator("tr[data-failed=false]")).to_have_count(0)
    open_first(page)
    expect(page.get_by_role("region", name="Error")).to_contain_text("RateLimitError")


def test_every_card_leads_on_by_keyboard_too(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model={LLAMA}")
    actions = page.locator(".metric-action")
    expect(actions).to_have_text(["Newest", "Slowest", "Failed", "Deployments"])
    actions.nth(1).focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**sort=response_time**")
    expect(page.locator("#count")).to_have_text("120 runs")
    page.locator(".metric-action").nth(0).click()
    page.wait_for_url(re.compile(r"model-traces\?model=llama-3-8b$"))
    page.get_by_role("link", name="Deployments", exact=True).click()
    page.wait_for_url("**/settings/models/llama-3-8b")


@pytest.mark.parametrize("width", [1280, 1000, 390])
def test_the_cards_ways_fit_beside_their_titles(visitors: Visitors, dora: StorageState, width: int) -> None:
    page = visitors.visit(dora, width=width, height=844).go()
    for card in page.locator(".metric:has(.metric-action:visible)").all():
        assert card.evaluate("card => card.scrollWidth <= card.clientWidth")
        head = card.locator("h2").bounding_box()
        action = card.locator(".metric-action").bounding_box()
        assert head is not None
        assert action is not None
        assert head["x"] + head["width"] <= action["x"]


def test_the_latest_quarter_of_the_day_is_one_click_away(page: Page) -> None:
    since = page.locator("#toolbar .since")
    label = since.inner_text()
    assert re.fullmatch(r"Since \d\d:00|Today", label)
    since.click()
    page.wait_for_url("**from=**")
    hour = page.evaluate(
        "new Intl.DateTimeFormat('en-GB', {timeZone: 'Europe/Berlin', timeStyle: 'short'})"
        ".format(new Date(new URL(location.href).searchParams.get('from')))"
    )
    assert hour == (label.removeprefix("Since ") if label != "Today" else "00:00")
