"""The page without a mouse."""

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import TRACES, Visit
from tests.browser.world import LLAMA


def test_slash_goes_to_the_filter(page: Page) -> None:
    page.keyboard.press("/")
    expect(page.locator("#filter-text")).to_be_focused()
    expect(page.locator("#filter-text")).to_have_value("")


def test_j_and_k_walk_the_rows_and_enter_opens(page: Page) -> None:
    links = page.locator("a.id")
    page.keyboard.press("j")
    expect(links.nth(0)).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(links.nth(2)).to_be_focused()
    page.keyboard.press("k")
    expect(links.nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#run-title")).to_have_text(links.nth(1).get_attribute("title") or "")
    expect(page.locator(".drawer")).to_be_focused()
    page.keyboard.press("Escape")
    expect(links.nth(1)).to_be_focused()


def test_c_copies_the_request_id_of_the_row_or_of_the_open_run(page: Page) -> None:
    page.keyboard.press("j")
    page.keyboard.press("c")
    expect(page.locator("#announcer")).to_contain_text("copied")
    first = page.locator("tr[data-run]").first.get_attribute("data-run")
    assert page.evaluate("navigator.clipboard.readText()") == first
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator(".drawer")).to_be_focused()
    page.keyboard.press("c")
    expect(page.locator(".drawer-title .icon-button")).to_have_class(re.compile("copied"))
    assert page.evaluate("navigator.clipboard.readText()") != first


def test_c_copies_the_panel_that_has_the_focus(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model={LLAMA}")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.locator("[data-payload=output] [data-payload-body]").focus()
    page.keyboard.press("c")
    expect(page.locator("#announcer")).to_have_text("The text was copied.")
    assert page.evaluate("navigator.clipboard.readText()") == "Answer 0: it is on its way."


def test_question_mark_shows_the_help_and_escape_closes_it(page: Page) -> None:
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_letters_typed_into_a_field_are_only_letters(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("jkc?/")
    expect(page.locator("#filter-text")).to_have_value("jkc?/")
    expect(page.locator("dialog[open]")).to_have_count(0)


def test_menus_open_and_close_by_keyboard_and_give_the_focus_back(page: Page) -> None:
    summary = page.locator("summary", has_text="Export")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="CSV")).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("link", name="CSV")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="CSV")).to_be_hidden()
    expect(summary).to_be_focused()


def test_the_first_tab_stop_skips_to_the_content(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#page")).to_be_focused()


def test_the_focus_can_be_seen_wherever_it_goes(page: Page) -> None:
    for _ in range(25):
        page.keyboard.press("Tab")
        visible = page.evaluate(
            """() => {
              const element = document.activeElement;
              const style = getComputedStyle(element);
              const row = element.closest("tr");
              const marked = row && getComputedStyle(row.cells[0]).boxShadow !== "none";
              return style.outlineStyle !== "none" || style.boxShadow !== "none" || Boolean(marked);
            }"""
        )
        assert visible, page.evaluate("document.activeElement.outerHTML.slice(0, 200)")


def test_with_a_run_open_the_filter_is_left_by_one_escape_and_the_run_by_the_next(page: Page) -> None:
    page.locator("tr[data-run]").first.locator("td").nth(4).click()
    expect(page.locator(".drawer")).to_be_visible()
    page.keyboard.press("/")
    expect(page.locator("#suggestions")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#filter-text")).not_to_be_focused()
    expect(page.locator(".drawer")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".drawer")).to_have_count(0)
