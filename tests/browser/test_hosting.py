"""The Hosting Credits card: the worked examples, entered over the API and read off the page."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, StorageState, expect

from modeltraces.catalog import users
from tests.browser.axe import findings
from tests.browser.conftest import TRACES, Visit, Visitors, sign_in
from tests.browser.test_phone import fits
from tests.support.server import PASSWORD, Server

DAY = "2026-11-02"


@dataclass
class Host:
    """An account of a test's own: its API, and its owner at the page."""

    api: httpx.Client
    owner: StorageState
    visitors: Visitors

    def put(self, path: str, body: Any) -> Any:
        answer = self.api.post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def deploy(self, at: str, model: str = "llama", **fields: Any) -> str:
        if self.api.get(f"/api/v1/models/{model}").status_code == 404:
            self.put("/api/v1/models", {"name": model, "kind": "open_source"})
        made = self.put(f"/api/v1/models/{model}/deployments", {"deployed_on": f"{DAY}T{at}:00Z", **fields})
        return str(made["version"])

    def event(self, at: str, type: str, model: str = "llama", version: str = "v1", **fields: Any) -> None:
        path = f"/api/v1/models/{model}/deployments/{version}/events"
        self.put(path, {"type": type, "on": f"{DAY}T{at}:00Z", **fields})

    def up(self, start: str, end: str, model: str = "llama", **fields: Any) -> None:
        """One replica's worth of hosting that has ended."""
        version = self.deploy(start, model, **{"credits_per_replica_hour": 1, **fields})
        self.event(end, "undeploy", model, version)

    def send(self, count: int, ms: float, at: str = "10:00", **fields: Any) -> None:
        runs = [
            {"model": "llama", "executed_on": f"{DAY}T{at}:{n:02}Z", "response_time_ms": ms, **fields}
            for n in range(count)
        ]
        self.put("/api/v1/runs", runs)

    def page(self, start: str = "00:00", end: str = "23:59", **params: str) -> Page:
        return self._go(self.visitors.visit(self.owner), start, end, params)

    def on_a_phone(self, **params: str) -> Page:
        return self._go(self.visitors.visit(self.owner, width=390), "00:00", "23:59", params)

    def _go(self, visit: Visit, start: str, end: str, params: dict[str, str]) -> Page:
        period = {"from": f"{DAY}T{start}:00Z", "to": f"{DAY}T{end}:00Z"}
        page = visit.go(f"{TRACES}?{urlencode({**period, **params})}")
        expect(page.locator("#overview[data-deferred]")).to_have_count(0)
        return page


@pytest.fixture
def host(server: Server, browser: Browser, visitors: Visitors, request: pytest.FixtureRequest) -> Iterator[Host]:
    account = server.new_account(request.node.nodeid)
    email = f"{re.sub(r'[^a-z0-9]+', '-', request.node.name.lower())}@example.com"
    users.create(server.catalog, server.account_id(account), email, "owner", password=PASSWORD, actor="test")
    with server.client("admin", account=account) as client:
        # One run, so that the account is past its first steps; of another day, so that it counts nowhere here.
        first = {"model": "other", "model_kind": "external", "executed_on": "2026-10-01T00:00:00Z"}
        assert client.post("/api/v1/runs", json=first).is_success
        yield Host(client, sign_in(browser, server, email), visitors)


def card(page: Page) -> Locator:
    return page.get_by_role("region", name="Hosting Credits")


def credits(page: Page) -> Locator:
    return card(page).locator(".figure:not(.minor) dd")


def utilization(page: Page) -> Locator:
    return card(page).locator(".figure.minor dd")


def test_example_1_two_replicas_and_a_part_of_their_time(host: Host) -> None:
    host.deploy("10:00", replicas=2, credits_per_replica_hour="0.5")
    host.event("13:30", "undeploy")
    expect(credits(host.page(model="llama"))).to_have_text("3.50")
    expect(credits(host.page("11:00", "12:30", model="llama"))).to_have_text("1.50")
    expect(credits(host.page("13:30", "14:00", model="llama"))).to_have_text("0.00")


