"""The door: passwords, one-time links, and leaving."""

from playwright.sync_api import Page, StorageState, expect

from modeltraces.catalog import links, users
from tests.browser.conftest import TRACES, Visitors, sign_in
from tests.browser.world import ACCOUNT, DORA, World
from tests.support.server import PASSWORD


def fill(page: Page, email: str, password: str) -> None:
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_a_stranger_is_sent_to_the_door_and_then_to_where_they_wanted(visitors: Visitors, world: World) -> None:
    visit = visitors.visit(None)
    page = visit.go(f"{TRACES}?filter=status:failed&period=30d")
    assert page.url.startswith(visit.url + "/sign-in?next=")
    fill(page, DORA, PASSWORD)
    page.wait_for_url(f"**{TRACES}?filter=status:failed&period=30d")


def test_a_wrong_password_says_so_and_keeps_the_email(visitors: Visitors, world: World) -> None:
    visit = visitors.visit(None)
    visit.expected = ("401",)
    page = visit.go("/sign-in")
    fill(page, "nobody@example.com", "not this one")
    expect(page.get_by_role("alert")).to_have_text("Email and password do not belong together.")
    expect(page.get_by_label("Email")).to_have_value("nobody@example.com")
    expect(page.get_by_label("Password")).to_be_focused()


def test_the_door_leads_nowhere_but_to_our_own_pages(visitors: Visitors, world: World) -> None:
    for address in ("//example.com/", "https://example.com/", "/\\example.com", "javascript:alert(1)"):
        visit = visitors.visit(None)
        page = visit.page
        page.goto(f"{visit.url}/sign-in?next={address}")
        fill(page, DORA, PASSWORD)
        page.wait_for_url(f"{visit.url}{TRACES}")


def test_signing_out_ends_the_session(visitors: Visitors, browser: object, world: World) -> None:
    state = sign_in(visitors._browser, world.server, DORA)
    visit = visitors.visit(state)
    page = visit.go()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    # The cookie as it was before is worth nothing now.
    again = visitors.visit(state).go()
    again.wait_for_url("**/sign-in")


def test_a_link_is_used_by_a_click_and_only_once(visitors: Visitors, world: World) -> None:
    account_id = world.server.account_id(ACCOUNT)
    dora = users.find(world.server.catalog, DORA)
    assert dora is not None
    path = links.path_of(links.create(world.server.catalog, account_id, dora.id))
    visit = visitors.visit(None)
    page = visit.go(path)
    page.reload()
    expect(page.get_by_text(f"As {DORA}.")).to_be_visible()
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(visit.url + TRACES)
    later = visitors.visit(None)
    later.expected = ("404",)
    later.go(path)
    expect(later.page.get_by_role("heading")).to_have_text("This link does not work any more")


def test_an_invited_member_chooses_a_password(visitors: Visitors, world: World) -> None:
    account_id = world.server.account_id(ACCOUNT)
    rosa = users.create(world.server.catalog, account_id, "rosa@example.com", "member", actor="test")
    path = links.path_of(links.invite(world.server.catalog, account_id, rosa.id))
    visit = visitors.visit(None)
    visit.expected = ("422",)
    page = visit.go(path)
    page.get_by_label("New password").fill("a long enough password")
    page.get_by_label("The same again").fill("a different password")
    page.get_by_role("button").click()
    expect(page.get_by_role("alert")).to_have_text("The two passwords differ.")
    page.get_by_label("New password").fill("a long enough password")
    page.get_by_label("The same again").fill("a long enough password")
    page.get_by_role("button").click()
    page.wait_for_url(visit.url + TRACES)
    sign_in_again = visitors.visit(None).go("/sign-in")
    fill(sign_in_again, "rosa@example.com", "a long enough password")
    sign_in_again.wait_for_url("**" + TRACES)


def test_a_session_that_ended_meanwhile_leads_to_the_door(visitors: Visitors, world: World) -> None:
    visit = visitors.visit(sign_in(visitors._browser, world.server, DORA))
    page = visit.go()
    page.context.clear_cookies()
    page.get_by_role("link", name="30d", exact=True).click()
    page.wait_for_url("**/sign-in?next=**")


def test_who_is_inside_is_not_asked_again(visitors: Visitors, dora: StorageState) -> None:
    visit = visitors.visit(dora)
    visit.go("/sign-in")
    assert visit.page.url == visit.url + TRACES
