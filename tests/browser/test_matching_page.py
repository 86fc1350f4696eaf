"""Settings → Matching."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, StorageState, expect

from modeltraces.catalog import jobs, users
from tests.browser.axe import findings
from tests.browser.catalog_world import ARABIC, LONG
from tests.browser.conftest import Visit, Visitors, sign_in
from tests.browser.test_phone import fits
from tests.catalog.model_world import known
from tests.support.server import PASSWORD, Server

MATCHING = "/settings/matching"
RULES = "/api/v1/matching/rules"


class Home:
    """An account of a test's own, with an owner and a viewer."""

    def __init__(self, server: Server, browser: Browser, name: str) -> None:
        self.server, self.browser = server, browser
        self.account = server.new_account(name)
        self.account_id = server.account_id(self.account)
        self.owner = self._person("owner")
        self.api = httpx.Client(
            base_url=server.url, headers={"Authorization": f"Bearer {server.key('admin', account=self.account)}"}
        )

    def _person(self, role: users.Role) -> StorageState:
        email = f"{role}-{re.sub(r'[^a-z]', '-', self.account.lower())}@example.com"
        users.create(self.server.catalog, self.account_id, email, role, password=PASSWORD, actor="test")
        return sign_in(self.browser, self.server, email)

    def viewer(self) -> StorageState:
        return self._person("viewer")

    def send(self, path: str, body: object) -> None:
        answer = self.api.post(path, json=body)
        assert answer.is_success, answer.text

    def rule(self, name: str, **values: Any) -> None:
        rule = {"name": name, "conditions": {"model": "gpt*"}, "outcomes": {"model": "llama"}, **values}
        known(self.server.catalog, self.account_id, rule["outcomes"])
        self.send(RULES, rule)


@pytest.fixture
def home(server: Server, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Home]:
    made = Home(server, browser, request.node.name)
    yield made
    made.api.close()


@pytest.fixture(scope="module")
def full(server: Server, browser: Browser) -> Iterator[Home]:
    """An account with rules of every sort, that no test changes."""
    home = Home(server, browser, "rules of every sort")
    home.rule("long", conditions={"model": [LONG, *(f"name-{n}" for n in range(12))], "connection_name": ["", "x*"]})
    home.rule(ARABIC, conditions={"model": [ARABIC], "key": "ci"}, outcomes={"connection_name": ARABIC}, enabled=False)
    for number in range(8):
        connection = {"protocol": "openai", "base_url": f"https://h{number}.example.com/v1", "models": ["*"]}
        home.send("/api/v1/connections", {"name": f"c{number}", **connection})
    home.send("/api/v1/runs", [{"model": LONG}, {"model": ARABIC}])
    home.rule("arabic too", conditions={"model": [ARABIC]}, outcomes={"model": LONG, "deployment_version": ARABIC})
    yield home
    home.api.close()


def order(page: Page) -> list[str]:
    return page.locator(".rules-table td.t-name strong").all_inner_texts()


def test_rules_are_written_put_in_order_switched_off_and_deleted(visitors: Visitors, home: Home) -> None:
    home.send("/api/v1/models", {"name": "llama", "kind": "open_source"})
    page = visitors.visit(home.owner).go(MATCHING)
    for name, model in (("first", "gpt-4o"), ("second", "o3\no4*")):
        page.get_by_role("link", name="Add a rule").click()
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_label("Requested model").first.fill(model)
        known = page.get_by_label("Model", exact=True)
        assert known.evaluate("input => [...input.list.options].map(option => option.value)") == ["llama"]
        known.fill("llama")
        page.get_by_role("button", name="Add the rule").click()
    expect(page.get_by_role("row").filter(has_text="second")).to_contain_text("model is o3 or o4*")
    page.get_by_role("button", name="Move second up").click()
    page.wait_for_url(f"**{MATCHING}#rule-second")
    expect(page.locator(".rules-table tr").nth(1)).to_contain_text("second")
    assert order(page) == ["second", "first"]
    expect(page.get_by_role("button", name="Move second up")).to_be_disabled()
    page.get_by_role("button", name="Switch off second").click()
    expect(page.get_by_role("button", name="Switch on second")).to_be_visible()
    expect(page.locator("#rule-second .badge")).to_have_text("off")
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.locator("#rule-first").get_by_role("button", name="Delete").click()
    assert order(page) == ["second", "first"]
    page.once("dialog", lambda dialog: dialog.accept())
    page.locator("#rule-first").get_by_role("button", name="Delete").click()
    expect(page.locator("#rule-first")).to_have_count(0)
    page.get_by_role("link", name="Edit second").click()
    expect(page.get_by_label("Requested model").first).to_have_value("o3\no4*")
    expect(page.get_by_label("On", exact=True)).not_to_be_checked()


