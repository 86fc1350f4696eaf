"""One model's page: what it says, and what its forms do."""

import re
from decimal import Decimal
from html import unescape

import pytest
from sqlalchemy import update

from modeltraces.catalog import connections, model_edits
from modeltraces.catalog.hosting import deployments, hardware, ledger
from modeltraces.catalog.model_entries import DeploymentEntry
from modeltraces.catalog.tables import DeploymentRow
from modeltraces.run import now_us
from modeltraces.web.address import model_path
from tests.web.conftest import ADA, ALICE, BOB, CHARLIE, HOUR_US, VERA, CatalogSite
from tests.web.provider import SECRET

PAGE = model_path("llama")
NOON_US = 1_793_534_400_000_000
"""2026-11-01T12:00:00Z."""


@pytest.fixture
def llama(site: CatalogSite) -> CatalogSite:
    site.seen("llama", model_kind="open_source", deployment_version="v7")
    return site


def deploy(site: CatalogSite, version: str | None = None, hours_ago: float = 10, **fields: str) -> str:
    return deployments.create(
        site.catalog, site.account_id, "llama", site.fields(**fields), actor="test", version=version, replicas=2,
        deployed_on_us=now_us() - int(hours_ago * HOUR_US),
    )  # fmt: skip


def deployment(site: CatalogSite, version: str) -> DeploymentEntry:
    entry = site.model("llama")
    assert entry is not None
    return next(one for one in entry.deployments if one.version == version)


def alert(text: str) -> str:
    found = re.findall(r'role="alert">.*?<span>(.*?)</span>', text, re.DOTALL)
    assert len(found) == 1, found
    return str(found[0]).replace("&#39;", "'")


def test_a_version_is_deployed_in_the_past_in_the_readers_zone(llama: CatalogSite) -> None:
    hardware.set_price(llama.catalog, llama.account_id, "a100", "1.25", actor="t")
    answer = llama.send(
        f"{PAGE}?do=deploy", ADA, zone="Europe/Berlin", hardware="a100", replicas="2", on="2026-11-01T13:00:00",
        endpoint="http://llama:8000/v1", credential="sk-x",
    )  # fmt: skip
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{PAGE}#deployment-v8"
    made = deployment(llama, "v8")
    assert made.intervals[0].from_us == NOON_US
    assert made.intervals[0].credits_per_replica_hour == Decimal("1.25")
    assert (made.protocol, made.has_credential, made.events[0].actor) == ("openai", True, ADA)


def test_the_page_says_what_is_up_since_when_and_what_it_costs(llama: CatalogSite) -> None:
    hardware.set_price(llama.catalog, llama.account_id, "a100", "1", actor="t")
    deploy(llama, "v1", 10, hardware="a100")
    ledger.add_event(
        llama.catalog, llama.account_id, "llama", "v1", "undeploy", actor="key:ci", on_us=now_us() - 5 * HOUR_US
    )
    page = llama.get(PAGE).text
    assert "Down" in page
    assert "<dt>If deployed again</dt><dd>1 <span" in page
    shown = re.search(
        r"<strong><span title=\"([\d.]+) credits\">10.00</span></strong> <span class=\"quiet\">credits so far", page
    )
    assert shown is not None, "two decimals at most"
    assert float(shown[1]) == pytest.approx(10, abs=0.001), "and the whole figure in the title"
    assert "Only seen on runs" in page
    assert "<bdi>key:ci</bdi>" in page
    assert "keeps the price it began with until it is scaled or redeployed" in page


def test_an_open_interval_at_another_price_than_the_lists_is_pointed_out(llama: CatalogSite) -> None:
    hardware.set_price(llama.catalog, llama.account_id, "a100", "1", actor="t")
    deploy(llama, "v1", 1, hardware="a100")
    notice = "The price list for a100 is 2 now; what is up is charged at 1 until it is scaled or redeployed."
    assert "what is up is charged" not in llama.get(PAGE).text
    assert "none, so the gateway does not call it" in re.sub(r"<[^>]*>", "", llama.get(PAGE).text)
    hardware.set_price(llama.catalog, llama.account_id, "a100", "2", actor="t")
    assert "<dt>Charged now</dt><dd>1 <span" in llama.get(PAGE).text
    assert notice in llama.get(PAGE).text
    assert llama.send(f"{PAGE}?do=scale&version=v1", replicas="3").status_code == 303
    assert "what is up is charged" not in llama.get(PAGE).text
    assert deployment(llama, "v1").intervals[-1].credits_per_replica_hour == 2


