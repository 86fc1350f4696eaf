"""Menus under a real mouse: a press on a word in one must neither shut it nor lose the click."""

import pytest
from playwright.sync_api import Locator, Page, StorageState, expect

from tests.browser.conftest import Visit, Visitors


@pytest.fixture(params=[1280, 390])
def page(visitors: Visitors, dora: StorageState, request: pytest.FixtureRequest) -> Page:
    """Overrides the one at a desk: menus are pressed on a phone, too."""
    visit: Visit = visitors.visit(dora, width=request.param, height=844)
    return visit.go()


def press(page: Page, target: Locator) -> None:
    """Down and up in the middle of the target, as a hand does it."""
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.wait_for_timeout(60)
    page.mouse.up()


def test_a_press_on_the_word_of_a_column_chooses_it(page: Page) -> None:
    page.locator("[data-columns] > summary").click()
    press(page, page.locator("[data-columns] .menu-item").filter(has_text="Base Model").locator("span"))
    page.wait_for_url("**columns=**base_model**")
    expect(page.locator("[data-columns]")).to_have_attribute("open", "")


def test_a_press_on_the_label_of_the_period_goes_to_its_field(page: Page) -> None:
    page.get_by_text("Custom", exact=True).click()
    press(page, page.locator("label").filter(has_text="From"))
    expect(page.get_by_label("From", exact=True)).to_be_focused()
    expect(page.get_by_role("button", name="Show this period")).to_be_visible()


def test_a_press_on_a_heading_of_the_models_leaves_them_open(page: Page) -> None:
    page.get_by_label("Model: All models").click()
    press(page, page.locator(".menu-heading").filter(has_text="Open source"))
    expect(page.locator("#model-list")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#model-list")).to_be_hidden()


def test_a_press_elsewhere_and_the_focus_elsewhere_shut_a_menu(page: Page) -> None:
    menu = page.locator("details[data-menu]").filter(has_text="Custom")
    menu.locator("summary").click()
    press(page, page.get_by_role("heading", name="Model Traces"))
    expect(menu).not_to_have_attribute("open", "")
    menu.locator("summary").click()
    expect(menu).to_have_attribute("open", "")
    page.locator("#filter-text").focus()
    expect(menu).not_to_have_attribute("open", "")


def test_the_menu_of_models_can_be_typed_into_as_soon_as_it_is_pressed(page: Page) -> None:
    """What was typed at once went nowhere, and Enter then took the first model of all."""
    menu = page.locator("details[data-combobox]")
    ready = "summary => { summary.click(); return document.activeElement.matches('[data-combobox-input]') }"
    assert menu.locator("summary").evaluate(ready)
    page.keyboard.type("gpt")
    page.wait_for_timeout(60)
    expect(menu.get_by_role("combobox")).to_have_value("gpt")
    menu.locator("summary").click()
    expect(menu).not_to_have_attribute("open", "")
