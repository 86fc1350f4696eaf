"""What every test may use. The engine allows one data directory a process, so each process has one server and one store."""

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest
import structlog
from playwright.sync_api import Browser, Page

from modeltraces.store.engine import ClickHouseStore, EngineLimits, open_store
from tests.browser.chromium import running_browser
from tests.support import forking, prepared
from tests.support.clickhouse import ClickHouse, a_server
from tests.support.postgres import NoPostgres, Postgres, start_postgres
from tests.support.server import Server
from tests.support.spreading import scheduling

# Nobody is asked over TLS, and each of some thousand clients would read all of the world's authorities first: 20 to 50 ms.
_NO_AUTHORITIES = httpx.create_ssl_context(verify=False)
vars(httpx._transports.default)["create_ssl_context"] = lambda **_: _NO_AUTHORITIES

TakePicture = Callable[[Page, str], None]

# The engine counts the whole process, and one that runs two thousand tests grows beyond what a server takes.
LIMITS = EngineLimits(engine_memory_bytes=8 << 30)


# How long an example takes tells of the machine. The same ones every day: what new ones find is for who has the time.
hypothesis.settings.register_profile("daily", deadline=None, derandomize=True, database=None)
hypothesis.settings.register_profile("thorough", deadline=None)


def pytest_configure(config: pytest.Config) -> None:
    forking.allow()
    if not hasattr(config, "workerinput"):
        prepared.share()
    # Unless told otherwise it draws a traceback with all that stands in variables: seconds for one of an application.
    plainly = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plainly])
    hypothesis.settings.load_profile("thorough" if config.getoption("--thorough") else "daily")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("whole_store") is None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return scheduling(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--thorough",
        action="store_true",
        help="as many kills, faults and random cases as were promised, for an hour to spare; some of each without",
    )
    parser.addoption("--pictures", type=Path, metavar="FOLDER", help="where to put pictures of the pages, to look at")


@pytest.fixture(scope="session")
def thorough(request: pytest.FixtureRequest) -> bool:
    """Whether this run has the time for the full number of kills, faults and random cases."""
    return bool(request.config.getoption("--thorough"))


@pytest.fixture(scope="session")
def take_picture(request: pytest.FixtureRequest) -> TakePicture:
    """Takes a picture of a page by the name it is given, if pictures are asked for: each costs half a second."""
    folder: Path | None = request.config.getoption("--pictures")

    def take(page: Page, name: str) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=folder / f"{name}.png")

    return take


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server with the cast; tests that count use an account of their own (`server.new_account`)."""
    running = Server(tmp_path_factory.mktemp("server") / "data", grpc=True)
    try:
        running.start()
        running.cast()
        yield running
        assert running.stop() == 0, running.log
    finally:
        running.close()


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseStore]:
    """The embedded engine, in this process, with its tables; tests use account ids of their own."""
    path = tmp_path_factory.mktemp("store") / "runs"
    prepared.new_store(path)
    opened = open_store(f"chdb://{path}", LIMITS)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of this process' own; skips where there is none, and none can be started."""
    try:
        running = start_postgres()
    except NoPostgres as error:
        # Where these tests count, they may not be left out unseen.
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    yield running
    running.close()


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    """A ClickHouse server, a process of its own; a module takes a database of its own (`clickhouse.new_database`)."""
    with a_server(tmp_path_factory.mktemp("clickhouse")) as server:
        yield server


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One a process: Playwright's sync API cannot be started twice in one."""
    with running_browser() as running:
        yield running


@pytest.fixture(autouse=True)
def no_loop_of_the_browsers(request: pytest.FixtureRequest) -> Iterator[None]:
    """Playwright's sync API leaves its event loop running in this thread; beside it `asyncio.run` refuses to work."""
    if request.node.get_closest_marker("browser") is not None:
        yield
        return
    loop = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    yield
    asyncio._set_running_loop(loop)


@pytest.fixture
def account_id(request: pytest.FixtureRequest) -> str:
    """An account that no other test writes to."""
    return f"account of {request.node.nodeid}"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"
