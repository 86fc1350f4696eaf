"""Calls of models that are not there: why is found once, beside the event loop, and never remembered past what is true."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest
from starlette.types import Message

from modeltraces.arrivals import Arrivals
from modeltraces.catalog import accounts, connections, nearest
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.key_authenticator import KeyIdentity
from modeltraces.catalog.key_limits import KeyLimits
from modeltraces.catalog.models import ModelRegistry
from modeltraces.gateway import no_target
from modeltraces.gateway.no_target import NoTarget
from modeltraces.gateway.proxy import Gateway
from modeltraces.gateway.target_book import TargetBook
from modeltraces.gateway.targets import Family
from modeltraces.gateway.timeouts import Timeouts
from tests.catalog.model_world import ALICE, VAULT, create, deploy
from tests.support.prepared import new_catalog

LONG_SECONDS = 3600
"""That no test lasts: what is looked up again is so because something changed."""


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    made = new_catalog(tmp_path / "catalog.db")
    yield made
    made.close()


@pytest.fixture
def account(catalog: Catalog) -> str:
    account_id = accounts.ensure_default(catalog).id
    connect(catalog, account_id, "direct", "openai", "gpt-4o")
    connect(catalog, account_id, "claude", "anthropic", "*")
    return account_id


@pytest.fixture
def book(catalog: Catalog) -> TargetBook:
    return TargetBook(catalog, ModelRegistry(catalog), LONG_SECONDS)


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What near names were looked for, and in which thread."""
    found: list[tuple[str, int]] = []
    really = nearest.nearest_names

    def noted(name: str, among: Any) -> list[str]:
        found.append((name, threading.get_ident()))
        return really(name, among)

    monkeypatch.setattr(no_target, "nearest_names", noted)
    return found


def connect(catalog: Catalog, account_id: str, name: str, protocol: str, *models: str) -> None:
    values = {"name": name, "protocol": protocol, "base_url": "http://127.0.0.1:9", "models": list(models)}
    connections.create(catalog, account_id, values, VAULT, actor=ALICE)


def serve(catalog: Catalog, account_id: str, name: str) -> str:
    create(catalog, account_id, name, "open_source")
    return deploy(catalog, account_id, name, endpoint="http://127.0.0.1:9")


def refusal(book: TargetBook, account_id: str, name: str) -> tuple[str, int]:
    with pytest.raises(NoTarget) as refused:
        book.resolve(account_id, name, "openai")
    return str(refused.value), refused.value.status


def test_why_is_said_again_without_a_search(
    book: TargetBook, account: str, searches: list[tuple[str, int]], catalog: Catalog
) -> None:
    other = accounts.ensure(catalog, "other", actor="test")[0].id
    first = refusal(book, account, "gpt-4oo")
    assert first[1] == 404
    assert "Did you mean gpt-4o?" in first[0]
    assert [refusal(book, account, "gpt-4oo") for _ in range(3)] == [first] * 3
    assert [name for name, _ in searches] == ["gpt-4oo"]
    # It is this name's, this account's and this API's.
    assert "gpt-4o?" not in refusal(book, other, "gpt-4oo")[0]
    assert "gpt-4oo'" not in refusal(book, account, "gpt-4oh")[0]
    (target,) = book.resolve(account, "gpt-4oo", "anthropic").choices
    assert target.connection_name == "claude"


def test_a_refusal_for_the_wrong_api_keeps_its_status(book: TargetBook, account: str) -> None:
    first = refusal(book, account, "x@claude")
    connect(book.catalog, account, "listing", "anthropic", "x")
    wrong = refusal(book, account, "x")
    assert wrong == refusal(book, account, "x")
    assert (first[1], wrong[1]) == (404, 400)


def test_what_was_asked_for_before_is_known(book: TargetBook, account: str) -> None:
    assert not book.is_known(account, "gpt-4oo", "openai")
    refusal(book, account, "gpt-4oo")
    book.resolve(account, "gpt-4o", "openai")
    for name in ("gpt-4oo", "gpt-4o"):
        assert book.is_known(account, name, "openai")
        assert not book.is_known(account, name, "anthropic")
        assert not book.is_known("another", name, "openai")
    assert not book.is_known(account, "gpt-4oh", "openai")
    create(book.catalog, account, "anything", "external")
    assert not book.is_known(account, "gpt-4oo", "openai"), "it may have changed"


@pytest.fixture
def gateway(book: TargetBook) -> Gateway:
    recorder: Any = SimpleNamespace(lets_in=lambda: True)
    return Gateway(
        book, recorder, cast(Any, None), VAULT, Arrivals(60), body_bytes=1 << 20, timeouts=Timeouts(1, 1, 1, 1),
        allow_link_local=False,
    )  # fmt: skip


