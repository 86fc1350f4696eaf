"""API keys, members, rejections."""

import httpx
from playwright.sync_api import StorageState, expect

from modeltraces.catalog import accounts, key_usage, keys, users
from modeltraces.catalog.key_usage import DAY, Used, window_of
from modeltraces.web.shown_once import COOKIE
from tests.browser.axe import findings
from tests.browser.conftest import TRACES, Visit, Visitors, sign_in
from tests.browser.world import ACCOUNT, VERA, World
from tests.support.server import PASSWORD

KEYS, MEMBERS = "/settings/api-keys", "/settings/members"
REJECTED = "/settings/monitoring/rejected"


def test_a_key_is_shown_once_works_and_can_be_revoked(visit: Visit) -> None:
    page = visit.go(KEYS)
    page.get_by_text("Create a key").click()
    page.get_by_label("Name").fill("checkout service")
    page.get_by_label("Source type of its runs").fill("Workflow")
    page.get_by_role("button", name="Create the key").click()
    key = page.locator("#new-key").inner_text()
    models = f"{visit.url}/api/v1/models"
    assert httpx.get(models, headers={"x-api-key": key}).status_code == 200
    page.goto(visit.url + KEYS)
    expect(page.locator("body")).not_to_contain_text(key)
    row = page.get_by_role("row").filter(has_text="checkout service")
    expect(row).to_contain_text("Workflow")
    expect(row).to_contain_text(key[:7])
    page.once("dialog", lambda dialog: dialog.accept())
    row.get_by_role("button", name="Revoke").click()
    expect(row).to_have_count(0)
    assert httpx.get(models, headers={"x-api-key": key}).status_code == 401


def test_loading_again_after_a_key_was_made_makes_no_other_and_shows_it_no_more(visit: Visit) -> None:
    page = visit.go(KEYS)
    page.get_by_text("Create a key").click()
    page.get_by_label("Name").fill("made once")
    page.get_by_role("button", name="Create the key").click()
    key = page.locator("#new-key").inner_text()
    assert page.url == visit.url + KEYS
    page.reload()
    expect(page.get_by_role("row").filter(has_text="made once")).to_have_count(1)
    expect(page.locator("body")).not_to_contain_text(key)
    assert not [cookie for cookie in page.context.cookies() if "once" in cookie.get("name", "")]


def test_the_new_key_is_shown_to_the_session_that_made_it_alone(
    visit: Visit, visitors: Visitors, vera: StorageState
) -> None:
    page = visit.go(KEYS)
    token = page.locator("body").get_attribute("data-csrf")
    page.evaluate(
        "token => fetch('/settings/api-keys', {method: 'POST', redirect: 'manual', headers: {'X-CSRF-Token': token, "
        "'Content-Type': 'application/x-www-form-urlencoded'}, body: 'name=mine&scope=read'})",
        token,
    )
    (once,) = [cookie for cookie in page.context.cookies() if cookie.get("name") == COOKIE]
    assert (once.get("httpOnly"), once.get("sameSite"), once.get("path")) == (True, "Strict", KEYS)
    assert "mt_" not in once.get("value", "")
    other = visitors.visit(vera)
    other.page.context.add_cookies([{"name": COOKIE, "value": once.get("value", ""), "url": visit.url + KEYS}])
    expect(other.go(KEYS).get_by_role("row").filter(has_text="mine")).to_be_visible()
    expect(other.page.locator("#new-key")).to_have_count(0)
    expect(visit.go(KEYS).locator("#new-key")).to_contain_text("mt_")
    expect(visit.go(KEYS).locator("#new-key")).to_have_count(0)


def test_loading_again_after_a_member_was_added_adds_nobody(visit: Visit) -> None:
    page = visit.go(MEMBERS)
    page.get_by_label("Email").fill("ines@example.com")
    page.get_by_role("button", name="Add a member").click()
    expect(page.locator("#invite-link")).to_be_visible()
    page.reload()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator("#invite-link")).to_have_count(0)
    expect(page.get_by_role("row").filter(has_text="ines@example.com")).to_have_count(1)


def test_a_revocation_can_be_thought_over(visit: Visit) -> None:
    page = visit.go(KEYS)
    before = page.get_by_role("row").count()
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Revoke").first.click()
    page.reload()
    expect(page.get_by_role("row")).to_have_count(before)


