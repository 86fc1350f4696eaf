"""An account without a run: how to send the first one, and the table that comes with it."""

import re

import httpx
from playwright.sync_api import StorageState, expect

from modeltraces.catalog import accounts, users
from tests.browser.conftest import TRACES, Visitors, sign_in
from tests.browser.world import World
from tests.support.server import PASSWORD


def test_it_shows_the_servers_address_and_five_kinds_of_client(visitors: Visitors, eve: StorageState) -> None:
    visit = visitors.visit(eve)
    page = visit.go()
    tabs = page.get_by_role("tab")
    expect(tabs).to_have_text(["curl", "OpenTelemetry, Python", "OpenInference", "Vercel AI SDK", "Environment"])
    for tab in tabs.all():
        tab.click()
        expect(page.get_by_role("tabpanel")).to_contain_text(visit.url)
    tabs.first.focus()
    page.keyboard.press("ArrowRight")
    expect(tabs.nth(1)).to_have_attribute("aria-selected", "true")
    expect(page.get_by_text("Waiting for the first run…")).to_be_visible()


def test_the_key_is_filled_in_and_the_shown_request_brings_the_table(visitors: Visitors, world: World) -> None:
    """What a newcomer does: makes the key, runs the command as it stands, sees the run."""
    account, _ = accounts.ensure(world.server.catalog, "newcomers", actor="test")
    users.create(world.server.catalog, account.id, "nina@example.com", "owner", password=PASSWORD, actor="test")
    visit = visitors.visit(sign_in(visitors._browser, world.server, "nina@example.com"))
    page = visit.go()
    page.get_by_role("button", name="Create a key").click()
    key = page.locator("[data-key-place] code").inner_text()
    assert re.fullmatch(r"mt_[\w-]{20,}", key)
    command = page.locator("#snippet-curl code").inner_text()
    assert f"Bearer {key}" in command
    body = re.search(r"-d '(.*)'", command, re.DOTALL)
    assert body is not None
    answer = httpx.post(
        f"{world.server.url}/api/v1/runs",
        content=body[1],
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    assert answer.status_code == 200, answer.text
    expect(page.locator("tr[data-run]")).to_have_count(1)
    expect(page.locator("tr[data-run]")).to_contain_text("Say hello.")
    expect(page.locator(".metric.total .figure dd").first).to_have_text("1")
    assert page.url == visit.url + TRACES


def test_every_example_bears_the_new_key(visitors: Visitors, world: World) -> None:
    account, _ = accounts.ensure(world.server.catalog, "readers of examples", actor="test")
    users.create(world.server.catalog, account.id, "olaf@example.com", "owner", password=PASSWORD, actor="test")
    page = visitors.visit(sign_in(visitors._browser, world.server, "olaf@example.com")).go()
    page.get_by_role("button", name="Create a key").click()
    key = page.locator("[data-key-place] code").inner_text()
    for code in page.locator("[data-snippet]").all():
        assert key in (code.text_content() or "")


def test_who_may_not_make_keys_is_told_who_may(visitors: Visitors, world: World) -> None:
    account, _ = accounts.ensure(world.server.catalog, "quiet", actor="test")
    users.create(world.server.catalog, account.id, "pia@example.com", "viewer", password=PASSWORD, actor="test")
    page = visitors.visit(sign_in(visitors._browser, world.server, "pia@example.com")).go()
    expect(page.get_by_text("An owner or admin of the account makes it")).to_be_visible()
    expect(page.get_by_role("button", name="Create a key")).to_have_count(0)
