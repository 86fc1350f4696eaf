"""What the page costs: bytes, layout shifts, requests; and that its policy holds."""

import re

from playwright.sync_api import Browser, Page, Response, StorageState, expect

from tests.browser.conftest import TRACES, Visit, Visitors
from tests.support.server import Server
from tests.support.trickle import trickling

MOST_BYTES = 150_000


def transferred(page: Page) -> int:
    """Bytes over the wire of the page and all it loaded, heads included."""
    total: int = page.evaluate(
        """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
                 .reduce((sum, entry) => sum + entry.transferSize, 0)"""
    )
    return total


def test_the_first_page_costs_at_most_150_kilobytes(page: Page) -> None:
    expect(page.locator(".chart-area canvas")).to_be_visible()
    cost = transferred(page)
    assert 10_000 < cost <= MOST_BYTES


def test_scripts_and_styles_are_kept_for_ever(visit: Visit) -> None:
    answers: list[Response] = []
    visit.page.on("response", lambda answer: answers.append(answer))
    visit.go()
    built = [answer for answer in answers if "/static/" in answer.url and answer.request.resource_type != "other"]
    assert len(built) == 2
    for answer in built:
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-encoding"] == "gzip"
        assert re.search(r"-[A-Z0-9]{8}\.", answer.url)
    assert "no-store" in answers[0].headers["cache-control"]


def test_nothing_moves_while_the_page_loads(browser: Browser, server: Server, dora: StorageState) -> None:
    """On a slow line, too, where a piece of the page may end anywhere."""
    with trickling(server.url) as slow:
        for url, width, height in ((server.url, 1280, 900), (slow, 1280, 900), (slow, 390, 844)):
            visitors = Visitors(browser, url)
            visit = visitors.visit(dora, width=width, height=height)
            visit.page.add_init_script(
                """window.shifts = [];
                   new PerformanceObserver((list) => {
                     for (const entry of list.getEntries())
                       for (const source of entry.sources) window.shifts.push(source.node?.outerHTML?.slice(0, 120) ?? "text");
                   }).observe({type: "layout-shift", buffered: true});"""
            )
            page = visit.go()
            expect(page.locator(".chart-area canvas")).to_be_visible()
            page.wait_for_timeout(300)
            assert page.evaluate("window.shifts") == []
            visitors.close()


def test_no_policy_is_violated_by_anything_the_page_does(visit: Visit) -> None:
    visit.page.add_init_script(
        "window.violations = []; document.addEventListener('securitypolicyviolation', (event) => "
        "window.violations.push(event.violatedDirective + ' ' + event.blockedURI));"
    )
    page = visit.go()
    page.locator("tr[data-run]").first.locator("td").nth(4).click()
    page.locator("[data-payload=input] [data-view=json]").click()
    expect(page.locator(".json .line").first).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Build a filter").click()
    page.keyboard.press("Escape")
    page.mouse.move(700, 340)
    expect(page.locator(".chart-tip")).to_be_visible()
    assert page.evaluate("window.violations") == []


def test_a_page_asks_the_server_only_a_few_times(visit: Visit) -> None:
    asked: list[str] = []
    visit.page.on("request", lambda request: None if "favicon" in request.url else asked.append(request.url))
    page = visit.go()
    expect(page.locator(".chart-area canvas")).to_be_visible()
    page.wait_for_timeout(300)
    assert len(asked) == 3, asked
    asked.clear()
    page.locator("tr[data-run]").first.locator("td").nth(4).click()
    expect(page.locator(".drawer")).to_be_visible()
    assert len(asked) == 1, asked


def test_the_theme_is_right_from_the_first_paint_and_can_be_switched(visitors: Visitors, dora: StorageState) -> None:
    visit = visitors.visit(dora, scheme="dark")
    page = visit.go()
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.get_by_role("button", name="Switch between light and dark").click()
    light = page.evaluate(background)
    assert dark != light
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    page.goto(visit.url + TRACES)
    # Drawn by the server: no script had to run for it.
    assert 'data-theme="light"' in page.content().split("<head>")[0]
    assert page.evaluate(background) == light


def test_times_are_in_the_readers_zone_and_say_which(visitors: Visitors, dora: StorageState) -> None:
    cookies = [cookie for cookie in dora.get("cookies", []) if cookie.get("name") != "tz"]
    visit = visitors.visit({"cookies": cookies, "origins": []}, zone="Australia/Adelaide")
    page = visit.go()
    expect(page.get_by_text("Times in Australia/Adelaide (UTC+10:30)")).to_be_visible()
    shown = page.locator(".runs-table time").first
    utc = shown.get_attribute("datetime") or ""
    expect(shown).to_have_attribute("title", utc)
    local = page.evaluate(
        "utc => new Intl.DateTimeFormat('en-GB', {timeZone: 'Australia/Adelaide', timeStyle: 'medium'}).format(new Date(utc))",
        utc,
    )
    expect(shown).to_contain_text(local)


def test_times_follow_the_browser_to_another_zone(visitors: Visitors, dora: StorageState) -> None:
    assert any(
        cookie.get("name") == "tz" and "Berlin" in str(cookie.get("value")) for cookie in dora.get("cookies", [])
    )
    page = visitors.visit(dora, zone="Asia/Tokyo").go()
    expect(page.get_by_text("Times in Asia/Tokyo (UTC+9)")).to_be_visible()
