"""Addresses that are no page: those of a section lead to its first page, the others say so within the navigation."""

import pytest

from tests.web.conftest import CHARLIE, CatalogSite


@pytest.mark.parametrize("path", ["/", "/settings", "/settings/", "/settings/monitoring"])
def test_the_address_of_the_section_leads_to_its_first_page(site: CatalogSite, path: str) -> None:
    first = "/settings/monitoring/model-traces"
    for query in ("", "?period=24h&filter=status%3Afailed%20%2Bx&model=%C3%9C"):
        answer = site.get(path + query)
        assert (answer.status_code, answer.headers["location"]) == (303, first + query)


@pytest.mark.parametrize("path", ["/settings/nowhere", "/settings/models/not-there", "/nowhere"])
def test_a_page_that_is_not_there_keeps_the_navigation(site: CatalogSite, path: str) -> None:
    answer = site.get(path, CHARLIE, accept="text/html")
    assert answer.status_code == 404
    assert '<nav class="rail"' in answer.text
    assert "charlie@example.com" in answer.text
    assert answer.text.count("<h1>") == 1


def test_who_is_not_signed_in_sees_no_navigation(site: CatalogSite) -> None:
    answer = site.get("/nowhere", "", accept="text/html")
    assert answer.status_code == 404
    assert "<nav" not in answer.text
