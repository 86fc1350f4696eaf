"""Settings → API keys, as people of each role change it."""

import pytest

from modeltraces.catalog import keys
from modeltraces.web.address import API_KEYS
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