def test_what_is_refused_stands_with_its_reason_beside_it(visitors: Visitors, home: Home) -> None:
    home.rule("taken", outcomes={"model": "llama", "deployment_version": "v9"})
    visit = visitors.visit(home.owner)
    visit.expected = ("409",)
    page = visit.go(f"{MATCHING}?do=add")
    page.get_by_label("Name", exact=True).fill("taken")
    page.get_by_label("Server address").first.fill("llm.internal, llm.external")
    page.get_by_label("Deployment").nth(1).fill("v9")
    page.get_by_role("button", name="Add the rule").click()
    expect(page.locator("form#add").get_by_role("alert")).to_contain_text("has a rule 'taken' already")
    expect(page.get_by_label("Server address").first).to_have_value("llm.internal, llm.external")
    expect(page.get_by_label("Deployment").nth(1)).to_have_value("v9")
    page.get_by_label("Name", exact=True).fill("free")
    page.get_by_role("button", name="Add the rule").click()
    expect(page.locator("#rule-free")).to_contain_text("server is llm.internal or llm.external")


def test_a_trial_stands_in_the_address_and_leads_to_a_rule(visitors: Visitors, home: Home) -> None:
    home.rule("ours")
    page = visitors.visit(home.owner).go(MATCHING)
    trial = page.locator("#try")
    trial.get_by_label("Requested model").fill("gpt-4o")
    trial.get_by_label("Server address").fill("llm.internal:8000")
    trial.get_by_role("button", name="Show").click()
    page.wait_for_url(re.compile(r"model=gpt-4o.*server_address=llm\.internal(%3A|:)8000"))
    result = trial.get_by_role("status")
    expect(result).to_contain_text("llama")
    expect(result).to_contain_text("ours")
    page.reload()
    expect(trial.get_by_label("Requested model")).to_have_value("gpt-4o")
    trial.get_by_role("link", name="Write a rule for it").click()
    expect(page.locator("form#add").get_by_label("Server address")).to_have_value("llm.internal:8000")


def test_past_runs_are_previewed_then_changed(visitors: Visitors, home: Home) -> None:
    home.send("/api/v1/runs", [{"model": "gpt-4o"} for _ in range(5)] + [{"model": "other"}])
    home.rule("ours", outcomes={"model": "llama", "deployment_version": "v2"})
    page = visitors.visit(home.owner).go(MATCHING)
    page.get_by_role("link", name="Preview").click()
    expect(page.get_by_text("5 of 6 runs would change.")).to_be_visible()
    expect(page.get_by_role("region", name="What would change").get_by_role("row").nth(1)).to_contain_text("llama@v2")
    page.get_by_role("button", name="Apply to 5 runs").click()
    expect(page.locator("[data-job]")).to_contain_text("Applied to past runs: 6 gone through")
    page.get_by_role("link", name="Preview").click()
    expect(page.get_by_text("Nothing would change: 6 runs have what the rules give.")).to_be_visible()
    expect(page.get_by_role("button", name="Apply")).to_have_count(0)