def test_a_page_that_was_open_while_a_merge_was_made_or_taken_back_changes_no_other_ledger(llama: CatalogSite) -> None:
    model_edits.create(llama.catalog, llama.account_id, "twin", "open_source", actor="t")
    for name in ("llama", "twin"):
        deployments.create(
            llama.catalog, llama.account_id, name, llama.fields(credits_per_replica_hour="1"), actor="t", version="v1"
        )
    alone, merged = f"{model_path('twin')}?do=undeploy&version=v1", f"{PAGE}?do=undeploy&version=v1&of=twin"
    assert llama.send(merged).status_code == 404, "not merged yet"
    model_edits.merge(llama.catalog, llama.account_id, "twin", "llama", actor="t")
    assert "v1 of twin" in llama.get(PAGE).text
    assert llama.send(alone).status_code == 303
    model_edits.unmerge(llama.catalog, llama.account_id, "twin", actor="t")
    refused = llama.send(merged)
    assert (refused.status_code, "no longer merged into llama" in unescape(refused.text)) == (404, True)
    assert (deployment(llama, "v1").replicas, [one.replicas for one in llama.model("twin").deployments]) == (1, [0])  # type: ignore[union-attr]


def test_scale_undeploy_deploy_again_and_strike_out(llama: CatalogSite) -> None:
    deploy(llama, "v1", 10, credits_per_replica_hour="0.5")
    assert llama.send(f"{PAGE}?do=scale&version=v1", replicas="4").status_code == 303
    assert deployment(llama, "v1").replicas == 4
    assert llama.send(f"{PAGE}?do=undeploy&version=v1").status_code == 303
    assert deployment(llama, "v1").replicas == 0
    assert llama.send(f"{PAGE}?do=deploy-again&version=v1", replicas="1").status_code == 303
    assert deployment(llama, "v1").replicas == 1
    last = deployment(llama, "v1").events[-1]
    assert llama.send(f"{PAGE}?do=strike&version=v1", event=str(last.id)).status_code == 303
    assert deployment(llama, "v1").replicas == 0
    page = llama.get(PAGE).text
    assert "<s>Deployed</s>" in page
    assert f"struck out by <bdi>{ALICE}</bdi>" in page


def test_a_version_of_runs_is_completed(llama: CatalogSite) -> None:
    assert "Say where it is hosted" in llama.get(PAGE).text
    answer = llama.send(f"{PAGE}?do=complete&version=v7", replicas="1", price="0.25")
    assert answer.headers["location"] == f"{PAGE}#deployment-v7"
    assert deployment(llama, "v7").intervals[0].credits_per_replica_hour == Decimal("0.25")


def test_a_deployment_is_edited_and_its_credential_kept_until_it_is_removed(llama: CatalogSite) -> None:
    deploy(llama, "v1", credential="sk-very-secret", endpoint="http://a/v1")
    change = f"{PAGE}?do=edit&version=v1"
    page = llama.get(change).text
    assert "sk-very-secret" not in page
    assert 'value="http://a/v1"' in page
    llama.send(change, endpoint="http://a/v2", protocol="ollama", price="3")
    edited = deployment(llama, "v1")
    assert (edited.endpoint, edited.protocol, edited.has_credential) == ("http://a/v2", "ollama", True)
    assert edited.credits_per_replica_hour == 3
    llama.send(change, endpoint="http://b/v1", remove_credential="1")
    assert not deployment(llama, "v1").has_credential


def test_an_endpoint_is_tried_out_with_its_credential(llama: CatalogSite, provider: str) -> None:
    deploy(llama, "release/8", endpoint=provider, credential=SECRET)
    deploy(llama, "v9", endpoint=provider, credential="sk-wrong-0815")
    assert f"{PAGE}?do=test&amp;version=release%2F8#deployment-release%2F8" in llama.get(PAGE, ADA).text
    page = llama.send(f"{PAGE}?do=test&version=release/8", ADA).text
    assert "It works: 2 models." in page
    assert "<bdi>&lt;b&gt;o3</bdi>" in page
    assert "Not among them: <bdi>llama</bdi>." in page
    assert SECRET not in page
    failed = llama.send(f"{PAGE}?do=test&version=v9", ADA)
    assert failed.status_code == 200
    assert "It refused the credential" in failed.text
    assert "sk-wrong-0815" not in failed.text
    assert "do=test&amp;version=v7" not in failed.text, "it has no endpoint"
    refused = llama.send(f"{PAGE}?do=test&version=v7", ADA)
    assert (refused.status_code, alert(refused.text)) == (422, "v7 has no endpoint: enter its address first.")
    assert llama.send(f"{PAGE}?do=test&version=v0", ADA).status_code == 404
    assert llama.send(f"{PAGE}?do=test&version=v9", VERA).status_code == 403
    assert llama.send(f"{PAGE}?do=test&version=v9", CHARLIE).status_code == 404


