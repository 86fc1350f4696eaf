"""Settings → API keys, as people of each role change it."""

import re

import pytest

from modeltraces.catalog import keys
from modeltraces.web.address import API_KEYS
from modeltraces.web.shown_once import COOKIE
from tests.web.conftest import ADA, ALICE, BOB, CatalogSite


def scopes(site: CatalogSite) -> list[tuple[str, ...]]:
    return [key.scopes for key in keys.list_keys(site.catalog, site.account_id)]


def test_only_an_owner_makes_keys_that_do_more_than_an_admin_may(site: CatalogSite) -> None:
    refused = site.send(API_KEYS, ADA, name="mine", scope="admin")
    assert refused.status_code == 422
    assert "Only an owner makes keys of scope admin" in refused.text
    assert scopes(site) == []
    assert site.send(API_KEYS, ADA, name="mine", scope="read").status_code == 303
    assert site.send(API_KEYS, ALICE, name="hers", scope="admin").status_code == 303
    assert sorted(scopes(site)) == [("admin",), ("read",)]


@pytest.mark.parametrize("scope", ["read", "admin"])
def test_members_make_no_keys(site: CatalogSite, scope: str) -> None:
    assert site.send(API_KEYS, BOB, name="mine", scope=scope).status_code == 403
    assert scopes(site) == []


def test_the_page_says_every_header_that_a_key_is_taken_from(site: CatalogSite) -> None:
    told = site.get(API_KEYS).text
    assert (
        "<code>Authorization: Bearer mt_…</code>, <code>x-api-key: mt_…</code> or <code>api-key: mt_…</code>." in told
    )


def doubts(text: str) -> list[str]:
    return re.findall(r"This account has no model &#39;(.+?)&#39; yet\.", text)


def test_models_that_the_account_does_not_have_are_told_below_the_key_until_it_has_them(site: CatalogSite) -> None:
    site.seen("gpt-4o")
    for name, models in (("one", "gpt-4oo\r\ngpt-4o"), ("two", "gpt-4o"), ("three", "soon"), ("four", "")):
        assert site.send(API_KEYS, name=name, scope="gateway", models=models).status_code == 303
    told = site.get(API_KEYS).text
    assert sorted(doubts(told)) == ["gpt-4oo", "soon"]
    assert "Did you mean gpt-4o?" in told
    site.seen("soon")
    assert doubts(site.get(API_KEYS).text) == ["gpt-4oo"]
    [one] = [key for key in keys.list_keys(site.catalog, site.account_id) if key.name == "one"]
    assert site.send(f"{API_KEYS}/{one.id}/change", name="one", models="gpt-4").status_code == 303
    assert doubts(site.get(API_KEYS).text) == ["gpt-4"]


def test_of_hundreds_of_models_that_the_account_does_not_have_five_are_told_and_how_many_more(
    site: CatalogSite,
) -> None:
    site.seen("gpt-4o")
    wrong = [f"gpt-4o-{number}" for number in range(200)]
    assert site.send(API_KEYS, name="mine", scope="gateway", models="\n".join(wrong)).status_code == 303
    told = site.get(API_KEYS).text
    assert doubts(told) == wrong[:5]
    assert "<bdi>And 195 more that this account does not have yet.</bdi>" in told


def test_a_new_key_is_shown_with_the_doubts_about_its_models(site: CatalogSite) -> None:
    site.seen("gpt-4o")
    assert site.send(API_KEYS, name="old", scope="gateway", models="older").status_code == 303
    made = site.send(API_KEYS, name="mine", scope="gateway", models="gpt-4oo")
    once = re.match(rf"{COOKIE}=([^;]+)", made.headers["set-cookie"])
    assert once
    shown = site.get(API_KEYS, cookies={COOKIE: once[1]}).text
    card = shown[shown.index("new-key-title") : shown.index("</section>", shown.index("new-key-title"))]
    assert doubts(card) == ["gpt-4oo"]
