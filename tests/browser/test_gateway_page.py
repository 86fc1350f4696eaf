"""Settings → Gateway: a model and a key are chosen, a snippet is copied, a call is made, and its run opens."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, StorageState, expect

from modeltraces.catalog import keys, users
from tests.browser.axe import findings
from tests.browser.conftest import Visitors, sign_in
from tests.browser.world import World
from tests.gateway.upstream import Upstream, serving
from tests.support.server import PASSWORD

GATEWAY = "/settings/gateway"
GINA = "gina@example.com"
LONG = "/".join(["a-very-long-name-of-a-checkpoint"] * 4)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with serving() as found:
        yield found


@pytest.fixture(scope="module")
def gina(browser: Browser, world: World, upstream: Upstream) -> StorageState:
    """Owner of an account with models to call, and no key."""
    server = world.server
    account = server.new_account("gateway page in the browser")
    account_id = server.account_id(account)
    users.create(server.catalog, account_id, GINA, "owner", password=PASSWORD, actor="test")
    models = ["gpt-4o", "status-429", "endless", "text-embedding", LONG]
    with server.client("admin", account=account) as admin:
        for name, protocol, base, reached in (
            ("fake", "openai", f"{upstream.url}/v1", models),
            ("claude", "anthropic", upstream.url, ["claude-x"]),
        ):
            made = {"name": name, "protocol": protocol, "base_url": base, "models": reached}
            assert admin.post("/api/v1/connections", json=made).status_code == 201
            for model in reached:
                assert admin.post("/api/v1/models", json={"name": model, "kind": "external"}).status_code == 201
    return sign_in(browser, server, GINA)


def test_from_no_key_to_a_run_by_keyboard(visitors: Visitors, gina: StorageState) -> None:
    page = visitors.visit(gina).go(GATEWAY)
    expect(page.get_by_text("No key may call models yet")).to_be_visible()
    # A model, by typing; a tool, by arrow keys.
    page.get_by_label("Model: ").focus()
    page.keyboard.press("Enter")
    page.keyboard.type("gpt")
    page.keyboard.press("Enter")
    page.wait_for_url("**model=gpt-4o**")
    page.get_by_role("tab", name="curl").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Python, openai")).to_be_focused()
    expect(page.get_by_role("tabpanel")).to_contain_text("from openai import OpenAI")
    assert "tool=python-openai" in page.url
    # The new key stands in the snippet, where the page was.
    page.get_by_role("button", name="Create a key").focus()
    page.keyboard.press("Enter")
    key = page.locator("#new-key").inner_text()
    assert key.startswith("mt_")
    expect(page.get_by_role("tabpanel")).to_contain_text(f'api_key="{key}"')
    assert "tool=python-openai" in page.url
    assert key not in page.url
    page.get_by_role("button", name="Copy the example").press("Enter")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert key in copied
    assert 'model="gpt-4o"' in copied
    assert findings(page) == []
    # The call.
    page.get_by_label("Prompt").fill("Größe?")
    page.keyboard.press("Control+Enter")
    expect(page.locator("[data-try-text]")).to_have_text("Größe 退款.")
    expect(page.locator("[data-try-status]")).to_contain_text("9 tokens in, 3 out")
    expect(page.get_by_role("link", name="Open its run")).to_be_visible()
    assert findings(page) == []
    page.get_by_role("link", name="Open its run").press("Enter")
    drawer = page.locator(".drawer")
    expect(drawer).to_contain_text("Playground")
    expect(drawer).to_contain_text(GINA)
    expect(drawer).to_contain_text("Größe 退款.")
    page.go_back()
    page.reload()
    expect(page.locator("body")).not_to_contain_text(key)
    expect(page.get_by_role("tabpanel")).to_contain_text("MODELTRACES_KEY")


def test_errors_and_calls_that_are_stopped_on_a_phone(
    visitors: Visitors, gina: StorageState, world: World, eve: StorageState
) -> None:
    account_id = world.server.account_id("gateway page in the browser")
    keys.create_key(world.server.catalog, account_id, "a key of a long name, " * 4, actor="test", scopes=("gateway",))
    phone = visitors.visit(gina, width=390, height=844)
    page = phone.go(f"{GATEWAY}?model=status-429")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert").filter(has_text="HTTP 429: no: 429")).to_be_visible()
    expect(page.get_by_label("The error as a program gets it")).to_contain_text('"code": "nope"')
    expect(page.get_by_role("link", name="Open its run")).to_be_visible()
    assert findings(page) == []
    page.get_by_label("Key: ").click()
    panel = page.locator("details[open] .menu-panel").bounding_box()
    assert panel is not None
    assert panel["x"] >= 0
    assert panel["x"] + panel["width"] <= 390
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page = phone.go(f"{GATEWAY}?model={LONG}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    snippet = page.get_by_role("tabpanel")
    copy, code = snippet.get_by_role("button", name="Copy the example").bounding_box(), snippet.locator("code")
    text = code.bounding_box()
    assert copy is not None
    assert text is not None
    assert copy["y"] + copy["height"] <= text["y"], "the button covers nothing of the example"
    page = phone.go(f"{GATEWAY}?model=endless")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("[data-try-text]")).to_contain_text("xx")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("[data-try-status]")).to_contain_text("Stopped.")
    expect(page.get_by_role("button", name="Send")).to_be_enabled()
    # Nothing to call: what to do is said.
    page = visitors.visit(eve, width=390, height=844).go(GATEWAY)
    expect(page.get_by_role("heading", name="No models to call")).to_be_visible()
    assert findings(page) == []


def test_a_name_without_a_gap_makes_no_page_wider(visitors: Visitors, gina: StorageState, world: World) -> None:
    account_id = world.server.account_id("gateway page in the browser")
    name = "organisation.department_team" + "x" * 64
    _, key = keys.create_key(world.server.catalog, account_id, name, actor="test", scopes=("gateway",))
    for width, height in ((390, 844), (1280, 900)):
        page = visitors.visit(gina, width=width, height=height).go(f"{GATEWAY}?model=gpt-4o&key={key.id}")
        sentence = page.get_by_text("A real call to").bounding_box()
        card = page.locator(".try").bounding_box()
        assert sentence is not None
        assert card is not None
        assert sentence["x"] + sentence["width"] <= card["x"] + card["width"]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.get_by_label("Key: ").click()
        panel = page.locator("details[open] .menu-panel").bounding_box()
        assert panel is not None
        assert panel["x"] >= 0
        assert panel["x"] + panel["width"] <= width
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_vector_is_asked_for_and_a_wrong_name_is_one_click_from_the_right_one(
    visitors: Visitors, gina: StorageState, world: World
) -> None:
    account_id = world.server.account_id("gateway page in the browser")
    keys.create_key(world.server.catalog, account_id, "for vectors", actor="test", scopes=("gateway",))
    page = visitors.visit(gina).go(f"{GATEWAY}?model=text-embedding")
    page.get_by_role("tab", name="Vercel AI SDK").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("gateway.embedding(")
    expect(page.get_by_label("Stream the answer")).to_have_count(0)
    page.get_by_role("textbox", name="Text").fill("a duck")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("[data-try-text]")).to_have_text("A vector of 2 numbers: 0.1, 0.2")
    expect(page.get_by_role("link", name="Open its run")).to_be_visible()
    page.goto(page.url.partition("?")[0] + "?model=gpt-4@fake")
    expect(page.get_by_role("alert")).to_contain_text("fake names no model “gpt-4”")
    assert findings(page) == []
    page.get_by_role("alert").get_by_role("link", name="gpt-4o@fake").click()
    expect(page.get_by_role("tabpanel")).to_contain_text('"model": "gpt-4o@fake"')
