"""How a model's calls are spread, on its page: read, changed by its form, and refused with the reason."""

import re
from html import unescape
from typing import Any

import pytest

from modeltraces.catalog import connections, model_edits
from modeltraces.catalog.errors import Invalid
from modeltraces.catalog.hosting import deployments, ledger
from modeltraces.catalog.routing import Routing
from modeltraces.gateway.routing import Router
from modeltraces.gateway.targets import Target
from modeltraces.web.address import model_path
from modeltraces.web.attempts import attempts
from modeltraces.web.routing_card import routing_of
from tests.web.conftest import ADA, BOB, CHARLIE, VERA, CatalogSite

PAGE = model_path("llama")
FORM = f"{PAGE}?do=routing"


@pytest.fixture
def llama(site: CatalogSite) -> CatalogSite:
    """Versions v1 and v2 that are up, and a connection to every model."""
    model_edits.create(site.catalog, site.account_id, "llama", "open_source", actor="test")
    for version in ("v1", "v2"):
        fields = site.fields(endpoint=f"http://127.0.0.1:9/{version}/v1")
        deployments.create(site.catalog, site.account_id, "llama", fields, actor="test", version=version)
    connect(site, "azure-eu")
    return site


def connect(site: CatalogSite, name: str, *models: str, protocol: str = "openai") -> None:
    values = {"name": name, "protocol": protocol, "base_url": "http://127.0.0.1:9/v1", "models": list(models) or ["*"]}
    connections.create(site.catalog, site.account_id, values, site.vault, actor="test")


def routing(site: CatalogSite) -> Routing | None:
    entry = site.model("llama")
    assert entry is not None
    return entry.routing


def set_routing(site: CatalogSite, **value: Any) -> None:
    model_edits.edit(site.catalog, site.account_id, "llama", {"routing": value}, actor="test")


def section(text: str) -> str:
    found = re.search(r'<section class="stack" aria-labelledby="routing-title">.*?</section>', text, re.DOTALL)
    assert found is not None
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", found[0])).replace("\N{NARROW NO-BREAK SPACE}", " ").split())


def test_without_a_routing_the_page_says_where_calls_go(llama: CatalogSite) -> None:
    says = (
        "Calls through the gateway go to the newest version that is up and has an endpoint, now v2 , and nowhere else."
    )
    assert section(llama.get(PAGE).text) == f"Routing Spread the calls {says}"
    assert section(llama.get(PAGE, VERA).text) == f"Routing {says}"
    for version in ("v1", "v2"):
        ledger.add_event(llama.catalog, llama.account_id, "llama", version, "undeploy", actor="test")
    assert "and now there is none" in section(llama.get(PAGE).text), "a connection to every model is no way there"
    model_edits.create(llama.catalog, llama.account_id, "gpt", "external", actor="test")
    assert "the connection that names the model, now azure-eu" in section(llama.get(model_path("gpt")).text)
    connect(llama, "mine", "GPT")
    assert "now mine" in section(llama.get(model_path("gpt")).text)


def test_of_a_version_that_a_merge_doubled_the_one_that_is_up_serves(llama: CatalogSite) -> None:
    model_edits.create(llama.catalog, llama.account_id, "twin", "open_source", actor="test")
    fields = llama.fields(endpoint="http://127.0.0.1:9/twin/v1")
    deployments.create(llama.catalog, llama.account_id, "twin", fields, actor="test", version="v1")
    model_edits.merge(llama.catalog, llama.account_id, "twin", "llama", actor="test")
    set_routing(llama, weights={"v1": 1})
    for name, is_down in (("llama", False), ("twin", True)):
        ledger.add_event(llama.catalog, llama.account_id, name, "v1", "undeploy", actor="test")
        assert ("down" in section(llama.get(PAGE, VERA).text)) is is_down, name


def test_the_page_of_an_archived_model_says_that_it_is_not_called(llama: CatalogSite) -> None:
    assert "the gateway refuses calls of it" in llama.get(PAGE).text, "before it is archived"
    llama.send(f"{PAGE}?do=archive")
    assert section(llama.get(PAGE, VERA).text) == "Routing The gateway calls no archived model."


def test_the_form_spreads_the_calls_and_an_empty_one_takes_that_back(llama: CatalogSite) -> None:
    form = llama.get(FORM, ADA).text
    assert re.findall(r'name="place-(\d)" value="([^"]+)"', form) == [("0", "v2"), ("1", "v1"), ("2", "azure-eu")]
    assert 'name="weight-2"' not in form, "a connection of a model of one's own is a fallback only"
    places = {"place-0": "v2", "place-1": "v1", "place-2": "azure-eu"}
    typed = {"weight-0": "90", "weight-1": " 10 ", "order-1": "2", "order-2": "1"}
    sent = llama.send(FORM, ADA, **places, **typed)
    assert (sent.status_code, sent.headers["location"]) == (303, PAGE)
    assert routing(llama) == Routing({"v2": 90, "v1": 10}, ("azure-eu", "v1"))
    assert section(llama.get(PAGE, VERA).text) == (
        "Routing Place Share of the calls Fallback v2 version 90 % — v1 version 10 % 2 azure-eu connection — 1"
    )
    again = llama.get(FORM).text
    assert re.findall(r'name="weight-\d"[^>]* value="(\d*)"', again) == ["90", "10"]
    assert re.findall(r'name="order-\d"[^>]* value="(\d*)"', again) == ["", "2", "1"]
    assert llama.send(FORM, **places).status_code == 303
    assert routing(llama) is None


def test_a_button_removes_the_routing(llama: CatalogSite) -> None:
    set_routing(llama, fallbacks=["azure-eu"])
    assert "First goes v2 , as without a routing; then the fallbacks." in section(llama.get(PAGE).text)
    assert llama.send(f"{PAGE}?do=no-routing").status_code == 303
    assert routing(llama) is None


