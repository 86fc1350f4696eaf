"""Settings → Members, as people of each role change it."""

import re

import pytest

from modeltraces.catalog import users
from modeltraces.web.address import MEMBERS
from modeltraces.web.shown_once import COOKIE
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


def test_who_was_invited_elsewhere_is_added_without_a_link_into_that_account(site: CatalogSite) -> None:
    """They were added, and the page said that they could not be: that they had a login, which they had not."""
    answer = site.send(MEMBERS, ALICE, email=CHARLIE, role="viewer")
    assert roles(site)[CHARLIE] == "viewer"
    assert answer.status_code == 303
    once = re.match(rf"{COOKIE}=([^;]+)", answer.headers["set-cookie"])
    assert once
    shown = site.get(MEMBERS, ALICE, cookies={COOKIE: once[1]}).text
    assert "charlie@example.com is a member now" in shown
    assert "They choose a password with the link that they were sent for another account." in shown
    assert "/sign-in/link/" not in shown


@pytest.mark.parametrize(
    ("email", "role", "says"),
    [
        ("nobody", "viewer", "The email must look like name@example.com."), (BOB, "viewer", "is a member of this account already."),
        ("new@example.com", "king", "The role must be one of"),
    ],
)  # fmt: skip
def test_who_cannot_be_added_is_not(site: CatalogSite, email: str, role: str, says: str) -> None:
    before = roles(site)
    answer = site.send(MEMBERS, ALICE, email=email, role=role)
    assert (answer.status_code, roles(site)) == (422, before)
    assert says in answer.text
