"""Who asks, tried through a small app over a real catalog."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
from argon2 import PasswordHasher
from fastapi import Depends, FastAPI, Form, Request, Response
from starlette.testclient import TestClient

from modeltraces.api import errors
from modeltraces.api.identity import (
    SESSION_COOKIE,
    Admin,
    Identity,
    Ingester,
    OptionalIdentity,
    Reader,
    SignedIn,
    clear_session_cookie,
    require,
    set_session_cookie,
)
from modeltraces.catalog import keys, passwords, users
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import CatalogUnavailable
from modeltraces.catalog.key_authenticator import KeyAuthenticator
from modeltraces.catalog.sessions import NewSession, Sessions
from tests.catalog.cast import Cast, Clock, make_cast
from tests.support.prepared import new_catalog

HERE = "http://testserver"


@dataclass(frozen=True, slots=True)
class Parts:
    catalog: Catalog
    keys: KeyAuthenticator
    sessions: Sessions


def app_over(parts: Parts) -> FastAPI:
    app = FastAPI()
    app.state.parts = parts
    errors.install(app)

    def told(identity: Identity | None) -> dict[str, Any]:
        if identity is None:
            return {"account": None}
        return {"account": identity.account_id, "actor": identity.actor, "may_export": identity.may_export}

    @app.get("/read")
    async def read(identity: Reader) -> dict[str, Any]:
        return told(identity)

    @app.post("/ingest")
    async def ingest(identity: Ingester, request: Request) -> dict[str, Any]:
        return told(identity) | {"body": (await request.body()).decode()}

    @app.post("/admin")
    async def admin(identity: Admin, value: Annotated[str, Form()] = "") -> dict[str, Any]:
        return told(identity) | {"value": value}

    @app.post("/langfuse")
    async def langfuse(identity: Annotated[Identity, Depends(require("ingest", basic=True))]) -> dict[str, Any]:
        return told(identity)

    @app.api_route("/maybe", methods=["GET", "POST"])
    async def maybe(identity: OptionalIdentity) -> dict[str, Any]:
        return told(identity)

    @app.get("/me")
    async def me(identity: SignedIn) -> dict[str, Any]:
        return told(identity) | {"csrf": identity.csrf_token}

    @app.get("/enter")
    async def enter(request: Request, response: Response) -> None:
        set_session_cookie(response, request, "the-token", max_age_seconds=60)

    @app.get("/leave")
    async def leave(request: Request, response: Response) -> None:
        clear_session_cookie(response, request)

    return app


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def parts(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Parts]:
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    catalog = new_catalog(tmp_path / "catalog.db", clock)
    opened = Parts(catalog, KeyAuthenticator(catalog), Sessions(catalog))
    yield opened
    opened.keys.close()
    catalog.close()


@pytest.fixture
def cast(parts: Parts) -> Cast:
    return make_cast(parts.catalog)


@pytest.fixture
def client(parts: Parts) -> Iterator[TestClient]:
    with TestClient(app_over(parts), base_url=HERE) as opened:
        yield opened


def make_key(parts: Parts, account_id: str, *scopes: str, expires_on_us: int | None = None) -> str:
    plain, _ = keys.create_key(
        parts.catalog, account_id, "ci", actor="test", scopes=scopes or ("read",), expires_on_us=expires_on_us
    )
    return plain


def sign_in(parts: Parts, client: TestClient, user: users.User, account_id: str) -> NewSession:
    new = parts.sessions.create(user.id, account_id)
    client.cookies.set(SESSION_COOKIE, new.token)
    return new


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_a_key_is_taken_from_any_of_its_headers_and_leads_to_its_account(
    parts: Parts, cast: Cast, client: TestClient
) -> None:
    for account in (cast.account_a, cast.account_b):
        key = make_key(parts, account.id)
        for headers in (bearer(key), {"authorization": f"bearer  {key} "}, {"x-api-key": key}, {"api-key": key}):
            answer = client.get("/read", headers=headers)
            assert answer.json() == {"account": account.id, "actor": "key:ci", "may_export": True}


def test_a_key_of_others_beside_ours_is_not_taken_for_it(parts: Parts, cast: Cast, client: TestClient) -> None:
    key = make_key(parts, cast.account_a.id)
    assert client.get("/read", headers={"x-api-key": "of a proxy", "api-key": key}).status_code == 200
    sign_in(parts, client, cast.alice, cast.account_a.id)
    assert client.get("/read", headers={"api-key": "of a proxy"}).status_code == 200


def test_the_account_comes_from_the_key_whatever_the_request_says(parts: Parts, cast: Cast, client: TestClient) -> None:
    answer = client.get(f"/read?account={cast.account_b.id}", headers=bearer(make_key(parts, cast.account_a.id)))
    assert answer.json()["account"] == cast.account_a.id


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer mt_" + "x" * 43},
        {"Authorization": "Bearer sk-of-somebody-else"},
        {"Authorization": "Basic bXRfeDp5"},
        {"x-api-key": "mt_wrong"},
        {"x-api-key": ""},
        {"api-key": "mt_wrong"},
        {"Cookie": f"{SESSION_COOKIE}=made-up"},
        {"Cookie": f"{SESSION_COOKIE}="},
    ],
)
def test_without_valid_credentials_nothing_else_is_said(
    cast: Cast, client: TestClient, headers: dict[str, str]
) -> None:
    answer = client.get("/read", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {"type": "about:blank", "title": "Unauthorized", "status": 401}
    assert answer.headers["www-authenticate"] == "Bearer"


def test_revoked_and_expired_keys_look_like_unknown_ones(
    parts: Parts, cast: Cast, client: TestClient, clock: Clock
) -> None:
    unknown = client.get("/read", headers=bearer("mt_" + "x" * 43))
    expiring = make_key(parts, cast.account_a.id, expires_on_us=clock.now_us + 1)
    assert client.get("/read", headers=bearer(expiring)).status_code == 200
    clock.advance(1)
    revoked = make_key(parts, cast.account_a.id)
    key = next(k for k in keys.list_keys(parts.catalog, cast.account_a.id) if k.prefix == revoked[:7] + "…")
    keys.revoke_key(parts.catalog, cast.account_a.id, key.id, actor="test")
    for plain in (expiring, revoked):
        answer = client.get("/read", headers=bearer(plain))
        assert (answer.status_code, answer.content) == (401, unknown.content)


def test_a_key_of_the_wrong_scope_is_told_which_one_it_lacks(parts: Parts, cast: Cast, client: TestClient) -> None:
    answer = client.post("/ingest", headers=bearer(make_key(parts, cast.account_a.id, "read")))
    assert answer.status_code == 403
    assert "lacks the scope 'ingest'" in answer.json()["detail"]
    for scopes in (["ingest"], ["admin"], ["ingest", "gateway"]):
        key = make_key(parts, cast.account_a.id, *scopes)
        assert client.post("/ingest", headers=bearer(key)).status_code == 200
    assert client.get("/read", headers=bearer(make_key(parts, cast.account_a.id, "ingest"))).status_code == 403


def test_basic_authentication_works_where_it_is_asked_for(parts: Parts, cast: Cast, client: TestClient) -> None:
    key = make_key(parts, cast.account_a.id, "ingest", "read")
    assert client.post("/langfuse", headers=basic("pk-anything", key)).json()["account"] == cast.account_a.id
    assert client.post("/langfuse", headers=bearer(key)).status_code == 200
    assert client.get("/read", headers=basic("pk-anything", key)).status_code == 401
    for wrong in ("Basic !!!", "Basic " + base64.b64encode(b"no colon").decode(), "Basic gP+A", "Basic"):
        assert client.post("/langfuse", headers={"Authorization": wrong}).status_code == 401
    assert client.post("/langfuse", headers=basic("user", "their own password")).status_code == 401


def test_credentials_for_a_proxy_in_front_do_not_hide_ours(parts: Parts, cast: Cast, client: TestClient) -> None:
    key = make_key(parts, cast.account_a.id)
    assert client.get("/read", headers={**basic("proxy", "secret"), "x-api-key": key}).status_code == 200
    sign_in(parts, client, cast.bob, cast.account_a.id)
    answer = client.get("/read", headers=basic("proxy", "secret"))
    assert answer.json()["actor"] == "bob@example.com"


def test_a_bad_key_is_refused_even_beside_a_session(parts: Parts, cast: Cast, client: TestClient) -> None:
    sign_in(parts, client, cast.bob, cast.account_a.id)
    assert client.get("/read", headers=bearer("mt_" + "x" * 43)).status_code == 401


def test_a_session_is_its_user_in_one_account(parts: Parts, cast: Cast, client: TestClient) -> None:
    for user, account, email in (
        (cast.bob, cast.account_a, "bob@example.com"),
        (cast.charlie, cast.account_b, "charlie@example.com"),
    ):
        new = sign_in(parts, client, user, account.id)
        assert client.get("/me").json() == {
            "account": account.id,
            "actor": email,
            "may_export": True,
            "csrf": new.csrf_token,
        }
        parts.sessions.revoke(new.token)
        assert client.get("/me").status_code == 401


def test_a_person_is_not_a_key(parts: Parts, cast: Cast, client: TestClient) -> None:
    assert client.get("/me", headers=bearer(make_key(parts, cast.account_a.id, "admin"))).status_code == 401
    assert client.get("/maybe").json() == {"account": None}
    assert client.get("/maybe", headers=bearer(make_key(parts, cast.account_a.id))).json()["actor"] == "key:ci"


@pytest.mark.parametrize(
    ("role", "reads", "administers", "exports"),
    [("viewer", 200, 403, False), ("member", 200, 403, True), ("admin", 200, 200, True), ("owner", 200, 200, True)],
)
def test_a_role_says_what_a_session_may_do(
    parts: Parts, cast: Cast, client: TestClient, role: users.Role, reads: int, administers: int, exports: bool
) -> None:
    users.set_role(parts.catalog, cast.account_a.id, cast.bob.id, role, actor="test")
    new = sign_in(parts, client, cast.bob, cast.account_a.id)
    answer = client.get("/read")
    assert (answer.status_code, answer.json()["may_export"]) == (reads, exports)
    answer = client.post("/admin", headers={"X-CSRF-Token": new.csrf_token})
    assert answer.status_code == administers
    if administers == 403:
        assert f"Your role ({role}) does not allow this" in answer.json()["detail"]


def test_a_change_by_session_needs_its_token_in_header_or_form(parts: Parts, cast: Cast, client: TestClient) -> None:
    new = sign_in(parts, client, cast.alice, cast.account_a.id)
    assert client.post("/admin", headers={"X-CSRF-Token": new.csrf_token}).status_code == 200
    answer = client.post("/admin", data={"csrf_token": new.csrf_token, "value": "kept"})
    assert answer.json()["value"] == "kept", "the form stays readable for the route"
    answer = client.post("/admin", files={"csrf_token": (None, new.csrf_token), "value": (None, "kept")})
    assert answer.json()["value"] == "kept"
    answer = client.post("/ingest", content=b"{}", headers={"X-CSRF-Token": new.csrf_token})
    assert answer.json()["body"] == "{}"


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"headers": {"X-CSRF-Token": ""}},
        {"headers": {"X-CSRF-Token": "wrong"}},
        {"headers": {"X-CSRF-Token": "\u00e9".encode("latin-1")}},
        {"data": {"csrf_token": "wrong"}},
        {"data": {"other": "field"}},
        {"json": {"csrf_token": "not a form"}},
        {"files": {"csrf_token": ("token.txt", b"wrong")}},
    ],
)
def test_a_change_without_the_token_is_refused(
    parts: Parts, cast: Cast, client: TestClient, sent: dict[str, Any]
) -> None:
    sign_in(parts, client, cast.alice, cast.account_a.id)
    answer = client.post("/admin", **sent)
    assert answer.status_code == 403
    assert "load it again" in answer.json()["detail"]


def test_the_token_of_another_session_is_refused(parts: Parts, cast: Cast, client: TestClient) -> None:
    others = parts.sessions.create(cast.charlie.id, cast.account_b.id)
    sign_in(parts, client, cast.alice, cast.account_a.id)
    assert client.post("/admin", headers={"X-CSRF-Token": others.csrf_token}).status_code == 403
    assert client.post("/maybe", headers={"X-CSRF-Token": others.csrf_token}).status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": HERE}, 403),
        ({"Origin": HERE}, 200),
        ({"Origin": "http://TESTSERVER"}, 200),
        ({"Origin": "https://modeltraces.example", "X-Forwarded-Host": "modeltraces.example"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "http://testserver:8080"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 200),
    ],
)
def test_a_change_must_come_from_a_page_of_ours(
    parts: Parts, cast: Cast, client: TestClient, headers: dict[str, str], status: int
) -> None:
    new = sign_in(parts, client, cast.alice, cast.account_a.id)
    assert client.post("/admin", headers={"X-CSRF-Token": new.csrf_token, **headers}).status_code == status
    assert client.get("/read", headers=headers).status_code == 200, "links from other sites may be followed"
    key = make_key(parts, cast.account_a.id, "admin")
    client.cookies.clear()
    assert client.post("/admin", headers={**bearer(key), **headers}).status_code == 200, "a key needs none of this"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(client: TestClient) -> None:
    cookie = client.get("/enter").headers["set-cookie"]
    assert cookie.startswith(f"{SESSION_COOKIE}=the-token;")
    assert {"HttpOnly", "Path=/", "SameSite=lax", "Max-Age=60"} <= {part.strip() for part in cookie.split(";")}
    assert "Secure" not in cookie
    assert "Secure" in client.get("https://testserver/enter").headers["set-cookie"]
    gone = client.get("https://testserver/leave").headers["set-cookie"]
    assert "Max-Age=0" in gone
    assert "Secure" in gone


def test_a_database_that_is_away_is_503_and_not_401(
    parts: Parts, cast: Cast, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_key(parts, cast.account_a.id)

    def away(_: Catalog) -> None:
        raise CatalogUnavailable("The catalog is away.")

    monkeypatch.setattr(Catalog, "session", away)
    assert client.get("/read", headers=bearer(key)).status_code == 503
