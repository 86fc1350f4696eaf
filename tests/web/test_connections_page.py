"""Settings → Connections."""

import re

import pytest

from modeltraces.catalog import connections
from modeltraces.catalog.connections import Connection
from modeltraces.catalog.vault import Vault
from tests.web.conftest import ADA, BOB, CHARLIE, VERA, CatalogSite
from tests.web.provider import SECRET

CONNECTIONS = "/settings/connections"
GOOD = {"name": "prod", "provider": "openai", "protocol": "openai", "base_url": "https://example.com/v1"}


def add(site: CatalogSite, **values: object) -> None:
    connections.create(site.catalog, site.account_id, {**GOOD, **values}, site.vault, actor="t")


def listed(site: CatalogSite) -> dict[str, Connection]:
    return {one.name: one for one in connections.list_connections(site.catalog, site.account_id)}


def test_a_connection_is_added_and_its_credential_never_shown(site: CatalogSite) -> None:
    assert "No connections yet" in site.get(CONNECTIONS).text
    answer = site.send(f"{CONNECTIONS}?do=add", ADA, **GOOD, credential=SECRET, models="gpt-4o\r\n\r\n o3 \r\n")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{CONNECTIONS}#connection-prod")
    made = listed(site)["prod"]
    assert (made.models, made.has_credential) == (("gpt-4o", "o3"), True)
    for path in (CONNECTIONS, f"{CONNECTIONS}?do=edit&name=prod"):
        page = site.get(path).text
        assert SECRET not in page
        assert "gpt-4o" in page
    locked = connections.reach(site.catalog, site.account_id, "prod").locked_credential
    assert locked is not None
    assert site.vault.unlock(locked) == SECRET


def test_a_connection_without_models_reaches_every_one(site: CatalogSite) -> None:
    site.send(f"{CONNECTIONS}?do=add", **GOOD, models=" ")
    assert listed(site)["prod"].models == ("*",)
    assert "every model" in site.get(CONNECTIONS).text


def test_an_edit_keeps_the_credential_until_it_is_removed_or_replaced(site: CatalogSite) -> None:
    add(site, credential=SECRET)
    change = f"{CONNECTIONS}?do=edit&name=prod"
    site.send(change, **{**GOOD, "name": "prod-eu", "models": "*"})
    assert listed(site)["prod-eu"].has_credential
    site.send(f"{CONNECTIONS}?do=edit&name=prod-eu", **GOOD, models="*", remove_credential="1")
    assert not listed(site)["prod"].has_credential


def test_an_address_at_another_server_is_refused_in_its_form_until_the_credential_is_typed_or_removed(
    site: CatalogSite,
) -> None:
    add(site, credential=SECRET)
    change, moved = f"{CONNECTIONS}?do=edit&name=prod", {**GOOD, "base_url": "https://evil.example.com/v1"}
    answer = site.send(change, ADA, **moved, models="*")
    assert answer.status_code == 422
    assert answer.text.count('role="alert"') == 1
    form = re.search(r"<form(?:(?!</form>).)*?https://evil\.example\.com/v1.*?</form>", answer.text, re.DOTALL)
    assert form is not None
    assert "The address leads to another server: enter the credential again, or remove it." in form[0]
    assert SECRET not in answer.text
    assert listed(site)["prod"].base_url == GOOD["base_url"]
    assert site.send(change, ADA, **moved, models="*", credential=SECRET).status_code == 303
    assert listed(site)["prod"].base_url == moved["base_url"]
    assert site.send(change, ADA, **GOOD, models="*", remove_credential="1").status_code == 303
    assert (listed(site)["prod"].base_url, listed(site)["prod"].has_credential) == (GOOD["base_url"], False)


def test_one_that_runs_named_is_listed_so_and_can_be_completed(site: CatalogSite) -> None:
    site.seen("gpt", model_kind="external", connection_name="azure-eu")
    page = site.get(CONNECTIONS).text
    assert "only seen on runs" in page
    assert "do=test" not in page
    assert "do=delete" not in page
    tested = site.send(f"{CONNECTIONS}?do=test&name=azure-eu")
    assert tested.status_code == 422
    assert "give it a protocol and an address first" in tested.text
    answer = site.send(
        f"{CONNECTIONS}?do=edit&name=azure-eu", **{**GOOD, "name": "azure-eu", "protocol": "azure_openai"}
    )
    assert answer.status_code == 303
    page = site.get(CONNECTIONS).text
    assert "only seen on runs" not in page
    assert "Azure OpenAI" in page


def test_the_test_says_what_came_back(site: CatalogSite, provider: str) -> None:
    add(site, base_url=provider, credential=SECRET)
    page = site.send(f"{CONNECTIONS}?do=test&name=prod").text
    assert "It works: 2 models." in page
    assert "<bdi>&lt;b&gt;o3</bdi>" in page
    assert SECRET not in page
    assert "Not among them" not in page
    site.send(f"{CONNECTIONS}?do=edit&name=prod", **{**GOOD, "base_url": provider, "models": "gpt-4o\nui-model"})
    page = site.send(f"{CONNECTIONS}?do=test&name=prod").text
    assert "Not among them: <bdi>ui-model</bdi>. A call of it goes there" in page


