"""What serves a call, looked up in a large catalog: it is on the way of every call."""

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from modeltraces.catalog import accounts, connections
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.models import ModelRegistry, SeenModel
from modeltraces.gateway.no_target import NoTarget
from modeltraces.gateway.target_book import TargetBook
from tests.catalog.model_world import ALICE, VAULT, create, edit, merge

MODELS = [f"Model-{number}" for number in range(1000)]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TargetBook, str]]:
    """A thousand external models, each named by ten connections, the first of which spells them in capitals."""
    path: Path = tmp_path_factory.mktemp("targets") / "catalog.db"
    catalog = Catalog(f"sqlite:///{path}")
    catalog.upgrade()
    account_id = accounts.ensure_default(catalog).id
    registry = ModelRegistry(catalog)
    registry.ensure(account_id, {name: SeenModel("openai", "", 1, kind="external") for name in MODELS})
    for number in range(10):
        names = [name.upper() for name in MODELS] if number == 0 else MODELS
        values = {"name": f"place-{number}", "protocol": "openai", "base_url": "http://127.0.0.1:9", "models": names}
        connections.create(catalog, account_id, values, VAULT, actor=ALICE)
    values = {"name": "any", "protocol": "openai", "base_url": "http://127.0.0.1:9", "models": ["*"]}
    connections.create(catalog, account_id, values, VAULT, actor=ALICE)
    yield TargetBook(catalog, registry, ttl_seconds=60), account_id
    catalog.close()


def test_every_model_is_listed_in_a_moment(large: tuple[TargetBook, str]) -> None:
    """The page Gateway took two seconds with 2,000 models: each was looked for in every name of every connection."""
    book, account_id = large
    book.resolve(account_id, MODELS[0], "openai")
    start = time.perf_counter()
    assert book.names(account_id, "openai") == sorted(MODELS)
    assert time.perf_counter() - start < 0.3


def test_the_connections_that_name_a_model_serve_it_in_their_order_each_by_its_own_spelling(
    large: tuple[TargetBook, str],
) -> None:
    book, account_id = large
    found = book.resolve(account_id, "Model-7", "openai").choices
    assert [target.connection_name for target in found] == [f"place-{number}" for number in range(10)]
    assert [target.upstream_model for target in found] == ["MODEL-7"] + ["Model-7"] * 9
    assert {target.model for target in found} == {"Model-7"}


def test_a_named_connection_serves_alone_and_one_to_every_model_what_nobody_names(
    large: tuple[TargetBook, str],
) -> None:
    book, account_id = large
    for asked, place, upstream in (
        ("Model-7@place-3", "place-3", "Model-7"),
        ("Model-7@any", "any", "Model-7"),
        ("unheard-of", "any", "unheard-of"),
    ):
        (target,) = book.resolve(account_id, asked, "openai").choices
        assert (target.connection_name, target.upstream_model) == (place, upstream)
    with pytest.raises(NoTarget, match="place-99"):
        book.resolve(account_id, "Model-7@place-99", "openai")


def test_what_is_offered_in_place_of_a_deployment_speaks_what_the_caller_does(tmp_path: Path) -> None:
    """Offered a connection of the other protocol, callers went from a 404 to a 400."""
    catalog = Catalog(f"sqlite:///{tmp_path / 'catalog.db'}")
    catalog.upgrade()
    account_id = accounts.ensure_default(catalog).id
    registry = ModelRegistry(catalog)
    registry.ensure(account_id, {"llama": SeenModel("vllm", "", 1, kind="open_source")})

    def said(asked: str, status: int) -> str:
        with pytest.raises(NoTarget) as refused:
            TargetBook(catalog, registry).resolve(account_id, asked, "openai")
        assert refused.value.status == status
        return str(refused.value)

    for name, protocol in (("claude", "anthropic"), ("any", "openai")):
        assert "@any" not in said("llama", 404)
        values = {"name": name, "protocol": protocol, "base_url": "http://127.0.0.1:9", "models": ["*"]}
        connections.create(catalog, account_id, values, VAULT, actor=ALICE)
        if name == "claude":
            assert "call it as llama@claude at /gateway/anthropic." in said("llama", 404)
            assert said("llama@claude", 400) == (
                "llama@claude speaks anthropic, not openai: call it at /gateway/anthropic."
            )
    assert "call it as llama@any." in said("llama", 404)
    catalog.close()


