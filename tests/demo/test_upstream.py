"""The demo's own upstream answers as the providers do, and the demo's catalog leads to it, start after start."""

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from modeltraces.catalog import accounts, connections, model_edits
from modeltraces.catalog.connections import list_connections
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.models import ModelRegistry, SeenModel
from modeltraces.catalog.vault import Vault
from modeltraces.demo.hosting import lead_to_upstream, seed_hosting
from modeltraces.demo.models import MODELS
from modeltraces.demo.upstream import DemoUpstream, port_of
from modeltraces.gateway.probe import probe


@pytest.fixture(scope="module")
def upstream() -> Iterator[DemoUpstream]:
    running = DemoUpstream().start()
    yield running
    running.stop()


def asked(upstream: DemoUpstream, path: str, prompt: Any, **more: Any) -> httpx.Response:
    body = {"model": "m", "messages": [{"role": "user", "content": prompt}], **more}
    answer = httpx.post(f"{upstream.address}/v1/{path}", json=body, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer


def events(answer: httpx.Response) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: {")]
    return [orjson.loads(line) for line in lines]


def test_chat_completions_come_whole_and_in_pieces_with_their_usage(upstream: DemoUpstream) -> None:
    whole = asked(upstream, "chat/completions", "test").json()
    assert whole["choices"][0]["message"]["content"].startswith(
        "This is a test reply. Everything works. (The demo's own"
    )
    usage = whole["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 5
    options = {"stream": True, "max_tokens": 4, "stream_options": {"include_usage": True}}
    streamed = asked(upstream, "chat/completions", "Say hello.", **options)
    assert streamed.text.endswith("data: [DONE]\n\n")
    *pieces, last = events(streamed)
    choices = [piece["choices"][0] for piece in pieces]
    said = [choice["delta"]["content"] for choice in choices if choice["delta"].get("content")]
    assert (len(said), said[0], choices[-1]["finish_reason"]) == (4, "Hello! ", "length")
    assert (last["choices"], last["usage"]["completion_tokens"]) == ([], 4)
    assert "usage" not in asked(upstream, "chat/completions", "test", stream=True, max_tokens=1).text


def test_messages_come_whole_and_in_pieces_with_their_usage(upstream: DemoUpstream) -> None:
    whole = asked(upstream, "messages", "test", max_tokens=99).json()
    assert whole["content"][0]["text"].startswith("This is a test reply.")
    assert (whole["stop_reason"], whole["usage"]["output_tokens"] > 5) == ("end_turn", True)
    parts = [{"type": "text", "text": "Say hello."}]
    came = events(asked(upstream, "messages", parts, max_tokens=3, stream=True))
    deltas = [one["delta"]["text"] for one in came if one["type"] == "content_block_delta"]
    assert (len(deltas), deltas[0]) == (3, "Hello! ")
    assert [one["type"] for one in (came[0], *came[-3:])] == [
        "message_start", "content_block_stop", "message_delta", "message_stop",
    ]  # fmt: skip
    assert (came[-2]["delta"]["stop_reason"], came[-2]["usage"]) == ("max_tokens", {"output_tokens": 3})


def test_embeddings_come_as_numbers_or_in_base64_the_same_for_the_same_text(upstream: DemoUpstream) -> None:
    body: dict[str, Any] = {"model": "m", "input": ["a duck", "a goose", "a duck"]}
    found = httpx.post(f"{upstream.address}/v1/embeddings", json=body).json()
    first, second, third = (one["embedding"] for one in found["data"])
    assert (first == third, first == second, len(first)) == (True, False, 256)
    assert sum(one * one for one in first) == pytest.approx(1)
    assert found["usage"] == {"prompt_tokens": 6, "total_tokens": 6}
    body |= {"input": "a duck", "encoding_format": "base64", "dimensions": 3}
    packed = httpx.post(f"{upstream.address}/v1/embeddings", json=body).json()["data"][0]["embedding"]
    assert len(base64.b64decode(packed)) == 3 * 4


@pytest.mark.parametrize("protocol", ["openai", "anthropic", "azure_openai"])
def test_trying_a_connection_out_finds_its_models(upstream: DemoUpstream, protocol: str) -> None:
    found = asyncio.run(probe(protocol, upstream.address + ("/v1" if protocol == "openai" else ""), ""))
    assert (found.ok, set(found.models)) == (True, {one.base_model for one in MODELS.values()}), found.says


def test_azures_paths_lead_to_the_same(upstream: DemoUpstream) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "test"}]}
    answer = httpx.post(f"{upstream.address}/openai/deployments/gpt-4o/chat/completions?api-version=1", json=body)
    assert answer.json()["choices"][0]["message"]["content"].startswith("This is a test reply.")


def test_what_it_cannot_answer_it_says_and_goes_on(upstream: DemoUpstream) -> None:
    with httpx.Client(base_url=upstream.address) as client:
        for body in (
            b"",
            b"[]",
            b"{",
            b'{"model":"m"}',
            b'{"model":"m","messages":[]}',
            b'{"model":"m","messages":[1]}',
        ):
            refused = client.post("/v1/messages", content=body)
            assert refused.status_code == 400, body
            assert "model and messages" in refused.json()["error"]["message"]
        assert client.post("/v1/embeddings", json={}).status_code == 400
        assert client.post("/v1/images/generations", json={}).status_code == 404
        assert client.get("/elsewhere").status_code == 404
        assert client.post("/v1/messages", content=iter([b"{}"])).status_code == 413
        assert len(client.get("/v1/models").json()["data"]) == len({one.base_model for one in MODELS.values()})