def test_the_test_says_why_it_failed_and_never_repeats_the_credential(site: CatalogSite, provider: str) -> None:
    add(site, base_url=provider, credential="sk-wrong-0815")
    answer = site.send(f"{CONNECTIONS}?do=test&name=prod")
    assert answer.status_code == 200
    assert "It refused the credential" in answer.text
    assert "sk-wrong-0815" not in answer.text


def test_a_credential_of_another_secret_key_is_explained(site: CatalogSite) -> None:
    connections.create(site.catalog, site.account_id, {**GOOD, "credential": SECRET}, Vault(b"another" * 5), actor="t")
    answer = site.send(f"{CONNECTIONS}?do=test&name=prod")
    assert answer.status_code == 422
    assert "stored with another secret key" in answer.text


@pytest.mark.parametrize(
    ("do", "fields", "status", "says"),
    [
        ("add", {"name": "used"}, 409, "has a connection &#39;used&#39; already"),
        ("add", {"name": ""}, 422, "The name is missing"),
        ("add", {"base_url": "ftp://x"}, 422, "must be an http:// or https:// address"),
        ("add", {"base_url": "http://169.254.169.254/latest"}, 422, "link-local"),
        ("add", {"protocol": ""}, 422, "The protocol is missing"),
        ("add", {"models": "*\nx"}, 422, "not both"),
        ("add", {"credential": "line\x01break"}, 422, "printable ASCII"),
        ("edit&name=used", {"name": "busy"}, 409, "has a connection &#39;busy&#39; already"),
        ("edit&name=busy", {"name": "other"}, 409, "Runs bear the name"),
        ("edit&name=nowhere", {}, 404, "has no connection &#39;nowhere&#39;"),
        ("delete&name=busy", {}, 409, "Archive it instead"),
        ("test&name=nowhere", {}, 404, "has no connection &#39;nowhere&#39;"),
    ],
)
def test_what_is_refused_says_why_and_keeps_what_was_typed(
    site: CatalogSite, do: str, fields: dict[str, str], status: int, says: str
) -> None:
    site.seen("gpt", model_kind="external", connection_name="busy")
    add(site, name="used")
    before = listed(site)
    answer = site.send(f"{CONNECTIONS}?do={do}", **{**GOOD, "name": "new", "provider": "typed", "credential": SECRET, **fields})  # fmt: skip
    assert answer.status_code == status
    assert answer.text.count('role="alert"') == 1
    assert says in answer.text
    assert SECRET not in answer.text
    if "nowhere" not in do and do.startswith(("add", "edit")):
        assert 'value="typed"' in answer.text
        assert "Type it again" in answer.text
    assert listed(site) == before


def test_connections_are_archived_shown_when_asked_for_and_restored(site: CatalogSite) -> None:
    add(site)
    assert site.send(f"{CONNECTIONS}?do=archive&name=prod").headers["location"] == CONNECTIONS
    assert "<bdi>prod</bdi>" not in site.get(CONNECTIONS).text
    shown = site.get(f"{CONNECTIONS}?archived=1").text
    assert 'class="badge">archived' in shown
    site.send(f"{CONNECTIONS}?archived=1&do=restore&name=prod")
    assert "<bdi>prod</bdi>" in site.get(CONNECTIONS).text
    site.send(f"{CONNECTIONS}?do=delete&name=prod")
    assert listed(site) == {}


def test_many_are_paged_through_and_searched(site: CatalogSite) -> None:
    for number in range(60):
        add(site, name=f"c-{number:03d}")
    first = site.get(CONNECTIONS).text
    assert len(re.findall(r'<tr id="connection-', first)) == 50
    assert len(re.findall(r'<tr id="connection-', site.get(f"{CONNECTIONS}?page=2").text)) == 10
    assert re.findall(r'<tr id="connection-([^"]*)"', site.get(f"{CONNECTIONS}?q=C-059").text) == ["c-059"]
    assert "No connection matches" in site.get(f"{CONNECTIONS}?q=zzz").text


@pytest.mark.parametrize("who", [BOB, VERA])
def test_members_and_viewers_see_connections_and_change_none(site: CatalogSite, who: str) -> None:
    add(site, credential=SECRET)
    for path in (CONNECTIONS, f"{CONNECTIONS}?do=edit&name=prod", f"{CONNECTIONS}?do=add"):
        page = site.get(path, who).text
        assert "<bdi>prod</bdi>" in page
        assert 'method="post" action="/settings/connections' not in page
    for do in ("add", "edit", "test", "archive", "delete"):
        assert site.send(f"{CONNECTIONS}?do={do}&name=prod", who, **GOOD).status_code == 403


def test_another_accounts_connection_is_not_found(site: CatalogSite, provider: str) -> None:
    add(site, base_url=provider, credential=SECRET)
    assert "<bdi>prod</bdi>" not in site.get(f"{CONNECTIONS}?archived=1&q=prod", CHARLIE).text
    for do in ("test", "edit", "archive", "restore", "delete"):
        assert site.send(f"{CONNECTIONS}?do={do}&name=prod", CHARLIE, **GOOD).status_code == 404
    assert listed(site)["prod"].has_credential