@pytest.fixture
def account(tmp_path: Path) -> Iterator[tuple[Catalog, ModelRegistry, str]]:
    """One with a connection that reaches every model."""
    catalog = Catalog(f"sqlite:///{tmp_path}/catalog.db")
    catalog.upgrade()
    account_id = accounts.ensure_default(catalog).id
    registry = ModelRegistry(catalog)
    values = {"name": "any", "protocol": "openai", "base_url": "http://127.0.0.1:9", "models": ["*"]}
    connections.create(catalog, account_id, values, VAULT, actor=ALICE)
    yield catalog, registry, account_id
    catalog.close()


def test_a_model_that_was_renamed_is_called_by_the_name_that_its_provider_knows(
    account: tuple[Catalog, ModelRegistry, str],
) -> None:
    catalog, registry, account_id = account
    create(catalog, account_id, "gpt-4oo", "external")
    registry.ensure(account_id, {"o3": SeenModel("openai", "", 1, kind="external")})
    for before, after in (("gpt-4oo", "gpt-4o"), ("o3", "thinker")):
        edit(catalog, account_id, before, name=after)
    book = TargetBook(catalog, registry)
    # Without runs, its first name was a mistake; the runs of the other bear what the provider calls it.
    for asked, upstream in (("gpt-4o", "gpt-4o"), ("thinker", "o3"), ("o3", "o3")):
        (target,) = book.resolve(account_id, asked, "openai").choices
        assert target.upstream_model == upstream, asked
        assert target.recorded == upstream, asked
    (target,) = book.resolve(account_id, "gpt-4oo", "openai").choices
    assert (target.model, target.upstream_model) == ("gpt-4o", "gpt-4o")


def test_no_name_that_only_people_gave_a_model_goes_to_its_provider(
    account: tuple[Catalog, ModelRegistry, str],
) -> None:
    """Called `alpha` for an hour before `beta`, o3 was asked for as alpha; what no run bears, no provider knows."""
    catalog, registry, account_id = account

    def runs(name: str) -> None:
        registry.ensure(account_id, {name: SeenModel("openai", "", 1, kind="external")})

    def renamed(*names: str) -> None:
        for before, after in pairwise(names):
            edit(catalog, account_id, before, name=after)

    runs("o3")
    renamed("o3", "alpha", "beta")
    create(catalog, account_id, "chat", "external")
    renamed("chat", "gpt-4o")
    runs("gpt-4o")
    renamed("gpt-4o", "Our assistant")
    create(catalog, account_id, "a draft", "external")
    renamed("a draft", "b draft", "draft")
    # Runs come by a name that was given up, after the registry knew it without any.
    create(catalog, account_id, "late", "external")
    renamed("late", "early", "now")
    runs("early")
    runs("late")
    create(catalog, account_id, "part", "external")
    renamed("part", "a part")
    merge(catalog, account_id, "a part", "beta")
    book = TargetBook(catalog, registry)

    def upstream(asked: str) -> tuple[str, str]:
        (target,) = book.resolve(account_id, asked, "openai").choices
        return target.model, target.upstream_model

    for asked in ("beta", "alpha", "o3", "part", "a part"):
        assert upstream(asked) == ("beta", "o3"), asked
    for asked in ("Our assistant", "chat", "gpt-4o"):
        assert upstream(asked) == ("Our assistant", "gpt-4o"), asked
    for asked in ("a draft", "b draft", "draft"):
        assert upstream(asked) == ("draft", "draft"), asked
    assert [upstream(asked) for asked in ("late", "early")] == [("now", "late"), ("now", "early")]