def call(gateway: Gateway, account: str, method: str, path: str, body: Any = None, **limits: Any) -> tuple[int, Any]:
    """What a call is answered, in an event loop with nothing else in it."""
    said: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": orjson.dumps(body), "more_body": False}

    async def send(message: Message) -> None:
        said.append(message)

    whole = f"/gateway/openai/v1/{path}"
    scope = {
        "type": "http", "method": method, "path": whole, "raw_path": whole.encode(), "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }  # fmt: skip
    key = KeyIdentity("k", account, "key", frozenset({"gateway"}), "", "", None, KeyLimits(**limits))
    asyncio.run(gateway.call(key, scope, receive, send))
    start, content = said
    return start["status"], orjson.loads(content["body"])


def test_near_names_are_looked_for_beside_the_event_loop(
    gateway: Gateway, account: str, searches: list[tuple[str, int]]
) -> None:
    body = {"model": "gpt-4oo", "messages": []}
    answers = [call(gateway, account, "POST", "chat/completions", body) for _ in range(3)]
    ((name, thread),) = searches
    assert name == "gpt-4oo"
    assert thread != threading.get_ident(), "every other call waited for it"
    status, answer = answers[0]
    assert answers == [(status, answer)] * 3
    assert status == 404
    assert "Did you mean gpt-4o?" in answer["error"]["message"]


def test_the_list_of_what_a_key_may_call_takes_no_search(
    gateway: Gateway, account: str, searches: list[tuple[str, int]]
) -> None:
    """It took twelve seconds for a key of 200 models that were not there, among 2,000."""
    names = ("gpt-4o", "gpt-4o@direct", "gpt-4o@nowhere", "x@claude", *(f"gpt-4o-{number}" for number in range(190)))
    status, answer = call(gateway, account, "GET", "models", allowed_models=names)
    assert status == 200
    assert [one["id"] for one in answer["data"]] == ["gpt-4o", "gpt-4o@direct"]
    assert searches == []


@pytest.mark.parametrize("families", [("openai",), ("anthropic",), ("openai", "anthropic")])
def test_as_many_are_remembered_as_fit(book: TargetBook, account: str, families: tuple[Family, ...]) -> None:
    """Callers choose the names: of those that nothing serves, and of those that a connection to every model takes."""
    names = [f"unheard-of-{number}" for number in range(1_500)]
    for name in names:
        if "openai" in families:
            refusal(book, account, name)
        if "anthropic" in families:
            book.resolve(account, name, "anthropic")
    known = [name for name in names for family in families if book.is_known(account, name, family)]
    assert 0 < len(known) <= 1_000
    assert names[-1] in known, "the newest are"


def test_what_is_too_long_for_a_name_is_not_remembered(book: TargetBook, account: str) -> None:
    """A head may have 64 KB, and a thousand such names would stay in memory for each account."""
    longest = f"{'m' * 200}@{'v' * 200}"
    for name in (longest, "x" * 402, "y" * (60 << 10)):
        assert len(refusal(book, account, name)[0]) < 1_000
        book.resolve(account, name.replace("@", "/"), "anthropic")
        assert book.is_known(account, name, "openai") == (name == longest)
        assert book.is_known(account, name.replace("@", "/"), "anthropic") == (name == longest)


@pytest.mark.parametrize("who", ["this process", "another process"])
def test_a_model_that_is_made_later_is_found(
    book: TargetBook, account: str, catalog: Catalog, tmp_path: Path, who: str
) -> None:
    by = catalog if who == "this process" else Catalog(f"sqlite:///{tmp_path}/catalog.db")
    # What others change is seen at the next look.
    book.ttl_seconds = LONG_SECONDS if by is catalog else 0
    made: dict[str, Callable[[], object]] = {
        "listed": lambda: connect(by, account, "more", "openai", "listed"),
        "deployed": lambda: serve(by, account, "deployed"),
        "any@every": lambda: connect(by, account, "every", "openai", "*"),
    }
    for name, make in made.items():
        assert refusal(book, account, name) == refusal(book, account, name)
        make()
        assert book.resolve(account, name, "openai").choices, name
    if by is not catalog:
        by.close()


def test_what_served_a_model_is_not_remembered_past_its_end(book: TargetBook, account: str, catalog: Catalog) -> None:
    connect(catalog, account, "passing", "openai", "passing-by")
    assert book.resolve(account, "passing-by", "openai").choices
    connections.delete(catalog, account, "passing", has_runs=False, actor=ALICE)
    assert refusal(book, account, "passing-by")[1] == 404
