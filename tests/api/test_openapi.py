"""The OpenAPI document: every route with its credentials, bodies, answers and problems; and what it says is true."""

from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from modeltraces.api.identity import KEY_HEADERS
from tests.support.server import Server

OPEN = {"/healthz", "/readyz"}


@pytest.fixture(scope="module")
def document(server: Server) -> dict[str, Any]:
    answer = httpx.get(f"{server.url}/api/v1/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(verb, path, what) for path, verbs in document["paths"].items() for verb, what in verbs.items()]


def test_every_route_says_what_it_answers(document: dict[str, Any]) -> None:
    assert len(operations(document)) >= 15
    for verb, path, what in operations(document):
        assert what["summary"], (verb, path)
        good = next(status for status in what["responses"] if status.startswith("2"))
        assert good == "204" or what["responses"][good]["content"], (verb, path)
        wanted = {"503"} if path in OPEN else {"401", "403", "503"}
        assert what["responses"].keys() >= wanted, (verb, path)
        assert bool(what.get("security")) == (path not in OPEN), (verb, path)
        bodiless = path.endswith(("/unmerge", "}/test", "/apply", "/sweep"))
        assert (verb in ("post", "patch") and not bodiless) == ("requestBody" in what), (verb, path)
        for status, answer in what["responses"].items():
            assert answer["description"], (verb, path, status)
            if not status.startswith("2"):
                assert list(answer["content"]) == ["application/problem+json"], (verb, path, status)
    ids = [what["operationId"] for _, _, what in operations(document)]
    assert len(ids) == len(set(ids))


def test_every_header_that_a_key_is_taken_from_is_told(server: Server, document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    headers = [one["name"] for one in schemes.values() if one["type"] == "apiKey"]
    assert headers == list(KEY_HEADERS)
    assert schemes["bearer"]["scheme"] == "bearer"
    key = server.key()
    for header in headers:
        assert f"`{header}: mt_…`" in document["info"]["description"]
        assert httpx.get(f"{server.url}/api/v1/models", headers={header: key}).status_code == 200
    for _, path, what in operations(document):
        taken = {name for one in what.get("security", []) for name in one} - {"basic"}
        assert taken == (set() if path in OPEN else {"bearer", *headers}), path


def test_every_schema_is_one_and_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)

    def follow(value: Any) -> None:
        if isinstance(value, dict):
            if "$ref" in value:
                assert value["$ref"].removeprefix("#/components/schemas/") in document["components"]["schemas"]
            for part in value.values():
                follow(part)
        elif isinstance(value, list):
            for part in value:
                follow(part)

    follow(document)


def validator(document: dict[str, Any], name: str) -> Draft202012Validator:
    registry: Any = Registry().with_resource("urn:openapi", DRAFT202012.create_resource(document))
    return Draft202012Validator({"$ref": f"urn:openapi#/components/schemas/{name}"}, registry=registry)


def test_real_answers_are_what_the_document_says(server: Server, document: dict[str, Any]) -> None:
    account = server.new_account("openapi")
    runs = [
        {"model": "m", "request_id": "full", "response_time_ms": 1.5, "input_tokens": 3, "deployment_version": "v1"},
        {"model": "n", "connection_name": "azure", "error": {"type": "Timeout", "message": "slow"}},
        {"nonsense": 1},
    ]
    with server.client(account=account) as client:
        validator(document, "Accepted").validate(client.post("/api/v1/runs", json=runs).json())
        for path, name in (
            ("/api/v1/runs", "RunPage"),
            ("/api/v1/runs/full", "Run"),
            ("/api/v1/metrics", "Metrics"),
            ("/api/v1/metrics?model=nobody", "Metrics"),
            ("/api/v1/metrics/series", "Series"),
            ("/api/v1/models", "Models"),
            ("/api/v1/models/m", "Model"),
            ("/api/v1/runs?filter=nope:1", "Problem"),
            ("/api/v1/runs/nobody", "Problem"),
        ):
            validator(document, name).validate(client.get(path).json())
        # The contract's fields are all of them: none comes that is not said.
        said = document["components"]["schemas"]["Run"]["properties"].keys()
        more = {
            "payload_cut",
            "input_size",
            "output_size",
            "cache_write_input_tokens",
            "response_id",
            "instrumentation",
        }
        assert client.get("/api/v1/runs/full").json().keys() <= said | more
