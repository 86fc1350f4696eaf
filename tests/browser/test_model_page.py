"""One model's page: deployments and their ledger, merging, names of every sort; and the list they are in."""

from datetime import datetime, timedelta
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, StorageState, expect

from tests.browser.axe import findings
from tests.browser.catalog_world import ARABIC, LONG, ODD
from tests.browser.conftest import TRACES, Visit, Visitors
from tests.browser.test_phone import fits

MODELS, HARDWARE = "/settings/models", "/settings/hardware"
YESTERDAY_AT_TEN = (datetime.now(ZoneInfo("Europe/Berlin")) - timedelta(days=1)).replace(
    hour=10, minute=0, second=0, microsecond=0, tzinfo=None
)


@pytest.fixture
def visit(visitors: Visitors, kim: StorageState) -> Visit:
    """Kim, at her desk in Berlin."""
    return visitors.visit(kim)


def page_of(name: str) -> str:
    return f"{MODELS}/{quote(name, safe='')}"


def add_model(visit: Visit, name: str) -> Page:
    page = visit.go(f"{MODELS}?do=add")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Add the model").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)
    return page


def after(hours: float) -> str:
    """That many hours after ten o'clock of yesterday, as a field takes it."""
    return (YESTERDAY_AT_TEN + timedelta(hours=hours)).isoformat()


def deploy(page: Page, *, replicas: int, price: str, on: str) -> None:
    page.get_by_role("link", name="Deploy a version").click()
    page.get_by_label("Replicas").fill(str(replicas))
    page.get_by_label("Own price (optional)").fill(price)
    page.get_by_label("Deployed on").fill(on)
    page.get_by_role("button", name="Add the deployment").click()


def event(page: Page, link: str, button: str, on: str = "", replicas: int | None = None) -> None:
    page.get_by_role("link", name=link).click()
    if replicas is not None:
        page.get_by_label("Replicas").fill(str(replicas))
    if on:
        page.get_by_label("When").fill(on)
    page.get_by_role("button", name=button, exact=True).click()


def test_two_replicas_at_a_half_for_three_and_a_half_hours_are_three_and_a_half_credits(visit: Visit) -> None:
    page = add_model(visit, "example-1")
    deploy(page, replicas=2, price="0.5", on=after(0))
    card = page.locator("details.deployment")
    expect(card).to_contain_text("Up, 2 replicas")
    event(page, "Undeploy v1", "Undeploy", after(3.5))
    expect(card).to_contain_text("Down")
    expect(card.locator("summary").first).to_contain_text("3.50 credits so far")
    card.locator("summary").first.click()
    row = card.get_by_role("region", name="Hosted intervals of v1").get_by_role("row").nth(1)
    expect(row).to_contain_text("10:00:00")
    expect(row).to_contain_text("13:30:00")
    expect(row).to_contain_text("7.00 h")


def test_scaled_to_four_two_hours_later_they_are_five(visit: Visit) -> None:
    page = add_model(visit, "example-2")
    deploy(page, replicas=2, price="0.5", on=after(0))
    event(page, "Scale v1", "Scale", after(2), replicas=4)
    event(page, "Undeploy v1", "Undeploy", after(3.5))
    card = page.locator("details.deployment")
    expect(card.locator("summary").first).to_contain_text("5.00 credits so far")
    card.locator("summary").first.click()
    cells = card.get_by_role("region", name="Hosted intervals of v1").get_by_role("row")
    expect(cells.nth(1).get_by_role("cell").last).to_have_text("3.00")
    expect(cells.nth(2).get_by_role("cell").last).to_have_text("2.00")
    card.get_by_text("Ledger").click()
    scaled = card.get_by_role("region", name="Ledger of v1").get_by_role("row").filter(has_text="Scaled")
    expect(scaled).to_contain_text("entered")
    page.once("dialog", lambda dialog: dialog.accept())
    scaled.get_by_role("button", name="Strike out").click()
    expect(card.locator("summary").first).to_contain_text("3.50 credits so far")
    page.goto(f"{visit.url}{page_of('example-2')}")
    card.locator("summary").first.click()
    card.get_by_text("Ledger").click()
    expect(card.locator("tr.struck s").first).to_have_css("text-decoration-line", "line-through")
    expect(card.locator("tr.struck")).to_contain_text("struck out by")


