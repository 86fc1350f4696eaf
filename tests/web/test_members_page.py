"""Settings → Members, as people of each role change it."""

import pytest

from modeltraces.catalog import users
from modeltraces.web.address import MEMBERS
from tests.web.conftest import ADA, ALICE, BOB, CHARLIE, VERA, CatalogSite


def roles(site: CatalogSite) -> dict[str, str]:
    return {member.user.email: member.role for member in users.list_members(site.catalog, site.account_id)}


@pytest.mark.parametrize(("do", "fields"), [("role", {"role": "member"}), ("remove", {})])
def test_the_last_owner_stays_and_the_page_says_why(site: CatalogSite, do: str, fields: dict[str, str]) -> None:
    before = roles(site)
    answer = site.send(f"{MEMBERS}/{site.user_ids[ALICE][0]}/{do}", ALICE, **fields)
    assert answer.status_code == 409
    assert "<h1>This cannot be done</h1>" in answer.text
    assert "alice@example.com is the last owner: make somebody else an owner first." in answer.text
    assert roles(site) == before


@pytest.mark.parametrize(
    ("who", "whom", "do", "fields"),
    [
        (ADA, ALICE, "role", {"role": "viewer"}), (ADA, ALICE, "remove", {}), (ADA, ADA, "role", {"role": "owner"}),
        (ADA, BOB, "role", {"role": "owner"}), (BOB, VERA, "remove", {}), (BOB, BOB, "role", {"role": "admin"}),
        (VERA, BOB, "role", {"role": "viewer"}),
    ],
)  # fmt: skip
def test_nobody_changes_more_than_their_role_lets_them(
    site: CatalogSite, who: str, whom: str, do: str, fields: dict[str, str]
) -> None:
    before = roles(site)
    assert site.send(f"{MEMBERS}/{site.user_ids[whom][0]}/{do}", who, **fields).status_code == 403
    assert roles(site) == before


@pytest.mark.parametrize("do", ["role", "remove"])
def test_members_of_another_account_are_not_found(site: CatalogSite, do: str) -> None:
    answer = site.send(f"{MEMBERS}/{site.user_ids[CHARLIE][0]}/{do}", ALICE, role="viewer")
    assert answer.status_code == 404
    assert [one.role for one in users.list_members(site.catalog, site.other_account_id)] == ["owner"]
