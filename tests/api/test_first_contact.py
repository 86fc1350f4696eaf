"""What a newcomer's first requests meet: wrong paths lead on, refusals leave a line in the log, never the key."""

import base64
import socket
import time

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from tests.support.server import Server


@pytest.mark.parametrize(
    ("method", "path", "status", "says"),
    [
        ("POST", "/v1/runs", 404, "POST /api/v1/runs"),
        ("POST", "/api/v1/run", 404, "POST /api/v1/runs"),
        ("POST", "/api/runs", 404, "POST /api/v1/runs"),
        ("POST", "/v1/traces/v1/traces", 404, "OTLP traces go to /v1/traces. Set OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("POST", "/v1/traces/v1/logs", 404, "OTLP logs go to /v1/logs"),
        ("POST", "/otlp/v1/traces", 404, "OTLP traces go to /v1/traces"),
        ("POST", "/", 405, "OTEL_EXPORTER_OTLP_ENDPOINT to this server's address without a path"),
        ("POST", "/v1/metrics", 404, "OTEL_METRICS_EXPORTER=none"),
        ("POST", "/api/public/ingestion", 404, "/api/public/otel/v1/traces"),
        ("GET", "/v1/traces", 405, "/v1/traces takes POST, not GET."),
        ("GET", "/api/v1/modells", 404, "Did you mean /api/v1/models?"),
        ("GET", "/nothing/like/it", 404, "There is nothing at /nothing/like/it."),
    ],
)
def test_a_wrong_path_says_where_to_send(server: Server, method: str, path: str, status: int, says: str) -> None:
    answer = httpx.request(method, server.url + path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "allowed", "leads"),
    [
        ("PUT", "/api/v1/keys/some", "PATCH, DELETE", ""),
        ("PUT", "/api/v1/models", "GET, POST", ""),
        ("PUT", "/api/v1/models/a/b", "GET, PATCH, DELETE", ""),
        ("PUT", "/api/v1/models/m/deployments/v1/events", "GET, POST, PATCH, DELETE", ""),
        ("GET", "/api/v1/hardware/h100", "PATCH, DELETE", " Did you mean /api/v1/hardware?"),
        ("DELETE", "/api/v1/matching/jobs/x", "GET", ""),
        ("PATCH", "/healthz", "GET, HEAD", ""),
    ],
)
def test_a_wrong_method_is_told_all_that_there_are(
    server: Server, method: str, path: str, allowed: str, leads: str
) -> None:
    """Those of the first route alone were told: of a key PATCH, and not DELETE."""
    answer = httpx.request(method, server.url + path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert answer.json()["detail"] == f"{path} takes {allowed}, not {method}.{leads}"


@pytest.mark.parametrize(
    ("path", "base"),
    [
        ("/v1/chat/completions", "/gateway/openai/v1"),
        ("/openai/v1/responses", "/gateway/openai/v1"),
        ("/v1/embeddings", "/gateway/openai/v1"),
        ("/v1/messages", "/gateway/anthropic"),
        ("/v1/messages/count_tokens", "/gateway/anthropic"),
    ],
)
def test_a_model_called_past_the_gateway_is_refused_in_its_librarys_shape_with_the_right_address(
    server: Server, path: str, base: str
) -> None:
    answer = httpx.post(server.url + path, json={"model": "m", "messages": []})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")
    says = f"There is nothing at {path}. Models are called through the gateway: set the base URL to {server.url}{base}."
    error = {"message": f"modeltraces gateway: {says}"}
    if "anthropic" in base:
        assert answer.json() == {"type": "error", "error": {"type": "not_found_error", **error}}
    else:
        assert answer.json() == {"error": {**error, "type": "invalid_request_error", "param": None, "code": None}}


def test_a_refused_key_still_gets_a_401_that_says_nothing(server: Server) -> None:
    answer = httpx.post(f"{server.url}/v1/traces", headers={"Authorization": "Bearer mt_wrong"})
    assert answer.json() == {"type": "about:blank", "title": "Unauthorized", "status": 401}


def lines(server: Server, text: str) -> list[str]:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if found := [line for line in server.log.splitlines() if text in line]:
            return found
        time.sleep(0.05)
    return []


def test_refusals_leave_one_line_a_minute_and_never_the_key(server: Server) -> None:
    for _ in range(20):
        httpx.post(f"{server.url}/api/v1/runs", headers={"x-api-key": "mt_not-a-key-of-ours"})
        httpx.post(f"{server.url}/v1/nowhere")
    found = lines(server, "refused what was sent")
    for status in ("401", "404"):
        assert 1 <= len([line for line in found if f"status={status}" in line]) <= 2
    assert "mt_not-a-key-of-ours" not in server.log


def test_a_grpc_client_at_the_port_of_http_is_told_once_where_to_go(server: Server) -> None:
    for _ in range(3):
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            stub = trace_service_pb2_grpc.TraceServiceStub(channel)
            with pytest.raises(grpc.RpcError):
                stub.Export(trace_service_pb2.ExportTraceServiceRequest(), timeout=1)
    (line,) = lines(server, "speaks gRPC")
    assert f"send it to port {server.grpc_port}" in line
    assert "Invalid HTTP request" not in server.log


def test_who_looks_for_a_page_that_is_not_there_is_shown_one(server: Server) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    answer = httpx.get(f"{server.url}/nowhere", headers=browser)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "There is no such page" in answer.text
    assert httpx.get(f"{server.url}/nowhere").headers["content-type"] == "application/problem+json"
    api = httpx.get(f"{server.url}/api/v1/nowhere", headers=browser)
    assert api.headers["content-type"] == "application/problem+json"


def basic(key: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"pk-any:{key}".encode()).decode()}


def test_langfuse_sees_the_keys_account_as_its_project(server: Server) -> None:
    account = server.new_account("langfuse users")
    key = server.key("ingest", account=account)
    answer = httpx.get(f"{server.url}/api/public/projects", headers=basic(key))
    (project,) = answer.json()["data"]
    assert (project["id"], project["name"]) == (server.account_id(account), account)
    # What the SDK's own model requires beside.
    assert set(project["organization"]) == {"id", "name"}
    assert project["metadata"] == {}
    assert httpx.get(f"{server.url}/api/public/projects", headers=basic("mt_wrong")).status_code == 401
    assert httpx.get(f"{server.url}/api/public/projects").status_code == 401
    reading = server.key("read", account=account)
    assert httpx.get(f"{server.url}/api/public/projects", headers=basic(reading)).status_code == 403


def test_garbage_at_the_port_of_http_is_refused_as_ever(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(b"PRINT nothing\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 400")