def test_how_far_a_job_is_is_shown_as_it_goes_on_and_after_a_reload(visitors: Visitors, home: Home) -> None:
    home.send("/api/v1/runs", {"model": "gpt-4o"})
    home.rule("ours")
    catalog = home.server.catalog
    job = jobs.start(catalog, home.account_id, "rematch", 200, actor="key:deploy")
    jobs.progress(catalog, job.id, 20)
    page = visitors.visit(home.owner).go(f"{MATCHING}?do=preview")
    bar = page.get_by_role("progressbar")
    expect(bar).to_have_attribute("value", "20")
    expect(page.get_by_role("button", name="Apply to 1 run")).to_be_disabled()
    jobs.progress(catalog, job.id, 120)
    expect(bar).to_have_attribute("value", "120")
    page.goto(page.url.split("?")[0])
    expect(bar).to_have_attribute("value", "120")
    jobs.end(catalog, job.id, "The disk is full. Start it again.")
    failed = page.locator("[data-job] .bad")
    expect(failed).to_contain_text("The disk is full. Start it again. It had gone through 120 of 200 runs.")
    expect(page.get_by_role("link", name="Preview")).to_be_visible()
    page.reload()
    expect(failed).to_contain_text("The disk is full.")


def test_a_preview_that_waited_for_a_job_is_made_anew_when_it_has_ended(visitors: Visitors, home: Home) -> None:
    home.send("/api/v1/runs", {"model": "gpt-4o"})
    home.rule("ours")
    job = jobs.start(home.server.catalog, home.account_id, "rematch", 200, actor="key:deploy")
    page = visitors.visit(home.owner).go(f"{MATCHING}?do=preview")
    expect(page.get_by_role("button", name="Apply to 1 run")).to_be_disabled()
    jobs.end(home.server.catalog, job.id)
    expect(page.get_by_role("button", name="Apply to 1 run")).to_be_enabled()


def test_viewers_read_rules_and_try_them(visitors: Visitors, home: Home) -> None:
    home.rule("ours")
    page = visitors.visit(home.viewer()).go(MATCHING)
    expect(page.get_by_role("row").filter(has_text="ours")).to_be_visible()
    expect(page.get_by_role("link", name="Add a rule")).to_have_count(0)
    expect(page.get_by_role("button", name="Preview")).to_be_disabled()
    expect(page.locator("main form[method=post]")).to_have_count(0)
    page.locator("#try").get_by_label("Requested model").fill("gpt-4o")
    page.keyboard.press("Enter")
    expect(page.locator("#try").get_by_role("status")).to_contain_text("llama")


STATES = {
    "rules": "",
    "adding": "?do=add",
    "editing": "?do=edit&name=long",
    "trial": f"?model={ARABIC}",
    "implied": "?q=example",
    "preview": "?do=preview",
}


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing_serious_and_it_fits_a_phone(visitors: Visitors, full: Home, state: str) -> None:
    for width in (1280, 390):
        page = visitors.visit(full.owner, width=width).go(f"{MATCHING}{STATES[state]}")
        expect(page.get_by_role("heading", name="Matching", exact=True)).to_be_visible()
        assert fits(page)
        assert findings(page) == []


def test_axe_finds_nothing_serious_where_something_is_wrong_empty_or_under_way(visitors: Visitors, home: Home) -> None:
    def visit() -> Visit:
        return visitors.visit(home.owner, width=390)

    assert findings(visit().go(MATCHING)) == []
    refused = visit()
    refused.expected = ("422",)
    page = refused.go(f"{MATCHING}?do=add")
    page.get_by_label("Name", exact=True).fill("x")
    page.get_by_role("button", name="Add the rule").click()
    expect(page.get_by_role("alert")).to_contain_text("at least one condition")
    assert findings(page) == []
    jobs.start(home.server.catalog, home.account_id, "rematch", 200, actor="test")
    page = visit().go(MATCHING)
    expect(page.get_by_role("progressbar")).to_be_visible()
    assert findings(page) == []
    assert fits(page)