def test_a_changed_price_is_said_and_holds_from_the_next_event_on(visit: Visit) -> None:
    page = visit.go(f"{HARDWARE}?do=add")
    page.get_by_label("Hardware", exact=True).fill("l40s")
    page.get_by_label("Credits per replica-hour").fill("1")
    page.get_by_role("button", name="Add", exact=True).click()
    page = add_model(visit, "example-4")
    page.get_by_role("link", name="Deploy a version").click()
    page.get_by_label("Hardware").select_option("l40s")
    page.get_by_label("Deployed on").fill(after(0))
    page.get_by_role("button", name="Add the deployment").click()
    says = "what is up is charged at 1 until it is scaled or redeployed"
    expect(page.locator("details.deployment")).not_to_contain_text(says)
    visit.go(HARDWARE)
    page.get_by_role("link", name="New price of l40s").click()
    page.get_by_label("Credits per replica-hour").fill("2")
    page.get_by_role("button", name="Set the price").click()
    row = page.get_by_role("row").filter(has_text="l40s")
    expect(row).to_contain_text("1 open interval still at 1")
    row.get_by_role("link", name="example-4@v1").click()
    expect(page.locator("details.deployment")).to_contain_text(says)
    event(page, "Scale v1", "Scale", replicas=2)
    expect(page.locator("details.deployment")).not_to_contain_text(says)


def test_what_is_refused_stands_by_the_form_with_what_was_typed(visit: Visit) -> None:
    visit.expected = ("422",)
    page = add_model(visit, "refused")
    deploy(page, replicas=0, price="0.5", on=after(0))
    expect(page.get_by_role("alert")).to_contain_text("Replicas must be a whole number from 1")
    expect(page.get_by_label("Own price (optional)")).to_have_value("0.5")
    expect(page.get_by_label("Deployed on")).to_have_value(after(0).removesuffix(":00"))
    page.get_by_label("Replicas").fill("1")
    page.get_by_role("button", name="Add the deployment").click()
    expect(page.locator("details.deployment")).to_contain_text("Up, 1 replica")