def test_an_endpoint_that_has_come_to_lead_to_a_metadata_service_is_not_called(
    llama: CatalogSite, provider: str
) -> None:
    deploy(llama, "v8", endpoint=provider)
    with llama.catalog.writing() as session:
        session.execute(update(DeploymentRow).values(endpoint="http://169.254.169.254/v1"))
    model_edits.edit(llama.catalog, llama.account_id, "llama", {"provider": "x"}, actor="t")
    answer = llama.send(f"{PAGE}?do=test&version=v8", ADA)
    assert answer.status_code == 422
    assert "link-local" in alert(answer.text)


def test_an_endpoint_at_another_server_is_refused_in_its_form_until_the_credential_is_typed(llama: CatalogSite) -> None:
    deploy(llama, "v1", credential="sk-very-secret", endpoint="http://a/v1")
    change = f"{PAGE}?do=edit&version=v1"
    answer = llama.send(change, endpoint="http://b/v1", protocol="openai")
    assert answer.status_code == 422
    assert alert(answer.text) == "The address leads to another server: enter the credential again, or remove it."
    form = re.search(r"<form(?:(?!</form>).)*?http://b/v1.*?</form>", answer.text, re.DOTALL)
    assert form is not None
    assert 'role="alert"' in form[0]
    assert "sk-very-secret" not in answer.text
    assert deployment(llama, "v1").endpoint == "http://a/v1"
    assert llama.send(change, endpoint="http://b/v1", credential="sk-very-secret").status_code == 303
    assert (deployment(llama, "v1").endpoint, deployment(llama, "v1").has_credential) == ("http://b/v1", True)


@pytest.mark.parametrize(
    ("do", "fields", "status", "says"),
    [
        ("deploy", {"version": "v1"}, 409, "has a version 'v1' already"),
        ("deploy", {"replicas": "-1"}, 422, "from 1 to 100,000"),
        ("deploy", {"replicas": "many"}, 422, "'many' is none"),
        ("deploy", {"replicas": "1_000"}, 422, "'1_000' is none"),
        ("deploy", {"price": "NaN"}, 422, "The price must be a number or a decimal string"),
        ("deploy", {"price": "1,5"}, 422, "The price must be a number or a decimal string"),
        ("deploy", {"hardware": "gone"}, 404, "price list has no hardware 'gone'"),
        ("deploy", {"on": "2290-01-01T00:00:00"}, 422, "lies in the future"),
        ("deploy", {"on": "yesterday"}, 422, "must be like 2026-11-24T14:30:00"),
        ("deploy", {"on": "2026-03-29T02:30:00"}, 422, "does not exist in Europe/Berlin"),
        ("deploy", {"endpoint": "ftp://x"}, 422, "must be an http:// or https:// address"),
        ("deploy", {"endpoint": "http://169.254.169.254/"}, 422, "link-local"),
        ("scale&version=v1", {"replicas": ""}, 422, "Replicas is missing"),
        ("scale&version=v1", {"replicas": "2", "on": "2020-01-01T00:00:00"}, 409, "is not up at that time"),
        ("deploy-again&version=v1", {"replicas": "2"}, 409, "it is up already at that time"),
        ("undeploy&version=v7", {}, 409, "is not up at that time"),
        ("undeploy&version=nowhere", {}, 404, "has no deployment 'nowhere'"),
        ("strike&version=v1", {"event": "999999"}, 404, "has no such event"),
        ("strike&version=v1", {"event": "x"}, 422, "no such event"),
        ("edit&version=v1", {"price": "-1"}, 422, "The price must be a number from 0 up"),
        ("delete-deployment&version=v1", {}, 409, "was hosted"),
        ("delete-deployment&version=v7", {}, 409, "has runs"),
        ("details", {"name": "gpt", "kind": "open_source"}, 409, "has a model 'gpt' already"),
        ("details", {"name": "llama", "kind": "external"}, 409, "has hosted deployments"),
        ("merge", {"into": "gpt"}, 409, "Make them of one kind first"),
        ("merge", {"into": "nowhere"}, 404, "has no model 'nowhere'"),
        ("merge", {"into": ""}, 422, "Say which model"),
        ("merge", {"into": "llama"}, 409, "one model already"),
        ("take-back", {"merged": "gpt"}, 404, "no merged model 'gpt'"),
        ("delete", {}, 409, "has runs, which would lose their model"),
    ],
)  # fmt: skip
def test_what_is_refused_says_why_on_the_page_and_keeps_what_was_typed(
    llama: CatalogSite, do: str, fields: dict[str, str], status: int, says: str
) -> None:
    llama.seen("gpt", model_kind="external")
    llama.seen("mistral", model_kind="open_source")
    deploy(llama, "v1", 1)
    answer = llama.send(f"{PAGE}?do={do}", zone="Europe/Berlin", **{"upstream_model": "typed", "credential": "sk-typed", **fields})  # fmt: skip
    assert answer.status_code == status
    assert says in alert(answer.text)
    assert "sk-typed" not in answer.text
    for value in fields.values():
        if do in ("deploy", "details", "merge") and value != "gone":
            assert f'value="{value}"' in answer.text or f">{value}<" in answer.text
    if do == "deploy":
        assert 'value="typed"' in answer.text
        assert "Type it again" in answer.text


