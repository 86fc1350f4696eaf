"""Two accounts never see each other: on every route, by id, by name, by selection."""

import re
from collections.abc import Iterator

import httpx
import pytest

from tests.support.server import Server

SECRET = "the rubber duck is under the stairs"
OPEN = {"/healthz", "/readyz", "/api/v1/openapi.json", "/api/v1/docs"}


@pytest.fixture(scope="module")
def run_of_alice(server: Server) -> str:
    with server.client() as alice:
        answer = alice.post(
            "/api/v1/runs",
            json={"model": "alices-model", "input": SECRET, "source": "alices-source", "attributes": {"alices": "x"}},
        )
        assert answer.status_code == 200, answer.text
        request_id: str = answer.json()["request_ids"][0]
        return request_id


@pytest.fixture
def charlie(server: Server) -> Iterator[httpx.Client]:
    with server.client(account="other") as client:
        yield client


@pytest.fixture(scope="module")
def anyone(server: Server) -> Iterator[httpx.Client]:
    """Without credentials. One for all: each new client reads the certificates of the whole web first."""
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client


def paths(server: Server) -> dict[str, set[str]]:
    document = httpx.get(f"{server.url}/api/v1/openapi.json").json()
    return {path: set(verbs) for path, verbs in document["paths"].items()}


def test_every_route_but_the_open_ones_wants_credentials(
    server: Server, anyone: httpx.Client, run_of_alice: str
) -> None:
    for path, verbs in paths(server).items():
        if path in OPEN:
            continue
        for verb in verbs:
            for headers in (
                {},
                {"Authorization": "Bearer mt_" + "x" * 43},
                {"x-api-key": "nonsense"},
                {"Cookie": "modeltraces_session=nonsense"},
            ):
                answer = anyone.request(verb, filled(path, run_of_alice), headers=headers)
                assert answer.status_code == 401, (verb, path, answer.text)
                assert answer.json().get("detail") in (None, ""), "nothing else is said"
                assert SECRET not in answer.text


def test_another_accounts_run_is_not_found(charlie: httpx.Client, run_of_alice: str) -> None:
    answer = charlie.get(f"/api/v1/runs/{run_of_alice}")
    assert answer.status_code == 404
    assert SECRET not in answer.text


def test_another_accounts_model_is_not_found(charlie: httpx.Client, run_of_alice: str) -> None:
    assert charlie.get("/api/v1/models/alices-model").status_code == 404
    assert "alices-model" not in charlie.get("/api/v1/models").text


@pytest.mark.parametrize("path", ["/api/v1/runs", "/api/v1/runs/export?format=csv", "/api/v1/runs/export?format=jsonl",
                                  "/api/v1/metrics", "/api/v1/metrics/series"])  # fmt: skip
@pytest.mark.parametrize(
    "extra",
    [{}, {"model": "alices-model"}, {"filter": f'"{SECRET}"'}, {"account_id": "default"}, {"account": "default"}],
)
def test_no_selection_reaches_another_account(
    charlie: httpx.Client, run_of_alice: str, path: str, extra: dict[str, str]
) -> None:
    base, _, query = path.partition("?")
    params = {"period": "all", **dict(pair.split("=") for pair in query.split("&") if pair), **extra}
    answer = charlie.get(base, params=params)
    is_unknown = bool(extra.keys() & {"account", "account_id"})
    assert answer.status_code == (400 if is_unknown else 200), "an unknown parameter is said, not ignored"
    assert SECRET not in answer.text
    assert "alices-source" not in answer.text


def test_a_given_id_of_another_account_is_a_run_of_its_own(server: Server, charlie: httpx.Client) -> None:
    with server.client() as alice:
        for client, text in ((alice, "alice's"), (charlie, "charlie's")):
            assert (
                client.post("/api/v1/runs", json={"model": "m", "request_id": "shared-1", "input": text}).status_code
                == 200
            )
        for client, text in ((alice, "alice's"), (charlie, "charlie's")):
            assert client.get("/api/v1/runs/shared-1").json()["input"] == text


