"""Two accounts never see or change each other's things, on any page."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import StorageState

from modeltraces.catalog import keys, users
from tests.browser.conftest import TRACES
from tests.browser.world import ACCOUNT, DORA, LLAMA, World

SECRETS = ("billing-agent", LLAMA, "azure-eu", "where is my order", DORA, "special-arabic")


@pytest.fixture
def stranger(eve: StorageState, world: World) -> Iterator[httpx.Client]:
    """Eve, an owner, with the token that her own pages send."""
    cookies = {cookie["name"]: cookie["value"] for cookie in eve.get("cookies", [])}
    with httpx.Client(base_url=world.server.url, cookies=cookies, timeout=30) as client:
        page = client.get("/settings/profile").text
        client.headers["X-CSRF-Token"] = page.partition('data-csrf="')[2].partition('"')[0]
        yield client


@pytest.mark.parametrize(
    "path",
    [
        TRACES,
        f"{TRACES}?period=all&model={LLAMA}",
        f"{TRACES}?period=all&filter=order",
        f"{TRACES}/suggest?text=source:",
        f"{TRACES}/suggest?text=model:&period=all",
        "/settings/models",
        "/settings/api-keys",
        "/settings/members",
        "/settings/profile",
        "/settings/monitoring/rejected",
    ],
)
def test_no_page_shows_anything_of_another_account(stranger: httpx.Client, path: str) -> None:
    answer = stranger.get(path)
    assert answer.status_code == 200
    shown = answer.text.replace(path.partition("?")[2], "")
    assert [secret for secret in SECRETS if secret in shown and secret not in path] == []


@pytest.mark.parametrize("part", ["", "page", "runs", "drawer"])
def test_a_run_of_another_account_is_not_there_in_any_part(stranger: httpx.Client, part: str) -> None:
    headers = {"HX-Request": "true", "X-Part": part} if part else {}
    answer = stranger.get(f"{TRACES}/runs/special-arabic?period=all", headers=headers)
    assert answer.status_code == 404


@pytest.mark.parametrize("view", ["text", "json"])
@pytest.mark.parametrize("side", ["input", "output"])
def test_a_payload_of_another_account_is_not_there(stranger: httpx.Client, side: str, view: str) -> None:
    assert stranger.get(f"{TRACES}/payload/{side}/special-arabic?view={view}").status_code == 404


def test_keys_and_members_of_another_account_cannot_be_changed(stranger: httpx.Client, world: World) -> None:
    account_id = world.server.account_id(ACCOUNT)
    world.server.key("read", account=ACCOUNT)
    key = keys.list_keys(world.server.catalog, account_id)[0]
    dora = users.find(world.server.catalog, DORA)
    assert dora is not None
    for path, form in (
        (f"/settings/api-keys/{key.id}/revoke", {}),
        (f"/settings/api-keys/{key.id}/change", {"name": "mine"}),
        (f"/settings/members/{dora.id}/role", {"role": "viewer"}),
        (f"/settings/members/{dora.id}/remove", {}),
        ("/settings/profile/account", {"account": account_id}),
    ):
        assert stranger.post(path, data=form).status_code == 404, path
    assert key in keys.list_keys(world.server.catalog, account_id)
    assert users.get_member(world.server.catalog, account_id, dora.id).role == "owner"


def test_an_api_key_opens_no_page(world: World) -> None:
    key = world.server.key("read", "admin", account=ACCOUNT)
    answer = httpx.get(world.server.url + TRACES, headers={"x-api-key": key})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in"