def test_a_model_is_renamed_and_its_old_name_leads_on(llama: CatalogSite) -> None:
    fields = {"name": "llama-3", "kind": "fine_tuned", "base_model": "b", "provider": "vllm"}
    answer = llama.send(f"{PAGE}?do=details", **fields)
    assert answer.headers["location"] == model_path("llama-3")
    page = llama.get(model_path("llama-3")).text
    assert "Counts runs named" in page
    assert "<code><bdi>llama</bdi></code>" in page
    old = llama.get(PAGE)
    assert (old.status_code, old.headers["location"]) == (303, model_path("llama-3"))


def test_a_merge_leads_to_the_other_model_and_is_taken_back_there(llama: CatalogSite) -> None:
    llama.seen("llama-3", model_kind="open_source")
    llama.seen("gpt", model_kind="external")
    form = llama.get(f"{PAGE}?do=merge").text
    assert '<option value="llama-3">' in form
    assert '<option value="gpt">' not in form
    answer = llama.send(f"{PAGE}?do=merge", into="llama-3")
    assert answer.headers["location"] == model_path("llama-3")
    assert "<bdi>llama</bdi>" in llama.get(model_path("llama-3")).text
    assert llama.get(PAGE).headers["location"] == model_path("llama-3")
    llama.send(f"{model_path('llama-3')}?do=take-back", merged="llama")
    assert llama.get(PAGE).status_code == 200


def test_a_model_is_archived_and_restored(llama: CatalogSite) -> None:
    llama.send(f"{PAGE}?do=archive")
    page = llama.get(PAGE).text
    assert 'class="badge">archived' in page
    assert "Deploy a version" not in page
    llama.send(f"{PAGE}?do=restore")
    assert 'class="badge">archived' not in llama.get(PAGE).text


def test_before_archiving_the_page_says_what_is_up_and_goes_on_costing(llama: CatalogSite) -> None:
    def notice() -> str:
        found = re.findall(r'<div class="notice">.*?<span>(.*?)</span>', llama.get(PAGE).text, re.DOTALL)
        return str(found[-1]) if found else ""

    assert notice() == ""
    assert ">Archive</button>" in llama.get(PAGE).text
    deploy(llama, "v3", 10, credits_per_replica_hour="0.8")
    says = "2 replicas of v3 are up and go on costing 1.6 credits an hour"
    assert notice() == f"{says}; undeploy first, or archive all the same."
    page = llama.get(PAGE).text
    assert re.search(
        rf'do=archive"[^>]*data-confirm="Archive the model “llama” all the same\? {re.escape(says)}\."', page
    )
    assert ">Archive all the same</button>" in page
    # A new price does not hold for what is up already.
    llama.send(f"{PAGE}?do=edit&version=v3", price="5")
    assert notice().startswith(says)
    assert llama.send(f"{PAGE}?do=scale&version=v3", replicas="1").status_code == 303
    assert notice().startswith("1 replica of v3 is up and goes on costing 5 credits an hour;")
    deploy(llama, "v4", 10)
    assert notice().startswith(
        "3 replicas of v3 (1) and v4 (2) are up and go on costing 5 credits an hour, and what has no price;"
    )
    assert llama.send(f"{PAGE}?do=archive").status_code == 303
    assert notice().endswith("; undeploy what is no longer needed.")
    assert ">Restore</button>" in llama.get(PAGE).text
    assert llama.send(f"{PAGE}?do=undeploy&version=v3").status_code == 303
    assert notice() == "2 replicas of v4 are up, hosted without a price; undeploy what is no longer needed."
    assert llama.send(f"{PAGE}?do=undeploy&version=v4").status_code == 303
    assert notice() == ""


