"""A real database for every test: SQLite, and PostgreSQL too for those that are marked, or all of them (`--thorough`)."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from modeltraces.catalog import passwords
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.file.applying import Applied, apply
from modeltraces.catalog.file.credentials import Credentials
from modeltraces.catalog.models import ModelRegistry
from tests.catalog.cast import Cast, Clock, Timer, make_cast
from tests.catalog.catalog_files import no_vault
from tests.catalog.hosting_world import at
from tests.support.postgres import Postgres, emptied
from tests.support.prepared import new_catalog


@pytest.fixture(autouse=True)
def cheap_digests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digests that take no time; what the real ones cost is the library's own defaults."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    monkeypatch.setattr(passwords, "_decoy", [])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def noon(clock: Clock) -> Clock:
    """A clock that stands at 20:00 of the day whose hours the examples speak of."""
    clock.now_us = at(20)
    return clock


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "catalog_url" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("postgresql")
        with_both = metafunc.config.getoption("--thorough") or marker
        kinds = ["sqlite", "postgresql"] if with_both else ["sqlite"]
        metafunc.parametrize(
            "catalog_url", ["postgresql"] if marker and marker.kwargs.get("alone") else kinds, indirect=True
        )


@pytest.fixture
def catalog_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database; with its tables, but no row, where `catalog` is asked for."""
    if request.param == "sqlite":
        if "catalog" in request.fixturenames:
            new_catalog(tmp_path / "catalog.db").close()
        yield f"sqlite:///{tmp_path}/catalog.db"
    elif "catalog" in request.fixturenames:
        yield emptied(request.getfixturevalue("postgresql_with_tables"))
    else:
        postgres: Postgres = request.getfixturevalue("postgres")
        url = postgres.new_database()
        yield url
        postgres.drop(url)


@pytest.fixture(scope="module")
def postgresql_with_tables(postgres: Postgres) -> Iterator[str]:
    url = postgres.new_database(postgres.with_tables())
    yield url
    postgres.drop(url)


@pytest.fixture
def catalog(catalog_url: str, clock: Clock) -> Iterator[Catalog]:
    opened = Catalog(catalog_url, clock=clock)
    opened.upgrade()
    yield opened
    opened.close()


@pytest.fixture
def other_process(catalog: Catalog, catalog_url: str, clock: Clock) -> Iterator[Catalog]:
    """The same database, opened by somebody who shares nothing else with `catalog`."""
    opened = Catalog(catalog_url, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def registry(catalog: Catalog) -> ModelRegistry:
    return ModelRegistry(catalog)


@pytest.fixture
def cast(catalog: Catalog) -> Cast:
    return make_cast(catalog)


@pytest.fixture
def account_id(cast: Cast) -> str:
    """Account A's."""
    return cast.account_a.id


@pytest.fixture
def apply_file(catalog: Catalog, account_id: str) -> Callable[..., Applied]:
    """Applies a catalog file that names no credential to account A, as the command does."""

    def applied(text: str, **options: bool) -> Applied:
        return apply(catalog, account_id, text, Credentials(Path(), no_vault), actor="cli", **options)

    return applied


@pytest.fixture
def timer() -> Timer:
    return Timer()
