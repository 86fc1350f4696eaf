"""The catalog over the API: what is made, changed, merged and deleted, who may, and what is refused."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.support.server import Server


@pytest.fixture
def admin(server: Server, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    account = server.new_account(request.node.nodeid)
    with server.client("admin", account=account) as client:
        yield client


def call(client: httpx.Client, verb: str, path: str, status: int, body: Any = None) -> Any:
    answer = (
        client.request(verb, f"/api/v1/{path}", json=body)
        if body is not None
        else client.request(verb, f"/api/v1/{path}")
    )
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def refused(client: httpx.Client, verb: str, path: str, status: int, body: Any = None) -> str:
    problem = call(client, verb, path, status, body)
    return str(problem["detail"])


def totals(client: httpx.Client) -> list[Any]:
    found: list[Any] = [
        call(client, "GET", f"metrics?period=all{query}", 200) for query in ("", "&filter=status:failed")
    ]
    found.append(call(client, "GET", "models", 200))
    found.append(
        [(run["request_id"], run["model"]) for run in call(client, "GET", "runs?period=all&limit=1000", 200)["runs"]]
    )
    return found


def test_a_model_is_made_changed_and_archived(admin: httpx.Client) -> None:
    made = call(admin, "POST", "models", 201, {"name": "meta/llama 8b", "kind": "open_source", "base_model": "Llama"})
    assert (made["name"], made["kind"], made["base_model"], made["first_run_on"]) == (
        "meta/llama 8b", "open_source", "Llama", None,
    )  # fmt: skip
    changed = call(admin, "PATCH", "models/meta%2Fllama%208b", 200, {"name": "llama", "kind": "fine_tuned"})
    assert (changed["name"], changed["kind"]) == ("llama", "fine_tuned")
    assert call(admin, "PATCH", "models/llama", 200, {"archived": True})["archived"] is True
    assert call(admin, "GET", "models", 200)["models"] == []
    call(admin, "DELETE", "models/llama", 204)
    call(admin, "GET", "models/llama", 404)


def test_archiving_says_what_stays_up_and_costs(admin: httpx.Client) -> None:
    call(admin, "POST", "models", 201, {"name": "llama", "kind": "open_source"})
    call(admin, "POST", "models/llama/deployments", 201, {"replicas": 2, "credits_per_replica_hour": "0.75"})
    assert call(admin, "PATCH", "models/llama", 200, {"provider": "meta"})["warnings"] == []
    assert call(admin, "PATCH", "models/llama", 200, {"archived": True})["warnings"] == [
        "2 replicas of v1 are up and go on costing 1.5 credits an hour; undeploy what is no longer needed."
    ]
    call(admin, "POST", "models/llama/deployments/v1/events", 201, {"type": "undeploy"})
    assert call(admin, "PATCH", "models/llama", 200, {"archived": True})["warnings"] == []


def test_a_routing_says_which_of_its_places_are_skipped_and_what_to_do(admin: httpx.Client) -> None:
    call(admin, "POST", "models", 201, {"name": "llama", "kind": "open_source"})
    for reached in ({"endpoint": "http://127.0.0.1:9/v1"}, {"endpoint": "http://127.0.0.1:9/v2"}, {}):
        call(admin, "POST", "models/llama/deployments", 201, reached)
    for name in ("azure-eu", "azure-us"):
        made = {"name": name, "protocol": "openai", "base_url": "http://127.0.0.1:9/v1"}
        call(admin, "POST", "connections", 201, made)
    call(admin, "POST", "models/llama/deployments/v2/events", 201, {"type": "undeploy"})
    call(admin, "PATCH", "connections/azure-eu", 200, {"archived": True})
    routing: dict[str, Any] = {"weights": {"v1": 8, "v2": 1, "v3": 1}, "fallbacks": ["azure-us", "azure-eu", "v2"]}
    assert call(admin, "PATCH", "models/llama", 200, {"routing": routing})["warnings"] == [
        "v2 is skipped (down): deploy it.",
        "v3 is skipped (has no endpoint): give it one.",
        "azure-eu is skipped (archived): restore it.",
    ]
    assert call(admin, "PATCH", "models/llama", 200, {"provider": "meta"})["warnings"] == [], "it was said"
    assert call(admin, "PATCH", "models/llama", 200, {"routing": None})["warnings"] == []


def test_a_renamed_model_keeps_its_runs_and_those_to_come(admin: httpx.Client) -> None:
    call(admin, "POST", "runs", 200, [{"model": "old", "input": "a"}, {"model": "other"}])
    call(admin, "PATCH", "models/old", 200, {"name": "new"})
    call(admin, "POST", "runs", 200, {"model": "old"})
    for name in ("new", "old"):
        assert call(admin, "GET", f"metrics?model={name}", 200)["total_requests"] == 2
    runs = call(admin, "GET", "runs?filter=model:new", 200)["runs"]
    assert [run["model"] for run in runs] == ["new", "new"]
    assert call(admin, "GET", "runs?filter=model:old", 200)["runs"] == runs
    assert call(admin, "GET", f"runs/{runs[0]['request_id']}", 200)["model"] == "new"
    assert [model["name"] for model in call(admin, "GET", "models", 200)["models"]] == ["new", "other"]
    assert "old" in refused(admin, "POST", "models", 409, {"name": "old", "kind": "external"})


def test_the_name_that_a_model_had_before_stays_its_own_until_another_takes_it(admin: httpx.Client) -> None:
    for name in ("old", "other"):
        call(admin, "POST", "models", 201, {"name": name, "kind": "open_source"})
    call(admin, "PATCH", "models/old", 200, {"name": "new"})
    assert call(admin, "GET", "models/old", 200)["name"] == "new"
    # No run bears it: whoever gives it to a model means it, by adding one or by renaming one.
    call(admin, "POST", "models", 201, {"name": "old", "kind": "external"})
    call(admin, "PATCH", "models/old", 200, {"name": "older"})
    assert call(admin, "PATCH", "models/other", 200, {"name": "old"})["name"] == "old"
    assert call(admin, "GET", "models/old", 200)["kind"] == "open_source"
    # What is called by a name from before is the renamed model, like a model that had runs when it was renamed.
    call(admin, "PATCH", "models/new", 200, {"name": "newest"})
    call(admin, "POST", "runs", 200, {"model": "new"})
    assert call(admin, "GET", "metrics?model=newest", 200)["total_requests"] == 1
    for verb, path in (("POST", "models"), ("PATCH", "models/old")):
        body = {"name": "new"} | ({"kind": "external"} if verb == "POST" else {})
        assert "Runs that bear the name 'new' are counted as newest's" in refused(admin, verb, path, 409, body)


def test_a_merge_and_its_undo_leave_every_total_as_before(admin: httpx.Client) -> None:
    call(
        admin, "POST", "runs", 200,
        [{"model": name, "status": status} for name in ("a", "b", "c") for status in ("success", "failed", "success")],
    )  # fmt: skip
    before = totals(admin)
    merged = call(admin, "POST", "models/a/merge", 200, {"into": "b"})
    assert (merged["name"], merged["merged"]) == ("b", ["a"])
    assert call(admin, "GET", "metrics?model=b", 200)["total_requests"] == 6
    assert call(admin, "GET", "metrics?model=a", 200)["total_requests"] == 6
    assert call(admin, "GET", "metrics", 200)["total_requests"] == 9
    assert {run["model"] for run in call(admin, "GET", "runs", 200)["runs"]} == {"b", "c"}
    call(admin, "POST", "models/a/unmerge", 200)
    assert totals(admin) == before


def test_what_has_runs_or_was_hosted_is_not_deleted(admin: httpx.Client) -> None:
    call(admin, "POST", "runs", 200, {"model": "llama", "model_kind": "open_source", "deployment_version": "v1"})
    assert "Archive" in refused(admin, "DELETE", "models/llama", 409)
    assert "has runs" in refused(admin, "DELETE", "models/llama/deployments/v1", 409)
    made = call(admin, "POST", "models/llama/deployments", 201, {"replicas": 1})
    assert made["version"] == "v2"
    assert "was hosted" in refused(admin, "DELETE", "models/llama/deployments/v2", 409)
    (event,) = call(admin, "GET", "models/llama/deployments/v2/events", 200)["events"]
    call(admin, "DELETE", f"models/llama/deployments/v2/events/{event['id']}", 204)
    call(admin, "DELETE", "models/llama/deployments/v2", 204)
    call(admin, "POST", "runs", 200, {"model": "gpt-4o", "connection_name": "azure-eu"})
    assert "Archive" in refused(admin, "DELETE", "connections/azure-eu", 409)


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("models", {"name": "m"}, 422, "kind is missing"),
        ("models", {"name": "m", "kind": "internal"}, 422, "open_source"),
        ("models", {"name": "m", "kind": "external", "base": "x"}, 422, "base_model"),
        ("models", ["m"], 400, "object"),
        ("models/llama/deployments", {"replicas": -1}, 422, "replicas"),
        ("models/llama/deployments", {"replicas": 1.5}, 422, "replicas"),
        ("models/llama/deployments", {"credits_per_replica_hour": "NaN"}, 422, "decimal"),
        ("models/llama/deployments", {"credits_per_replica_hour": -0.5}, 422, "from 0 up"),
        ("models/llama/deployments", {"deployed_on": "2099-01-01T00:00:00Z"}, 422, "future"),
        ("models/llama/deployments", {"deployed_on": "yesterday"}, 422, "RFC 3339"),
        ("models/llama/deployments", {"hardware": "H1000"}, 404, "H1000"),
        ("models/llama/deployments", {"endpoint": "ftp://x"}, 422, "http"),
        ("models/llama/deployments", {"endpoint": "http://169.254.169.254/"}, 422, "link-local"),
        ("models/llama/deployments", {"version": "v1"}, 409, "already"),
        ("models/gpt/deployments", {}, 409, "external"),
        ("models/llama/deployments/v1/events", {"type": "deploy"}, 409, "up already"),
        ("models/llama/deployments/v1/events", {"type": "undeploy", "on": "2026-01-01T00:00:00Z"}, 409, "not up"),
        ("models/llama/deployments/v1/events", {"type": "scale"}, 422, "replicas"),
        ("models/llama/deployments/v1/events", {"type": "stop"}, 422, "undeploy"),
        ("models/llama/deployments/v9/events", {"type": "deploy"}, 404, "v9"),
        ("models/llama/merge", {"into": "gpt"}, 409, "kind"),
        ("models/llama/merge", {"into": "nobody"}, 404, "nobody"),
        ("models/llama/unmerge", {}, 404, "merged"),
        ("connections", {"name": "c", "protocol": "openai"}, 422, "base_url"),
        ("connections", {"name": "c", "protocol": "smtp", "base_url": "http://x"}, 422, "azure_openai"),
        ("connections", {"name": "c", "protocol": "openai", "base_url": "http://0xa9fea9fe/"}, 422, "link-local"),
        ("connections", {"name": "c", "protocol": "openai", "base_url": "http://x", "models": ["*", "a"]}, 422, "not both"),
        ("connections", {"name": "c", "protocol": "openai", "base_url": "http://x", "credential": "a\nb"}, 422, "credential"),
        ("hardware", {"name": "H100"}, 422, "credits_per_replica_hour"),
        ("hardware", {"name": "H100", "credits_per_replica_hour": "cheap"}, 422, "decimal"),
        ("hardware", {"name": "a\nb", "credits_per_replica_hour": 1}, 422, "line breaks"),
        ("models", {"name": "a\nb", "kind": "external"}, 422, "line breaks"),
        ("models", {"name": "m", "kind": "external", "base_model": 7}, 422, "must be text"),
        ("models/llama/deployments", {"protocol": "smtp"}, 422, "ollama"),
        ("models/llama/deployments", {"upstream_model": 7}, 422, "must be text"),
        ("models/llama/deployments", {"version": "a\nb"}, 422, "line breaks"),
        ("models/llama/deployments/v1/events", {"type": "scale", "replicas": 2, "on": "2099-01-01T00:00:00Z"}, 422, "future"),
        ("connections", {"name": "a\nb", "protocol": "openai", "base_url": "http://x"}, 422, "line breaks"),
        ("matching/rules", {"name": "r", "conditions": {"modle": "x"}, "outcomes": {"model": "gpt"}}, 422, "modle"),
        ("matching/rules", {"name": "r", "conditions": {"model": "x"}, "outcomes": {"model": ""}}, 422, "empty"),
        ("matching/rules", {"name": "r", "conditions": {"model": "x"}, "outcomes": {"model": "gpt"}, "enabled": 1}, 422, "true"),
    ],
)  # fmt: skip
def test_bad_input_says_what_to_do(admin: httpx.Client, path: str, body: Any, status: int, says: str) -> None:
    call(admin, "POST", "models", 201, {"name": "llama", "kind": "open_source"})
    call(admin, "POST", "models", 201, {"name": "gpt", "kind": "external"})
    call(admin, "POST", "models/llama/deployments", 201, {"deployed_on": "2026-11-01T00:00:00Z"})
    before = totals(admin)
    problem = call(admin, "POST", path, status, body)
    assert says in problem["detail"]
    if status == 422:
        assert problem["parameter"].partition(".")[0] in (
            *body,
            "kind",
            "base_url",
            "credits_per_replica_hour",
            "replicas",
        )
    assert totals(admin) == before


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("models/llama", {"name": ""}),
        ("models/llama", {"kind": "x"}),
        ("models/llama", {"archived": "yes"}),
        ("models/llama", {"routing": {"weights": {"v9": 1}}}),
        ("models/llama", {"routing": []}),
        ("models/llama/deployments/v1", {"endpoint": "ftp://x"}),
        ("models/llama/deployments/v1", {"credits_per_replica_hour": "NaN"}),
        ("connections/c", {"models": []}),
        ("connections/c", {"archived": 1}),
        ("connections/c", {"credential": 1}),
        ("connections/c", {"base_url": "http://elsewhere"}),
        ("hardware/H100", {"credits_per_replica_hour": -1}),
        ("retention", {"keep_runs_days": -1}),
        ("retention/models/llama", {"keep_payloads_days": 5000000}),
        ("matching/rules/r", {"position": 0}),
        ("matching/rules/r", {"outcomes": {"connection_name": "d"}}),
    ],
)
def test_a_change_that_is_refused_names_its_field(admin: httpx.Client, path: str, body: dict[str, Any]) -> None:
    call(admin, "POST", "models", 201, {"name": "llama", "kind": "open_source"})
    call(admin, "POST", "models/llama/deployments", 201, {})
    connection = {"name": "c", "protocol": "openai", "base_url": "http://x", "credential": "s"}
    call(admin, "POST", "connections", 201, connection)
    call(admin, "POST", "hardware", 201, {"name": "H100", "credits_per_replica_hour": 1})
    call(admin, "POST", "hardware", 200, {"name": "H100", "credits_per_replica_hour": 2})
    rule = {"name": "r", "conditions": {"model": "x"}, "outcomes": {"model": "llama"}}
    call(admin, "POST", "matching/rules", 201, rule)
    assert call(admin, "PATCH", path, 422, body)["parameter"].partition(".")[0] == next(iter(body))


def test_a_credential_goes_in_and_never_comes_out(admin: httpx.Client, server: Server) -> None:
    secret = "sk-very-secret-0123456789"
    made = {"name": "azure", "protocol": "openai", "base_url": "http://127.0.0.1:9/v1", "credential": secret}
    call(admin, "POST", "connections", 201, made)
    assert call(admin, "PATCH", "connections/azure", 200, {"credential": secret + "x"})["has_credential"] is True
    tried = call(admin, "POST", "connections/azure/test", 200)
    assert tried["ok"] is False
    assert "connection" in tried["says"].lower()
    call(admin, "POST", "models", 201, {"name": "llama", "kind": "open_source"})
    call(admin, "POST", "models/llama/deployments", 201, {"credential": secret})
    assert "no endpoint" in refused(admin, "POST", "models/llama/deployments/v1/test", 422)
    call(
        admin, "PATCH", "models/llama/deployments/v1", 200, {"endpoint": "http://127.0.0.1:9/v1", "credential": secret}
    )
    tried = call(admin, "POST", "models/llama/deployments/v1/test", 200)
    assert (tried["ok"], tried["status"], tried["models"]) == (False, None, [])
    assert "connection" in tried["says"].lower()
    refused(admin, "POST", "models/llama/deployments/v9/test", 404)
    texts = [admin.get(f"/api/v1/{path}").text for path in ("connections", "models", "audit-log", "connections/azure")]
    assert all(secret not in text for text in [*texts, server.log])
    assert secret.encode() not in (server.data_dir / "catalog.db").read_bytes()


@pytest.mark.parametrize(
    ("path", "member"), [("connections/azure", "base_url"), ("models/llama/deployments/v1", "endpoint")]
)
def test_a_credential_does_not_go_along_to_another_server(admin: httpx.Client, path: str, member: str) -> None:
    home, elsewhere, secret = "http://127.0.0.1:9/v1", "http://127.0.0.1:10/v1", "sk-very-secret-0123456789"
    made = {"name": "azure", "protocol": "openai", "base_url": home, "credential": secret}
    call(admin, "POST", "connections", 201, made)
    call(admin, "POST", "models", 201, {"name": "llama", "kind": "open_source"})
    call(admin, "POST", "models/llama/deployments", 201, {"endpoint": home, "credential": secret})
    says = refused(admin, "PATCH", path, 422, {member: elsewhere})
    assert says == "The address leads to another server: enter the credential again, or remove it."
    assert call(admin, "GET", path, 200)[member] == home
    assert call(admin, "PATCH", path, 200, {member: "http://127.0.0.1:9/v2"})["has_credential"] is True
    moved = call(admin, "PATCH", path, 200, {member: elsewhere, "credential": secret})
    assert (moved[member], moved["has_credential"]) == (elsewhere, True)
    bare = call(admin, "PATCH", path, 200, {member: home, "credential": None})
    assert (bare[member], bare["has_credential"]) == (home, False)


def test_another_accounts_member_finds_nothing_of_it(server: Server, admin: httpx.Client) -> None:
    call(admin, "POST", "models", 201, {"name": "alices-model", "kind": "open_source"})
    call(admin, "POST", "models/alices-model/deployments", 201, {})
    call(admin, "POST", "connections", 201, {"name": "alices-model", "protocol": "openai", "base_url": "http://x"})
    call(admin, "POST", "hardware", 201, {"name": "alices-model", "credits_per_replica_hour": 1})
    call(
        admin,
        "POST",
        "matching/rules",
        201,
        {"name": "alices-model", "conditions": {"model": "x"}, "outcomes": {"model": "alices-model"}},
    )
    job = call(admin, "POST", "matching/apply", 202)
    (event,) = call(admin, "GET", "models/alices-model/deployments/v1/events", 200)["events"]
    before = totals(admin)
    values = {"name": "alices-model", "version": "v1", "event_id": str(event["id"]), "job_id": job["id"]}
    bodies: dict[str, Any] = {
        "merge": {"into": "alices-model"}, "events": {"type": "undeploy"}, "deployments": {}, "connections": {},
        "hardware": {"credits_per_replica_hour": 2}, "rules": {"enabled": False}, "models": {"archived": True},
    }  # fmt: skip
    asked = 0
    with server.client("admin", account="other") as charlie:
        for path, verbs in httpx.get(f"{server.url}/api/v1/openapi.json").json()["paths"].items():
            if "{" not in path or not re.match(r"/api/v1/(models|connections|hardware|matching)/", path):
                continue
            filled = re.sub(r"\{(\w+)\}", lambda found: values[found[1]], path)
            last = [part for part in path.split("/") if "{" not in part][-1]
            for verb in verbs:
                body = bodies.get(last, {}) if verb in ("post", "patch") else None
                answer = charlie.request(verb, filled, json=body) if body is not None else charlie.request(verb, filled)
                assert answer.status_code == 404, (verb, filled, answer.text)
                asked += 1
    assert asked >= 18
    assert totals(admin) == before


def test_prices_are_for_owners(server: Server) -> None:
    listed = {"name": "H100", "credits_per_replica_hour": 1}
    with server.client("read") as reader:
        assert "admin" in refused(reader, "POST", "hardware", 403, listed)


PRICE_OF_18_DIGITS = "123456789.123456789"


@pytest.mark.parametrize("spelled", [PRICE_OF_18_DIGITS, f'"{PRICE_OF_18_DIGITS}"', "123456789123456789e-9"])
def test_a_price_is_kept_to_its_last_digit_however_it_is_spelled(admin: httpx.Client, spelled: str) -> None:
    body = f'{{"name": "H100", "credits_per_replica_hour": {spelled}}}'
    answer = admin.post("/api/v1/hardware", content=body, headers={"Content-Type": "application/json"})
    assert answer.json()["credits_per_replica_hour"] == PRICE_OF_18_DIGITS


@pytest.mark.parametrize("value", ["1" * 5000, "1e99999999999999999999", "[" * 1020 + "]" * 1020])
def test_a_number_or_nesting_without_end_is_refused_like_any_other(admin: httpx.Client, value: str) -> None:
    body = f'{{"name": "H100", "credits_per_replica_hour": {value}}}'
    answer = admin.post("/api/v1/hardware", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert call(admin, "GET", "hardware", 200)["hardware"] == []


@pytest.mark.parametrize("version", ["release/7", "v1/events", "a/deployments/b", "deployments/v1/test", "50%2F2"])
def test_a_version_may_hold_slashes_whoever_named_it(admin: httpx.Client, version: str) -> None:
    call(admin, "POST", "runs", 200, {"model": "org/llama", "model_kind": "open_source", "deployment_version": version})
    every = f"models/{quote('org/llama', safe='')}/deployments"
    path = f"{every}/{quote(version, safe='')}"
    assert call(admin, "GET", path, 200)["replicas"] == 0
    made = call(admin, "POST", every, 201, {"version": version, "endpoint": "http://127.0.0.1:9", "replicas": 2})
    assert made["version"] == version
    (event,) = call(admin, "GET", f"{path}/events", 200)["events"]
    call(admin, "POST", f"{path}/events", 201, {"type": "scale", "replicas": 3})
    refused(admin, "DELETE", f"{path}/events/{event['id']}", 409)
    assert call(admin, "PATCH", path, 200, {"upstream_model": "llama"})["replicas"] == 3
    assert call(admin, "POST", f"{path}/test", 200)["ok"] is False
    assert "has runs" in refused(admin, "DELETE", path, 409)
    refused(admin, "GET", f"{every}/{quote(version + '/x', safe='')}", 404)


@pytest.mark.parametrize("name", ["accounts/a/deployments/x", "accounts/a/deployments", "a/deployments/v1/events", "a"])
def test_a_models_name_may_hold_the_words_of_our_paths(admin: httpx.Client, name: str) -> None:
    path = f"/api/v1/models/{quote(name, safe='')}"
    for made in ("accounts/a", name):
        assert admin.post("/api/v1/models", json={"name": made, "kind": "open_source"}).status_code == 201
    assert admin.get(path).json()["name"] == name
    assert admin.post(f"{path}/deployments", json={"version": "v1", "replicas": 1}).status_code == 201
    assert [one["version"] for one in admin.get(f"{path}/deployments").json()["deployments"]] == ["v1"]
    assert admin.get(f"{path}/deployments/v1").json()["replicas"] == 1
    (event,) = admin.get(f"{path}/deployments/v1/events").json()["events"]
    assert admin.delete(f"{path}/deployments/v1/events/{event['id']}").status_code == 204
    assert admin.patch(path, json={"archived": True}).json()["name"] == name
    # Slashes as they are go on being understood.
    assert admin.get("/api/v1/models/accounts/a").json()["name"] == "accounts/a"
    assert admin.get("/api/v1/models/accounts/a/deployments").json() == {"deployments": []}


def test_a_model_that_only_a_connection_names_is_told_how_it_enters_the_catalog(server: Server) -> None:
    with server.client("admin", account=server.new_account("named by a connection")) as admin:
        made = {"name": "local", "protocol": "openai", "base_url": "http://127.0.0.1:9/v1", "models": ["Fake-1"]}
        assert admin.post("/api/v1/connections", json=made).status_code == 201
        routing = {"routing": {"weights": {"local": 1}}}
        answer = admin.patch("/api/v1/models/fake-1", json=routing)
        assert answer.status_code == 404
        assert answer.json()["detail"] == (
            "This account has no model 'fake-1' yet: local reaches it, but nobody has called it. "
            "Add it under Settings, Models, or by POST /api/v1/models, or call it once."
        )
        assert admin.post("/api/v1/models", json={"name": "fake-1", "kind": "external"}).status_code == 201
        assert admin.patch("/api/v1/models/fake-1", json=routing).status_code == 200
        other = admin.patch("/api/v1/models/fake-2", json=routing)
        assert other.json()["detail"] == "This account has no model 'fake-2'. Did you mean 'fake-1'?"