def test_a_key_may_do_what_its_scope_says_and_no_more(server: Server) -> None:
    with server.client("ingest") as sender, server.client("read") as reader:
        assert sender.post("/api/v1/runs", json={"model": "m"}).status_code == 200
        assert sender.get("/api/v1/runs").status_code == 403
        assert reader.get("/api/v1/runs").status_code == 200
        refusal = reader.post("/api/v1/runs", json={"model": "m"})
    assert refusal.status_code == 403
    assert "ingest" in refusal.json()["detail"]
    assert refusal.headers["content-type"] == "application/problem+json"


def test_an_expired_or_revoked_key_is_no_key(server: Server) -> None:
    from modeltraces.catalog import keys

    account = server.account_id()
    now = server.catalog.clock()
    short, _ = keys.create_key(
        server.catalog, account, "short", actor="test", scopes=["read"], expires_on_us=now + 1_500_000
    )
    gone, entry = keys.create_key(server.catalog, account, "gone", actor="test", scopes=["read"])

    def status(key: str) -> int:
        return httpx.get(f"{server.url}/api/v1/models", headers={"x-api-key": key}).status_code

    assert (status(short), status(gone)) == (200, 200)
    keys.revoke_key(server.catalog, account, entry.id, actor="test")
    import time

    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and (status(short), status(gone)) != (401, 401):
        time.sleep(0.2)
    assert (status(short), status(gone)) == (401, 401)


SCOPES = ("ingest", "gateway", "read", "admin")


def filled(path: str, run_of_alice: str) -> str:
    values = {
        "request_id": run_of_alice, "name": "alices-model", "version": "v1", "event_id": "1", "job_id": "none",
        "key_id": "none",
    }  # fmt: skip
    return re.sub(r"\{(\w+)(:path)?\}", lambda found: values[found[1]], path)


def scope_of(path: str, verb: str) -> str:
    if path in WANTED:
        return WANTED[path]
    if verb == "get":
        return "read"
    if path == "/api/v1/matching/test":
        return "read"
    return "ingest" if path == "/api/v1/runs" else "admin"


WANTED = {
    "/v1/traces": "ingest",
    "/v1/logs": "ingest",
    "/api/public/otel/v1/traces": "ingest",
    "/api/public/projects": "ingest",
    "/api/v1/matching/preview": "admin",
    "/metrics": "admin",
    "/api/v1/keys": "admin",
    "/api/v1/audit-log": "admin",
    "/api/v1/audit-log/export": "admin",
}


def test_every_route_refuses_every_other_scope_and_names_the_one_it_wants(
    server: Server, anyone: httpx.Client, run_of_alice: str
) -> None:
    asked = 0
    for path, verbs in paths(server).items():
        if path in OPEN:
            continue
        for verb in verbs:
            wanted = scope_of(path, verb)
            for scope in SCOPES:
                # `admin` reads and sends, too.
                if scope == wanted or scope == "admin":
                    continue
                answer = anyone.request(verb, filled(path, run_of_alice), headers={"x-api-key": server.key(scope)})
                assert answer.status_code == 403, (verb, path, scope, answer.text)
                assert answer.headers["content-type"] == "application/problem+json"
                assert repr(wanted) in answer.json()["detail"]
                assert SECRET not in answer.text
                asked += 1
    assert asked >= 27


def test_a_session_without_its_token_changes_nothing(server: Server) -> None:
    from modeltraces.catalog import users
    from modeltraces.catalog.sessions import Sessions
    from tests.support.server import ALICE

    alice = users.find(server.catalog, ALICE)
    assert alice is not None
    session = Sessions(server.catalog).create(alice.id, server.account_id())
    cookie = {"Cookie": f"modeltraces_session={session.token}"}
    run = {"model": "by a session"}
    for headers in ({}, {"X-CSRF-Token": "wrong"}, {"X-CSRF-Token": session.csrf_token, "Origin": "https://elsewhere"}):
        assert httpx.post(f"{server.url}/api/v1/runs", json=run, headers={**cookie, **headers}).status_code == 403
    token = {"X-CSRF-Token": session.csrf_token}
    assert httpx.post(f"{server.url}/api/v1/runs", json=run, headers={**cookie, **token}).status_code == 200
