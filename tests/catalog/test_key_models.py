"""Which of a key's models the account does not have, told in bounds: a key may name 200, and an account has many keys."""

from collections.abc import Callable
from typing import Any

import pytest

from modeltraces.catalog import accounts, connections, key_models, nearest
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.key_limits import KeyLimits
from modeltraces.catalog.key_models import doubts_about_each
from modeltraces.catalog.models import ModelRegistry
from tests.catalog.model_world import ALICE, VAULT, create, deploy

DoubtsOf = Callable[..., list[list[str]]]


@pytest.fixture
def doubts_of(catalog: Catalog) -> DoubtsOf:
    account_id = accounts.ensure_default(catalog).id
    for name in ("gpt-4o", "gpt-4o-mini", "@cf/llama", "llama"):
        create(catalog, account_id, name, "open_source")
    deploy(catalog, account_id, "llama", "v1")
    deploy(catalog, account_id, "@cf/llama", "v1")
    for name, models in (("azure", ["listed"]), ("every", ["*"])):
        values = {"name": name, "protocol": "openai", "base_url": "http://127.0.0.1:9", "models": models}
        connections.create(catalog, account_id, values, VAULT, actor=ALICE)
    registry = ModelRegistry(catalog)

    def of(*keys: list[str]) -> list[list[str]]:
        given = [KeyLimits(allowed_models=tuple(names)) for names in keys]
        return doubts_about_each(catalog, registry, account_id, given)

    return of


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    really = nearest.nearest_names

    def noted(name: str, among: Any) -> list[str]:
        found.append(name)
        return really(name, among)

    monkeypatch.setattr(key_models, "nearest_names", noted)
    return found


def unknown(count: int, start: int = 0) -> list[str]:
    return [f"gpt-4o-{number}" for number in range(start, start + count)]


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_few_are_each_told(doubts_of: DoubtsOf, count: int) -> None:
    (told,) = doubts_of(["gpt-4o", *unknown(count), "llama"])
    assert [text.partition("'")[2].partition("'")[0] for text in told] == unknown(count)
    assert all("Did you mean gpt-4o" in text for text in told)


@pytest.mark.parametrize("count", [6, 199])
def test_of_many_the_first_five_are_told_and_how_many_more_there_are(
    doubts_of: DoubtsOf, searches: list[str], count: int
) -> None:
    """Those among them that the account has are none of them."""
    names = unknown(count)
    (told,) = doubts_of([*names[:3], "gpt-4o", *names[3:]])
    assert [text.partition("'")[2].partition("'")[0] for text in told[:-1]] == names[:5]
    assert told[-1] == f"And {count - 5} more that this account does not have yet."
    assert searches == names[:5], "no near names are looked for that are not told"


def test_many_keys_are_searched_for_as_little_as_a_few(doubts_of: DoubtsOf, searches: list[str]) -> None:
    """The page API keys took 17 seconds with 2,000 models and fifty such keys."""
    keys = [unknown(200, start=number * 200) for number in range(50)]
    told = doubts_of(*keys)
    assert [text[-1] for text in told] == ["And 195 more that this account does not have yet."] * 50
    assert [len(text) for text in told] == [6] * 50
    assert "Did you mean" in told[0][0]
    assert "gpt-4o-9800" in told[49][0]
    assert 5 <= len(searches) <= 10


def test_keys_that_name_the_same_are_searched_for_once(doubts_of: DoubtsOf, searches: list[str]) -> None:
    told = doubts_of(*[["gpt-4oo", "llama@v11"]] * 40)
    assert told == [
        ["This account has no model 'gpt-4oo' yet. Did you mean gpt-4o, gpt-4o-mini?",
         "llama has no deployment or connection 'v11' yet. Did you mean v1?"]
    ] * 40  # fmt: skip
    assert searches == ["gpt-4oo", "v11"]


@pytest.mark.parametrize(
    ("spelling", "has"),
    [
        ("*", True), ("g*", True), ("gpt-4o*", True), ("gpt-4o-mini*", True), ("gpt-4o-mini-*", False), ("gz*", False),
        ("zz*", False), ("a*", False), ("list*", True), ("llama@*", True), ("llama@v*", True), ("llama@v1*", True),
        ("llama@v2*", False), ("llama@az*", True), ("gpt-4o@az*", True), ("gpt-4o@v*", False), ("gpt@*", False), ("@*", True),
        ("@cf/*", True), ("@cf/llama@v*", True), ("@cf/llama@w*", False), ("@cf@*", False),
        ("listed", True), ("listed@azure", True), ("listed@v1", False), ("@cf/llama", True), ("@cf/llama@v1", True), ("@cf/lama", False),
    ],
)  # fmt: skip
def test_what_the_account_has(doubts_of: DoubtsOf, spelling: str, has: bool) -> None:
    assert doubts_of([spelling]) == [[]] if has else len(doubts_of([spelling])[0]) == 1
