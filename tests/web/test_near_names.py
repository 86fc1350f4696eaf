"""What a misspelt model may have meant is looked for in bounds, and not on the event loop, where everybody would wait for it."""

import asyncio
from collections.abc import Iterable

import pytest

from modeltraces.catalog import nearest
from modeltraces.gateway.target_book import TargetBook
from modeltraces.web import gateway_advice, nothing_found
from modeltraces.web.address import GATEWAY, MODEL_TRACES
from tests.web.conftest import CatalogSite


def _is_on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """What was looked for, and whether on an event loop."""
    found: list[tuple[str, bool]] = []
    really = nearest.nearest_names

    def noted(name: str, among: Iterable[str]) -> list[str]:
        found.append((name, _is_on_a_loop()))
        return really(name, among)

    for module in (gateway_advice, nothing_found):
        monkeypatch.setattr(module, "nearest_names", noted)
    return found


def test_of_many_models_that_are_not_there_three_are_looked_for(
    site: CatalogSite, searches: list[tuple[str, bool]]
) -> None:
    """With 100 of them among 2,000 the server stood still for five seconds."""
    site.seen("llama-3")
    names = [f"llama-{number}x" for number in range(40)]
    page = site.get(f"{MODEL_TRACES}?{'&'.join(f'model={name}' for name in names)}").text
    assert "No model named “llama-0x”, “llama-1x”, “llama-2x” and 37 more" in page
    assert ">llama-3</a>" in page
    assert searches == [(name, False) for name in names[:3]]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["llama-3x"], "No model named “llama-3x”"),
        (["a", "b", "c"], "No model named “a”, “b”, “c”<"),
        (["a", "b", "c", "d"], "No model named “a”, “b”, “c” and 1 more<"),
    ],
)
def test_a_few_are_all_named(site: CatalogSite, names: list[str], says: str) -> None:
    site.seen("llama-3")
    assert says in site.get(f"{MODEL_TRACES}?{'&'.join(f'model={name}' for name in names)}").text


def test_what_the_page_gateway_advises_is_looked_for_beside_the_event_loop(
    site: CatalogSite, searches: list[tuple[str, bool]]
) -> None:
    site.seen("llama-3")
    site.app.state.gateway.targets = TargetBook(site.catalog, site.registry)
    assert "llama-3x" in site.get(f"{GATEWAY}?model=llama-3x@nowhere").text
    assert searches == [("llama-3x", False)]
