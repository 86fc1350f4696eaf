"""Settings → Audit log, in a browser."""

import csv
import json
import re
import time

import httpx
import pytest
from playwright.sync_api import Page, StorageState, expect

from modeltraces.catalog import audit, users
from tests.browser.axe import findings
from tests.browser.conftest import Visit, Visitors, sign_in
from tests.browser.lines import lines_of
from tests.browser.test_phone import fits
from tests.browser.world import ARABIC, World
from tests.conftest import TakePicture
from tests.support.server import PASSWORD

AUDIT = "/settings/audit-log"
ACCOUNT, OLGA, MARK = "audited pages", "olga@example.com", "mark@example.com"
DOTTED = "organisation.department.team.project.model-of-a-long-name"
LONG = "wort" * 60 + " with <b>markup</b> & more"
DAY_US = 86_400_000_000


def now_us() -> int:
    return time.time_ns() // 1000


@pytest.fixture(scope="module")
def account(world: World) -> str:
    """120 renamings, four a day, and above them a few entries that are hard to show."""
    server = world.server
    account_id = server.account_id(server.new_account(ACCOUNT))
    users.create(server.catalog, account_id, OLGA, "owner", password=PASSWORD, actor="test")
    users.create(server.catalog, account_id, MARK, "member", password=PASSWORD, actor="test")
    now = now_us()
    with server.catalog.writing() as session:

        def put(at_us: int, actor: str, action: str, object: str, before: object = None, after: object = None) -> None:
            assert before is None or isinstance(before, dict)
            assert after is None or isinstance(after, dict)
            audit.record(
                session, account_id=account_id, at_us=at_us, actor=actor, action=action, object=object, before=before,
                after=after,
            )  # fmt: skip

        for n in range(120):
            put(
                now - DAY_US // 4 * (120 - n) - DAY_US // 8, OLGA, "model.rename", f"model:llama-{n}",
                {"name": f"old-{n}", "kind": "external"}, {"name": f"llama-{n}", "kind": "external"},
            )  # fmt: skip
        put(
            now - 60_000_000,
            "key:deployer",
            "deployment.scale",
            "deployment:llama-3-8b@v2",
            {"replicas": 2},
            {"replicas": 4},
        )
        put(now - 50_000_000, "cli", "model.add", f"model:{ARABIC}", None, {"kind": "fine_tuned", "base_model": ARABIC})
        put(now - 40_000_000, OLGA, "connection.edit", f"connection:{LONG}", {"note": "short"}, {"note": LONG})
        put(now - 30_000_000, OLGA, "member.remove", "user:gone@example.com", {"role": "viewer"})
        put(
            now - 20_000_000, "key:" + "k" * 120, "hardware.apply", "hardware:prices", None,
            {f"price_{n}": f"{n}.5" for n in range(30)},
        )  # fmt: skip
        put(now - 15_000_000, OLGA, "connection.edit", "connection:aws", {"credential": "set"}, {"credential": "set"})
        put(
            now - 10_000_000, OLGA, "connection.edit", "connection:azure-eu",
            {"credential": "sk-the-old-one", "base_url": "https://a.example"},
            {"credential": "sk-the-new-one", "base_url": "https://b.example"},
        )  # fmt: skip
        put(
            now - 5_000_000, f"key:{DOTTED}", "connection.edit", f"connection:{DOTTED}",
            {DOTTED: DOTTED}, {DOTTED: f"{DOTTED}.renamed"},
        )  # fmt: skip
    return ACCOUNT


@pytest.fixture
def olga(visitors: Visitors, world: World, account: str) -> StorageState:
    return sign_in(visitors._browser, world.server, OLGA)


@pytest.fixture
def desk(visitors: Visitors, olga: StorageState) -> Visit:
    return visitors.visit(olga)


def rows(page: Page) -> list[str]:
    return page.locator(".audit-table tbody tr").all_inner_texts()


def test_an_owner_comes_to_it_by_the_navigation_and_reads_who_did_what(desk: Visit) -> None:
    page = desk.go()
    page.get_by_role("navigation", name="Settings").get_by_role("link", name="Audit log").click()
    page.wait_for_url("**" + AUDIT)
    row = page.locator("tr").filter(has_text="azure-eu")
    expect(row).to_contain_text(OLGA)
    expect(row).to_contain_text("Connection changed")
    expect(row.locator("dd").filter(has_text="https://b.example")).to_contain_text("https://a.example")
    scaled = page.locator("tr").filter(has_text="llama-3-8b@v2")
    expect(scaled.locator("dl")).to_have_text(re.compile(r"replicas\s*was 2 → is now 4"))
    expect(scaled).to_contain_text("API key")
    assert "external" not in rows(page)[-1], "what did not change is not shown"


