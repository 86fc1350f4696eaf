"""What the tests of the gateway share: a provider, and a server that waits for nobody long before one that misbehaves."""

from collections.abc import Iterator

import httpx
import pytest

from tests.gateway.raw import RawUpstream, raw_upstream
from tests.gateway.upstream import Upstream, serving
from tests.support.server import Server


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
