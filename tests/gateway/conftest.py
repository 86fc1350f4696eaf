"""What the tests of the gateway share: a provider, and a server that waits for nobody long before one that misbehaves."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from tests.gateway.raw import RawUpstream, raw_upstream
from tests.gateway.upstream import Upstream, serving
from tests.support.server import Server

CallerOf = Callable[..., httpx.Client]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with serving() as found:
        yield found


@pytest.fixture(scope="session")
def raw() -> Iterator[RawUpstream]:
    with raw_upstream() as found:
        yield found


@pytest.fixture(scope="session")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that waits for nobody long, and takes a megabyte."""
    short = {"CONNECT_SECONDS": "0.4", "FIRST_BYTE_SECONDS": "0.8", "IDLE_SECONDS": "0.8", "BODY_MEGABYTES": "1"}
    running = Server(
        tmp_path_factory.mktemp("hurried") / "data",
        environment={f"MODELTRACES_GATEWAY_{name}": value for name, value in short.items()},
    )
    try:
        running.start()
        yield running
        assert running.stop() == 0, running.log
    finally:
        running.close()


@pytest.fixture
def raw_account(hurried: Server, raw: RawUpstream, request: pytest.FixtureRequest) -> str:
    name = hurried.new_account(request.node.nodeid)
    with hurried.client("admin", account=name) as admin:
        made = {"name": "raw", "protocol": "openai", "base_url": f"{raw.url}/base/v1", "models": ["*"]}
        assert admin.post("/api/v1/connections", json=made).status_code == 201
    return name


@pytest.fixture
def raw_caller(hurried: Server, raw_account: str) -> Iterator[httpx.Client]:
    with hurried.client("gateway", account=raw_account) as client:
        yield client


@pytest.fixture
def raw_reader(hurried: Server, raw_account: str) -> Iterator[httpx.Client]:
    with hurried.client("admin", account=raw_account) as client:
        yield client


@pytest.fixture
def admin(server: Server, account: str) -> Iterator[httpx.Client]:
    """Of the account that the module's own fixture `account` makes."""
    with server.client("admin", account=account) as client:
        yield client


@pytest.fixture
def caller_with(server: Server, admin: httpx.Client) -> Iterator[CallerOf]:
    """A program with a key of its own, of these limits; `client.headers["key-id"]` is the key's id."""
    with ExitStack() as stack:

        def made(**limits: Any) -> httpx.Client:
            key = admin.post("/api/v1/keys", json={"name": "limited", "scopes": ["gateway"], **limits}).json()
            headers = {"x-api-key": key["key"], "key-id": key["id"]}
            return stack.enter_context(httpx.Client(base_url=server.url, headers=headers, timeout=30))

        yield made
