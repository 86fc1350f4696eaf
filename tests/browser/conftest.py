"""A real Chromium against the real server. A page that logs an error or asks another host fails its test."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState

from tests.browser.catalog_world import KIM, fill_catalog, running_provider
from tests.browser.world import DORA, EVE, VERA, World
from tests.support.server import PASSWORD, Server

TRACES = "/settings/monitoring/model-traces"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@dataclass
class Visit:
    """A page, the server it is on, and what it did that it must not."""

    page: Page
    url: str
    errors: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()
    """Parts of messages that the test provokes."""

    def go(self, path: str = TRACES) -> Page:
        self.page.goto(self.url + path)
        return self.page

    def unexpected(self) -> list[str]:
        return [error for error in self.errors if not any(part in error for part in self.expected)]


@pytest.fixture(scope="session")
def world(server: Server) -> World:
    return World(server).fill()


def sign_in(browser: Browser, server: Server, email: str) -> StorageState:
    context = browser.new_context(timezone_id="Europe/Berlin")
    page = context.new_page()
    page.goto(server.url + "/sign-in")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**" + TRACES)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture(scope="session")
def dora(browser: Browser, world: World) -> StorageState:
    return sign_in(browser, world.server, DORA)


@pytest.fixture(scope="session")
def vera(browser: Browser, world: World) -> StorageState:
    return sign_in(browser, world.server, VERA)


@pytest.fixture(scope="session")
def eve(browser: Browser, world: World) -> StorageState:
    return sign_in(browser, world.server, EVE)


@pytest.fixture(scope="session")
def kim(browser: Browser, world: World) -> StorageState:
    """Owner of an account whose catalog the tests change."""
    fill_catalog(world)
    return sign_in(browser, world.server, KIM)


@pytest.fixture(scope="session")
def provider() -> Iterator[str]:
    """The address of a provider that knows `catalog_world.CREDENTIAL`."""
    with running_provider() as address:
        yield address


class Visitors:
    """Opens pages, and at the end asks each whether it behaved."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self._url = url
        self.visits: list[Visit] = []
        self._contexts: list[BrowserContext] = []

    def visit(
        self,
        state: StorageState | None,
        *,
        width: int = 1280,
        height: int = 900,
        scheme: str = "light",
        zone: str = "Europe/Berlin",
    ) -> Visit:
        context = self._browser.new_context(
            storage_state=state,
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
            timezone_id=zone,
            permissions=["clipboard-read", "clipboard-write"],
        )
        context.set_default_timeout(15_000)
        page = context.new_page()
        visit = Visit(page, self._url)
        page.on(
            "console",
            lambda message: visit.errors.append(message.text) if message.type in ("error", "warning") else None,
        )
        page.on("pageerror", lambda error: visit.errors.append(str(error)))
        host = urlsplit(self._url).netloc
        page.on(
            "request",
            lambda request: (
                visit.elsewhere.append(request.url) if urlsplit(request.url).netloc not in ("", host) else None
            ),
        )
        self.visits.append(visit)
        self._contexts.append(context)
        return visit

    def close(self) -> None:
        for context in self._contexts:
            context.close()


@pytest.fixture
def visitors(browser: Browser, server: Server) -> Iterator[Visitors]:
    made = Visitors(browser, server.url)
    yield made
    made.close()
    for visit in made.visits:
        assert visit.unexpected() == []
        assert visit.elsewhere == []


@pytest.fixture
def visit(visitors: Visitors, dora: StorageState) -> Visit:
    """Dora, at her desk."""
    return visitors.visit(dora)


@pytest.fixture
def page(visit: Visit) -> Page:
    """The Model Traces page of the last 7 days, as Dora sees it."""
    return visit.go()
