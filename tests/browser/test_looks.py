"""What a designer's eye found: each once, so that it is not found again."""

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import TRACES, Visit
from tests.browser.world import ARABIC, LLAMA


def middle_of_text(element: Locator) -> float:
    """Where the first line of its words has its middle."""
    y: float = element.evaluate(
        """(element) => {
          const words = document.createTreeWalker(element, NodeFilter.SHOW_TEXT, (node) =>
            node.textContent.trim() ? NodeFilter.FILTER_ACCEPT : NodeFilter.FILTER_SKIP).nextNode();
          const range = document.createRange();
          range.selectNodeContents(words);
          const box = range.getClientRects()[0];
          return box.top + box.height / 2;
        }"""
    )
    return y


def test_buttons_stand_on_the_first_line_of_their_row(page: Page, visit: Visit) -> None:
    for path, button in (("/settings/models", "Runs"), ("/settings/api-keys", "Edit")):
        visit.go(path)
        row = page.locator(".plain-table tbody tr").first
        place = row.get_by_role("link", name=button)
        assert abs(middle_of_text(row.locator("td").first) - middle_of_text(place)) <= 1, path


def test_a_value_in_another_direction_begins_where_the_others_do(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model={LLAMA}")
    page.locator("tr[data-run]").first.locator("td.c-source_type").click()
    expect(page.locator(".drawer .metadata").first).to_be_visible()
    for cell in (page.locator(".drawer .metadata dd").nth(8), page.locator("td.c-input").first):
        gap = cell.evaluate(
            """(cell, text) => {
              const place = cell.querySelector("bdi");
              place.textContent = text;
              const range = document.createRange();
              range.selectNodeContents(place);
              const box = range.getBoundingClientRect();
              const edge = cell.getBoundingClientRect().left + parseFloat(getComputedStyle(cell).paddingLeft);
              return [Math.abs(box.left - edge), getComputedStyle(place).direction, getComputedStyle(place).unicodeBidi];
            }""",
            ARABIC[:10],
        )
        assert gap[0] <= 2
        assert gap[2] == "isolate"


def test_choices_look_like_our_menus(page: Page, visit: Visit) -> None:
    page.get_by_role("button", name="Build a filter").click()
    assert page.locator(".builder-row select").first.evaluate("one => getComputedStyle(one).appearance") == "none"
    visit.go("/settings/audit-log")
    for one in page.locator(".audit-filters select").all():
        assert one.evaluate("one => [getComputedStyle(one).appearance, one.scrollWidth <= one.clientWidth]") == [
            "none",
            True,
        ]


def test_the_button_that_copies_an_id_covers_none_of_its_digits(visit: Visit) -> None:
    cell = visit.go().locator("tr[data-run] td.c-request_id").first
    cell.hover()
    digits, button = cell.locator(".tail").bounding_box(), cell.get_by_role("button").bounding_box()
    assert digits is not None
    assert button is not None
    assert digits["x"] + digits["width"] <= button["x"] + 1
