"""Live: runs appear as they land."""

from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import TRACES, Visit, Visitors, sign_in
from tests.browser.world import LIV, LIVE_ACCOUNT, World, stamp

LIVE_MODEL = "live-model"


def arriving(text: str) -> dict[str, object]:
    return {
        "model": LIVE_MODEL,
        "model_kind": "open_source",
        "executed_on": stamp(datetime.now(UTC)),
        "input": text,
        "output": "Now.",
        "response_time_ms": 5,
    }


def send(world: World, text: str) -> None:
    world.send(arriving(text), account=LIVE_ACCOUNT)


@pytest.fixture
def visit(visitors: Visitors, browser: Browser, world: World) -> Visit:
    """Liv, in the account that runs keep coming to."""
    return visitors.visit(sign_in(browser, world.server, LIV))


def turn_on(page: Page) -> None:
    with page.expect_response("**/api/v1/runs/stream**"):
        page.get_by_role("button", name="Live").click()
    expect(page.get_by_role("button", name="Live")).to_have_attribute("aria-pressed", "true")


def test_new_runs_of_the_selection_appear_on_top_by_themselves(visit: Visit, world: World) -> None:
    send(world, "Before.")
    page = visit.go(f"{TRACES}?model={LIVE_MODEL}")
    turn_on(page)
    send(world, "While you watch.")
    expect(page.locator("tr[data-run]").first).to_contain_text("While you watch.")
    expect(page.locator("tr[data-run].is-new")).to_have_count(1)
    expect(page.get_by_role("button", name="Live")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Live").click()
    expect(page.get_by_role("button", name="Live")).to_have_attribute("aria-pressed", "false")
    send(world, "Unwatched.")
    page.wait_for_timeout(2500)
    expect(page.get_by_text("Unwatched.")).to_have_count(0)


def test_the_first_new_run_is_there_at_once_and_those_that_follow_come_together(visit: Visit, world: World) -> None:
    send(world, "Before.")
    page = visit.go(f"{TRACES}?model={LIVE_MODEL}")
    turn_on(page)
    # What the page waits before it draws, not how long the drawing takes beside other tests.
    page.evaluate("""() => {
      window.waits = [];
      const real = window.setTimeout;
      window.setTimeout = (then, ms, ...given) => {
        // That of a request is a minute.
        if (ms <= 2000) window.waits.push(ms);
        return real(then, ms, ...given);
      };
    }""")
    send(world, "At once.")
    expect(page.get_by_text("At once.")).to_have_count(1)
    # The page is drawn, not loaded: what is looked at here is still there.
    assert page.evaluate("window.waits") == [100]
    page.wait_for_function("() => document.querySelector('tr.is-new')")
    send(world, "Together.")
    expect(page.get_by_text("Together.")).to_have_count(1)
    first, second = page.evaluate("window.waits")
    assert first == 100 <= second <= 2000


def test_who_reads_a_run_is_told_and_not_disturbed(visit: Visit, world: World) -> None:
    send(world, "Read me.")
    page = visit.go(f"{TRACES}?model={LIVE_MODEL}")
    turn_on(page)
    page.locator("tr[data-run]").first.locator("td").nth(4).click()
    expect(page.locator(".drawer")).to_be_visible()
    send(world, "Later.")
    expect(page.get_by_text("1 new run, show")).to_be_attached()
    expect(page.locator(".drawer")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_text("1 new run, show").click()
    expect(page.locator("tr[data-run]").first).to_contain_text("Later.")
