"""The Traces view: input, output, metadata, JSON, copying, neighbours, its own address."""

import json

from playwright.sync_api import Page, expect

from tests.browser.conftest import TRACES, Visit, Visitors
from tests.browser.world import ARABIC, BIG_CHARACTERS, GPT, LLAMA, ODD_IDS, ODD_IDS_MODEL, TUNED, World

NINE = [
    "Request ID", "Base Model", "Connection Name", "Response Time", "Input Tokens", "Output Tokens", "Executed On",
    "Source Type", "Source",
]  # fmt: skip


def opened(page: Page, index: int = 0) -> str:
    row = page.locator("tr[data-run]").nth(index)
    row.locator("td").nth(4).click()
    request_id = row.get_attribute("data-run") or ""
    expect(page.locator("#run-title")).to_have_text(request_id)
    return request_id


def clipboard(page: Page) -> str:
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


def json_text(page: Page, side: str) -> str:
    panel = page.locator(f"[data-payload={side}]")
    panel.get_by_role("button", name="JSON").click()
    expect(panel.locator(".json .line").first).to_be_visible()
    return "\n".join(panel.locator(".json .line").all_text_contents())


def test_a_click_on_a_row_opens_its_trace_beside_the_table(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model={LLAMA}")
    request_id = opened(page)
    assert page.url.startswith(f"{visit.url}{TRACES}/runs/{request_id}?model={LLAMA}")
    expect(page.locator("[data-payload=input] [data-plain]")).to_have_text("Question 0: where is my order?")
    expect(page.locator("[data-payload=output] [data-plain]")).to_have_text("Answer 0: it is on its way.")
    expect(page.locator("tr[data-run]").first).to_have_attribute("aria-current", "true")
    expect(page.locator("tr[data-run]")).to_have_count(50)


def test_the_address_of_a_run_opens_it_with_the_table_behind(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model={LLAMA}")
    request_id = opened(page, 3)
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    expect(page.locator("#run-title")).to_have_text(request_id)
    expect(page.locator("tr[data-run]")).to_have_count(50)
    expect(page.locator("tr[data-run]").nth(3)).to_have_attribute("aria-current", "true")


def test_metadata_has_the_nine_fields_first_and_in_order(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model={LLAMA}")
    request_id = opened(page)
    table = page.locator(".metadata").first
    assert table.locator("dt").all_inner_texts() == NINE
    values = table.locator("dd")
    expect(values.nth(0)).to_have_text(request_id)
    expect(values.nth(1)).to_have_text("meta-llama/Meta-Llama-3-8B")
    expect(values.nth(2)).to_have_text("—")
    expect(values.nth(2).locator("span")).to_have_attribute("title", "unknown")
    expect(values.nth(3)).to_have_text("100 ms")
    expect(values.nth(4)).to_have_text("12")
    expect(values.nth(5)).to_have_text("7")
    expect(values.nth(7)).to_have_text("Workflow")
    expect(values.nth(8)).to_have_text("billing-agent")
    more = page.locator(".metadata").nth(1).locator("dt").all_inner_texts()
    assert {"Deployment Version", "Status", "Time to First Token", "Finish Reasons", "Trace ID"} <= set(more)


def test_plain_text_is_the_default_and_json_shows_the_whole_payload(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model={LLAMA}")
    opened(page)
    panel = page.locator("[data-payload=input]")
    expect(panel.get_by_role("button", name="Plain text")).to_have_attribute("aria-pressed", "true")
    shown = json.loads(json_text(page, "input"))
    assert shown["messages"] == [{"role": "user", "content": "Question 0: where is my order?"}]
    panel.get_by_role("button", name="Plain text").click()
    expect(panel.locator("[data-plain]")).to_have_text("Question 0: where is my order?")


def test_in_json_the_model_bears_its_version_or_its_connection(visit: Visit) -> None:
    page = visit.page
    for model, expected in ((LLAMA, f"{LLAMA}@v2"), (TUNED, f"{TUNED}@v7"), (GPT, "gpt-4o@azure-eu")):
        visit.go(f"{TRACES}?model={model}&period=all")
        opened(page)
        assert json.loads(json_text(page, "input"))["model"] == expected
    assert json.loads(json_text(page, "output"))["model"] == "gpt-4o-2024-11-20@azure-eu"


def test_the_copy_icons_copy_the_whole_of_what_is_shown(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model={LLAMA}")
    request_id = opened(page)
    page.get_by_role("button", name="Copy Input").click()
    expect(page.locator("#announcer")).to_have_text("The text was copied.")
    assert clipboard(page) == "Question 0: where is my order?"
    json_text(page, "output")
    page.get_by_role("button", name="Copy Output").click()
    expect(page.locator("#announcer")).to_have_text("The JSON was copied.")
    assert json.loads(clipboard(page))["model"] == f"{LLAMA}@v2"
    page.locator(".drawer").get_by_role("button", name="Copy the Request ID").click()
    expect(page.locator("#announcer")).to_have_text("Copied.")
    assert clipboard(page) == request_id


def test_content_is_read_only(page: Page) -> None:
    opened(page)
    editable = page.locator(".drawer :is(input, textarea, [contenteditable])")
    expect(editable).to_have_count(0)


def test_a_failed_run_shows_its_error_first(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model={LLAMA}&filter=status:failed")
    opened(page)
    error = page.locator(".drawer-body > *").first
    expect(error).to_have_class("run-error")
    expect(error).to_contain_text("RateLimitError")
    expect(error).to_contain_text("Too many requests, number 10")
    expect(error).to_contain_text("429")
    expect(page.locator("[data-payload=output]")).to_contain_text("No text was recorded.")


def test_previous_and_next_walk_the_same_selection(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model={LLAMA}&filter=status:failed")
    ids = [row.get_attribute("data-run") for row in page.locator("tr[data-run]").all()]
    assert opened(page, 1) == ids[1]
    page.get_by_role("link", name="Next run").click()
    expect(page.locator("#run-title")).to_have_text(ids[2] or "")
    page.keyboard.press("k")
    expect(page.locator("#run-title")).to_have_text(ids[1] or "")
    page.keyboard.press("k")
    expect(page.locator("#run-title")).to_have_text(ids[0] or "")
    expect(page.locator("[aria-label='Previous run']")).to_have_attribute("aria-disabled", "true")
    page.keyboard.press("j")
    expect(page.locator("#run-title")).to_have_text(ids[1] or "")


def test_escape_closes_and_gives_the_focus_back_to_the_row(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model={LLAMA}")
    request_id = opened(page, 2)
    page.keyboard.press("Escape")
    expect(page.locator(".drawer")).to_have_count(0)
    assert page.url == f"{visit.url}{TRACES}?model={LLAMA}"
    expect(page.locator(f"tr[data-run='{request_id}'] a.id")).to_be_focused()


def test_back_closes_the_run_and_forward_opens_it_again(page: Page) -> None:
    request_id = opened(page, 1)
    page.go_back()
    expect(page.locator(".drawer")).to_have_count(0)
    page.go_forward()
    expect(page.locator("#run-title")).to_have_text(request_id)


def test_right_to_left_text_and_markup_are_shown_as_they_are(visit: Visit) -> None:
    page = visit.go(f"{TRACES}/runs/special-arabic?period=all")
    text = page.locator("[data-payload=input] [data-plain]")
    expect(text).to_have_text(ARABIC)
    expect(text).to_have_css("direction", "rtl")
    expect(page.locator("[data-payload=output] [data-plain]")).to_have_text(
        "<script>window.pwned = 1</script> & <b>bold</b>"
    )
    assert page.evaluate("window.pwned") is None


def test_a_word_without_end_wraps_inside_its_panel(visit: Visit) -> None:
    page = visit.go(f"{TRACES}/runs/special-long-word?period=all")
    body = page.locator("[data-payload=input] [data-payload-body]")
    assert body.evaluate("element => element.scrollWidth <= element.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_large_text_shows_its_first_part_at_once_and_the_rest_when_asked(visit: Visit) -> None:
    page = visit.go(f"{TRACES}/runs/special-big?period=all")
    panel = page.locator("[data-payload=input]")
    assert len(panel.locator("[data-plain]").inner_text()) <= 20_000
    expect(panel).to_contain_text("The first part of 600 KB")
    panel.get_by_role("button", name="Show all").click()
    expect(panel.get_by_role("button", name="Show all")).to_have_count(0)
    length: int = panel.locator("[data-plain]").evaluate("element => element.textContent.length")
    assert length > BIG_CHARACTERS * 0.99
    panel.get_by_role("button", name="Copy Input").click()
    expect(page.locator("#announcer")).to_have_text("The text was copied.")
    assert clipboard(page).count("A line of a long text.") == BIG_CHARACTERS // 23


def test_json_keeps_numbers_exactly_and_folds(visit: Visit) -> None:
    page = visit.go(f"{TRACES}/runs/special-arabic?period=all")
    text = json_text(page, "input")
    assert "12345678901234567890" in text
    assert ARABIC in text
    panel = page.locator("[data-payload=input]")
    panel.locator(".fold").first.click()
    expect(panel.locator(".json .line:visible")).to_have_count(2)
    panel.locator(".fold").first.click()
    expect(panel.locator(".json .line:visible")).to_have_count(len(text.split("\n")))


def test_what_is_unknown_is_a_dash_never_a_zero(visit: Visit) -> None:
    page = visit.go(f"{TRACES}/runs/special-unknown?period=all")
    values = page.locator(".metadata").first.locator("dd")
    for index in (3, 4, 5):
        expect(values.nth(index)).to_have_text("—")
    expect(page.locator("[data-payload=input] [data-view=json]")).to_be_disabled()


def test_a_run_of_another_account_is_not_there(visitors: Visitors, eve: object, world: World, visit: Visit) -> None:
    visit.go()
    stranger = visitors.visit(eve)  # type: ignore[arg-type]
    stranger.expected = ("404",)
    for path in (f"{TRACES}/runs/special-arabic", f"{TRACES}/payload/input/special-arabic?view=text"):
        response = stranger.page.goto(stranger.url + path)
        assert response is not None
        assert response.status == 404
        expect(stranger.page.locator("body")).not_to_contain_text(ARABIC)


def test_a_payload_that_cannot_be_loaded_can_be_asked_for_again(page: Page, visit: Visit) -> None:
    visit.expected = ("net::ERR",)
    opened(page)
    page.route("**/payload/**", lambda route: route.abort())
    page.locator("[data-payload=input]").get_by_role("button", name="JSON").click()
    expect(page.get_by_text("The payload could not be loaded.")).to_be_visible()
    page.unroute("**/payload/**")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("[data-payload=input] .json .line").first).to_be_visible()


def test_a_value_that_other_runs_share_leads_to_them(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model={LLAMA}")
    opened(page, 1)
    page.get_by_role("link", name="refund agent").click()
    expect(page.locator("#filter-text")).to_have_value('source:"refund agent"')
    expect(page.locator("#count")).to_have_text("40 runs")
    expect(page.locator(".drawer")).to_have_count(0)


def test_request_ids_of_any_characters_open_walk_and_show_their_payload(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model={ODD_IDS_MODEL}&period=all")
    assert opened(page) == ODD_IDS[0]
    for request_id in ODD_IDS[1:]:
        page.keyboard.press("j")
        expect(page.locator("#run-title")).to_have_text(request_id)
    for index, request_id in enumerate(ODD_IDS):
        page.keyboard.press("Escape")
        expect(page.locator(".drawer")).to_be_hidden()
        assert opened(page, index) == request_id
        page.reload()
        expect(page.locator("#run-title")).to_have_text(request_id)
        assert json.loads(json_text(page, "input"))["n"] == index
