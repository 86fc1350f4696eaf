"""What the gateway says of a call that it refuses: what is wrong with it, and what to do."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.gateway.raw import say
from tests.gateway.upstream import Upstream
from tests.support.server import Server

OPENAI, ANTHROPIC = "/gateway/openai/v1", "/gateway/anthropic/v1"
CHAT = f"{OPENAI}/chat/completions"


@pytest.fixture(scope="module")
def account(server: Server, upstream: Upstream) -> str:
    name = server.new_account("words of refusals")
    with server.client("admin", account=name) as admin:
        for connection, protocol, base, models in (
            ("openai-direct", "openai", f"{upstream.url}/v1", ["gpt-4o"]),
            ("eu-azure", "openai", f"{upstream.url}/v1", ["gpt-4o"]),
            ("claude", "anthropic", upstream.url, ["claude-x"]),
        ):
            made = {"name": connection, "protocol": protocol, "base_url": base, "models": models}
            assert admin.post("/api/v1/connections", json=made).status_code == 201
        for model, kind in (("triage", "open_source"), ("gpt-4o", "external"), ("idle", "fine_tuned")):
            assert admin.post("/api/v1/models", json={"name": model, "kind": kind}).status_code == 201
        for _ in range(2):
            made = {"endpoint": f"{upstream.url}/v1"}
            assert admin.post("/api/v1/models/triage/deployments", json=made).status_code == 201
    return name


@pytest.fixture
def caller(server: Server, account: str) -> Iterator[httpx.Client]:
    with server.client("gateway", account=account) as client:
        yield client


def said(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    message = str(answer.json()["error"]["message"])
    assert message.startswith("modeltraces gateway: ")
    return message.removeprefix("modeltraces gateway: ")


def ask(model: str) -> dict[str, Any]:
    return {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize(
    ("root", "given", "words"),
    [
        (OPENAI, "", "This call names no model, so say by which connection it goes: send the header x-connection with one of eu-azure, openai-direct."),
        (OPENAI, "nope", "There is no connection 'nope' that this call can go by. Send the header x-connection with one of eu-azure, openai-direct."),
        (OPENAI, "openai-dirct", "There is no connection 'openai-dirct' that this call can go by. Did you mean openai-direct?"),
        (OPENAI, "claude", "The connection claude speaks anthropic, not openai: call it at /gateway/anthropic."),
        (ANTHROPIC, "eu-azure", "The connection eu-azure speaks openai, not anthropic: call it at /gateway/openai/v1."),
        (ANTHROPIC, "nope", "There is no connection 'nope' that this call can go by. Send the header x-connection with one of claude."),
    ],
)  # fmt: skip
def test_a_call_without_a_model_is_told_of_the_header_that_names_a_connection(
    caller: httpx.Client, root: str, given: str, words: str
) -> None:
    answer = caller.get(f"{root}/files", headers={"x-connection": given} if given else {})
    assert said(answer, 400) == words


def test_an_account_without_a_connection_is_told_to_add_one(server: Server) -> None:
    with server.client("gateway", account=server.new_account("no connection at all")) as caller:
        answer = caller.get(f"{ANTHROPIC}/files")
    words = said(answer, 400)
    assert words == (
        "This call names no model, and no connection that it could go by speaks anthropic. An admin can add one under Settings, Connections."
    )


@pytest.mark.parametrize("path", [CHAT, f"{OPENAI}/responses", f"{OPENAI}/messages"])
def test_a_call_by_the_wrong_method_is_told_the_right_one(caller: httpx.Client, path: str) -> None:
    answer = caller.get(path)
    assert said(answer, 405).startswith(f"{path.removeprefix(OPENAI + '/')} is called with POST, not GET.")
    assert answer.headers["allow"] == "POST"
    # OpenAI lists stored completions there.
    assert caller.get(path, headers={"x-connection": "eu-azure"}).status_code != 405


@pytest.mark.parametrize(
    "path", [f"{OPENAI}//files", f"{OPENAI}/a/../b", "/gateway/openai/v2/chat/completions", "/gateway/"]
)
def test_a_path_that_there_is_not_is_no_model_that_there_is_not(caller: httpx.Client, path: str) -> None:
    answer = caller.post(path.replace("..", "%2e%2e"), json=ask("gpt-4o"))
    assert "/gateway/openai/v1" in said(answer, 404)
    assert answer.json()["error"]["code"] is None
    unknown = caller.post(CHAT, json=ask("nobody"))
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize(("method", "path"), [("GET", "/gateway"), ("POST", "/gateway"), ("GET", "/Gateway/")])
def test_the_gateways_own_name_leads_to_its_addresses(server: Server, method: str, path: str) -> None:
    answer = httpx.request(method, server.url + path)
    assert answer.status_code == 404
    words = answer.json()["detail"]
    assert "/gateway/openai/v1" in words
    assert "/gateway/anthropic" in words


@pytest.mark.parametrize(
    ("model", "path", "words"),
    [
        ("triage@v9", CHAT, "triage has no deployment or connection 'v9' that is up and has an address. Call it at v1, v2, or without a place."),
        ("triage@somewhere", CHAT, "triage has no deployment or connection 'somewhere' that is up and has an address. Call it at v1, v2, or without a place."),
        ("gpt-4o@eu-azur", CHAT, "gpt-4o has no deployment or connection 'eu-azur' that is up and has an address. Did you mean eu-azure?"),
        # What is there speaks the other protocol.
        ("triage@nope", f"{ANTHROPIC}/messages", "triage has no deployment or connection 'nope' that is up and has an address. It is called at /gateway/openai/v1."),
        ("idle@v1", CHAT, "idle has no deployment or connection 'v1' that is up and has an address. An admin can deploy one under Settings, Models."),
    ],
)  # fmt: skip
def test_a_place_that_there_is_not_leads_to_those_that_there_are(
    caller: httpx.Client, model: str, path: str, words: str
) -> None:
    assert said(caller.post(path, json=ask(model)), 404) == words


@pytest.mark.parametrize(
    ("model", "path", "words"),
    [
        ("nobody", CHAT, "There is no model 'nobody' in this account, and no connection names it or reaches every model. An admin can add it to one under Settings, Connections."),
        ("gpt-4oo", CHAT, "There is no model 'gpt-4oo' in this account, and no connection names it or reaches every model. Did you mean gpt-4o?"),
        # The catalog does not have it, but a connection names it.
        ("claude-y", f"{ANTHROPIC}/messages", "There is no model 'claude-y' in this account, and no connection names it or reaches every model. Did you mean claude-x?"),
        ("no-such@openai-direct", CHAT, "The connection openai-direct does not name 'no-such'. An admin can add it there under Settings, Connections."),
        ("gpt-4oo@openai-direct", CHAT, "The connection openai-direct does not name 'gpt-4oo'. Did you mean gpt-4o@openai-direct?"),
        ("no-such@nowhere", CHAT, "There is no model 'no-such' in this account, and no deployment or connection 'nowhere'. An admin can add a connection that names it under Settings, Connections."),
        ("gpt-4oo@nowhere", CHAT, "There is no model 'gpt-4oo' in this account, and no deployment or connection 'nowhere'. Did you mean gpt-4o?"),
        ("claude-x@eu-azure", f"{ANTHROPIC}/messages", "claude-x has no deployment or connection 'eu-azure' that is up and has an address. Call it at claude, or without a place."),
        ("claude-x@nope", CHAT, "claude-x has no deployment or connection 'nope' that is up and has an address. It is called at /gateway/anthropic."),
    ],
)  # fmt: skip
def test_a_model_that_there_is_not_is_told_by_what_was_named_with_it(
    caller: httpx.Client, model: str, path: str, words: str
) -> None:
    assert said(caller.post(path, json=ask(model)), 404) == words


def test_no_key_and_a_wrong_key_are_told_apart_and_how_to_send_one(server: Server) -> None:
    how = "Send one as Authorization: Bearer mt_…, x-api-key: mt_… or api-key: mt_…."
    for path, kind in ((CHAT, "invalid_request_error"), (f"{ANTHROPIC}/messages", "authentication_error")):
        for headers, words in (
            ({}, "No key came with this call."),
            ({"Authorization": "Bearer sk-proj-0123456789"}, "What came in Authorization is no key of this server's: these begin with mt_."),
            ({"Authorization": "Bearer mt_nobodys"}, "The key that came is not valid: it is unknown here, revoked or expired."),
            ({"api-key": "azures-0123456789"}, "What came in api-key is no key of this server's: these begin with mt_."),
            ({"x-api-key": "sk-ant-0123456789"}, "The key that came is not valid: it is unknown here, revoked or expired."),
        ):  # fmt: skip
            answer = httpx.post(server.url + path, json=ask("gpt-4o"), headers=headers)
            assert said(answer, 401) == f"{words} {how}"
            assert answer.json()["error"]["type"] == kind
            assert answer.headers["www-authenticate"] == "Bearer"
            assert "0123456789" not in answer.text


def test_a_compressed_body_is_said_to_be_one(caller: httpx.Client, upstream: Upstream) -> None:
    asked = len(upstream.asked)
    for encoding in ("gzip", "zstd", "GZIP"):
        content = gzip.compress(json.dumps(ask("gpt-4o")).encode())
        answer = caller.post(CHAT, content=content, headers={"content-encoding": encoding})
        assert (
            said(answer, 415)
            == f"The gateway takes no compressed bodies, and this one is {encoding}: send it without Content-Encoding."
        )
        assert answer.json()["error"]["type"] == "invalid_request_error"
    assert len(upstream.asked) == asked
    answer = caller.post(CHAT, json=ask("gpt-4o"), headers={"content-encoding": "identity"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"model": "gpt-4o",\n "messages": [}', "line 2 column 15"),
        (b'{"model": "gpt-4o"', "line 1 column"),
        (b"", "The body is no JSON"),
        (b"[1]", "The body must be a JSON object, or a form"),
        (b'{"pad": "' + b"x" * (2 << 20) + b'",}', "line 1 column 2097163"),
    ],
)
def test_a_body_that_is_no_json_is_told_where(caller: httpx.Client, body: bytes, words: str) -> None:
    answer = caller.post(CHAT, content=body, headers={"content-type": "application/json"})
    assert words in said(answer, 400)
    assert "JSON object" in answer.text


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (CHAT, "openai"), (f"{ANTHROPIC}/messages", "anthropic"), (f"{ANTHROPIC}/chat/completions", "openai"),
        (f"{ANTHROPIC}/files", "anthropic"), ("/api/v1/runs", None),
    ],
)  # fmt: skip
def test_a_head_that_is_too_large_is_told_in_the_callers_shape(server: Server, path: str, kind: str | None) -> None:
    answer = say(server.port, f"POST {path} HTTP/1.1\r\nHost: x\r\nx-large: {'a' * (65 << 10)}\r\n\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 ")
    error = json.loads(body)
    if kind is None:
        assert b"application/problem+json" in head
        assert error["status"] == 431
        return
    assert b"content-type: application/json\r\n" in head
    assert error["error"]["type"] == "invalid_request_error"
    assert "larger than 64 KB" in error["error"]["message"]
    assert ("code" in error["error"]) == (kind == "openai")
