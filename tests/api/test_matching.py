"""Matching over the API: what a rule does to new runs, what is implied without any, and past runs."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.catalog.model_world import known
from tests.support.otlp import PROTOBUF, genai_span, traces
from tests.support.server import Server

RULES = "/api/v1/matching/rules"


@pytest.fixture
def account(server: Server, request: pytest.FixtureRequest) -> str:
    return server.new_account(request.node.nodeid)


@pytest.fixture
def admin(server: Server, account: str) -> Iterator[httpx.Client]:
    with server.client("admin", account=account) as client:
        yield client


@pytest.fixture
def has(server: Server, account: str) -> Callable[..., None]:
    """Lets the account have what a rule is to give."""

    def known_there(**outcomes: str) -> None:
        known(server.catalog, server.account_id(account), outcomes)

    return known_there


def post(client: httpx.Client, path: str, body: Any, status: int = 201) -> dict[str, Any]:
    answer = client.post(path, json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def only_run(client: httpx.Client, **params: str) -> dict[str, Any]:
    (run,) = client.get("/api/v1/runs", params={"period": "all", **params}).json()["runs"]
    found: dict[str, Any] = run
    return found


def finished(client: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while job["state"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)
        job = client.get(f"/api/v1/matching/jobs/{job['id']}").json()
    return job


def test_a_rule_decides_and_the_run_keeps_what_it_said(admin: httpx.Client, has: Callable[..., None]) -> None:
    has(model="llama-8b", deployment_version="v2")
    post(
        admin,
        RULES,
        {
            "name": "ours",
            "conditions": {"model": "gpt-4o", "server_address": "llm.internal*"},
            "outcomes": {"model": "llama-8b", "deployment_version": "v2"},
        },
    )
    span = genai_span("gpt-4o", server__address="LLM.internal", server__port=8000)
    assert admin.post("/v1/traces", content=traces(span).SerializeToString(), headers=PROTOBUF).status_code == 200
    run = only_run(admin)
    assert (run["model"], run["deployment_version"]) == ("llama-8b", "v2")
    assert only_run(admin, filter="matched_by:ours server_address:llm.internal:8000")["model"] == "llama-8b"
    assert [model["name"] for model in admin.get("/api/v1/models").json()["models"]] == ["llama-8b"]
    post(admin, "/api/v1/runs", {"model": "gpt-4o"}, 200)
    assert only_run(admin, filter="model:gpt-4o")["deployment_version"] is None


def test_without_any_rule_the_endpoint_and_the_only_version_say_it(admin: httpx.Client) -> None:
    post(admin, "/api/v1/models", {"name": "llama", "kind": "open_source"})
    deployments = "/api/v1/models/llama/deployments"
    day = "2026-11-02T{}:00:00Z".format
    post(admin, deployments, {"endpoint": "http://one:8000/v1", "deployed_on": day("10")})
    run = {"model": "llama", "executed_on": "2026-11-02T10:30:00Z"}
    post(admin, "/api/v1/runs", run, 200)
    assert only_run(admin)["deployment_version"] == "v1", "only v1 was up"
    post(admin, deployments, {"endpoint": "http://two:8000/v1", "deployed_on": day("11")})
    found = {}
    for server in ("one", "two", "three"):
        said = {"model": "llama", "server_address": f"{server}:8000", "on": day("12")}
        found[server] = post(admin, "/api/v1/matching/test", said, 200)["deployment_version"]
    assert found == {"one": "v1", "two": "v2", "three": None}, "two are up: only the endpoint can tell"
    said = {"model": "llama", "deployment_version": "canary", "server_address": "one:8000"}
    assert post(admin, "/api/v1/matching/test", said, 200)["deployment_version"] == "canary", "what is said stands"


def test_without_any_rule_the_address_of_a_connection_says_it(admin: httpx.Client) -> None:
    for name, host, models in (("azure-eu", "eu.example.com", ["*"]), ("anthropic", "api.example.com", ["claude"])):
        post(
            admin,
            "/api/v1/connections",
            {"name": name, "protocol": "openai", "base_url": f"https://{host}/v1", "models": models},
        )
    for said, connection in (
        ({"model": "gpt-4o", "server_address": "eu.example.com"}, "azure-eu"),
        ({"model": "gpt-4o", "server_address": "eu.example.com:443"}, "azure-eu"),
        ({"model": "gpt-4o", "server_address": "api.example.com"}, None),
        ({"model": "claude", "server_address": "api.example.com"}, "anthropic"),
        ({"model": "gpt-4o", "server_address": "elsewhere"}, None),
        ({"model": "gpt-4o", "connection_name": "mine", "server_address": "eu.example.com"}, "mine"),
    ):
        assert post(admin, "/api/v1/matching/test", said, 200)["connection_name"] == connection, said


def test_a_rule_gives_any_name_that_a_run_may_bear(admin: httpx.Client, has: Callable[..., None]) -> None:
    longest = "m" * 512
    has(deployment_version=longest)
    post(admin, RULES, {"name": "r", "conditions": {"model": longest}, "outcomes": {"deployment_version": longest}})
    post(admin, "/api/v1/runs", {"model": longest}, 200)
    assert only_run(admin)["deployment_version"] == longest


def test_a_changed_rule_is_applied_to_past_runs_with_progress(admin: httpx.Client, has: Callable[..., None]) -> None:
    has(model="m", connection_name="c")
    post(admin, "/api/v1/runs", [{"model": "gpt-4o", "source": f"s{n % 2}"} for n in range(10)], 200)
    post(admin, "/api/v1/runs", {"model": "other"}, 200)
    preview = admin.get("/api/v1/matching/preview").json()
    assert (preview["total_runs"], preview["changed_runs"]) == (11, 0)
    post(
        admin, RULES, {"name": "r", "conditions": {"model": "GPT*"}, "outcomes": {"model": "m", "connection_name": "c"}}
    )
    preview = admin.get("/api/v1/matching/preview").json()
    assert (preview["total_runs"], preview["changed_runs"]) == (11, 10)
    assert preview["changes"][0]["then"] == {"model": "m", "deployment_version": None, "connection_name": "c"}
    assert admin.get("/api/v1/metrics", params={"model": "m"}).json()["total_requests"] == 0
    job = finished(admin, post(admin, "/api/v1/matching/apply", {}, 202))
    assert (job["state"], job["done"], job["total"]) == ("done", 11, 11)
    assert admin.get("/api/v1/metrics", params={"model": "m"}).json()["total_requests"] == 10
    assert "m" in [model["name"] for model in admin.get("/api/v1/models").json()["models"]]
    assert admin.delete(f"{RULES}/r").status_code == 204
    finished(admin, post(admin, "/api/v1/matching/apply", {}, 202))
    assert admin.get("/api/v1/metrics", params={"model": "gpt-4o"}).json()["total_requests"] == 10
    assert admin.get("/api/v1/matching/preview").json()["changed_runs"] == 0


def test_rules_have_an_order_and_can_be_switched_off(admin: httpx.Client, has: Callable[..., None]) -> None:
    for name in ("a", "b"):
        has(model=name)
        post(admin, RULES, {"name": name, "conditions": {"model": "*"}, "outcomes": {"model": name}})
    assert post(admin, "/api/v1/matching/test", {"model": "x"}, 200)["by"] == "a"
    assert admin.patch(f"{RULES}/b", json={"position": 1}).json()["position"] == 1
    assert post(admin, "/api/v1/matching/test", {"model": "x"}, 200)["by"] == "b"
    admin.patch(f"{RULES}/b", json={"enabled": False})
    assert post(admin, "/api/v1/matching/test", {"model": "x"}, 200)["by"] == "a"
    assert [rule["name"] for rule in admin.get(RULES).json()["rules"]] == ["b", "a"]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"name": "x", "conditions": {}, "outcomes": {"model": "m"}}, 422, "conditions"),
        ({"name": "x", "conditions": {"modle": "a"}, "outcomes": {"model": "m"}}, 422, "'modle'"),
        ({"name": "x", "conditions": {"model": ["a", " "]}, "outcomes": {"model": "m"}}, 422, "pattern of only spaces"),
        ({"name": "x", "conditions": {"model": "a"}, "outcomes": {"model": "m" * 513}}, 422, "at most 512"),
        ({"name": "x", "conditions": {"model": 7}, "outcomes": {"model": "m"}}, 422, "model"),
        ({"name": "x", "conditions": {"model": "a"}, "outcomes": {}}, 422, "outcomes"),
        ({"name": "x", "conditions": {"model": "a"}, "outcomes": {"status": "failed"}}, 422, "'status'"),
        ({"name": "x", "conditions": {"model": "a"}, "outcomes": {"model": ""}}, 422, "empty"),
        ({"name": "taken", "conditions": {"model": "a"}, "outcomes": {"model": "m"}}, 409, "choose another name"),
        ({"name": "x", "conditions": {"model": "a"}, "outcomes": {"model": "m"}, "position": 0}, 422, "position"),
        ({"nmae": "x"}, 422, "'name'"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_with_what_could(
    admin: httpx.Client, has: Callable[..., None], body: dict[str, Any], status: int, says: str
) -> None:
    has(model="m")
    post(admin, RULES, {"name": "taken", "conditions": {"model": "z"}, "outcomes": {"model": "m"}})
    answer = admin.post(RULES, json=body)
    assert answer.status_code == status, answer.text
    assert says in answer.json()["detail"]
    assert len(admin.get(RULES).json()["rules"]) == 1


@pytest.mark.parametrize(
    ("outcomes", "says", "parameter"),
    [
        ({"model": "lama-8b"}, "There is no model 'lama-8b'. Did you mean llama-8b?", "model"),
        ({"model": "xyz"}, "There is no model 'xyz'. Add it first, on the page Models.", "model"),
        (
            {"model": "llama-8b", "deployment_version": "v2.0"},
            "There is no deployment 'v2.0' of llama-8b. Did you mean v2?",
            "deployment_version",
        ),
        (
            {"model": "other", "deployment_version": "v2"},
            "There is no deployment 'v2' of other. Add it first, on the model's page.",
            "deployment_version",
        ),
        ({"deployment_version": "canary"}, "There is no deployment 'canary'. Add it first", "deployment_version"),
        (
            {"connection_name": "azure-ue"},
            "There is no connection 'azure-ue'. Did you mean azure-eu?",
            "connection_name",
        ),
    ],
)
def test_a_rule_gives_only_what_the_account_has(
    admin: httpx.Client, has: Callable[..., None], outcomes: dict[str, str], says: str, parameter: str
) -> None:
    has(model="llama-8b", deployment_version="v2", connection_name="azure-eu")
    has(model="other")
    rule = {"name": "r", "conditions": {"model": "*"}, "outcomes": {"deployment_version": "v2"}}
    post(admin, RULES, rule)
    for answer in (
        admin.post(RULES, json={**rule, "name": "another", "outcomes": outcomes}),
        admin.patch(f"{RULES}/r", json={"outcomes": outcomes}),
    ):
        assert answer.status_code == 422, answer.text
        problem = answer.json()
        assert problem["detail"].startswith(says)
        assert problem["parameter"] == f"outcomes.{parameter}"
    assert [one["outcomes"] for one in admin.get(RULES).json()["rules"]] == [{"deployment_version": "v2"}]


def test_a_rule_keeps_what_has_gone_since(admin: httpx.Client, has: Callable[..., None]) -> None:
    connection = {"name": "azure", "protocol": "openai", "base_url": "https://eu.example.com"}
    post(admin, "/api/v1/connections", connection)
    post(admin, RULES, {"name": "r", "conditions": {"model": "*"}, "outcomes": {"connection_name": "azure"}})
    assert admin.delete("/api/v1/connections/azure").status_code == 204
    same = {"conditions": {"model": "gpt*"}, "outcomes": {"connection_name": "azure"}}
    assert admin.patch(f"{RULES}/r", json=same).json()["conditions"] == {"model": ["gpt*"]}