def test_a_merge_is_made_and_taken_back(visit: Visit) -> None:
    page = visit.go(page_of("llama-copy"))
    page.get_by_role("link", name="Merge into another model").click()
    page.get_by_label("Into which open-source model").fill("llama")
    page.get_by_role("button", name="Merge", exact=True).click()
    page.wait_for_url(f"**{MODELS}/llama")
    expect(page.get_by_text("is counted with this model")).to_be_visible()
    page.get_by_role("link", name="Runs", exact=True).click()
    expect(page.locator("tr[data-run]")).to_have_count(2)
    visit.go(page_of("llama"))
    page.get_by_role("button", name="Take back").click()
    expect(page.get_by_text("is counted with this model")).to_have_count(0)
    visit.go(page_of("llama-copy"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("llama-copy")


def test_two_models_that_both_host_a_v1_are_merged_and_each_of_the_two_is_scaled_by_itself(visit: Visit) -> None:
    for name, replicas in (("twin", 2), ("other-twin", 1)):
        deploy(add_model(visit, name), replicas=replicas, price="0.5", on=after(0))
    page = visit.page
    page.get_by_role("link", name="Merge into another model").click()
    page.get_by_label("Into which open-source model").fill("twin")
    page.get_by_role("button", name="Merge", exact=True).click()
    page.wait_for_url(f"**{MODELS}/twin")
    cards = page.locator("details.deployment > summary")
    expect(cards).to_have_count(2)
    other, own = cards.filter(has_text="of other-twin"), cards.filter(has_not_text="of other-twin")
    event(page, "Scale v1 of other-twin", "Scale", replicas=6)
    expect(other).to_contain_text("Up, 6 replicas")
    expect(own).to_contain_text("Up, 2 replicas")
    page.get_by_role("link", name="Undeploy v1", exact=True).click()
    page.get_by_role("button", name="Undeploy", exact=True).click()
    expect(own).to_contain_text("Down")
    expect(other).to_contain_text("Up, 6 replicas")
    page.get_by_role("button", name="Take back").click()
    expect(cards).to_have_count(1)
    visit.go(page_of("other-twin"))
    expect(cards).to_contain_text("Up, 6 replicas")


def test_a_model_of_any_name_has_its_page_and_its_runs(visit: Visit) -> None:
    for name in (ODD, ARABIC, LONG):
        page = visit.go(MODELS)
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.locator("h1 bdi")).to_have_text(name)
        page.get_by_role("link", name="Runs", exact=True).click()
        page.wait_for_url(f"**{TRACES}?model=*")
        expect(page.locator("tr[data-run]")).to_have_count(1)


STATES = [
    MODELS, f"{MODELS}?do=add", f"{MODELS}?q=nothing", f"{MODELS}/llama", f"{MODELS}/llama?do=deploy",
    f"{MODELS}/llama?do=details", f"{MODELS}/llama?do=merge", f"{MODELS}/llama?do=complete&version=v1",
    f"{MODELS}/gpt-4o", f"{MODELS}/gpt-4o?do=routing", f"{MODELS}/full?do=scale&version=v1", page_of(ODD), page_of(ARABIC), page_of(LONG), HARDWARE,
    f"{HARDWARE}?do=add", "/settings/connections", "/settings/connections?do=add",
    "/settings/connections?do=edit&name=azure-eu",
]  # fmt: skip


def fill(visit: Visit) -> None:
    """A model with a deployment that is up, once."""
    visit.expected = ("409",)
    page = visit.go(f"{MODELS}?do=add")
    page.get_by_label("Name", exact=True).fill("full")
    page.get_by_role("button", name="Add the model").click()
    if page.get_by_role("alert").count() == 0:
        deploy(page, replicas=2, price="0.5", on=after(0))
        event(page, "Scale v1", "Scale", after(2), replicas=4)


def test_axe_finds_nothing_serious(visitors: Visitors, kim: StorageState) -> None:
    visit = visitors.visit(kim)
    fill(visit)
    for path in STATES:
        page = visit.go(path)
        for folded in page.locator("details:not([open]) > summary").all():
            folded.evaluate("summary => { summary.parentElement.open = true }")
        assert findings(page) == [], path


def test_nothing_is_wider_than_a_phone(visitors: Visitors, kim: StorageState) -> None:
    phone = visitors.visit(kim, width=390, height=844)
    fill(phone)
    for path in STATES:
        assert fits(phone.go(path)), path


def test_the_warning_before_archiving_fits_a_phone_whatever_the_version_is_called(
    visitors: Visitors, kim: StorageState
) -> None:
    phone = visitors.visit(kim, width=390, height=844)
    page = add_model(phone, "up while archived")
    page.get_by_role("link", name="Deploy a version").click()
    page.get_by_label("Version (optional)").fill("v" * 200)
    page.get_by_label("Own price (optional)").fill("0.8")
    page.get_by_role("button", name="Add the deployment").click()
    expect(page.get_by_text("is up and goes on costing 0.8 credits an hour")).to_be_visible()
    assert fits(page)
    page.on("dialog", lambda asked: asked.dismiss())
    page.get_by_role("button", name="Archive all the same").click()
    expect(page.get_by_text("archived", exact=True)).to_have_count(0)
    assert findings(page) == []


def test_a_long_name_breaks_no_time_no_amount_and_no_row_of_buttons_of_others(visit: Visit) -> None:
    page = visit.go(HARDWARE)
    for name, price in (("B" * 190, "123456789.123456789"), ("short", "0.5")):
        page.get_by_role("link", name="Add hardware").first.click()
        page.get_by_label("Hardware", exact=True).fill(name)
        page.get_by_label("Credits per replica-hour").fill(price)
        page.get_by_role("button", name="Add", exact=True).click()
        expect(page.get_by_role("row").filter(has_text=name)).to_be_visible()
    row = page.get_by_role("row").filter(has_text="short").bounding_box()
    assert row is not None
    assert row["height"] < 60, "one line, and its buttons beside it"
