"""The filter line, its suggestions, its errors, and the builder that writes it."""

import re

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import TRACES, Visit
from tests.browser.world import LLAMA


def test_enter_applies_the_filter_and_the_address_says_it(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("status:failed response_time>500ms")
    page.keyboard.press("Enter")
    page.wait_for_url("**filter=**")
    # Failed are runs 10, 30, … 110 at 200, 400, … 1200 ms.
    expect(page.locator("#count")).to_have_text("4 runs")
    expect(page.locator("tr[data-failed=false]")).to_have_count(0)
    expect(page.locator("#filter-text")).to_have_value("status:failed response_time>500ms")
    expect(page.locator(".metric.total .figure dd").first).to_have_text("4")


def test_the_filter_in_force_is_said_and_can_be_cleared(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?filter=status:failed")
    expect(page.locator(".sentence")).to_contain_text("failed")
    page.get_by_role("link", name="Clear", exact=True).click()
    expect(page.locator("#count")).to_have_text("130 runs")
    expect(page.locator("#filter-text")).to_have_value("")
    assert "filter" not in page.url


def test_a_mistake_is_marked_where_it_stands_and_nothing_is_ignored(visit: Visit) -> None:
    visit.expected = ("400",)
    page = visit.go(f"{TRACES}?filter=status:maybe%20response_time%3E2s")
    error = page.locator("#filter-error")
    expect(error).to_contain_text("success or failed")
    expect(error.locator("mark")).to_have_text("maybe")
    expect(page.locator("#filter-text")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("tr[data-run]")).to_have_count(0)


def test_a_mistake_that_is_typed_is_shown_without_losing_the_text(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type('input:"unclosed')
    page.keyboard.press("Enter")
    expect(page.locator("#filter-error")).to_be_visible()
    expect(page.locator("#filter-text")).to_have_value('input:"unclosed')
    expect(page.locator("#filter-text")).to_be_focused()


def test_typing_on_while_suggestions_are_on_their_way_brings_those_of_what_was_typed(page: Page) -> None:
    held: list[Route] = []
    page.route("**/suggest?*", lambda route: route.continue_() if held else held.append(route))
    with page.expect_request("**/suggest?*"):
        page.keyboard.press("/")
    # One key: with the next one it would all begin anew.
    page.keyboard.type("s")
    expect(page.locator("#suggestions [role=option]").first).to_be_visible()
    held[0].abort()


def test_fields_are_suggested_and_taken_by_keyboard(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("response")
    options = page.locator("#suggestions [role=option]")
    expect(options.first).to_contain_text("response_time")
    page.keyboard.press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(page.locator("#filter-text")).to_have_value("response_time>")
    assert "filter" not in page.url


def test_values_are_suggested_for_a_field(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("status:f")
    expect(page.locator("#suggestions [role=option]")).to_have_text(["failed"])
    page.locator("#suggestions [role=option]").click()
    expect(page.locator("#filter-text")).to_have_value("status:failed ")


def test_values_are_suggested_from_the_data(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("source:")
    options = page.locator("#suggestions [role=option]")
    expect(options.filter(has_text="billing-agent")).to_contain_text("40")
    options.filter(has_text="refund agent").click()
    expect(page.locator("#filter-text")).to_have_value('source:"refund agent" ')


def test_escape_closes_the_suggestions_and_then_leaves_the_line(page: Page) -> None:
    page.keyboard.press("/")
    expect(page.locator("#suggestions")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#suggestions")).to_be_hidden()
    expect(page.locator("#filter-text")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#filter-text")).not_to_be_focused()


def test_suggestions_that_fail_do_not_disturb(page: Page, visit: Visit) -> None:
    visit.expected = ("net::ERR",)
    page.route("**/suggest?**", lambda route: route.abort())
    page.keyboard.press("/")
    page.keyboard.type("status:failed")
    page.keyboard.press("Enter")
    expect(page.locator("#count")).to_have_text("6 runs")


def test_the_builder_reads_the_filter_and_writes_it(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model={LLAMA}&filter=status:failed%20response_time%3E500ms")
    page.get_by_role("button", name="Build a filter").click()
    dialog = page.get_by_role("dialog", name="Build a filter")
    fields = dialog.get_by_label("Field")
    expect(fields).to_have_count(2)
    expect(fields.nth(0)).to_have_value("status")
    expect(dialog.get_by_label("Operator").nth(1)).to_have_value(">")
    expect(dialog.get_by_label("Value").nth(1)).to_have_value("500ms")
    dialog.get_by_role("button", name="Add a condition").click()
    fields.nth(2).select_option("source")
    dialog.get_by_label("Operator").nth(2).select_option("-:")
    dialog.get_by_label("Value").nth(2).fill("refund agent")
    expect(dialog.locator("[data-builder-preview]")).to_have_text(
        'status:failed response_time>500ms -source:"refund agent"'
    )
    dialog.get_by_role("button", name="Apply").click()
    expect(page.locator("#filter-text")).to_have_value('status:failed response_time>500ms -source:"refund agent"')
    assert f"model={LLAMA}" in page.url


def test_the_builder_joins_by_or_and_removes_rows(page: Page) -> None:
    page.get_by_role("button", name="Build a filter").click()
    dialog = page.get_by_role("dialog", name="Build a filter")
    dialog.get_by_label("Value").first.select_option("failed")
    dialog.get_by_role("button", name="Add a condition").click()
    dialog.get_by_label("Value").nth(1).fill("checkout")
    dialog.get_by_label("All or any of the conditions").select_option("OR")
    dialog.get_by_role("button", name="Add a condition").click()
    dialog.get_by_role("button", name="Remove this condition").nth(2).click()
    dialog.get_by_role("button", name="Apply").click()
    expect(page.locator("#filter-text")).to_have_value("status:failed OR source:checkout")
    expect(page.locator("#count")).to_have_text("16 runs")


def test_a_wrong_value_is_told_in_the_builder_and_the_rows_stay(page: Page) -> None:
    page.get_by_role("button", name="Build a filter").click()
    dialog = page.get_by_role("dialog", name="Build a filter")
    dialog.get_by_role("button", name="Add a condition").click()
    dialog.get_by_label("Field").nth(1).select_option("response_time")
    dialog.get_by_label("Value").nth(1).fill("2 seconds")
    dialog.get_by_role("button", name="Apply").click()
    expect(dialog.get_by_role("alert")).to_contain_text("a duration such as 250ms")
    expect(dialog.get_by_label("Value").nth(1)).to_have_attribute("aria-invalid", "true")
    expect(dialog.get_by_label("Value").nth(1)).to_be_focused()
    expect(dialog.get_by_label("Value").nth(0)).to_have_value("failed")
    dialog.get_by_label("Value").nth(1).fill("500ms")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(page.locator("#filter-text")).to_have_value("status:failed response_time>500ms")
    expect(page.locator("#count")).to_have_text("4 runs")


def test_the_builder_brings_back_the_rows_of_a_filter_with_a_wrong_value(visit: Visit) -> None:
    visit.expected = ("400",)
    page = visit.go(f'{TRACES}?filter=status:failed%20response_time%3E"2%20seconds"%20source:triage')
    expect(page.locator("#filter-error mark")).to_have_text('"2 seconds"')
    page.get_by_role("button", name="Build a filter").click()
    dialog = page.get_by_role("dialog", name="Build a filter")
    expect(dialog.get_by_label("Field")).to_have_count(3)
    expect(dialog.get_by_label("Value").nth(0)).to_have_value("failed")
    expect(dialog.get_by_label("Value").nth(1)).to_have_value("2 seconds")
    expect(dialog.get_by_label("Value").nth(1)).to_have_attribute("aria-invalid", "true")
    expect(dialog.get_by_label("Value").nth(2)).to_have_value("triage")


def test_what_the_builder_cannot_read_is_told(visit: Visit) -> None:
    visit.expected = ("400",)
    page = visit.go(f"{TRACES}?filter=status:(")
    page.get_by_role("button", name="Build a filter").click()
    expect(page.get_by_text("The filter cannot be read. Applying these rows replaces it.")).to_be_visible()


def test_fields_with_known_values_offer_them(page: Page) -> None:
    page.get_by_role("button", name="Build a filter").click()
    dialog = page.get_by_role("dialog", name="Build a filter")
    for field, choices in (
        ("status", ["success", "failed"]),
        ("model_kind", ["open source", "fine tuned", "external"]),
        ("streaming", ["true", "false"]),
    ):
        dialog.get_by_label("Field").select_option(field)
        assert dialog.get_by_label("Value").locator("option").all_inner_texts() == choices
    dialog.get_by_label("Field").select_option("model_kind")
    dialog.get_by_label("Value").select_option("external")
    dialog.get_by_role("button", name="Apply").click()
    expect(page.locator("#count")).to_have_text("10 runs")


def test_what_other_tools_call_a_field_leads_to_ours(visit: Visit) -> None:
    visit.expected = ("400",)
    page = visit.go(f"{TRACES}?filter=latency%3E1s")
    page.get_by_role("link", name="response_time>1s").click()
    expect(page.locator("#filter-text")).to_have_value("response_time>1s")
    expect(page.locator("tr[data-run]").first).to_be_visible()
    page.locator("#filter-text").fill("lat")
    expect(page.locator("#suggestions [role=option]")).to_contain_text(["response_time"])


def test_a_misspelt_field_is_mended_by_a_link(visit: Visit) -> None:
    visit.expected = ("400",)
    page = visit.go(f"{TRACES}?filter=respons_time%3E1s")
    error = page.locator("#filter-error")
    expect(error).to_contain_text("There is no field 'respons_time'.")
    expect(error).not_to_contain_text("Expected")
    assert error.inner_text().count("Did you mean") == 1
    error.get_by_role("link", name="response_time>1s").click()
    expect(page.locator("#filter-text")).to_have_value("response_time>1s")
    expect(page.locator("tr[data-run]").first).to_be_visible()


def test_a_clock_time_is_given_back_with_its_date_and_offset(visit: Visit) -> None:
    visit.expected = ("400",)
    visit.go()
    page = visit.go(f"{TRACES}?filter=executed_on%3E00:00")
    page.locator("#filter-error .instead a").click()
    expect(page.locator("#filter-error")).to_have_count(0)
    value = page.locator("#filter-text").input_value()
    assert re.fullmatch(r"executed_on>\d{4}-\d\d-\d\dT00:00:00\+0[12]:00", value)


def test_the_builder_says_when_rows_cannot_say_the_filter(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?filter=(status:failed%20OR%20source:a)%20model:b")
    page.get_by_role("button", name="Build a filter").click()
    expect(page.get_by_text("The filter says more than rows can.")).to_be_visible()


def test_nothing_matches_says_what_was_asked_and_offers_ways_out(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?filter=input:nowhere&period=24h")
    expect(page.get_by_text("No run in the last 24 hours matches “input:nowhere”.")).to_be_visible()
    page.get_by_role("link", name="Clear the filter").last.click()
    expect(page.locator("tr[data-run]").first).to_be_visible()


def test_a_model_name_with_slashes_quotes_and_tags_is_only_text(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?period=all")
    page.get_by_label("Model: All models").click()
    page.get_by_role("option", name="odd/model").click()
    expect(page.locator("#count")).to_have_text("4 runs")
    assert page.evaluate("window.pwned") is None


def test_rows_that_match_a_text_come_before_the_numbers_about_them(page: Page) -> None:
    def slowly(route: Route) -> None:
        if route.request.headers.get("x-part") == "overview":
            page.wait_for_timeout(800)
        route.continue_()

    page.route("**/model-traces?**", slowly)
    page.keyboard.press("/")
    page.keyboard.type('"Question 11"')
    page.keyboard.press("Enter")
    # 11 and 110 to 119.
    expect(page.locator("tr[data-run]")).to_have_count(11)
    expect(page.locator("#overview")).to_have_attribute("aria-busy", "true")
    expect(page.locator("#count")).to_have_text("Counting…")
    expect(page.locator("#count")).to_have_text("11 runs")
    expect(page.locator(".metric.total .figure dd").first).to_have_text("11")
    expect(page.locator("#overview")).not_to_have_attribute("aria-busy", "true")
    expect(page.locator(".chart-area canvas")).to_be_visible()


def test_numbers_that_are_on_their_way_still_come_when_a_run_is_opened(page: Page) -> None:
    waited: list[str] = []

    def slowly(route: Route) -> None:
        if route.request.headers.get("x-part") == "overview" and not waited:
            waited.append(route.request.url)
            page.wait_for_timeout(600)
        route.continue_()

    page.route("**/model-traces**", slowly)
    page.keyboard.press("/")
    page.keyboard.type('"Question 11"')
    page.keyboard.press("Enter")
    expect(page.locator("tr[data-run]")).to_have_count(11)
    page.locator("tr[data-run]").first.locator("td").nth(4).click()
    expect(page.locator(".drawer")).to_be_visible()
    expect(page.locator("#count")).to_have_text("11 runs")
    expect(page.locator(".metric.total .figure dd").first).to_have_text("11")
    expect(page.locator(".drawer")).to_be_visible()
    page.unroute_all(behavior="ignoreErrors")