def test_no_credential_is_on_the_page_nor_in_an_export_but_that_it_changed_is(desk: Visit) -> None:
    page = desk.go(AUDIT)
    expect(page.locator("tr").filter(has_text="azure-eu")).to_contain_text("(another secret)")
    expect(page.locator("tr").filter(has_text="aws")).to_contain_text("Something that is never shown")
    assert "sk-the" not in page.content()
    for format in ("csv", "jsonl"):
        answer = page.request.get(f"{desk.url}/api/v1/audit-log/export?format={format}")
        assert answer.ok
        assert "azure-eu" in answer.text()
        assert "sk-the" not in answer.text()


def test_pages_lead_to_the_end_and_back_to_the_newest(desk: Visit) -> None:
    page = desk.go(f"{AUDIT}?action=model.rename")
    first = rows(page)
    assert len(first) == 50
    seen = list(first)
    while page.get_by_role("link", name="Older").count():
        page.get_by_role("link", name="Older").click()
        page.wait_for_load_state()
        seen += rows(page)
    assert len(seen) == 120
    assert len(set(seen)) == 120
    expect(page.get_by_role("link", name="Older")).to_have_count(0)
    page.get_by_role("link", name="Newer").click()
    page.wait_for_url("**after=*")
    assert rows(page) == seen[50:100]
    page.get_by_role("link", name="Newer").click()
    page.wait_for_url(re.compile(r"action=model.rename$"))
    assert rows(page) == first


def test_filters_are_in_the_address_and_the_address_sets_the_filters(desk: Visit) -> None:
    page = desk.go(AUDIT)
    page.get_by_label("Who").select_option(OLGA)
    page.get_by_label("Action").select_option("model.*")
    page.get_by_label("Object").fill("LLAMA-11")
    page.get_by_label("Period").select_option("30d")
    page.get_by_role("button", name="Show", exact=True).click()
    page.wait_for_url(f"**{AUDIT}?actor=olga%40example.com&action=model.%2A&object=LLAMA-11&period=30d")
    assert len(rows(page)) == 11
    expect(page.get_by_label("Who")).to_have_value(OLGA)
    expect(page.get_by_label("Action")).to_have_value("model.*")
    expect(page.get_by_label("Object")).to_have_value("LLAMA-11")
    expect(page.get_by_label("Period")).to_have_value("30d")
    page.get_by_role("link", name="Clear").click()
    page.wait_for_url("**" + AUDIT)
    assert len(rows(page)) == 50


def test_a_period_of_ones_own_is_typed_in_the_readers_zone(visitors: Visitors, olga: StorageState) -> None:
    cookies = [cookie for cookie in olga.get("cookies", []) if cookie["name"] != "tz"]
    page = visitors.visit({"cookies": cookies, "origins": []}, zone="Asia/Tokyo").go(AUDIT)
    expect(page.get_by_text("Times in Asia/Tokyo (UTC+9)")).to_be_visible()
    expect(page.get_by_label("From")).to_be_hidden()
    page.get_by_label("Period").select_option("custom")
    page.get_by_label("From").fill("2026-01-01T09:00:00")
    page.get_by_label("To, exclusive").fill("2026-01-02T09:00:00")
    page.get_by_role("button", name="Show", exact=True).click()
    page.wait_for_url(f"**{AUDIT}?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z")
    expect(page.get_by_text("No entry matches")).to_be_visible()
    expect(page.get_by_label("From")).to_have_value(re.compile("2026-01-01T09:00"))


def test_a_period_that_ends_before_it_begins_is_refused_with_what_was_typed(desk: Visit) -> None:
    desk.expected = ("400",)
    page = desk.go(f"{AUDIT}?object=llama&from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z")
    expect(page.get_by_role("alert")).to_contain_text("must begin before it ends")
    expect(page.get_by_label("Object")).to_have_value("llama")
    expect(page.get_by_label("From")).to_be_visible()


