"""axe-core over every page and state, in both themes: no serious finding, no contrast below AA."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, StorageState, expect

from tests.browser.axe import findings
from tests.browser.conftest import TRACES, Visitors


def nothing(page: Page) -> None:
    pass


def open_run(page: Page) -> None:
    page.locator("tr[data-run]").first.locator("td").nth(4).click()
    expect(page.locator(".drawer")).to_be_visible()
    page.locator("[data-payload=input] [data-view=json]").click()
    expect(page.locator(".json .line").first).to_be_visible()


def open_models(page: Page) -> None:
    page.get_by_label("Model: All models").click()


def open_builder(page: Page) -> None:
    page.get_by_role("button", name="Build a filter").click()


def open_help(page: Page) -> None:
    page.keyboard.press("?")


def type_filter(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("s")
    expect(page.locator("#suggestions")).to_be_visible()


STATES: list[tuple[str, str, Callable[[Page], None]]] = [
    ("traces", TRACES, nothing),
    ("failed run", f"{TRACES}?filter=status:failed", open_run),
    ("right to left", f"{TRACES}/runs/special-arabic?period=all", nothing),
    ("nothing matches", f"{TRACES}?filter=input:nowhere", nothing),
    ("wrong filter", f"{TRACES}?filter=status:maybe", nothing),
    ("model selector", TRACES, open_models),
    ("builder", f"{TRACES}?filter=status:failed", open_builder),
    ("suggestions", TRACES, type_filter),
    ("help", TRACES, open_help),
    ("rejected", "/settings/monitoring/rejected", nothing),
    ("models", "/settings/models", nothing),
    ("keys", "/settings/api-keys?do=create", nothing),
    ("gateway", "/settings/gateway", nothing),
    ("members", "/settings/members", nothing),
    ("profile", "/settings/profile", nothing),
    ("api docs", "/api/v1/docs", nothing),
]


@pytest.mark.parametrize(("name", "path", "act"), STATES, ids=[state[0] for state in STATES])
def test_axe_finds_nothing_serious(
    visitors: Visitors, dora: StorageState, name: str, path: str, act: Callable[[Page], None]
) -> None:
    visit = visitors.visit(dora)
    visit.expected = ("400",) if name == "wrong filter" else ()
    page = visit.go(path)
    act(page)
    page.wait_for_timeout(250)
    assert findings(page) == []


def test_axe_finds_nothing_serious_at_the_door_and_on_a_phone(
    visitors: Visitors, dora: StorageState, eve: StorageState
) -> None:
    assert findings(visitors.visit(None).go("/sign-in")) == []
    phone = visitors.visit(dora, width=390, height=844)
    assert findings(phone.go()) == []
    assert findings(visitors.visit(eve).go()) == []


def test_counts_are_announced_when_they_change(visitors: Visitors, dora: StorageState) -> None:
    page = visitors.visit(dora).go()
    expect(page.get_by_role("status").filter(has_text="130 runs")).to_be_visible()


def test_motion_stops_for_who_asks_for_less(visitors: Visitors, dora: StorageState) -> None:
    visit = visitors.visit(dora)
    visit.page.emulate_media(reduced_motion="reduce")
    page = visit.go()
    page.locator("tr[data-run]").first.locator("td").nth(4).click()
    duration = page.locator(".drawer").evaluate("element => parseFloat(getComputedStyle(element).animationDuration)")
    assert duration < 0.001
