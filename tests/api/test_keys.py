"""`/api/v1/keys`: made, listed, changed and revoked by a program; each account its own."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.api.test_openapi import document, validator
from tests.support.server import Server

KEYS = "/api/v1/keys"
MADE = {
    "name": "batch", "scopes": ["read", "gateway"], "default_source_type": "Agent", "default_source": "bot",
    "requests_per_minute": 60, "tokens_per_day": 50_000, "allowed_models": ["gpt-4o", "llama@*"], "recording": "metadata",
    "expires_on": "2099-01-01T00:00:00Z",
}  # fmt: skip

__all__ = ["document"]


@pytest.fixture(scope="module")
def account(server: Server) -> str:
    return server.new_account("keys by program")


@pytest.fixture
def admin(server: Server, account: str) -> Iterator[httpx.Client]:
    with server.client("admin", account=account) as client:
        yield client


def make(admin: httpx.Client, **body: Any) -> dict[str, Any]:
    answer = admin.post(KEYS, json={"name": "made", **body})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def status(server: Server, key: str, path: str = "/api/v1/models") -> int:
    return httpx.get(server.url + path, headers={"x-api-key": key}).status_code


def test_a_key_is_made_works_is_changed_and_revoked(
    server: Server, admin: httpx.Client, document: dict[str, Any]
) -> None:
    validator(document, "NewApiKey").validate(MADE)
    made = make(admin, **MADE)
    validator(document, "MadeApiKey").validate(made)
    key = made.pop("key")
    assert made.pop("warnings") == [
        "This account has no model 'gpt-4o' yet.", "This account has no model whose name begins with 'llama@' yet."
    ]  # fmt: skip
    assert key.startswith(made["prefix"].rstrip("…"))
    assert {name: made[name] for name in MADE if name != "expires_on"} == {
        name: value for name, value in MADE.items() if name not in ("expires_on", "scopes")
    } | {"scopes": ["gateway", "read"]}
    assert (made["expires_on"], made["created_by"], made["used"]) == (
        "2099-01-01T00:00:00.000000Z", "key:test", {"requests_this_minute": 0, "tokens_today": 0},
    )  # fmt: skip
    assert status(server, key) == 200
    listed = admin.get(KEYS)
    validator(document, "ApiKeys").validate(listed.json())
    assert key not in listed.text
    (found,) = [one for one in listed.json()["keys"] if one["id"] == made["id"]]
    assert {**found, "last_used_on": None} == made
    change = {"name": "nightly", "tokens_per_day": None, "requests_per_minute": None, "allowed_models": None}
    validator(document, "ApiKeyChange").validate(change)
    changed = admin.patch(f"{KEYS}/{made['id']}", json=change)
    validator(document, "ChangedApiKey").validate(changed.json())
    assert {**changed.json(), "last_used_on": None} == {
        **made, **change, "allowed_models": [], "used": None, "warnings": []
    }  # fmt: skip
    assert admin.delete(f"{KEYS}/{made['id']}").status_code == 204
    assert status(server, key) == 401
    for answer in (admin.delete(f"{KEYS}/{made['id']}"), admin.patch(f"{KEYS}/{made['id']}", json={"name": "x"})):
        assert answer.status_code == 404
    entries = admin.get("/api/v1/audit-log", params={"action": "key.*"}).json()["entries"]
    assert [entry["action"] for entry in entries[:3]] == ["key.revoke", "key.change", "key.create"]
    assert key not in str(entries)


def test_a_key_made_with_a_name_alone_does_all_but_administer(server: Server, admin: httpx.Client) -> None:
    made = make(admin)
    assert (made["scopes"], made["recording"], made["allowed_models"]) == (["ingest", "gateway", "read"], "full", [])
    assert status(server, made["key"], KEYS) == 403


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "name is missing"),
        ({"name": 5}, "name must be text"),
        ({"name": "k", "scopes": "read"}, "scopes must be a list of ingest"),
        ({"name": "k", "scopes": ["write"]}, "Unknown scope 'write'"),
        ({"name": "k", "scopes": []}, "at least one scope"),
        ({"name": "k", "default_source": ["a"]}, "default_source must be text"),
        ({"name": "k", "expires_on": "tomorrow"}, "expires_on"),
        ({"name": "k", "expires_on": "2020-01-01T00:00:00Z"}, "expired already"),
        ({"name": "k", "requests_per_minute": 0}, "Requests a minute must be a whole number from 1"),
        ({"name": "k", "tokens_per_day": "many"}, "Tokens a day must be"),
        ({"name": "k", "allowed_models": "gpt-4o"}, "must be a list of names"),
        ({"name": "k", "recording": "some"}, "one of full, metadata, off"),
        ({"name": "k", "request_per_minute": 5}, "Did you mean 'requests_per_minute'?"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused_with_what_would(
    admin: httpx.Client, body: dict[str, Any], says: str
) -> None:
    before = len(admin.get(KEYS).json()["keys"])
    answer = admin.post(KEYS, json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert says in answer.json()["detail"]
    assert len(admin.get(KEYS).json()["keys"]) == before


def test_models_that_the_account_does_not_have_are_said_and_not_refused(server: Server) -> None:
    with server.client("admin", account=server.new_account("keys and models")) as admin:
        assert admin.post("/api/v1/models", json={"name": "gpt-4o", "kind": "external"}).status_code == 201
        assert admin.post("/api/v1/models", json={"name": "llama", "kind": "open_source"}).status_code == 201
        assert admin.post("/api/v1/models/llama/deployments", json={}).status_code == 201
        assert make(admin, allowed_models=["*"])["warnings"] == []
        for name, models in (("azure-eu", ["gpt-5"]), ("any", ["*"])):
            made = {"name": name, "protocol": "openai", "base_url": "http://127.0.0.1:9", "models": models}
            assert admin.post("/api/v1/connections", json=made).status_code == 201
        fine = ["gpt-4o", "gpt-5", "gpt-4o@azure-eu", "llama@v1", "gpt-*", "llama@*"]
        key = make(admin, allowed_models=fine)
        assert (key["warnings"], key["allowed_models"]) == ([], fine)
        wrong = ["gpt-4oo", "llama@v2", "gtp-*", "gpt-4o@azure", "nobody@azure-eu"]
        changed = admin.patch(f"{KEYS}/{key['id']}", json={"allowed_models": wrong}).json()
        assert changed["allowed_models"] == wrong
        assert changed["warnings"] == [
            "This account has no model 'gpt-4oo' yet. Did you mean gpt-4o, gpt-5?",
            "llama has no deployment or connection 'v2' yet.",
            "This account has no model whose name begins with 'gtp-' yet.",
            "gpt-4o has no deployment or connection 'azure' yet. Did you mean azure-eu?",
            "This account has no model 'nobody' yet.",
        ]


def test_another_accounts_keys_are_not_found(server: Server, admin: httpx.Client) -> None:
    made = make(admin, name="alices")
    with server.client("admin", account="other") as charlie:
        assert "alices" not in charlie.get(KEYS).text
        for answer in (
            charlie.patch(f"{KEYS}/{made['id']}", json={"name": "charlies"}),
            charlie.delete(f"{KEYS}/{made['id']}"),
            charlie.patch(f"{KEYS}/nothing", json={"name": "charlies"}),
        ):
            assert answer.status_code == 404
            assert "alices" not in answer.text
    assert status(server, made["key"]) == 200


def test_scopes_and_expiry_stay_as_they_were_made(admin: httpx.Client) -> None:
    made = make(admin)
    for body in ({"scopes": ["admin"]}, {"expires_on": None}, {"id": "x"}):
        assert admin.patch(f"{KEYS}/{made['id']}", json=body).status_code == 422
