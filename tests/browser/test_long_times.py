"""Figures that are longer than usual stay in their cards."""

from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Locator, expect

from modeltraces.catalog import users
from tests.browser.conftest import TRACES, Visitors, sign_in
from tests.browser.world import World, stamp
from tests.support.server import PASSWORD

ACCOUNT, OWNER = "long times", "lou@example.com"
DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def filled(world: World) -> World:
    account_id = world.server.account_id(world.server.new_account(ACCOUNT))
    users.create(world.server.catalog, account_id, OWNER, "owner", password=PASSWORD, actor="test")
    world.send(
        *(
            {
                "model": "batch", "model_kind": "external", "executed_on": stamp(world.now - timedelta(hours=i)),
                "response_time_ms": days * DAY_MS,
            }
            for i, days in enumerate((0.0000001, 29.96, 30))
        ),
        account=ACCOUNT,
    )  # fmt: skip
    return world


def fits(card: Locator) -> bool:
    found: bool = card.evaluate(
        """card => card.scrollWidth <= card.clientWidth && [...card.querySelectorAll('.figure')].every(
            figure => figure.getBoundingClientRect().right <= card.getBoundingClientRect().right)"""
    )
    return found


@pytest.mark.parametrize("width", [1280, 1000, 390])
def test_times_of_days_and_figures_of_any_length_stay_in_their_cards(
    browser: Browser, visitors: Visitors, filled: World, width: int
) -> None:
    visit = visitors.visit(sign_in(browser, filled.server, OWNER), width=width, height=844)
    page = visit.go(f"{TRACES}?period=30d&sort=response_time&order=desc")
    expect(page.locator(".metric.times .figure").nth(1)).to_have_text("P9930d")
    expect(page.locator("td.c-response_time").first).to_have_text("30 d")
    cards = page.locator(".metric:visible").all()
    assert len(cards) >= 3
    assert all(map(fits, cards))
    page.evaluate(
        "document.querySelectorAll('.metric .figure dd').forEach(figure => figure.firstChild.textContent = '9'.repeat(300))"
    )
    assert all(map(fits, cards))
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
