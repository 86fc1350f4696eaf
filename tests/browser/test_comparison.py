"""Versions, connections and models side by side in one chart."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, StorageState, expect

from tests.browser.conftest import TRACES, Visit, Visitors
from tests.browser.world import GPT, LLAMA
from tests.conftest import TakePicture


def headings(page: Page) -> list[str]:
    return page.locator(".chart-data thead th").all_text_contents()


def test_two_versions_are_compared_in_one_chart(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model={LLAMA}")
    page.get_by_role("group", name="Compare").get_by_role("link", name="Versions").click()
    page.wait_for_url("**compare=deployment_version**")
    expect(page.get_by_role("list", name="Compared").get_by_role("listitem")).to_have_text(["v1", "v2"])
    expect(page.get_by_role("figure")).to_have_accessible_name(re.compile("by version: v1, v2. Highest: .* of v1"))
    assert headings(page) == ["From", "v1", "v2"]
    # All of v2's runs came after v1's: no row but the one at the change has both.
    cells = [row.locator("td").all_text_contents() for row in page.locator(".chart-data tbody tr").all()]
    assert cells[0][1] == cells[-1][0] == "—"
    assert sum("—" not in row for row in cells) <= 1
    assert page.reload() is not None
    expect(page.locator(".legend.compared li")).to_have_count(2)


def test_the_measure_is_chosen_and_the_selection_is_kept(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model={LLAMA}&compare=deployment_version")
    page.get_by_role("group", name="Measure").get_by_role("link", name="Requests").click()
    page.wait_for_url("**measure=requests**")
    cells = [row.locator("td").all_text_contents() for row in page.locator(".chart-data tbody tr").all()]
    assert [sum(int(row[i]) for row in cells) for i in (0, 1)] == [40, 80]
    page.get_by_role("link", name="30d", exact=True).click()
    page.wait_for_url("**period=30d**")
    asked = parse_qs(urlsplit(page.url).query)
    assert (asked["compare"], asked["measure"], asked["model"]) == (["deployment_version"], ["requests"], [LLAMA])
    page.get_by_role("group", name="Compare").get_by_role("link", name="None").click()
    expect(page.locator(".legend.compared")).to_have_count(0)
    assert headings(page) == ["From", "Requests", "Failed", "P90", "P99"]
    assert "measure" not in page.url


def test_the_groups_values_are_read_under_the_pointer_without_moving_the_chart(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model={LLAMA}&compare=deployment_version&measure=requests")
    expect(page.locator(".chart-area canvas")).to_be_visible()
    data = page.evaluate("JSON.parse(document.querySelector('#chart-data').textContent)")
    index = next(i for i, value in enumerate(data["lines"][1]) if value)
    before = page.locator(".u-over").bounding_box()
    assert before is not None
    width = before["width"] / (data["at"][-1] + data["step"] - data["at"][0])
    x = before["x"] + (data["at"][index] + data["step"] / 2 - data["at"][0]) * width
    page.mouse.move(x, before["y"] + 40)
    expect(page.locator("[data-line-value]")).to_have_text([str(line[index]) for line in data["lines"]])
    assert page.locator(".u-over").bounding_box() == before
    page.mouse.down()
    page.mouse.up()
    page.wait_for_url("**from=**to=**")
    assert "compare=deployment_version" in page.url


def test_what_can_be_compared_follows_the_models(visit: Visit) -> None:
    for model, offered in ((LLAMA, ["None", "Versions"]), (GPT, ["None", "Connections"])):
        page = visit.go(f"{TRACES}?model={model}")
        expect(page.get_by_role("group", name="Compare").get_by_role("link")).to_have_text(offered)
    page = visit.go(f"{TRACES}?compare=model")
    expect(page.locator(".legend.compared li")).to_have_text([GPT, LLAMA])


def test_a_comparison_that_there_is_not_is_explained(visit: Visit) -> None:
    visit.expected = ("400",)
    page = visit.go(f"{TRACES}?compare=colour")
    expect(page.get_by_text("compare must be one of deployment_version, connection_name, model.")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_comparison_fits_the_screen(
    visitors: Visitors, dora: StorageState, width: int, take_picture: TakePicture
) -> None:
    page = visitors.visit(dora, width=width).go(f"{TRACES}?compare=deployment_version&period=30d")
    expect(page.locator(".chart-area canvas")).to_be_visible()
    take_picture(page, f"comparison-{width}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