def test_of_many_versions_that_are_up_the_page_says_how_many_there_are(llama: CatalogSite) -> None:
    for number in range(1, 6):
        deploy(llama, f"v{number}", number, credits_per_replica_hour="1.25")
    assert (
        "10 replicas of 5 versions are up and go on costing 12.5 credits an hour; undeploy first"
        in llama.get(PAGE).text
    )
    assert "go on costing" not in llama.get(PAGE, BOB).text, "who may not archive is not told of it"


def test_a_model_without_a_past_can_be_deleted_and_another_says_why_not(llama: CatalogSite) -> None:
    model_edits.create(llama.catalog, llama.account_id, "new", "open_source", actor="t")
    assert "so it can be deleted" in llama.get(model_path("new")).text
    assert "It cannot be deleted. It has runs" in llama.get(PAGE).text
    assert llama.send(f"{model_path('new')}?do=delete").headers["location"] == "/settings/models?kind=open_source"
    assert llama.model("new") is None


def test_an_external_model_has_connections_and_no_deployments(site: CatalogSite) -> None:
    site.seen("gpt", model_kind="external", connection_name="azure-eu")
    connections.create(
        site.catalog,
        site.account_id,
        {"name": "every", "protocol": "openai", "base_url": "https://example.com/v1"},
        site.vault,
        actor="t",
    )
    page = site.get(model_path("gpt")).text
    assert "its runs came through it" in page
    assert "reaches every model" in page
    assert "Deployments" not in page
    assert "credits so far" not in page


@pytest.mark.parametrize("who", [BOB, VERA])
def test_members_and_viewers_read_the_page_and_change_nothing(llama: CatalogSite, who: str) -> None:
    deploy(llama, "v1")
    for do in ("", "?do=details", "?do=merge", "?do=deploy", "?do=scale&version=v1", "?do=edit&version=v1"):
        page = llama.get(PAGE + do, who)
        assert page.status_code == 200
        assert page.text.count("<form") == 1, "only the one to sign out"
        assert "do=" not in page.text.replace("window", "")
    for do in ("archive", "deploy", "undeploy&version=v1"):
        assert llama.send(f"{PAGE}?do={do}", who).status_code == 403
    assert deployment(llama, "v1").replicas == 2


def test_another_accounts_model_is_not_found(llama: CatalogSite) -> None:
    assert llama.get(PAGE, CHARLIE).status_code == 404
    for do in ("archive", "deploy", "delete", "details"):
        assert llama.send(f"{PAGE}?do={do}", CHARLIE).status_code == 404
    model_edits.create(llama.catalog, llama.other_account_id, "theirs", "open_source", actor="t")
    assert llama.send(f"{PAGE}?do=merge", into="theirs").status_code == 404


def test_an_unknown_deed_is_not_found_and_a_form_of_another_session_refused(llama: CatalogSite) -> None:
    assert llama.send(f"{PAGE}?do=explode").status_code == 404
    assert llama.send(f"{PAGE}?do=archive", csrf_token="other").status_code == 403


def test_many_deployments_are_folded_and_those_that_are_up_come_first(llama: CatalogSite) -> None:
    for number in range(1, 30):
        deploy(llama, f"w{number}", 1)
        if number != 3:
            ledger.add_event(llama.catalog, llama.account_id, "llama", f"w{number}", "undeploy", actor="t")
    page = llama.get(PAGE).text
    versions = re.findall(r'class="version">([^<]*)<', page)
    assert versions[:3] == ["w3", "w29", "w28"]
    assert len(versions) == 20
    assert "Show all 30" in page
    assert len(re.findall(r'class="version">', llama.get(f"{PAGE}?all=1").text)) == 30
    assert '<bdi class="version">w1</bdi>' in llama.get(f"{PAGE}?do=edit&version=w1").text
