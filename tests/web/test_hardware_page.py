"""Settings → Hardware: the price list."""

import pytest

from modeltraces.catalog.hosting import deployments, hardware
from tests.web.conftest import ADA, ALICE, BOB, CHARLIE, VERA, CatalogSite

HARDWARE = "/settings/hardware"


def prices(site: CatalogSite) -> dict[str, str]:
    listed = hardware.list_hardware(site.catalog, site.account_id)
    return {one.name: str(one.credits_per_replica_hour) for one in listed}


def test_an_owner_adds_prices_changes_and_removes_them(site: CatalogSite) -> None:
    assert "No prices yet" in site.get(HARDWARE).text
    answer = site.send(f"{HARDWARE}?do=add", name=" a100 80gb ", price="1.25")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{HARDWARE}#hardware-a100%2080gb")
    site.send(f"{HARDWARE}?do=price&name=a100%2080gb", price="2")
    page = site.get(HARDWARE).text
    assert "<strong>2</strong>" in page
    assert "1 earlier price" in page
    assert "<strong>1.25</strong> from" in page
    assert ALICE in page
    assert site.send(f"{HARDWARE}?do=remove&name=a100%2080gb").status_code == 303
    assert prices(site) == {}


def test_deployments_that_keep_an_earlier_price_are_counted(site: CatalogSite) -> None:
    hardware.set_price(site.catalog, site.account_id, "l4", "0.3", actor="t")
    site.seen("llama", model_kind="open_source")
    deployments.create(site.catalog, site.account_id, "llama", site.fields(hardware="l4"), actor="t")
    assert "open interval" not in site.get(HARDWARE).text.split("<tbody>")[1]
    hardware.set_price(site.catalog, site.account_id, "l4", "0.4", actor="t")
    page = site.get(HARDWARE).text
    assert "1 open interval still at 0.3, until scaled or redeployed" in page
    assert "llama@v1" in page
    assert "do=remove" not in page
    refused = site.send(f"{HARDWARE}?do=remove&name=l4")
    assert refused.status_code == 409
    assert "Deployments are on" in refused.text


@pytest.mark.parametrize(
    ("do", "fields", "status", "says"),
    [
        ("add", {"name": "", "price": "1"}, 422, "must not be empty"),
        ("add", {"name": "x", "price": "-1"}, 422, "The price must be a number from 0 up"),
        ("add", {"name": "x", "price": "one"}, 422, "The price must be a number or a decimal string"),
        ("price&name=l4", {"price": "NaN"}, 422, "The price must be a number or a decimal string"),
        ("remove&name=nowhere", {}, 404, "has no hardware"),
    ],
)
def test_what_is_refused_says_why_and_keeps_what_was_typed(
    site: CatalogSite, do: str, fields: dict[str, str], status: int, says: str
) -> None:
    hardware.set_price(site.catalog, site.account_id, "l4", "0.3", actor="t")
    answer = site.send(f"{HARDWARE}?do={do}", **fields)
    assert answer.status_code == status
    assert answer.text.count('role="alert"') == 1
    assert says in answer.text
    assert all(f'value="{value}"' in answer.text for value in fields.values() if value)
    assert prices(site) == {"l4": "0.3"}


def test_a_new_price_does_not_put_back_what_was_taken_off_the_list(site: CatalogSite) -> None:
    answer = site.send(f"{HARDWARE}?do=price&name=l4", price="1")
    assert answer.status_code == 404
    assert "has no hardware" in answer.text
    assert prices(site) == {}


@pytest.mark.parametrize("who", [ADA, BOB, VERA])
def test_all_but_owners_see_prices_and_change_none(site: CatalogSite, who: str) -> None:
    hardware.set_price(site.catalog, site.account_id, "l4", "0.3", actor="t")
    page = site.get(f"{HARDWARE}?do=price&name=l4", who).text
    assert "<strong>0.3</strong>" in page
    assert "Only an owner changes prices." in page
    assert "New price" not in page
    for do in ("add", "price&name=l4", "remove&name=l4"):
        assert site.send(f"{HARDWARE}?do={do}", who, name="l4", price="9").status_code == 403
    assert prices(site) == {"l4": "0.3"}


def test_another_accounts_prices_are_neither_seen_nor_changed(site: CatalogSite) -> None:
    hardware.set_price(site.catalog, site.account_id, "l4", "0.3", actor="t")
    assert "<bdi>l4</bdi>" not in site.get(HARDWARE, CHARLIE).text
    assert site.send(f"{HARDWARE}?do=remove&name=l4", CHARLIE).status_code == 404
    site.send(f"{HARDWARE}?do=price&name=l4", CHARLIE, price="9")
    assert prices(site) == {"l4": "0.3"}
