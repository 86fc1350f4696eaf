"""The model's menu in an account with two thousand models: the page is light, and each model is found."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from modeltraces.catalog import users
from modeltraces.catalog.models import ModelRegistry, SeenModel
from tests.browser.conftest import TRACES, Visit, Visitors, sign_in
from tests.browser.world import World
from tests.support.server import PASSWORD

ACCOUNT, MAYA = "two thousand models", "maya@example.com"
MODELS = 2000


@pytest.fixture(scope="module")
def state(browser: Browser, world: World) -> Any:
    server = world.server
    account_id = server.account_id(server.new_account(ACCOUNT))
    users.create(server.catalog, account_id, MAYA, "owner", password=PASSWORD, actor="test")
    seen = {f"model-{n:04}": SeenModel(first_run_on_us=1, kind="open_source") for n in range(MODELS)}
    ModelRegistry(server.catalog).ensure(account_id, seen)
    world.send({"model": "model-0007", "input": "hi"}, account=ACCOUNT)
    return sign_in(browser, server, MAYA)


@pytest.fixture
def visit(visitors: Visitors, state: Any) -> Visit:
    return visitors.visit(state)


def open_menu(page: Page) -> None:
    page.locator("summary[aria-label^='Model:']").click()


def test_the_page_is_light_and_the_models_come_when_the_menu_is_opened(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model=model-0007&period=30d")
    assert len(page.content()) < 100_000
    open_menu(page)
    options = page.locator("#model-list [role=option]")
    expect(options).to_have_count(MODELS + 1)
    expect(page.locator("#model-list [aria-current=true]")).to_have_text("model-0007")
    page.get_by_role("combobox", name="Find a model").fill("1999")
    expect(page.locator("#model-list [role=option]:visible")).to_have_text(["model-1999"])
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"model=model-1999.*period=30d"))
    open_menu(page)
    expect(page.locator("#model-list [aria-current=true]")).to_have_text("model-1999")


def test_what_was_typed_meanwhile_is_looked_for_and_a_failure_is_said(visit: Visit) -> None:
    visit.expected = ("500",)
    page = visit.go()
    answers = [500, 200]

    def answer(route: Route) -> None:
        if route.request.headers.get("x-part") != "models":
            route.continue_()
        elif answers.pop(0) == 500:
            route.fulfill(status=500)
        else:
            page.wait_for_timeout(300)
            route.continue_()

    page.route("**/model-traces*", answer)
    open_menu(page)
    expect(page.get_by_text("The models could not be read. Open the menu again.")).to_be_visible()
    open_menu(page)
    open_menu(page)
    page.get_by_role("combobox", name="Find a model").fill("0042")
    expect(page.locator("#model-list [role=option]:visible")).to_have_text(["model-0042"])
