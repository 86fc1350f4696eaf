"""When the answer cannot be had, the page says why and what to do."""

from playwright.sync_api import expect

from tests.browser.conftest import Visit


def test_a_run_that_is_gone_meanwhile_is_said_to_be(visit: Visit) -> None:
    visit.expected = ("404",)
    page = visit.go()
    page.locator("a.id").first.evaluate("link => link.href = link.href.replace(/runs\\/[^?]+/, 'runs/gone')")
    page.locator("a.id").first.click()
    expect(page.get_by_text("This account has no run of that Request ID.")).to_be_visible()
    page.get_by_role("main").get_by_role("link", name="Model Traces").click()
    expect(page.locator("tr[data-run]").first).to_be_visible()
