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
    for column in ("status", "model", "executed_on", "response_time", "input", "output", "request_id", "source"):
        expect(row.locator(f"td.c-{column}")).to_be_visible()
    expect(row.locator("td.c-deployment_version")).to_be_hidden()


def test_what_stands_at_the_right_of_a_card_ends_at_its_edge(phone: Visit) -> None:
    page = phone.go()
    edge = page.evaluate("document.querySelector('#rows tr').getBoundingClientRect().right")
    for column in ("response_time", "source"):
        box = page.locator(f"td.c-{column}").first.bounding_box()
        assert box is not None
        assert abs(edge - 12 - (box["x"] + box["width"])) < 2


def test_chosen_columns_stand_on_the_cards_with_their_names(phone: Visit) -> None:
    page = phone.go(f"{TRACES}?columns=status,request_id,model,input_tokens,user_id")
    row = page.locator("tr[data-run]").first
    for column in ("status", "request_id", "model", "input_tokens", "user_id"):
        expect(row.locator(f"td.c-{column}")).to_be_visible()
    label = page.evaluate("getComputedStyle(document.querySelector('td.c-input_tokens'), '::before').content")
    assert label == '"Input Tokens"'
    icon, head = row.locator("td.c-status").bounding_box(), row.locator("td.c-request_id").bounding_box()
    assert icon is not None
    assert head is not None
    assert abs(icon["y"] - head["y"]) < 12
    assert fits(page)


def test_cards_can_be_sorted(phone: Visit) -> None:
    page = phone.go(f"{TRACES}?model=llama-3-8b")
    page.get_by_text("Sort", exact=True).click()
    page.locator(".only-cards").get_by_role("link", name="Response Time").click()
    page.wait_for_url("**sort=response_time**")
    expect(page.locator("tr[data-run]").first).to_contain_text("1.29 s")
    page.get_by_text("Sort", exact=True).click()
    page.locator(".only-cards").get_by_role("link", name="Response Time").click()
    expect(page.locator("tr[data-run]").first).to_contain_text("100 ms")


def test_a_menu_opens_where_it_can_be_seen(phone: Visit) -> None:
    page = phone.go()
    page.evaluate("document.querySelector('.runs-head').scrollIntoView({block: 'end'})")
    page.get_by_text("Columns", exact=True).click()
    expect(page.get_by_role("link", name="Reset to the usual columns")).to_be_attached()
    box = page.locator("[data-columns] .menu-panel").bounding_box()
    assert box is not None
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= 845


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


def test_short_words_stay_whole_and_the_round_time_is_one_touch_away(phone: Visit) -> None:
    expect(phone.go().locator("#toolbar .since")).to_be_visible()
    role = phone.go("/settings/members").locator(".m-role:not(:has(form))").first
    lines = role.evaluate(
        "cell => { const all = document.createRange(); all.selectNodeContents(cell); return all.getClientRects().length }"
    )
    assert lines == 1
