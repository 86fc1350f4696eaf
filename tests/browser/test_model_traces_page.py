"""Every promise of the specification's page: navigation, metrics, table, sorting, paging, filters, export."""

import csv
import io
import re

import httpx
from playwright.sync_api import Page, Route, expect

from tests.browser.chart import drag_over_chart
from tests.browser.conftest import TRACES, Visit
from tests.browser.world import GPT, LLAMA, TUNED, World

NINE = [
    "Status", "Request ID", "Response Time", "Deployment Version", "Source Type", "Source", "Executed on", "Input",
    "Output",
]  # fmt: skip


def rows(page: Page) -> list[str]:
    return [row.get_attribute("data-run") or "" for row in page.locator("tr[data-run]").all()]


def swapped(page: Page) -> None:
    expect(page.locator("body")).not_to_have_class(re.compile("is-loading"))


def figure(page: Page, card: str) -> str:
    return page.locator(f".metric.{card} .figure dd").first.inner_text()


def test_the_page_is_found_under_settings_monitoring_model_traces(page: Page) -> None:
    crumbs = page.get_by_role("navigation", name="Breadcrumb").get_by_role("listitem")
    expect(crumbs).to_have_text(["Settings", "Monitoring", "Model Traces"])
    expect(page.get_by_role("heading", level=1)).to_have_text("Model Traces")
    expect(page.get_by_role("link", name="Model Traces").first).to_have_attribute("aria-current", "page")


def test_the_address_without_a_path_leads_there(visit: Visit) -> None:
    assert visit.go("/").url == visit.url + TRACES


