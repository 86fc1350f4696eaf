"""Settings → Retention, by keyboard: a shorter time is confirmed, swept, and told in the table and beside the run."""

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from playwright.sync_api import Browser, expect

from modeltraces.catalog import users
from tests.browser.axe import findings
from tests.browser.conftest import TRACES, Visitors, sign_in
from tests.support.server import PASSWORD, Server

RETENTION = "/settings/retention"
OWNER = "rita@example.com"


def test_a_shorter_time_is_confirmed_swept_and_told(browser: Browser, server: Server, visitors: Visitors) -> None:
    account = server.new_account("kept for some days")
    users.create(server.catalog, server.account_id(account), OWNER, "owner", password=PASSWORD, actor="test")
    with server.client(account=account) as client:
        runs = [
            {
                "model": "gpt-4o", "input": f"question of {days} days ago", "output": "answer",
                "executed_on": (datetime.now(UTC) - timedelta(days=days, hours=1)).isoformat(),
            }
            for days in (40, 20, 1)
        ]  # fmt: skip
        assert client.post("/api/v1/runs", json=runs).status_code == 200
    visit = visitors.visit(sign_in(browser, server, OWNER))
    page = visit.go(f"{RETENTION}?do=add")
    assert findings(page) == []
    page.get_by_label("Days that runs are kept").first.fill("30")
    page.get_by_label("Days that payloads are kept").first.fill("10")
    page.keyboard.press("Enter")
    review = page.get_by_role("alert")
    expect(review).to_contain_text("the next sweep removes 1 run, and 1 payload of a run that stays")
    assert findings(page) == []
    review.get_by_role("button", name="Set it and let them go").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Days that runs are kept")).to_have_value("30")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Sweep now").click()
    latest = time.monotonic() + 60
    while "The last sweep removed 1 run, and 1 payload" not in page.locator("#sweep").inner_text():
        assert time.monotonic() < latest, page.locator("#sweep").inner_text()
        page.wait_for_timeout(300)
        page.reload()

    page = visit.go(f"{TRACES}?period=90d")
    expect(page.locator("tr[data-run]")).to_have_count(2)
    cell = page.locator("td.c-input").filter(has_text="removed").locator("span")
    expect(cell).to_have_attribute("title", f"Payload removed on {_day()}, after 20 days")
    page.locator("tr[data-run]").last.locator("td").nth(4).click()
    expect(page.locator("[data-payload=input]")).to_contain_text(f"Payload removed on {_day()}, after 20 days.")
    expect(page.locator("[data-payload=output]")).to_contain_text("after 20 days.")
    # There is nothing to be shown otherwise, or copied.
    expect(page.locator("[data-payload] button")).to_have_count(0)
    assert findings(page) == []

    phone = visitors.visit(page.context.storage_state(), width=390, height=844, scheme="dark").go(RETENTION)
    assert findings(phone) == []
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390


def _day() -> str:
    """As the reader in Berlin has it."""
    today = datetime.now(ZoneInfo("Europe/Berlin"))
    return f"{today.day} {today:%b %Y}"
