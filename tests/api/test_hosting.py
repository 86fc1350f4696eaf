"""Hosting Credits over the API: the worked examples, what narrows them, and what has none."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.server import Server

DAY = "2026-11-02"


@pytest.fixture
def admin(server: Server, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A client of an account of its own, that may do everything."""
    account = server.new_account(request.node.nodeid)
    with server.client("admin", account=account) as client:
        yield client


def put(client: httpx.Client, path: str, body: dict[str, Any], status: int = 201) -> dict[str, Any]:
    answer = client.post(path, json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def deploy(client: httpx.Client, at: str, model: str = "llama", **fields: Any) -> str:
    if client.get(f"/api/v1/models/{model}").status_code == 404:
        put(client, "/api/v1/models", {"name": model, "kind": "open_source"})
    made = put(client, f"/api/v1/models/{model}/deployments", {"deployed_on": f"{DAY}T{at}:00Z", **fields})
    return str(made["version"])


def event(client: httpx.Client, at: str, type: str, model: str = "llama", version: str = "v1", **fields: Any) -> None:
    put(
        client,
        f"/api/v1/models/{model}/deployments/{version}/events",
        {"type": type, "on": f"{DAY}T{at}:00Z", **fields},
    )


def metrics(client: httpx.Client, start: str = "00:00", end: str = "23:59", **params: Any) -> dict[str, Any]:
    period = {"from": f"{DAY}T{start}:00Z", "to": f"{DAY}T{end}:00Z"}
    answer = client.get("/api/v1/metrics", params={**period, **params})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def send(client: httpx.Client, count: int, ms: float, at: str = "10:00", **fields: Any) -> None:
    runs = [
        {"model": "llama", "executed_on": f"{DAY}T{at}:{n % 60:02}Z", "response_time_ms": ms, **fields}
        for n in range(count)
    ]
    put(client, "/api/v1/runs", runs, 200)  # type: ignore[arg-type]


def test_example_1_two_replicas_and_a_part_of_their_time(admin: httpx.Client) -> None:
    assert deploy(admin, "10:00", replicas=2, credits_per_replica_hour="0.5") == "v1"
    event(admin, "13:30", "undeploy")
    assert metrics(admin)["hosting_credits"] == 3.5
    assert metrics(admin, "11:00", "12:30")["hosting_credits"] == 1.5
    assert metrics(admin, "13:30", "14:00")["hosting_credits"] == 0


def test_example_2_scaling_is_a_new_interval(admin: httpx.Client) -> None:
    deploy(admin, "10:00", replicas=2, credits_per_replica_hour=0.5)
    event(admin, "12:00", "scale", replicas=4)
    event(admin, "13:30", "undeploy")
    assert metrics(admin)["hosting_credits"] == 5.0
    assert metrics(admin, "10:00", "12:00")["hosting_credits"] == 2.0
    assert metrics(admin, "12:00")["hosting_credits"] == 3.0


def test_example_3_an_open_interval_lasts_until_now(admin: httpx.Client) -> None:
    put(admin, "/api/v1/models", {"name": "llama", "kind": "open_source"})
    put(
        admin,
        "/api/v1/models/llama/deployments",
        {"deployed_on": "2026-10-01T00:00:00Z", "credits_per_replica_hour": "1.25"},
    )
    for period, credits in (("24h", 30.0), ("7d", 210.0)):
        found = admin.get("/api/v1/metrics", params={"period": period}).json()
        assert found["hosting_credits"] == pytest.approx(credits, abs=1e-6)


def test_example_5_a_gap_costs_nothing_and_two_versions_both_count(admin: httpx.Client) -> None:
    deploy(admin, "10:00", replicas=1, credits_per_replica_hour=1)
    event(admin, "11:00", "undeploy")
    assert deploy(admin, "13:00", replicas=1, credits_per_replica_hour=1) == "v2"
    event(admin, "14:00", "undeploy", version="v2")
    assert metrics(admin)["hosting_credits"] == 2.0
    assert metrics(admin, "11:00", "13:00")["hosting_credits"] == 0.0
    deploy(admin, "13:00", version="canary", replicas=3, credits_per_replica_hour=1)
    event(admin, "14:00", "undeploy", version="canary")
    assert metrics(admin)["hosting_credits"] == 5.0


def test_example_6_utilization(admin: httpx.Client) -> None:
    deploy(admin, "10:00", replicas=1, credits_per_replica_hour=2)
    event(admin, "11:00", "undeploy")
    send(admin, 6, 60_000, deployment_version="v1")
    found = metrics(admin)
    assert found["utilization"] == pytest.approx(0.1)
    assert found["credits_per_1000_requests"] == pytest.approx(2 / 6 * 1000)
    for text, known in (("model:llama", True), ("deployment_version:v1", True), ("status:success", False)):
        found = metrics(admin, filter=text)
        assert found["total_requests"] == 6
        assert (found["credits_per_1000_requests"] is not None) is known, text
    deploy(admin, "10:00", version="free", replicas=1)
    found = metrics(admin)
    assert (found["hosting_credits"], found["credits_per_1000_requests"]) == (2.0, None), "what free costs is not known"


def test_two_models_that_both_host_a_v1_are_merged_and_each_of_the_two_goes_on(admin: httpx.Client) -> None:
    for name, replicas in (("a", 2), ("b", 1)):
        deploy(admin, "10:00", model=name, replicas=replicas, credits_per_replica_hour="0.5")
        runs = [
            {"model": name, "executed_on": f"{DAY}T10:00:00Z", "response_time_ms": 60_000, "deployment_version": "v1"}
        ]
        put(admin, "/api/v1/runs", runs, 200)  # type: ignore[arg-type]
    event(admin, "12:00", "undeploy", model="b")
    whole = metrics(admin, end="13:00")
    assert whole["hosting_credits"] == 3 * 2 * 0.5 + 2 * 1 * 0.5
    put(admin, "/api/v1/models/a/merge", {"into": "b"}, 200)
    one = whole | {"hosted_models": 1}
    assert metrics(admin, end="13:00") == one == metrics(admin, end="13:00", filter="deployment_version:v1", model="b")
    listed = admin.get("/api/v1/models/b/deployments").json()["deployments"]
    assert [(found["version"], found["merged_from"], found["replicas"]) for found in listed] == [
        ("v1", None, 0),
        ("v1", "a", 2),
    ]
    for name, replicas in (("a", 2), ("b", 0)):
        assert admin.get(f"/api/v1/models/{name}/deployments/v1").json()["replicas"] == replicas
    event(admin, "12:30", "scale", model="a", replicas=4)
    down = admin.post("/api/v1/models/b/deployments/v1/events", json={"type": "scale", "replicas": 3})
    assert down.status_code == 409
    assert metrics(admin, end="13:00")["hosting_credits"] == whole["hosting_credits"] + 2 * 0.5 * 0.5
    events = {
        name: [found["type"] for found in admin.get(f"/api/v1/models/{name}/deployments/v1/events").json()["events"]]
        for name in ("a", "b")
    }
    assert events == {"a": ["deploy", "scale"], "b": ["deploy", "undeploy"]}
    put(admin, "/api/v1/models/a/unmerge", {}, 200)
    assert metrics(admin, end="13:00", model="a")["hosting_credits"] == 2 * 2 * 0.5 + 0.5 * 4 * 0.5 + 2 * 0.5 * 0.5
    assert metrics(admin, end="13:00", model="b")["hosting_credits"] == 1.0


def test_credits_per_1000_requests_are_of_credits_that_are_not_rounded(admin: httpx.Client) -> None:
    deploy(admin, "10:00", replicas=1, credits_per_replica_hour="0.000001")
    event(admin, "10:20", "undeploy")
    send(admin, 1, 60_000, deployment_version="v1")
    assert metrics(admin)["credits_per_1000_requests"] == pytest.approx(1 / 3000, rel=1e-12)


def test_a_price_list_that_changes_never_rewrites_history(admin: httpx.Client) -> None:
    put(admin, "/api/v1/hardware", {"name": "H100", "credits_per_replica_hour": "1"}, 201)
    deploy(admin, "10:00", replicas=1, hardware="H100")
    event(admin, "12:00", "undeploy")
    put(admin, "/api/v1/hardware", {"name": "H100", "credits_per_replica_hour": "2"}, 200)
    assert metrics(admin)["hosting_credits"] == 2.0
    assert admin.get("/api/v1/hardware").json()["hardware"][0]["credits_per_replica_hour"] == "2"


def test_a_version_filter_narrows_credits_and_utilization(admin: httpx.Client) -> None:
    deploy(admin, "10:00", replicas=1, credits_per_replica_hour=1)
    event(admin, "11:00", "undeploy")
    deploy(admin, "10:00", replicas=3, credits_per_replica_hour=1)
    event(admin, "11:00", "undeploy", version="v2")
    send(admin, 6, 60_000, deployment_version="v1")
    for text, credits, used in (
        ("deployment_version:v1", 1.0, 0.1),
        ("deployment_version:v2", 3.0, 0.0),
        ("status:success", 4.0, 0.025),
        ("deployment_version:v9", None, None),
    ):
        found = metrics(admin, filter=text)
        assert found["hosting_credits"] == credits, text
        assert found["utilization"] == (None if used is None else pytest.approx(used)), text


def test_external_models_have_none_and_all_models_add_up(admin: httpx.Client) -> None:
    deploy(admin, "10:00", replicas=1, credits_per_replica_hour=1)
    event(admin, "11:00", "undeploy")
    deploy(admin, "10:00", model="tuned", replicas=1, credits_per_replica_hour="0.25")
    event(admin, "11:00", "undeploy", model="tuned")
    send(admin, 1, 1000, model="gpt-4o")
    found = metrics(admin, model="gpt-4o")
    assert (found["hosting_credits"], found["utilization"], found["hosted_models"]) == (None, None, 0)
    found = metrics(admin)
    assert (found["hosting_credits"], found["hosted_models"]) == (1.25, 2)
    assert found["utilization"] == 0, "a call to an external model keeps no replica busy"


def test_total_requests_since_deployment_count_from_the_first_deployment(admin: httpx.Client) -> None:
    send(admin, 3, 5, at="09:00")
    send(admin, 2, 5, at="10:00", model="gpt-4o")
    assert metrics(admin)["total_requests_since_deployment"] == 5
    deploy(admin, "10:00", replicas=1, credits_per_replica_hour=1)
    send(admin, 4, 5, at="10:30")
    found = metrics(admin)
    assert (found["total_requests"], found["total_requests_since_deployment"]) == (9, 6)
    assert metrics(admin, model="llama")["total_requests_since_deployment"] == 4


def test_hosting_without_a_price_is_utilized_and_costs_nothing_that_is_known(admin: httpx.Client) -> None:
    deploy(admin, "10:00", replicas=1)
    event(admin, "11:00", "undeploy")
    send(admin, 1, 360_000)
    found = metrics(admin)
    assert found["hosting_credits"] is None
    assert found["utilization"] == pytest.approx(0.1)
