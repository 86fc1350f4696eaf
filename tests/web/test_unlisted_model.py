"""The runs of a model that the catalog does not list: it lists so many by itself, and ingest keeps the runs of all."""

import re

from modeltraces.run import now_us
from modeltraces.store.rows import insert_runs
from modeltraces.web.address import MODEL_TRACES
from tests.query.runs import run
from tests.web.conftest import HOUR_US, CatalogSite

NOBODYS = "No model named"


def shown(site: CatalogSite, query: str) -> str:
    page = site.get(f"{MODEL_TRACES}?{query}").text
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def test_its_runs_and_numbers_are_shown_and_only_a_name_without_any_is_nobodys(site: CatalogSite) -> None:
    site.seen("llama")
    insert_runs(site.store, [run(site.account_id, 7, model="unlisted", executed_on_us=now_us() - 50 * HOUR_US)])
    page = shown(site, "model=unlisted")
    assert NOBODYS not in page
    assert "Total Requests 1 " in page
    assert NOBODYS not in shown(site, "model=unlisted&period=24h"), "it has runs, but none of today"
    assert NOBODYS not in shown(site, "model=unlisted&filter=status:failed")
    nope = shown(site, "model=nope")
    assert NOBODYS in nope
    assert "Total Requests" not in nope