def test_example_2_scaling_is_a_new_interval(host: Host) -> None:
    host.deploy("10:00", replicas=2, credits_per_replica_hour=0.5)
    host.event("12:00", "scale", replicas=4)
    host.event("13:30", "undeploy")
    expect(credits(host.page(model="llama"))).to_have_text("5.00")
    expect(credits(host.page("12:00", model="llama"))).to_have_text("3.00")


def test_example_5_a_gap_costs_nothing_and_two_versions_both_count(host: Host) -> None:
    host.up("10:00", "11:00")
    host.up("13:00", "14:00")
    expect(credits(host.page(model="llama"))).to_have_text("2.00")
    expect(credits(host.page("11:00", "13:00", model="llama"))).to_have_text("0.00")
    host.up("13:00", "14:00", version="canary", replicas=3)
    expect(credits(host.page(model="llama"))).to_have_text("5.00")


def test_example_6_utilization_and_credits_per_thousand_requests(host: Host) -> None:
    host.up("10:00", "11:00", credits_per_replica_hour=2)
    host.send(6, 60_000, deployment_version="v1")
    page = host.page(model="llama")
    expect(credits(page)).to_have_text("2.00")
    expect(utilization(page)).to_have_text("10%")
    expect(card(page)).to_contain_text("333 per 1\N{NARROW NO-BREAK SPACE}000 requests")


def test_a_version_filter_narrows_credits_and_utilization(host: Host) -> None:
    host.up("10:00", "11:00")
    host.up("10:00", "11:00", replicas=3)
    host.send(6, 60_000, deployment_version="v1")
    for text, hosted, used in (
        ("deployment_version:v1", "1.00", "10%"),
        ("deployment_version:v2", "3.00", "0%"),
        ("", "4.00", "2.5%"),
    ):
        page = host.page(model="llama", filter=text)
        expect(credits(page)).to_have_text(hosted)
        expect(utilization(page)).to_have_text(used)
    expect(credits(host.page(model="llama", filter="deployment_version:v9"))).to_have_text("not configured")


def test_all_models_add_up_and_say_how_many_and_an_external_one_has_no_card(host: Host) -> None:
    host.up("10:00", "11:00")
    host.up("10:00", "11:00", "tuned", credits_per_replica_hour="0.25")
    host.send(1, 1000, model="gpt-4o", model_kind="external")
    page = host.page()
    expect(credits(page)).to_have_text("1.25")
    expect(card(page)).to_contain_text("2 models")
    one = host.page(model="tuned")
    expect(credits(one)).to_have_text("0.25")
    expect(card(one)).not_to_contain_text("model")
    external = host.page(model="gpt-4o")
    expect(external.get_by_role("region", name="Total Requests")).to_contain_text("1")
    expect(card(external)).to_have_count(0)


def test_requests_since_deployment_count_from_the_first_deployment_on(host: Host) -> None:
    host.send(3, 5, at="09:00")
    host.deploy("10:00", replicas=1, credits_per_replica_hour=1)
    host.send(4, 5, at="10:30")
    total = host.page(model="llama").get_by_role("region", name="Total Requests")
    expect(total.locator("dd")).to_have_text("7")
    expect(total).to_contain_text("4 since deployment")


def test_long_figures_and_notes_stay_in_their_card(host: Host) -> None:
    host.up("00:00", "23:00", replicas=9000, credits_per_replica_hour="98765.432101")
    host.up("00:00", "23:00", "tuned", replicas=1)
    host.send(3, 60_000)
    for page in (host.page(), host.on_a_phone()):
        figure = credits(page)
        expect(figure).to_have_text("20 444 444 468".replace(" ", "\N{NARROW NO-BREAK SPACE}"))
        assert figure.locator("..").get_attribute("title") == "20444444467.907 credits"
        assert fits(page)
        inner = "element => element.scrollWidth <= element.clientWidth"
        assert card(page).evaluate(inner), "nothing of it is wider than it"
        expect(card(page).get_by_text("2 models")).to_be_visible()
        assert findings(page) == []
