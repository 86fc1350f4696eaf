"""When the store or the catalog does not answer: a page that says what to do, in the place of what is missing."""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from anyio import CapacityLimiter
from fastapi import FastAPI
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from modeltraces import web
from modeltraces.api import errors
from modeltraces.api.identity import SESSION_COOKIE
from modeltraces.catalog import accounts, users
from modeltraces.catalog.errors import CatalogUnavailable
from modeltraces.catalog.models import ModelRegistry, SeenModel
from modeltraces.catalog.sessions import Sessions
from modeltraces.parts import Workers
from modeltraces.store.engine import QueryLimitExceeded, StoreError, StoreUnavailable
from modeltraces.web.address import MODEL_TRACES
from tests.support.prepared import new_catalog

SECRET_DETAIL = "Code: 999, host 10.0.0.7"


@dataclass
class FailingStore:
    """A store that is asked and fails, each time in the same way."""

    error: Exception
    asked: int = 0

    def query(self, sql: str, params: Mapping[str, Any] | None = None, *, surface: str = "") -> Sequence[Sequence[Any]]:
        self.asked += 1
        raise self.error

    def rows_about(self, table: str) -> int:
        self.query(table)
        return 0

    def unchanged(self, key: Hashable, find: Callable[[], Any]) -> Any:
        return find()

    def noted(self, key: Hashable) -> None:
        return None


@dataclass
class Site:
    client: TestClient
    store: FailingStore
    registry: ModelRegistry


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    catalog = new_catalog(tmp_path / "catalog.db")
    account = accounts.ensure_default(catalog)
    alice = users.create(catalog, account.id, "alice@example.com", "owner", password="a long password", actor="test")
    sessions = Sessions(catalog)
    registry = ModelRegistry(catalog)
    registry.ensure(account.id, {"llama": SeenModel(first_run_on_us=1)})
    store = FailingStore(QueryLimitExceeded("The query took too long. Choose a shorter period or a narrower filter."))
    app = FastAPI()
    app.state.parts = SimpleNamespace(
        catalog=catalog,
        sessions=sessions,
        registry=registry,
        store=store,
        secret=b"secret",
        recorder=SimpleNamespace(pressure=None, journal=SimpleNamespace(refused=0)),
        workers=Workers(CapacityLimiter(4), CapacityLimiter(1), CapacityLimiter(4)),
    )
    errors.install(app)
    web.install(app)
    with TestClient(app, cookies={SESSION_COOKIE: sessions.create(alice.id, account.id).token}) as client:
        yield Site(client, store, registry)
    catalog.close()


def test_a_query_over_its_limit_says_what_to_narrow_and_keeps_the_controls(site: Site) -> None:
    answer = site.client.get(f"{MODEL_TRACES}?filter=refund&period=90d")
    assert answer.status_code == 503
    assert answer.text.count("Choose a shorter period or a narrower filter.") == 2
    assert 'value="refund"' in answer.text
    assert "Try again" in answer.text
    assert "24h" in answer.text


def test_a_part_of_the_page_says_it_too_and_is_swapped_in(site: Site) -> None:
    for part in ("page", "runs"):
        answer = site.client.get(MODEL_TRACES, headers={"HX-Request": "true", "X-Part": part})
        assert answer.status_code == 200
        assert "Choose a shorter period" in answer.text
        assert "<html" not in answer.text


def test_a_store_that_is_away_is_said_without_its_innards(site: Site) -> None:
    site.store.error = RuntimeError(SECRET_DETAIL)
    answer = site.client.get(MODEL_TRACES)
    assert answer.status_code == 500
    assert answer.headers["content-type"].startswith("text/html")
    assert SECRET_DETAIL not in answer.text
    assert "Something went wrong" in answer.text


@pytest.mark.parametrize(
    ("error", "traced"),
    [
        (StoreUnavailable("the store is not reachable: start it"), False),
        (QueryLimitExceeded("The query took too long."), False),
        (StoreError(SECRET_DETAIL), True),
        (RuntimeError(SECRET_DETAIL), True),
    ],
    ids=str,
)
@pytest.mark.parametrize("path", [MODEL_TRACES, f"{MODEL_TRACES}/runs/some-run"])
def test_a_trouble_that_says_all_there_is_leaves_no_traceback(
    site: Site, error: Exception, traced: bool, path: str
) -> None:
    """Each look at a page while the store was away wrote some forty lines."""
    site.store.error = error
    with capture_logs() as lines:
        assert site.client.get(path).status_code == (500 if traced else 503)
    said = [line for line in lines if line["log_level"] == "error"]
    assert said
    assert {bool(line.get("exc_info")) for line in said} == {traced}
    assert all(str(error) == line["error"] for line in said)


def test_a_run_that_cannot_be_looked_for_is_a_page_that_can_be_tried_again(site: Site) -> None:
    site.store.error = StoreUnavailable("the store is not reachable: start it")
    answer = site.client.get(f"{MODEL_TRACES}/runs/some-run")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "The store is not reachable: start it." in answer.text
    assert "Try again" in answer.text


def test_models_are_listed_even_when_their_figures_cannot_be_had(site: Site) -> None:
    answer = site.client.get("/settings/models")
    assert "llama" in answer.text
    assert "Choose a shorter period" in answer.text


def test_suggestions_of_a_failing_store_are_none(site: Site) -> None:
    answer = site.client.get(f"{MODEL_TRACES}/suggest?text=source:")
    assert answer.status_code == 200
    assert all(not item["insert"] for item in answer.json()["items"])
    assert site.store.asked == 1


def test_a_catalog_that_is_away_is_a_page_too(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> Any:
        raise CatalogUnavailable("the catalog cannot be read: free space")

    monkeypatch.setattr(ModelRegistry, "list_models", away)
    answer = site.client.get(MODEL_TRACES)
    assert answer.status_code == 503
    assert "The database of accounts and models cannot be used; the server&#39;s log says why." in answer.text
    assert "free space" not in answer.text


def test_forms_without_the_sessions_token_are_refused(site: Site) -> None:
    answer = site.client.post("/settings/api-keys", data={"name": "x", "scope": "ingest"})
    assert answer.status_code == 403
    assert "out of date" in answer.text


def test_a_form_that_cannot_be_read_is_no_fault_of_the_address(site: Site) -> None:
    answer = site.client.post("/sign-in", data={"email": "a" * (1 << 20) + "b"})
    assert answer.status_code == 400
    assert "<h1>What was sent cannot be understood</h1>" in answer.text
    assert "This address" not in answer.text


def test_pages_are_never_kept_by_name_alone(site: Site) -> None:
    answer = site.client.get(MODEL_TRACES, headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert "cookie" in answer.headers["vary"]