def test_a_key_that_cannot_be_made_says_why_and_keeps_what_was_typed(visit: Visit) -> None:
    visit.expected = ("422",)
    page = visit.go(KEYS)
    page.get_by_text("Create a key").click()
    page.get_by_label("Name").fill("no scopes")
    for label in ("Send runs", "Read runs", "Call models"):
        page.get_by_label(label).uncheck()
    page.get_by_role("button", name="Create the key").click()
    expect(page.get_by_role("alert")).to_contain_text("at least one scope")
    expect(page.get_by_label("Name")).to_have_value("no scopes")


def test_a_key_is_made_with_limits_shows_what_it_used_and_is_changed(visit: Visit, world: World) -> None:
    visit.expected = ("422",)
    page = visit.go(KEYS)
    page.get_by_text("Create a key").click()
    page.get_by_label("Name").fill("metered")
    page.get_by_text("Limits through the gateway").click()
    page.get_by_label("Requests a minute").fill("60")
    page.get_by_label("Tokens a day").fill("50,000")
    page.get_by_label("Models it may call").fill("gpt-4o\nllama-3-8b@v2")
    page.get_by_label("Recorded of its calls").select_option("Metadata only")
    page.get_by_role("button", name="Create the key").click()
    limits = page.get_by_role("list", name="Limits of metered")
    expect(limits).to_contain_text("0 of 50\u202f000 tokens today")
    for text in ("0 of 60 requests this minute", "only gpt-4o, llama-3-8b@v2", "records metadata only"):
        expect(limits).to_contain_text(text)
    key = keys.find_key(world.server.catalog, world.server.account_id(ACCOUNT), "metered")
    now = world.server.catalog.clock()
    key_usage.add(world.server.catalog, {window_of(key.id, DAY, now): Used(3, 12_400)})
    page.get_by_role("link", name="Edit metered").click()
    expect(limits).to_contain_text("12\u202f400 of 50\u202f000 tokens today")
    assert findings(page) == []
    form = page.get_by_role("form", name="Edit metered")
    form.get_by_label("Tokens a day").fill("a lot")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("alert")).to_contain_text("Tokens a day must be a whole number")
    expect(form.get_by_label("Requests a minute")).to_have_value("60")
    form.get_by_label("Tokens a day").fill("10000")
    form.get_by_label("Models it may call").fill("")
    form.get_by_label("Recorded of its calls").select_option("Everything")
    form.get_by_label("Name").press("Enter")
    expect(limits.get_by_role("listitem")).to_have_text(
        ["12\u202f400 of 10\u202f000 tokens today", "0 of 60 requests this minute"]
    )
    expect(limits.locator(".bad")).to_contain_text("tokens today")


def test_viewers_see_keys_and_members_but_change_nothing(visitors: Visitors, vera: StorageState, world: World) -> None:
    visit = visitors.visit(vera)
    page = visit.go(KEYS)
    expect(page.get_by_role("button", name="Revoke")).to_have_count(0)
    expect(page.get_by_text("Create a key")).to_have_count(0)
    page = visit.go(MEMBERS)
    expect(page.get_by_role("row").filter(has_text=VERA)).to_contain_text("viewer")
    expect(page.get_by_role("button", name="Add a member")).to_have_count(0)
    visit.expected = ("403",)
    token = page.locator("body").get_attribute("data-csrf")
    status = page.evaluate(
        "token => fetch('/settings/api-keys/first', {method: 'POST', headers: {'X-CSRF-Token': token}}).then(a => a.status)",
        token,
    )
    assert status == 403


def test_a_member_is_added_by_a_link_changed_and_removed(visit: Visit) -> None:
    page = visit.go(MEMBERS)
    page.get_by_label("Email").fill("otto@example.com")
    page.get_by_role("button", name="Add a member").click()
    expect(page.locator("#invite-link")).to_contain_text(f"{visit.url}/sign-in/link/")
    row = page.get_by_role("row").filter(has_text="otto@example.com")
    expect(row).to_contain_text("has not signed in")
    row.get_by_label("Role of otto@example.com").select_option("viewer")
    expect(row.get_by_label("Role of otto@example.com")).to_have_value("viewer")
    page.wait_for_load_state()
    page.once("dialog", lambda dialog: dialog.accept())
    row.get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)


def test_an_email_that_is_none_is_refused_with_a_reason(visit: Visit) -> None:
    visit.expected = ("422",)
    page = visit.go(MEMBERS)
    page.get_by_label("Email").fill(VERA)
    page.get_by_role("button", name="Add a member").click()
    expect(page.get_by_role("alert")).to_contain_text("is a member of this account already")