def test_a_long_value_is_cut_and_can_be_seen_whole_and_markup_is_text(desk: Visit) -> None:
    page = desk.go(AUDIT)
    row = page.locator("tr").filter(has_text="short")
    expect(row.locator(".audit-whole")).to_be_hidden()
    row.get_by_text("Show all").click()
    expect(row.locator(".audit-whole")).to_have_text(LONG)
    assert row.locator("b").count() == 0
    many = page.locator("tr").filter(has_text="prices")
    expect(many.get_by_text("price 29")).to_be_hidden()
    many.get_by_text("22 more").click()
    expect(many.get_by_text("price 29")).to_be_visible()


def test_an_object_leads_to_all_that_was_done_to_it(desk: Visit) -> None:
    page = desk.go(f"{AUDIT}?object=llama-119")
    page.get_by_role("link", name="llama-119").click()
    page.wait_for_url("**object=model:llama-119")
    assert len(rows(page)) == 1


def test_the_export_is_what_the_filters_show(desk: Visit) -> None:
    page = desk.go(f"{AUDIT}?action=model.rename&object=llama-11")
    page.get_by_text("Export").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert re.fullmatch(r"audit-log-.*\.csv", download.value.suggested_filename)
    with download.value.path().open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["Object"] for row in found] == [f"model:llama-{n}" for n in range(119, 109, -1)] + ["model:llama-11"]
    assert json.loads(found[0]["After"]) == {"name": "llama-119", "kind": "external"}


def test_nothing_to_show_is_said_and_what_to_do(desk: Visit, visitors: Visitors, eve: StorageState) -> None:
    page = desk.go(f"{AUDIT}?object=nowhere")
    expect(page.get_by_text("No entry matches")).to_be_visible()
    expect(page.get_by_text("Export")).to_have_count(0)
    page.get_by_role("link", name="Show all").click()
    page.wait_for_url("**" + AUDIT)
    page = desk.go(f"{AUDIT}?before=1")
    expect(page.get_by_text("No older entries")).to_be_visible()
    other = visitors.visit(eve).go(AUDIT)
    assert "llama" not in other.content()


def test_members_are_not_led_to_it_and_are_told_why_they_may_not(
    visitors: Visitors, world: World, account: str
) -> None:
    visit = visitors.visit(sign_in(visitors._browser, world.server, MARK))
    page = visit.go("/settings/members")
    expect(page.get_by_role("link", name="Audit log")).to_have_count(0)
    visit.expected = ("403",)
    page = visit.go(AUDIT)
    expect(page.get_by_text("You may not see this")).to_be_visible()
    expect(page.get_by_text("Ask an owner or admin of the account.")).to_be_visible()
    assert "llama" not in page.content()


def test_without_a_session_it_leads_to_the_sign_in_and_back(world: World) -> None:
    answer = httpx.get(f"{world.server.url}{AUDIT}?actor=x")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in?next=/settings/audit-log")


@pytest.mark.parametrize("width", [1280, 390])
def test_names_are_broken_after_their_dots_and_hyphens(visitors: Visitors, olga: StorageState, width: int) -> None:
    page = visitors.visit(olga, width=width).go(f"{AUDIT}?object={DOTTED}")
    row = page.locator("tbody tr").first
    for place in (".a-who bdi", ".a-object bdi", "dt bdi", ".audit-old bdi", ".audit-new bdi"):
        lines = lines_of(row.locator(place))
        assert len(lines) > 1, place
        assert all(line.endswith((".", "-")) for line in lines[:-1]), (place, lines)


@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_and_axe_finds_nothing_serious(
    visitors: Visitors, olga: StorageState, width: int, take_picture: TakePicture
) -> None:
    visit = visitors.visit(olga, width=width, height=900 if width > 400 else 844)
    visit.expected = ("400",)
    states = {
        "entries": AUDIT,
        "own-period": f"{AUDIT}?from=2026-01-01T00:00:00Z",
        "none": f"{AUDIT}?object=nowhere",
        "refused": f"{AUDIT}?period=custom&from=x",
    }
    for name, path in states.items():
        page = visit.go(path)
        take_picture(page, f"audit-log-{name}-{width}")
        if name == "entries":
            page.get_by_text("Show all").first.click()
            take_picture(page, f"audit-log-open-{width}")
            change = page.locator(".audit-whole").first.bounding_box()
            assert change is not None
            assert change["width"] > 180, "there is room to read it"
        assert fits(page), name
        assert findings(page) == [], name
