"""The page at 390 pixels."""

import pytest
from playwright.sync_api import Page, StorageState, expect

from tests.browser.conftest import TRACES, Visit, Visitors


@pytest.fixture
def phone(visitors: Visitors, dora: StorageState) -> Visit:
    return visitors.visit(dora, width=390, height=844)


def fits(page: Page) -> bool:
    result: bool = page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    return result


def test_nothing_is_wider_than_the_screen(phone: Visit) -> None:
    for path in (
        TRACES, f"{TRACES}?filter=status:failed", f"{TRACES}/runs/special-long-word?period=all", "/settings/models",
        "/settings/api-keys", "/settings/members", "/settings/monitoring/rejected",
    ):  # fmt: skip
        assert fits(phone.go(path)), path


def test_a_run_is_a_card_with_what_matters(phone: Visit) -> None:
    page = phone.go()
    row = page.locator("tr[data-run]").first
    for column in ("status", "executed_on", "response_time", "input", "output", "request_id", "source"):
        expect(row.locator(f"td.c-{column}")).to_be_visible()
    expect(row.locator("td.c-deployment_version")).to_be_hidden()


def test_a_run_opens_over_the_whole_screen_and_closes(phone: Visit) -> None:
    page = phone.go()
    page.locator("tr[data-run]").first.locator("td.c-input").click()
    drawer = page.locator(".drawer")
    expect(drawer).to_be_visible()
    box = drawer.bounding_box()
    assert box is not None
    assert box["x"] == 0
    assert box["width"] >= page.evaluate("document.documentElement.clientWidth")
    page.get_by_role("link", name="Close").click()
    expect(drawer).to_have_count(0)


def test_the_navigation_is_a_menu(phone: Visit) -> None:
    page = phone.go()
    rail = page.get_by_role("navigation", name="Settings")
    expect(rail).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    expect(rail).to_be_visible()
    page.keyboard.press("Escape")
    expect(rail).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    rail.get_by_role("link", name="Models").click()
    page.wait_for_url("**/settings/models")


def test_period_model_and_filter_work_by_touch(phone: Visit) -> None:
    page = phone.go()
    page.get_by_role("link", name="30d", exact=True).click()
    page.wait_for_url("**period=30d")
    page.locator("#filter-text").fill("status:failed")
    page.locator("#filter-text").press("Enter")
    expect(page.locator("#count")).to_have_text("6 runs")
    assert fits(page)
