"""The rules that a process holds: those of now, and the last known ones while the catalog does not answer."""

from typing import Any

import pytest

from modeltraces.catalog import model_edits
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import CatalogUnavailable, Invalid
from modeltraces.catalog.matching import book
from modeltraces.catalog.matching.book import RuleBook
from modeltraces.catalog.models import ModelRegistry
from tests.catalog.cast import Cast
from tests.catalog.model_world import known


@pytest.fixture
def rules(catalog: Catalog) -> RuleBook:
    return RuleBook(catalog, ModelRegistry(catalog))


def outcome(rules: RuleBook, account_id: str) -> str:
    return rules.rules(account_id).match({"model": "x"}, 0).model


def write(catalog: Catalog, account_id: str, model: str) -> None:
    values = {"name": model, "conditions": {"model": "x"}, "outcomes": {"model": model}, "position": 1}
    known(catalog, account_id, {"model": model})
    book.create_rule(catalog, account_id, values, actor="alice@example.com")


def test_what_another_process_changes_holds_at_once(
    rules: RuleBook, catalog: Catalog, other_process: Catalog, cast: Cast
) -> None:
    assert outcome(rules, cast.account_a.id) == "x"
    write(other_process, cast.account_a.id, "m")
    assert outcome(rules, cast.account_a.id) == "m"
    assert outcome(rules, cast.account_b.id) == "x"


@pytest.mark.parametrize("fails", ["revision", "list_models", "list_rules", "list_connections"])
def test_runs_go_on_being_matched_by_the_last_known_rules(
    rules: RuleBook, catalog: Catalog, cast: Cast, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    account_id = cast.account_a.id
    write(catalog, account_id, "m")
    assert outcome(rules, account_id) == "m"
    model_edits.create(catalog, account_id, "new", "external", actor="alice@example.com")

    def away(*_: Any, **__: Any) -> Any:
        raise CatalogUnavailable("the catalog does not answer")

    monkeypatch.setattr(ModelRegistry if hasattr(ModelRegistry, fails) else book, fails, away)
    assert outcome(rules, account_id) == "m"
    with pytest.raises(CatalogUnavailable):
        outcome(rules, cast.account_b.id)


def test_a_rule_without_conditions_or_with_none_in_them_is_told_so(catalog: Catalog, cast: Cast) -> None:
    values: dict[str, Any] = {"name": "r", "outcomes": {"model": "m"}}
    with pytest.raises(Invalid, match="conditions is missing"):
        book.create_rule(catalog, cast.account_a.id, values, actor="alice@example.com")
    with pytest.raises(Invalid, match="conditions is empty"):
        book.create_rule(catalog, cast.account_a.id, values | {"conditions": {}}, actor="alice@example.com")
