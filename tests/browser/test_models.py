"""The list of models."""

from playwright.sync_api import StorageState, expect

from tests.browser.conftest import TRACES, Visit, Visitors
from tests.browser.world import GPT, LLAMA

MODELS = "/settings/models"


def test_models_are_listed_by_kind_with_how_they_do_and_lead_to_their_runs(visit: Visit) -> None:
    page = visit.go(MODELS)
    llama = page.get_by_role("row").filter(has=page.get_by_role("link", name=LLAMA, exact=True))
    expect(llama).to_contain_text("v1, v2 seen on runs")
    expect(llama.get_by_role("cell").nth(3)).to_have_text("29")
    page.get_by_role("navigation", name="Kinds of models").get_by_role("link", name="External").click()
    page.wait_for_url(f"**{MODELS}?kind=external")
    expect(page.get_by_role("row").filter(has_text=GPT).first).to_contain_text("azure-eu")
    page.go_back()
    page.get_by_role("link", name=f"Runs of {LLAMA}").click()
    page.wait_for_url(f"**{TRACES}?model={LLAMA}")


def test_who_may_not_change_models_sees_them_and_no_form(visitors: Visitors, vera: StorageState) -> None:
    page = visitors.visit(vera).go(f"{MODELS}?do=add")
    expect(page.get_by_role("link", name=LLAMA, exact=True)).to_be_visible()
    expect(page.get_by_text("Add a model")).to_have_count(0)
