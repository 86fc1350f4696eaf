"""The form that spreads a model's calls: filled without a mouse, refused with what was typed, and what it comes to."""

import re

from playwright.sync_api import Browser, Page, expect

from modeltraces.catalog import users
from tests.browser.axe import findings
from tests.browser.conftest import Visitors, sign_in
from tests.browser.world import World
from tests.support.server import PASSWORD


def typed(page: Page, *texts: str) -> None:
    """Into the fields one after another, from the one that has the focus."""
    for number, text in enumerate(texts):
        if number:
            page.keyboard.press("Tab")
        page.keyboard.type(text)


def test_calls_are_spread_by_weight_and_fall_back_without_a_mouse(
    world: World, visitors: Visitors, browser: Browser
) -> None:
    # Of its own: a connection that reaches any model would be one more place.
    server = world.server
    account = server.new_account("routing form")
    users.create(
        server.catalog, server.account_id(account), "spreader@example.com", "owner", password=PASSWORD, actor="test"
    )
    with server.client("admin", account=account) as admin:
        assert admin.post("/api/v1/models", json={"name": "spread-me", "kind": "open_source"}).status_code == 201
        for version in ("v1", "v2"):
            made = {
                "version": version,
                "endpoint": f"http://127.0.0.1:9/{version}",
                "protocol": "openai",
                "replicas": 1,
            }
            assert admin.post("/api/v1/models/spread-me/deployments", json=made).status_code == 201
    visit = visitors.visit(sign_in(browser, server, "spreader@example.com"))
    visit.expected = ("422",)
    page = visit.go("/settings/models/spread-me")
    page.get_by_role("link", name="Spread the calls").press("Enter")
    rows = page.get_by_role("group", name="Places").locator(".routing-row:not(.routing-head)")
    expect(rows).to_have_count(2)
    first = rows.first.locator("bdi").inner_text()
    second = rows.last.locator("bdi").inner_text()
    assert {first, second} == {"v1", "v2"}
    expect(page.get_by_label(f"Weight of {first}")).to_be_focused()
    typed(page, "90", "", "half", "1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text(second)
    expect(page.get_by_label(f"Weight of {first}")).to_have_value("90")
    expect(page.get_by_label(f"Weight of {second}")).to_have_value("half")
    expect(page.get_by_label(f"Fallback order of {second}")).to_have_value("1")
    assert findings(page) == []
    weight = page.get_by_label(f"Weight of {second}")
    weight.press("Control+a")
    weight.press_sequentially("10")
    weight.press("Enter")
    table = page.get_by_role("region", name="Table of places")
    expect(table.get_by_role("row").filter(has_text=first)).to_contain_text(re.compile(r"90\s%"))
    expect(table.get_by_role("row").filter(has_text=second)).to_contain_text(re.compile(r"10\s%"))
    expect(table.get_by_role("row").filter(has_text=second).get_by_role("cell").last).to_have_text("1")
    page.get_by_role("link", name="Change", exact=True).press("Enter")
    expect(page.get_by_label(f"Weight of {first}")).to_have_value("90")
    expect(page.get_by_label(f"Fallback order of {second}")).to_have_value("1")
