"""Settings → Connections."""

import socket

from playwright.sync_api import StorageState, expect

from tests.browser.catalog_world import CREDENTIAL
from tests.browser.conftest import Visitors
from tests.browser.lines import lines_of

CONNECTIONS = "/settings/connections"


def test_a_connection_is_added_tried_out_mended_and_tried_again(
    visitors: Visitors, kim: StorageState, provider: str
) -> None:
    page = visitors.visit(kim).go(CONNECTIONS)
    page.get_by_role("link", name="Add a connection").click()
    page.get_by_label("Name", exact=True).fill("prod")
    page.get_by_label("Protocol").select_option("OpenAI-compatible")
    page.get_by_label("Address").fill(provider)
    page.get_by_label("Credential").fill("sk-wrong")
    page.get_by_role("button", name="Add the connection").click()
    row = page.get_by_role("row").filter(has_text=provider)
    expect(row).to_contain_text("every model")
    page.get_by_role("button", name="Test prod").click()
    result = page.get_by_role("status").filter(has_text="refused the credential")
    expect(result).to_contain_text("HTTP 401")
    expect(page.locator("body")).not_to_contain_text("sk-wrong")
    page.get_by_role("link", name="Edit prod").click()
    expect(page.get_by_label("Credential (set)")).to_have_value("")
    page.get_by_label("Credential (set)").fill(CREDENTIAL)
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Test prod").click()
    expect(page.get_by_role("status").filter(has_text="It works: 2 models.")).to_contain_text("gpt-4o, o3")


def test_the_button_says_that_a_test_is_under_way(visitors: Visitors, kim: StorageState) -> None:
    page = visitors.visit(kim).go(f"{CONNECTIONS}?do=add")
    page.get_by_label("Name", exact=True).fill("silent")
    page.get_by_label("Protocol").select_option("Anthropic")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        page.get_by_label("Address").fill(f"http://127.0.0.1:{silent.getsockname()[1]}")
        page.get_by_role("button", name="Add the connection").click()
        # While the answer is waited for, only the page itself can look at it.
        page.evaluate(
            """addEventListener("pagehide", () => {
                 const button = document.querySelector("#connection-silent form[data-busy] button");
                 sessionStorage.setItem("button", `${button.textContent} ${button.disabled}`);
               })"""
        )
        page.get_by_role("button", name="Test silent").click(no_wait_after=True)
        silent.accept()[0].close()
        page.wait_for_load_state()
    expect(page.get_by_role("status").filter(has_text="Is the address right")).to_be_visible()
    assert page.evaluate("sessionStorage.getItem('button')") == "Testing… true"


def test_one_that_runs_named_is_completed(visitors: Visitors, kim: StorageState, provider: str) -> None:
    page = visitors.visit(kim).go(CONNECTIONS)
    expect(page.locator("#connection-azure-eu")).to_contain_text("only seen on runs")
    page.get_by_role("link", name="Complete azure-eu").click()
    page.get_by_label("Protocol").select_option("Azure OpenAI")
    page.get_by_label("Address").fill(provider)
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#connection-azure-eu")).not_to_contain_text("only seen on runs")
    expect(page.get_by_role("button", name="Test azure-eu")).to_be_visible()


def test_an_address_is_broken_between_its_parts_not_within_a_number_or_a_word(
    visitors: Visitors, kim: StorageState
) -> None:
    page = visitors.visit(kim).go(f"{CONNECTIONS}?do=add")
    page.get_by_label("Name", exact=True).fill("a-connection-of-a-name-that-is-long")
    page.get_by_label("Protocol").select_option("OpenAI-compatible")
    page.get_by_label("Address").fill("http://10.255.255.1:81/organisation/department/project.of.a.team/v1")
    models = [f"organisation.department.team.project.model-{number}" for number in range(12)]
    page.get_by_label("Models reached").fill("\n".join(models))
    page.get_by_role("button", name="Add the connection").click()
    row = page.get_by_role("row").filter(has_text="10.255.255.1")
    address, column = row.locator("code"), row.locator("td.t-places").bounding_box()
    assert column is not None
    assert column["width"] >= 220
    lines = lines_of(address)
    assert lines[0].startswith("http://10.255.255.1:81/")
    assert all(line.endswith(("/", ".")) for line in lines[:-1]), lines
    for name in row.locator("td").nth(2).locator("bdi").all():
        assert all(line.endswith((".", "-")) for line in lines_of(name)[:-1]), lines_of(name)