def test_what_was_refused_is_listed_with_its_reason(visit: Visit, world: World) -> None:
    key = world.server.key("ingest", account=ACCOUNT)
    answer = httpx.post(
        f"{visit.url}/api/v1/runs",
        json=[{"model": "x", "latency": 3}, {"input": "no model"}],
        headers={"x-api-key": key},
    )
    assert len(answer.json()["rejected"]) == 2
    broken = httpx.post(
        f"{visit.url}/api/v1/runs", content="{", headers={"x-api-key": key, "Content-Type": "application/json"}
    )
    assert broken.status_code == 400
    page = visit.go(REJECTED)
    row = page.get_by_role("row").filter(has_text="the whole body")
    expect(row.filter(has_text="runs")).to_contain_text(broken.json()["detail"])
    expect(page.get_by_role("row").filter(has_text="latency")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="'model' is required")).to_be_visible()


def test_the_signal_of_a_rejection_stays_one_word(visit: Visit, world: World) -> None:
    key = world.server.key("ingest", account=ACCOUNT)
    span = {
        "traceId": "ab" * 16, "spanId": "", "name": "chat", "startTimeUnixNano": "1764000000000000000",
        "endTimeUnixNano": "1764000001000000000",
        "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}],
    }  # fmt: skip
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    answer = httpx.post(f"{visit.url}/v1/traces", json=body, headers={"x-api-key": key})
    assert answer.json()["partialSuccess"]
    page = visit.go(REJECTED)
    cell = page.get_by_role("cell", name="traces", exact=True).first
    assert (
        cell.evaluate(
            "cell => { const r = document.createRange(); r.selectNodeContents(cell); return r.getClientRects().length }"
        )
        == 1
    )


def test_rejections_of_another_account_are_not_shown(visitors: Visitors, eve: StorageState) -> None:
    page = visitors.visit(eve).go(REJECTED)
    expect(page.get_by_text("Nothing was rejected")).to_be_visible()


def test_an_address_of_no_page_is_explained(visit: Visit) -> None:
    visit.expected = ("404",)
    page = visit.go("/settings/nowhere")
    expect(page.get_by_text("There is no such page")).to_be_visible()
    page.get_by_role("main").get_by_role("link", name="Model Traces").click()
    expect(page.locator("tr[data-run]").first).to_be_visible()


def test_the_password_is_changed_with_the_current_one_only(visitors: Visitors, world: World) -> None:
    account_id = world.server.account_id(ACCOUNT)
    users.create(world.server.catalog, account_id, "quinn@example.com", "member", password=PASSWORD, actor="test")
    here = visitors.visit(sign_in(visitors._browser, world.server, "quinn@example.com"))
    there = visitors.visit(sign_in(visitors._browser, world.server, "quinn@example.com"))
    here.expected = ("422",)
    page = here.go("/settings/profile")

    def change(current: str, new: str) -> None:
        page.get_by_label("Current password").fill(current)
        page.get_by_label("New password").fill(new)
        page.get_by_label("The same again").fill(new)
        page.get_by_role("button", name="Change the password").click()

    change("not this one", "another long password")
    expect(page.get_by_role("alert")).to_contain_text("The current password is not right.")
    change(PASSWORD, "another long password")
    expect(page.get_by_role("status").filter(has_text="The password was changed.")).to_be_visible()
    there.go()
    there.page.wait_for_url("**/sign-in")


def test_who_is_in_two_accounts_looks_at_either(visitors: Visitors, world: World) -> None:
    catalog = world.server.catalog
    users.create(
        catalog, world.server.account_id(ACCOUNT), "ruth@example.com", "viewer", password=PASSWORD, actor="test"
    )
    other, _ = accounts.ensure(catalog, "second home", actor="test")
    users.create(catalog, other.id, "ruth@example.com", "owner", actor="test")
    visit = visitors.visit(sign_in(visitors._browser, world.server, "ruth@example.com"))
    page = visit.go("/settings/profile")
    page.get_by_label("Look at the account").select_option("second home")
    page.get_by_role("button", name="Switch", exact=True).click()
    page.wait_for_url("**" + TRACES)
    expect(page.locator(".who")).to_contain_text("second home · owner")
    expect(page.get_by_text("Send the first run")).to_be_visible()
    visit.expected = ("404",)
    token = page.locator("body").get_attribute("data-csrf")
    status = page.evaluate(
        "([token, account]) => fetch('/settings/profile/account', {method: 'POST', "
        "headers: {'X-CSRF-Token': token, 'Content-Type': 'application/x-www-form-urlencoded'}, body: 'account=' + account})"
        ".then(answer => answer.status)",
        [token, world.server.account_id("default")],
    )
    assert status == 404
