"""Settings → Models."""

import html
import re

import pytest

from modeltraces.catalog import connections, model_edits
from modeltraces.catalog.hosting import deployments
from modeltraces.run import now_us
from modeltraces.web.address import model_path
from tests.web.conftest import ADA, BOB, CHARLIE, HOUR_US, VERA, CatalogSite

MODELS = "/settings/models"


def names(text: str) -> list[str]:
    """The models of the table, in order."""
    return [html.unescape(name) for name in re.findall(r'class="strong" href="[^"]*"><bdi>([^<]*)</bdi>', text)]


def test_each_kind_is_a_tab_with_its_count(site: CatalogSite) -> None:
    site.seen("llama", model_kind="open_source")
    site.seen("mistral", model_kind="open_source")
    site.seen("gpt", model_kind="external")
    first = site.get(MODELS)
    assert names(first.text) == ["llama", "mistral"]
    assert [int(n) for n in re.findall(r'class="count">(\d+)<', first.text)] == [2, 0, 1]
    assert names(site.get(f"{MODELS}?kind=external").text) == ["gpt"]
    assert "No fine-tuned models" in site.get(f"{MODELS}?kind=fine_tuned").text


def test_the_first_tab_that_has_models_is_shown(site: CatalogSite) -> None:
    site.seen("gpt", model_kind="external")
    assert names(site.get(MODELS).text) == ["gpt"]


def test_what_is_up_is_said_with_replicas_and_hardware(site: CatalogSite) -> None:
    site.seen("llama", model_kind="open_source")
    deployments.create(
        site.catalog, site.account_id, "llama", site.fields(), actor="t", replicas=3, deployed_on_us=now_us() - HOUR_US
    )
    text = site.get(MODELS).text
    assert "<bdi>v1</bdi>" in text
    assert "3 replicas" in text


def test_connections_of_runs_and_those_that_name_the_model_are_listed(site: CatalogSite) -> None:
    site.seen("gpt", model_kind="external", connection_name="azure-eu")
    for name, models in (("by-name", ["gpt"]), ("by-star", ["*"])):
        connections.create(
            site.catalog,
            site.account_id,
            {"name": name, "protocol": "openai", "base_url": "https://example.com/v1", "models": models},
            site.vault,
            actor="t",
        )
    text = site.get(MODELS).text
    assert "<bdi>azure-eu</bdi>" in text
    assert "<bdi>by-name</bdi>" in text
    assert "by-star" not in text


def test_requests_and_failures_of_merged_and_renamed_models_are_added_up(site: CatalogSite) -> None:
    site.seen("llama", model_kind="open_source")
    site.seen("llama-old", model_kind="open_source", status="failed")
    model_edits.merge(site.catalog, site.account_id, "llama-old", "llama", actor="t")
    model_edits.edit(site.catalog, site.account_id, "llama", {"name": "llama-3"}, actor="t")
    text = site.get(MODELS).text
    assert names(text) == ["llama-3"]
    assert "with <bdi>llama-old</bdi>" in text
    assert re.search(r'data-label="Requests, 24 h">2<', text)
    assert re.search(r'number bad" data-label="Failure rate, 24 h">50%<', text)


def test_the_search_keeps_the_tab_and_counts_what_matches(site: CatalogSite) -> None:
    for name in ("llama", "mistral"):
        site.seen(name, model_kind="open_source")
    text = site.get(f"{MODELS}?kind=open_source&q=LLA").text
    assert names(text) == ["llama"]
    assert [int(n) for n in re.findall(r'class="count">(\d+)<', text)] == [1, 0, 0]
    assert "No model matches" in site.get(f"{MODELS}?q=%3Cb%3E").text


def test_archived_models_are_shown_when_asked_for(site: CatalogSite) -> None:
    site.seen("llama", model_kind="open_source")
    site.seen("gone", model_kind="open_source")
    model_edits.edit(site.catalog, site.account_id, "gone", {"archived": True}, actor="t")
    text = site.get(MODELS).text
    assert names(text) == ["llama"]
    assert "Show archived (1)" in text
    assert names(site.get(f"{MODELS}?archived=1").text) == ["gone", "llama"]


def test_two_thousand_models_are_paged_through(site: CatalogSite) -> None:
    from modeltraces.catalog.models import SeenModel

    site.registry.ensure(
        site.account_id, {f"model-{n}": SeenModel(first_run_on_us=1, kind="open_source") for n in range(2000)}
    )
    first, last = site.get(MODELS).text, site.get(f"{MODELS}?page=40").text
    assert len(first) < 120_000
    assert names(first) == [f"model-{n}" for n in range(50)]
    assert names(last) == [f"model-{n}" for n in range(1950, 2000)]
    assert names(site.get(f"{MODELS}?page=999").text) == names(last)
    assert "1–50 of 2\u202f000" in first
    assert names(site.get(f"{MODELS}?page=x").text) == names(first)


def test_a_model_is_added_and_leads_to_its_page(site: CatalogSite) -> None:
    answer = site.send(f"{MODELS}?do=add", ADA, name=" my/model ", kind="fine_tuned", base_model="llama")
    assert answer.status_code == 303
    assert answer.headers["location"] == model_path("my/model")
    made = site.model("my/model")
    assert made is not None
    assert (made.kind, made.base_model) == ("fine_tuned", "llama")


@pytest.mark.parametrize(
    ("fields", "status", "says"),
    [
        ({"name": "llama", "kind": "external"}, 409, "has a model &#39;llama&#39; already"),
        ({"name": " ", "kind": "external"}, 422, "must not be empty"),
        ({"name": "new", "kind": "other"}, 422, "The kind must be one of"),
        ({"name": "x" * 201, "kind": "external"}, 422, "at most 200 characters"),
    ],
    ids=["used", "empty", "kind", "long"],
)
def test_a_model_that_cannot_be_added_says_why_and_keeps_what_was_typed(
    site: CatalogSite, fields: dict[str, str], status: int, says: str
) -> None:
    site.seen("llama", model_kind="open_source")
    answer = site.send(f"{MODELS}?do=add", base_model="typed <b>", **fields)
    assert answer.status_code == status
    assert says in answer.text
    assert 'value="typed &lt;b&gt;"' in answer.text
    assert 'role="alert"' in answer.text


@pytest.mark.parametrize("who", [BOB, VERA])
def test_members_and_viewers_see_models_and_add_none(site: CatalogSite, who: str) -> None:
    site.seen("llama", model_kind="open_source")
    text = site.get(f"{MODELS}?do=add", who).text
    assert names(text) == ["llama"]
    assert "Add a model" not in text
    assert site.send(f"{MODELS}?do=add", who, name="x", kind="external").status_code == 403
    assert site.model("x") is None


def test_another_accounts_models_are_not_listed(site: CatalogSite) -> None:
    site.seen("llama", model_kind="open_source")
    text = site.get(f"{MODELS}?archived=1&q=llama", CHARLIE).text
    assert names(text) == []


def test_names_are_escaped_and_lead_to_their_pages(site: CatalogSite) -> None:
    for name in ('a/b?c=1&d#e"<i>', "..", ".", "edit", "a b+c"):
        site.seen(name, model_kind="open_source")
        assert f"<h1><bdi>{html.escape(name).replace('&quot;', '&#34;')}</bdi>" in site.get(model_path(name)).text
    assert "<i>" not in site.get(MODELS).text