def test_a_place_that_is_skipped_says_why(llama: CatalogSite) -> None:
    connect(llama, "other", "llama")
    set_routing(llama, weights={"v1": 1, "v2": 999}, fallbacks=["azure-eu", "other"])
    ledger.add_event(llama.catalog, llama.account_id, "llama", "v2", "undeploy", actor="test")
    for name, values in (("azure-eu", {"archived": True}), ("other", {"models": ["gpt"]})):
        connections.edit(llama.catalog, llama.account_id, name, values, llama.vault, has_runs=True, actor="test")
    said = section(llama.get(PAGE, VERA).text)
    assert "v1 version <1 % —" in said
    assert "v2 version down, skipped 99.9 % —" in said
    assert "azure-eu connection archived, skipped — 1" in said
    assert "other connection does not reach it, skipped — 2" in said


def test_a_place_that_failed_just_now_is_said_to_come_last(llama: CatalogSite) -> None:
    set_routing(llama, weights={"v1": 1, "v2": 1})
    router: Router = llama.app.state.gateway.router
    for account, model, place in (
        (llama.account_id, "llama", "v2"), (llama.account_id, "gpt", "v1"), (llama.other_account_id, "llama", "v1"),
    ):  # fmt: skip
        router.failed(account, Target(model, place, "", "", "openai", "http://127.0.0.1:9", model, None), None)
    said = section(llama.get(PAGE, VERA).text)
    assert "v2 version failed just now, comes last 50 %" in said
    assert said.count("failed just now") == 1, "neither another model's nor another account's"
    ledger.add_event(llama.catalog, llama.account_id, "llama", "v2", "undeploy", actor="test")
    assert "failed just now" not in section(llama.get(PAGE).text), "it is skipped, whatever it did"
    router.answered(llama.account_id, Target("llama", "v2", "", "", "openai", "http://127.0.0.1:9", "llama", None))
    assert router.cooling(llama.account_id, "llama") == frozenset()


def test_a_connection_to_every_model_of_the_other_api_is_not_offered(llama: CatalogSite) -> None:
    connect(llama, "anthropic-prod", protocol="anthropic")
    places = re.findall(r'name="place-\d" value="([^"]+)"', llama.get(FORM).text)
    assert places == ["v2", "v1", "azure-eu"]
    set_routing(llama, fallbacks=["anthropic-prod"])
    assert "anthropic-prod connection — 1" in section(llama.get(PAGE).text), "somebody chose it"
    # Of this one nothing is known: either may serve it. Then one names it.
    model_edits.create(llama.catalog, llama.account_id, "new", "external", actor="test")
    assert llama.get(model_path("new")).text.count("reaches every model") == 2
    connect(llama, "mine", "NEW", protocol="anthropic")
    assert llama.get(model_path("new")).text.count("reaches every model") == 1
    offered = llama.get(f"{model_path('new')}?do=routing").text
    assert re.findall(r'name="place-\d" value="([^"]+)"', offered) == ["anthropic-prod", "mine"]


def test_what_is_refused_comes_back_with_what_was_typed(llama: CatalogSite) -> None:
    answer = llama.send(FORM, **{"place-0": "v2", "weight-0": "many", "place-1": "v1", "order-1": "3"})
    assert answer.status_code == 422
    assert "The weight of v2 must be a whole number from 0 to 1000." in section(answer.text)
    assert re.search(r'name="weight-0"[^>]* value="many"', answer.text)
    assert re.search(r'name="order-1"[^>]* value="3"', answer.text)
    gone = llama.send(FORM, **{"place-0": "v9", "weight-0": "1"})
    assert "llama has no version 'v9'" in section(gone.text)
    assert routing(llama) is None


@pytest.mark.parametrize(("who", "status"), [(BOB, 403), (VERA, 403), (CHARLIE, 404)])
def test_only_admins_of_the_account_change_it(llama: CatalogSite, who: str, status: int) -> None:
    for do in ("routing", "no-routing"):
        assert llama.send(f"{PAGE}?do={do}", who, **{"place-0": "v1", "weight-0": "1"}).status_code == status
    assert routing(llama) is None


def test_two_places_of_one_number_are_told_apart() -> None:
    with pytest.raises(Invalid, match="v1 and v2 have the same place among the fallbacks"):
        routing_of({"place-0": "v1", "order-0": "1", "place-1": "v2", "order-1": "1"})
    for order in ("0", "100", "x", "1" * 20):
        with pytest.raises(Invalid, match="The order of v1 must be a whole number from 1 to 99"):
            routing_of({"place-0": "v1", "order-0": order})


@pytest.mark.parametrize(
    "said", ["", "no json", "{}", "[]", '[{"place":"v1","status":200,"ms":1}]', "[1,2]", '"x"', "null"]
)
def test_attempts_that_are_none_or_one_are_not_shown(said: str) -> None:
    assert attempts({"gateway.attempts": said} if said else {}) == ()


def test_each_of_several_attempts_is_a_line_whoever_wrote_it() -> None:
    lines = attempts(
        {
            "gateway.attempts": '[{"place":"v2","status":503,"ms":4.8},{"place":"a","error":"broke"},{},{"status":true,"ms":"x"},{"place":"v1","status":200,"ms":3}]'
        }
    )
    assert [(one.place, one.outcome, one.failed) for one in lines] == [
        ("v2", "HTTP 503", True), ("a", "broke", True), ("", "", True), ("", "", True), ("v1", "HTTP 200", False),
    ]  # fmt: skip
    assert lines[0].time == "4.8 ms"