def test_the_metrics_count_the_period_and_since_deployment(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model={LLAMA}")
    assert figure(page, "total") == "120"
    expect(page.locator(".metric.total")).to_contain_text("120 since deployment")
    assert figure(page, "failures") == "5%"
    expect(page.locator(".metric.failures")).to_contain_text("6 failed")
    figures = page.locator(".metric.times .figure")
    # 100 to 1290 ms in steps of 10: the 90th percentile lies at 100 + 0.9 of 1190.
    expect(figures.nth(0)).to_have_text("P901.17s")
    expect(figures.nth(1)).to_have_text("P991.28s")
    expect(figures.nth(2)).to_have_text("P50695ms")


def test_metrics_are_compared_with_the_period_before_in_words_too(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model={LLAMA}&period=24h")
    change = page.locator(".metric.times .change")
    expect(change).to_have_class(re.compile("good"))
    expect(change).to_contain_text("from the 24 hours before")
    expect(page.locator(".metric.total svg.spark path").last).to_be_attached()


def test_a_long_note_does_not_push_the_sparkline_out_of_its_card(page: Page) -> None:
    page.locator(".metric.total .metric-foot > div > div").evaluate(
        "note => { note.textContent = '47.3 per 1000 requests, 5 models of many more' }"
    )
    card, spark = page.locator(".metric.total").bounding_box(), page.locator(".metric.total .spark").bounding_box()
    assert card is not None
    assert spark is not None
    assert spark["x"] + spark["width"] <= card["x"] + card["width"] - 8


def test_hosting_credits_are_absent_for_external_models_only(visit: Visit) -> None:
    for model, shown in ((LLAMA, True), (TUNED, True), (GPT, False)):
        page = visit.go(f"{TRACES}?model={model}&period=all")
        expect(page.get_by_role("heading", name="Hosting Credits")).to_have_count(1 if shown else 0)
        if shown:
            expect(page.locator(".metric.credits")).to_contain_text("not configured")


def test_the_table_has_the_nine_columns_in_order(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model={LLAMA}")
    assert [text.strip() for text in page.locator(".runs-table thead th").all_inner_texts()] == NINE


def test_with_several_models_each_row_says_its_own(page: Page) -> None:
    heads = [text.strip() for text in page.locator(".runs-table thead th").all_inner_texts()]
    assert heads == [*NINE[:2], "Model", *NINE[2:]]
    assert {text.strip() for text in page.locator("td.c-model").all_inner_texts()} == {LLAMA, GPT}
    for column in ("input", "output"):
        box = page.locator(f"td.c-{column}").first.bounding_box()
        assert box is not None
        assert box["width"] >= 135


def test_runs_come_newest_first_and_say_what_they_are(visit: Visit, world: World) -> None:
    page = visit.go(f"{TRACES}?model={LLAMA}")
    first = page.locator("tr[data-run]").first.locator("td")
    expect(first.nth(2)).to_have_text("100 ms")
    expect(first.nth(3)).to_have_text("v2")
    expect(first.nth(4)).to_have_text("Workflow")
    expect(first.nth(5)).to_have_text("billing-agent")
    expect(first.nth(7)).to_have_text("Question 0: where is my order?")
    expect(first.nth(8)).to_have_text("Answer 0: it is on its way.")
    times = [time.get_attribute("datetime") or "" for time in page.locator(".runs-table time").all()]
    assert len(times) == 50
    assert times == sorted(times, reverse=True)


def test_success_is_a_green_check_and_failure_a_red_alert_with_words(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model={LLAMA}")
    good = page.locator("tr[data-failed=false]").first.locator(".status")
    bad = page.locator("tr[data-failed=true]").first.locator(".status")
    expect(good).to_have_text("Success")
    expect(bad).to_have_text("Failed")
    expect(good.locator("use")).to_have_attribute("href", "#i-check")
    expect(bad.locator("use")).to_have_attribute("href", "#i-alert")
    red, green, _ = _rgb(good)
    assert green > red
    red, green, _ = _rgb(bad)
    assert red > green


def _rgb(locator: object) -> tuple[int, int, int]:
    text = locator.evaluate("element => getComputedStyle(element).color")  # type: ignore[attr-defined]
    red, green, blue = (int(part) for part in re.findall(r"\d+", text)[:3])
    return red, green, blue


def test_the_sort_icon_of_executed_on_reorders_both_ways(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model={LLAMA}")
    header = page.locator("th.c-executed_on")
    expect(header).to_have_attribute("aria-sort", "descending")
    header.get_by_role("link").click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    expect(page.locator("tr[data-run]").first).to_contain_text("Question 119")
    assert "order=asc" in page.url
    header.get_by_role("link").click()
    expect(header).to_have_attribute("aria-sort", "descending")
    expect(page.locator("tr[data-run]").first).to_contain_text("Question 0:")


def test_other_columns_sort_too(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model={LLAMA}")
    page.locator("th.c-response_time a").click()
    expect(page.locator("tr[data-run]").first).to_contain_text("1.29 s")
    assert "sort=response_time" in page.url


def test_pages_of_fifty_go_forward_and_back_without_loss(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model={LLAMA}")
    seen = [rows(page)]
    for _ in range(2):
        page.get_by_role("link", name="Next").click()
        page.wait_for_url("**cursor=**")
        expect(page.locator("tr[data-run]").first).not_to_have_attribute("data-run", seen[-1][0])
        swapped(page)
        seen.append(rows(page))
    assert [len(part) for part in seen] == [50, 50, 20]
    assert len({request_id for part in seen for request_id in part}) == 120
    expect(page.locator(".pager a", has_text="Next")).to_have_attribute("aria-disabled", "true")
    page.get_by_role("link", name="Previous").click()
    expect(page.locator("tr[data-run]").first).to_have_attribute("data-run", seen[1][0])
    assert rows(page) == seen[1]


def test_the_next_page_is_read_from_its_top_and_says_its_place(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model={LLAMA}")
    pager = page.get_by_role("navigation", name="Pages of runs")
    expect(pager).to_contain_text("1–50 of 120")
    page.get_by_role("link", name="Next").click()
    expect(pager).to_contain_text("51–100 of 120")
    expect(page.locator(".runs-head")).to_be_in_viewport()
    expect(page.locator("tr[data-run]").first).to_be_in_viewport()
    page.get_by_role("link", name="Next").click()
    expect(pager).to_contain_text("101–120 of 120")
    page.get_by_role("link", name="Previous").click()
    expect(pager).to_contain_text("51–100 of 120")
    page.reload()
    expect(pager).to_contain_text("51–100 of 120")
    page.get_by_role("link", name="Previous").click()
    expect(pager).to_contain_text("1–50 of 120")


def test_columns_can_be_chosen_and_stand_in_the_address(page: Page) -> None:
    page.get_by_text("Columns", exact=True).click()
    page.get_by_label("Output Tokens").check()
    page.wait_for_url("**columns=**output_tokens**")
    expect(page.locator("th.c-output_tokens")).to_be_visible()
    page.get_by_label("Source Type").uncheck()
    expect(page.locator("th.c-source_type")).to_have_count(0)
    page.reload()
    expect(page.locator("th.c-output_tokens")).to_be_visible()
    expect(page.locator("th.c-source_type")).to_have_count(0)
    page.get_by_text("Columns", exact=True).click()
    page.get_by_text("Reset to the usual columns").click()
    expect(page.locator(".runs-table thead th")).to_have_count(10)


def test_the_model_is_found_by_typing_and_chosen_by_keyboard(page: Page) -> None:
    page.get_by_label("Model: All models").click()
    search = page.get_by_role("combobox", name="Find a model")
    expect(search).to_be_focused()
    groups = page.locator("#model-list .menu-heading")
    expect(groups).to_have_text(["Open source", "Fine-tuned", "External"])
    search.fill("tun")
    expect(page.locator("#model-list [role=option]:visible")).to_have_text([TUNED])
    search.press("Enter")
    page.wait_for_url(f"**model={TUNED}**")
    expect(page.get_by_label(f"Model: {TUNED}")).to_be_visible()


def test_a_model_that_is_not_there_is_said_to_be_missing(page: Page) -> None:
    page.get_by_label("Model: All models").click()
    page.get_by_role("combobox", name="Find a model").fill("no such model")
    expect(page.get_by_text("No model of that name.")).to_be_visible()


def test_periods_are_links_that_keep_the_rest_of_the_selection(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model={LLAMA}&filter=status:failed&order=asc")
    page.get_by_role("link", name="30d", exact=True).click()
    page.wait_for_url("**period=30d**")
    assert "filter=status:failed" in page.url
    assert "order=asc" in page.url
    expect(page.get_by_role("link", name="30d", exact=True)).to_have_attribute("aria-current", "true")


def test_since_deployment_shows_all_runs(visit: Visit) -> None:
    page = visit.go()
    page.get_by_role("link", name="Since deployment").click()
    expect(page.locator("#count")).to_have_text("144 runs")


def test_a_custom_period_is_typed_in_the_zone_that_is_shown(page: Page, world: World) -> None:
    expect(page.get_by_text("Times in Europe/Berlin")).to_be_visible()
    page.get_by_text("Custom", exact=True).click()
    page.get_by_label("From").fill("2026-01-01T00:00:00")
    page.get_by_label("To, exclusive").fill("2026-01-02T00:00:00")
    page.get_by_role("button", name="Show this period").click()
    page.wait_for_url("**from=2025-12-31T23:00:00Z&to=2026-01-01T23:00:00Z**")
    expect(page.get_by_text("No run in this period.")).to_be_visible()


def test_a_period_that_ends_before_it_begins_is_refused_where_it_is_typed(page: Page) -> None:
    page.get_by_text("Custom", exact=True).click()
    page.get_by_label("From").fill("2026-01-02T00:00:00")
    page.get_by_label("To, exclusive").fill("2026-01-01T00:00:00")
    page.get_by_role("button", name="Show this period").click()
    expect(page.get_by_text("The period must begin before it ends.")).to_be_visible()


def test_dragging_over_the_chart_narrows_the_period(page: Page) -> None:
    drag_over_chart(page, 0.5, 0.75)
    expect(page.locator(".chart-area canvas")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("link", name="7d", exact=True)).to_have_attribute("aria-current", "true")


def test_the_chart_says_that_it_can_be_dragged(page: Page) -> None:
    expect(page.get_by_text("drag to choose a period, or click a bar")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('.u-over')).cursor") == "crosshair"


def test_a_click_on_a_bar_narrows_the_period_to_it(page: Page) -> None:
    data = page.evaluate("JSON.parse(document.querySelector('#chart-data').textContent)")
    box = page.locator(".u-over").bounding_box()
    assert box is not None
    index = next(i for i in range(len(data["at"]) // 2, len(data["at"])) if data["ok"][i])
    total = data["ok"][index] + data["failed"][index]
    width = box["width"] / (data["at"][-1] + data["step"] - data["at"][0])
    x = box["x"] + (data["at"][index] + data["step"] / 2 - data["at"][0]) * width
    page.mouse.move(x, box["y"] + 40)
    tip = page.locator(".chart-tip")
    expect(tip).to_contain_text(f"Requests {total}")
    tip_box = tip.bounding_box()
    assert tip_box is not None
    # Beside the bars, not over them.
    assert tip_box["y"] + tip_box["height"] <= box["y"]
    page.mouse.down()
    page.mouse.up()
    page.wait_for_url("**from=**to=**")
    expect(page.locator("#count")).to_have_text("1 run" if total == 1 else f"{total} runs")


def test_round_times_are_a_click_away(page: Page) -> None:
    page.get_by_text("Custom", exact=True).click()
    quick = page.get_by_role("group", name="Round times")
    expect(quick.get_by_role("link", name="Last hour")).to_be_visible()
    quick.get_by_role("link", name="Today").click()
    page.wait_for_url("**from=**")
    local = page.evaluate(
        "new Intl.DateTimeFormat('en-GB', {timeZone: 'Europe/Berlin', timeStyle: 'medium'})"
        ".format(new Date(new URL(location.href).searchParams.get('from')))"
    )
    assert local == "00:00:00"
    expect(page.locator("#toolbar summary").filter(has_text="now")).to_be_visible()


def test_the_chart_says_itself_in_words_and_as_a_table(page: Page) -> None:
    chart = page.get_by_role("figure", name=re.compile("Chart of requests and response time. Most requests: "))
    expect(chart).to_be_visible()
    chart.get_by_text("Show the figures as a table").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Figures of the chart")).to_be_visible()


def test_export_files_hold_the_selection_that_is_shown(visit: Visit) -> None:
    page = visit.go(f"{TRACES}?model={LLAMA}&filter=status:failed")
    page.get_by_text("Export", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    content = download.value.path().read_text()
    table = list(csv.reader(io.StringIO(content)))
    assert table[0][:9] == [
        "Status", "Request ID", "Response Time (ms)", "Deployment Version", "Source Type", "Source", "Executed On",
        "Input", "Output",
    ]  # fmt: skip
    assert [row[1] for row in table[1:]] == rows(page)


def test_viewers_are_not_offered_the_export(visitors: object, vera: object) -> None:
    visit = visitors.visit(vera)  # type: ignore[attr-defined]
    page = visit.go()
    expect(page.locator("tr[data-run]").first).to_be_visible()
    expect(page.get_by_text("Export", exact=True)).to_have_count(0)


def test_back_and_forward_walk_the_states(page: Page) -> None:
    page.get_by_role("link", name="24h", exact=True).click()
    page.wait_for_url("**period=24h")
    expect(page.get_by_role("link", name="24h", exact=True)).to_have_attribute("aria-current", "true")
    page.get_by_role("link", name="30d", exact=True).click()
    expect(page.get_by_role("link", name="30d", exact=True)).to_have_attribute("aria-current", "true")
    page.go_back()
    expect(page.get_by_role("link", name="24h", exact=True)).to_have_attribute("aria-current", "true")
    page.go_back()
    expect(page.get_by_role("link", name="7d", exact=True)).to_have_attribute("aria-current", "true")
    page.go_forward()
    expect(page.get_by_role("link", name="24h", exact=True)).to_have_attribute("aria-current", "true")


def test_an_older_answer_never_overwrites_a_newer_one(page: Page) -> None:

    def slowly(route: Route) -> None:
        page.wait_for_timeout(400)
        route.continue_()

    page.route("**period=30d**", slowly)
    page.get_by_role("link", name="30d", exact=True).click()
    page.get_by_role("link", name="24h", exact=True).click()
    page.wait_for_url("**period=24h")
    page.wait_for_timeout(900)
    expect(page.get_by_role("link", name="24h", exact=True)).to_have_attribute("aria-current", "true")
    assert "period=24h" in page.url


def test_a_place_in_the_list_that_was_tampered_with_is_explained(visit: Visit) -> None:
    visit.expected = ("400",)
    page = visit.go(f"{TRACES}?cursor=nonsense")
    expect(page.get_by_text("This place in the list is gone")).to_be_visible()
    page.get_by_role("link", name="First page").click()
    expect(page.locator("tr[data-run]").first).to_be_visible()


def test_an_address_that_makes_no_sense_is_explained(visit: Visit) -> None:
    visit.expected = ("400",)
    page = visit.go(f"{TRACES}?period=3w")
    expect(page.get_by_text("period must be one of")).to_be_visible()


def test_a_server_that_cannot_be_reached_is_said_and_the_page_stands(page: Page, visit: Visit) -> None:
    visit.expected = ("net::ERR", "Failed to fetch", "TypeError")
    page.route("**period=24h**", lambda route: route.abort())
    page.get_by_role("link", name="24h", exact=True).click()
    expect(page.get_by_text("The server could not be reached. Try again.")).to_be_visible()
    expect(page.locator("tr[data-run]").first).to_be_visible()


def test_without_scripts_the_server_has_drawn_metrics_and_table_already(world: World, dora: object) -> None:
    cookies = {cookie["name"]: cookie["value"] for cookie in dora["cookies"]}  # type: ignore[index]
    answer = httpx.get(world.server.url + TRACES, cookies=cookies)
    assert answer.status_code == 200
    assert answer.text.count('<tr role="row" id="run-') == 50
    assert "Total Requests" in answer.text
    assert "style=" not in answer.text
