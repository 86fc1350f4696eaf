"""The head of every answer, and that nothing else of it is touched."""

import asyncio
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from modeltraces.api.security import CONTENT_SECURITY_POLICY, SecurityHeaders, same_token


def answer(path: str, headers: list[tuple[bytes, bytes]] | None = None) -> Headers:
    """The head of what an app answers at `path` with `headers` of its own."""
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers or []})
        await send({"type": "http.response.body", "body": b"whole"})

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(SecurityHeaders(app)({"type": "http", "path": path}, receive, send))
    assert sent[1] == {"type": "http.response.body", "body": b"whole"}
    return Headers(raw=sent[0]["headers"])


def test_scripts_and_styles_come_from_here_and_never_from_the_page_itself() -> None:
    policy = {part.split()[0]: part.split()[1:] for part in CONTENT_SECURITY_POLICY.split("; ")}
    assert policy["default-src"] == ["'none'"]
    for directive in ("script-src", "style-src", "connect-src", "font-src", "form-action"):
        assert policy[directive] == ["'self'"]
    assert policy["img-src"] == ["'self'", "data:"]
    assert policy["base-uri"] == policy["frame-ancestors"] == ["'none'"]
    assert "unsafe" not in CONTENT_SECURITY_POLICY


@pytest.mark.parametrize("path", ["/", "/api/v1/runs", "/static/app.js", "/staticky"])
def test_every_answer_bears_the_headers(path: str) -> None:
    headers = answer(path)
    assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]


def test_pages_and_the_api_are_not_kept_by_caches_and_built_files_are() -> None:
    assert answer("/")["cache-control"] == "no-store"
    assert answer("/api/v1/runs")["cache-control"] == "no-store"
    assert answer("/staticky")["cache-control"] == "no-store"
    assert "cache-control" not in answer("/static/app.js")


def test_what_an_answer_says_itself_stands() -> None:
    headers = answer("/x", [(b"cache-control", b"max-age=5"), (b"referrer-policy", b"no-referrer")])
    assert headers.getlist("cache-control") == ["max-age=5"]
    assert headers.getlist("referrer-policy") == ["no-referrer"]


def test_a_stream_passes_chunk_by_chunk() -> None:
    async def check() -> None:
        passed: list[Message] = []
        go_on = asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for number in range(3):
                await send({"type": "http.response.body", "body": b"%d" % number, "more_body": True})
                assert passed[-1]["body"] == b"%d" % number, "passed before the next is made"
            go_on.set()

        async def receive() -> Message:
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            passed.append(message)

        await SecurityHeaders(app)({"type": "http", "path": "/"}, receive, send)
        assert go_on.is_set()

    asyncio.run(check())


def test_what_is_not_http_is_left_alone() -> None:
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((scope, send))

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        raise AssertionError

    asyncio.run(SecurityHeaders(app)({"type": "lifespan"}, receive, send))
    assert seen == [({"type": "lifespan"}, send)]


@pytest.mark.parametrize(
    ("sent", "expected", "same"),
    [("a", "a", True), ("a", "b", False), ("", "", False), ("", "a", False), ("\ud800", "a", False), ("é", "é", True)],
)
def test_an_empty_token_matches_nothing(sent: str, expected: str, same: bool) -> None:
    assert same_token(sent, expected) is same