def test_each_error_has_the_shape_of_the_api_that_was_called(upstream: DemoUpstream) -> None:
    claudes = {"anthropic-version": "2023-06-01"}
    with httpx.Client(base_url=upstream.address) as client:
        for method, path, headers, status, of_anthropic in (
            ("POST", "/v1/images/generations", {}, 404, False),
            ("POST", "/v1/messages/batches", {}, 404, True),
            ("GET", "/v1/files", claudes, 404, True),
            ("GET", "/v1/files", {}, 404, False),
            ("GET", "/v1/chat/completions", {}, 405, False),
            ("DELETE", "/v1/messages", {}, 405, True),
            ("PATCH", "/v1/responses", {}, 405, False),
            ("PUT", "/v1/models", {}, 405, False),
            ("OPTIONS", "/v1/messages", {}, 405, True),
            ("TRACE", "/v1/embeddings", {}, 501, False),
            ("ODD", "/v1/messages", {}, 501, True),
            ("POST", "/v1/responses", {}, 400, False),
            ("POST", "/v1/completions", {}, 400, False),
            ("POST", "/v1/messages/count_tokens", {}, 400, True),
        ):
            answer = client.request(method, path, headers=headers, json={} if method != "GET" else None)
            assert answer.status_code == status, (method, path, answer.text)
            assert answer.headers["content-type"] == "application/json"
            said = answer.json()
            assert (said.get("type") == "error") is of_anthropic, (method, path)
            assert set(said["error"]) == ({"type", "message"} if of_anthropic else {"type", "message", "param", "code"})
            assert (answer.headers.get("allow") is not None) is (status == 405)
        assert client.get("/v1/chat/completions").json()["error"]["message"] == "This path takes POST, not GET."
        head = client.head("/v1/models")
        assert (head.status_code, head.content) == (200, b"")
        answer = client.post("/v1/completions", json={"model": "m", "prompt": []})
        assert "prompt is empty" in answer.json()["error"]["message"]


def test_texts_come_as_tokens_too(upstream: DemoUpstream) -> None:
    for given, number in (([1, 2, 3], 1), ([[1, 2], [3]], 2), (["a", "b"], 2), ("a", 1)):
        found = httpx.post(f"{upstream.address}/v1/embeddings", json={"model": "m", "input": given}).json()
        assert len(found["data"]) == number, given


def test_the_next_one_takes_the_port_of_the_last_unless_it_is_taken(upstream: DemoUpstream) -> None:
    port = port_of(upstream.address)
    assert port_of(f"{upstream.address}/v1") == port != 0
    assert [port_of(one) for one in ("http://127.0.0.1:80/v1", "http://10.0.0.1:80/demo", "")] == [None] * 3
    other = DemoUpstream(port=port or 0)
    assert port_of(other.address) not in (None, port)
    other = other.start()
    other.stop()
    again = DemoUpstream(port=port_of(other.address) or 0).start()
    assert again.address == other.address
    again.stop()


def test_every_place_leads_to_it_at_each_start_unless_somebody_led_it_elsewhere(tmp_path: Path) -> None:
    catalog, vault = Catalog(f"sqlite:///{tmp_path}/catalog.db"), Vault(b"secret")
    catalog.upgrade()
    account, registry = accounts.ensure_default(catalog).id, ModelRegistry(catalog)
    registry.ensure(
        account,
        {name: SeenModel(one.provider, one.base_model, 1, set(), set(), one.kind) for name, one in MODELS.items()},
    )
    seed_hosting(catalog, vault, account, end_us=catalog.clock(), days=30)
    ports: list[int] = []

    def places(port: int) -> list[str]:
        def start(last: int) -> str:
            ports.append(last)
            return f"http://127.0.0.1:{port}/demo"

        lead_to_upstream(catalog, registry, vault, account, start)
        deployed = [one for entry in registry.list_models(account) for one in entry.deployments]
        addresses = [one.base_url for one in list_connections(catalog, account)] + [one.endpoint for one in deployed]
        return sorted(addresses)

    deployments = sum(len(one.rollouts) for one in MODELS.values())
    for port in (7001, 7002):
        at = f"http://127.0.0.1:{port}/demo"
        assert places(port) == [at] * 2 + [f"{at}/v1"] * (deployments + 1)
    values = {"base_url": "http://127.0.0.1:9/mine"}
    connections.edit(catalog, account, "anthropic-prod", values, vault, has_runs=True, actor="t")
    found = places(7003)
    assert found.count("http://127.0.0.1:9/mine") == 1
    assert found.count("http://127.0.0.1:7003/demo") == 1
    connections.edit(catalog, account, "anthropic-prod", {"archived": True}, vault, has_runs=True, actor="t")
    connections.delete(catalog, account, "anthropic-prod", has_runs=False, actor="t")
    assert places(7004).count("http://127.0.0.1:7004/demo") == 1
    assert ports == [0, 7001, 7002, 7003]
    alike = [name for name, one in MODELS.items() if one.kind == "open_source" and one.rollouts[0].version == "v1"]
    model_edits.merge(catalog, account, alike[0], alike[1], actor="t")
    assert places(7005).count("http://127.0.0.1:7005/demo/v1") == deployments + 1, "of two of a version, both"
    catalog.close()
