"""The catalog's pages over a real catalog and a real store, without a server process; with the cast signed in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any, Final

import pytest
from anyio import CapacityLimiter
from fastapi import FastAPI
from starlette.testclient import TestClient

from modeltraces import web
from modeltraces.api import errors
from modeltraces.api.identity import SESSION_COOKIE
from modeltraces.catalog import accounts, users
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.hosting.deployments import Fields
from modeltraces.catalog.key_authenticator import KeyAuthenticator
from modeltraces.catalog.matching.book import RuleBook
from modeltraces.catalog.matching.job import Rematcher
from modeltraces.catalog.models import ModelEntry, ModelRegistry, SeenModel
from modeltraces.catalog.retention.policy import Days
from modeltraces.catalog.retention.sweeper import Sweeper
from modeltraces.catalog.sessions import Sessions
from modeltraces.catalog.users import Role
from modeltraces.catalog.vault import Vault
from modeltraces.gateway.routing import Router
from modeltraces.parts import Workers
from modeltraces.run import now_us
from modeltraces.store.engine import Store
from modeltraces.store.rows import insert_runs
from tests.query.runs import run
from tests.support.prepared import new_catalog
from tests.web.provider import Provider

HOUR_US: Final = 3_600_000_000
ALICE, ADA, BOB, VERA = "alice@example.com", "ada@example.com", "bob@example.com", "vera@example.com"
"""Owner, admin, member and viewer of one account."""
CHARLIE: Final = "charlie@example.com"
"""Owner of another."""


@dataclass(frozen=True)
class Answer:
    status_code: int
    text: str
    headers: Mapping[str, str]


@dataclass
class CatalogSite:
    app: FastAPI
    catalog: Catalog
    store: Store
    registry: ModelRegistry
    vault: Vault
    sessions: Sessions
    account_id: str
    other_account_id: str
    user_ids: dict[str, tuple[str, str]] = field(default_factory=dict)
    _tokens: dict[str, tuple[str, str]] = field(default_factory=dict)

    def _session(self, who: str) -> tuple[str, str]:
        if who not in self._tokens:
            made = self.sessions.create(*self.user_ids[who])
            found = self.sessions.lookup(made.token)
            assert found is not None
            self._tokens[who] = (made.token, found.csrf_token)
        return self._tokens[who]

    def get(
        self,
        path: str,
        who: str = ALICE,
        *,
        zone: str = "UTC",
        accept: str = "*/*",
        cookies: Mapping[str, str] | None = None,
    ) -> Answer:
        """`who`: '' for somebody who is not signed in. `cookies`: beside those of the session and the zone."""
        client = self._client(who, zone)
        client.cookies.update(dict(cookies or {}))
        got = client.get(path, headers={"accept": accept})
        return Answer(got.status_code, got.text, got.headers)

    def send(self, path: str, who: str = ALICE, *, zone: str = "UTC", **fields: str) -> Answer:
        """Send a form of that person's page; redirects are not followed."""
        data = {"csrf_token": self._session(who)[1], **fields}
        got = self._client(who, zone).post(path, data=data)
        return Answer(got.status_code, got.text, got.headers)

    def _client(self, who: str, zone: str) -> TestClient:
        cookies = {"tz": zone, **({SESSION_COOKIE: self._session(who)[0]} if who else {})}
        return TestClient(self.app, cookies=cookies, follow_redirects=False)

    def fields(self, **values: Any) -> Fields:
        return Fields(values, self.vault)

    def model(self, name: str, account_id: str = "") -> ModelEntry | None:
        return self.registry.get_model(account_id or self.account_id, name)

    def seen(self, name: str, **values: Any) -> None:
        """A run of a model: in the store, and the model in the catalog."""
        said = {key: value for key, value in values.items() if key != "model_kind"}
        made = run(self.account_id, model=name, executed_on_us=now_us() - HOUR_US, **said)
        made.request_id = f"{self.account_id}-{name}-{values}"
        insert_runs(self.store, [made])
        self.registry.ensure(
            self.account_id,
            {
                name: SeenModel(
                    first_run_on_us=made.executed_on_us,
                    kind=values.get("model_kind"),
                    deployment_versions=set(filter(None, [values.get("deployment_version")])),
                    connection_names=set(filter(None, [values.get("connection_name")])),
                )
            },
        )


@pytest.fixture
def site(tmp_path: Path, store: Store) -> Iterator[CatalogSite]:
    catalog = new_catalog(tmp_path / "catalog.db")
    account, other = accounts.ensure_default(catalog), accounts.ensure(catalog, "other", actor="test")[0]
    sessions, registry, vault = Sessions(catalog), ModelRegistry(catalog), Vault(b"k" * 32)
    rules = RuleBook(catalog, registry)
    app = FastAPI()
    app.state.parts = SimpleNamespace(
        settings=SimpleNamespace(allow_link_local=False),
        catalog=catalog,
        keys=KeyAuthenticator(catalog),
        sessions=sessions,
        registry=registry,
        rules=rules,
        rematcher=Rematcher(catalog, store, rules),
        sweeper=Sweeper(catalog, store, Days(90, 0), 2),
        store=store,
        vault=vault,
        secret=b"secret",
        recorder=SimpleNamespace(pressure=None, journal=SimpleNamespace(refused=0)),
        workers=Workers(CapacityLimiter(4), CapacityLimiter(1), CapacityLimiter(4)),
    )
    # The page asks it who failed just now; nothing is called here.
    app.state.gateway = SimpleNamespace(router=Router())
    errors.install(app)
    web.install(app)
    made = CatalogSite(app, catalog, store, registry, vault, sessions, account.id, other.id)
    cast: tuple[tuple[str, str, Role], ...] = (
        (ALICE, account.id, "owner"),
        (ADA, account.id, "admin"),
        (BOB, account.id, "member"),
        (VERA, account.id, "viewer"),
        (CHARLIE, other.id, "owner"),
    )
    for email, account_id, role in cast:
        user = users.create(catalog, account_id, email, role, actor="test")
        made.user_ids[email] = (user.id, account_id)
    yield made
    catalog.close()


@pytest.fixture
def provider() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()
