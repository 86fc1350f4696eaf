"""What the gateway says of a call that it refuses: what is wrong with it, and what to do."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

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
