"""The gateway: takes a call, finds where it goes, passes it on byte for byte, and records what passed.

One ASGI app below `/gateway`. The caller's answer never waits for the store: the record goes to a journal on disk before the
answer's last byte.
"""

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any, Final, cast
from urllib.parse import quote

import aiohttp
import orjson
import structlog
from prometheus_client import Counter
from starlette.requests import HTTPConnection
from starlette.types import Message, Receive, Scope, Send

from modeltraces.api.identity import authenticate
from modeltraces.catalog.errors import CatalogUnavailable, Invalid
from modeltraces.catalog.key_authenticator import KeyIdentity
from modeltraces.catalog.vault import Vault
from modeltraces.gateway import headers as passing
from modeltraces.gateway.bodies import with_members
from modeltraces.gateway.calls import Call, asks_for_usage, call_of
from modeltraces.gateway.errors import Refused, error_body
from modeltraces.gateway.exchange import Exchange
from modeltraces.gateway.forwarding import Forwarding
from modeltraces.gateway.reading.outcome import member
from modeltraces.gateway.recorder import Recorder
from modeltraces.gateway.sockets import SocketGuard
from modeltraces.gateway.targets import Family, NoTarget, Target, TargetBook

log = structlog.get_logger(__name__)

CALLS: Final = Counter("modeltraces_gateway_calls", "Calls through the gateway.", ["family", "outcome"])

_ROOTS: Final[dict[str, Family]] = {"/gateway/openai/v1/": "openai", "/gateway/anthropic/v1/": "anthropic"}


class _ClientLeft(Exception):
    """The caller is gone."""


class Gateway:
    def __init__(
        self,
        targets: TargetBook,
        recorder: Recorder,
        vault: Vault,
        *,
        body_bytes: int,
        connect_seconds: float,
        idle_seconds: float,
        total_seconds: float,
        allow_link_local: bool,
    ) -> None:
        self._targets = targets
        self._recorder = recorder
        self._vault = vault
        self._body_bytes = body_bytes
        self._timeout = aiohttp.ClientTimeout(total=total_seconds, sock_connect=connect_seconds, sock_read=idle_seconds)
        self._guard = SocketGuard(allow_link_local)
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        root = next((root for root in _ROOTS if scope["path"].startswith(root)), "")
        family = _ROOTS.get(root, "openai")
        try:
            await self._answer(scope, receive, send, family, _clean_path(scope, root))
        except Refused as refused:
            CALLS.labels(family, "refused").inc()
            await _respond(send, refused.status, error_body(family, refused.status, refused.message), refused.headers)
        except CatalogUnavailable as error:
            log.error("the gateway cannot reach the catalog", error=str(error))
            await _respond(send, 503, error_body(family, 503, "The catalog does not answer."), {"Retry-After": "2"})
        except _ClientLeft:
            CALLS.labels(family, "client_left").inc()

    async def _answer(self, scope: Scope, receive: Receive, send: Send, family: Family, path: str) -> None:
        key = await self._key(scope)
        if path == "models" and scope["method"] == "GET":
            names = await asyncio.to_thread(self._targets.names, key.account_id, family)
            await _respond(send, 200, orjson.dumps(_listing(names, family)))
            return
        call = call_of(family, scope["method"], path)
        body = await self._body(receive)
        value = _json(body)
        asked = member(value, "model")
        if call is not None:
            if not isinstance(value, dict):
                raise Refused(400, "The body must be a JSON object.")
            if not isinstance(asked, str) or not asked:
                raise Refused(400, 'The body must name a model: {"model": "…"}.')
            if self._recorder.must_refuse:
                raise Refused(503, "The journal of recorded calls is full. Try again later.", {"Retry-After": "5"})
        try:
            if isinstance(asked, str) and asked:
                resolve = partial(self._targets.resolve, key.account_id, asked, family)
                fresh = self._targets.is_fresh(key.account_id)
                target = (resolve() if fresh else await asyncio.to_thread(resolve))[0]
            else:
                name = passing.value_of(scope["headers"], "x-connection")
                target = await asyncio.to_thread(self._targets.connection, key.account_id, name, family)
        except NoTarget as error:
            raise Refused(error.status, str(error)) from error
        sent, strips_usage = _prepared(body, value, target, family, path)
        exchange = None
        if call is not None:
            exchange = _exchange(scope, key, call, str(asked), target, value)
        forwarding = Forwarding(self._client(), self._recorder, exchange, call, strips_usage, scope, send)
        run = forwarding.run(target, self._credential(target), scope["method"], path, sent)
        await _until_left(run, receive)
        CALLS.labels(family, "passed").inc()

    async def _key(self, scope: Scope) -> KeyIdentity:
        identity = await authenticate(HTTPConnection(scope))
        if identity is None or identity.key is None:
            raise Refused(
                401, "This is no valid key of this server's. Send one as Authorization: Bearer mt_… or x-api-key."
            )
        if "gateway" not in identity.scopes:
            raise Refused(403, "This key lacks the scope 'gateway'. Make one with it, or use another key.")
        return identity.key

    async def _body(self, receive: Receive) -> bytes:
        pieces: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _ClientLeft
            piece = message.get("body", b"")
            size += len(piece)
            if size > self._body_bytes:
                raise Refused(413, f"The body must have at most {self._body_bytes >> 20} MB.", {"Connection": "close"})
            pieces.append(piece)
            if not message.get("more_body", False):
                return b"".join(pieces)

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            # Two sides of one host share no cookies, and nothing but the catalog says where calls go.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60, socket_factory=self._guard.open),
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session

    def _credential(self, target: Target) -> str:
        """Raises Refused when it was stored with another secret key."""
        if target.locked_credential is None:
            return ""
        try:
            return self._vault.unlock(target.locked_credential)
        except Invalid as error:
            raise Refused(503, str(error)) from error


async def _until_left(work: Coroutine[Any, Any, None], receive: Receive) -> None:
    """Run the call, and break it off as soon as the caller is gone."""
    task = asyncio.ensure_future(work)
    watch = asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
            raise _ClientLeft
        await task
    finally:
        watch.cancel()
        if not task.done():
            task.cancel()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _prepared(body: bytes, value: Any, target: Target, family: Family, path: str) -> tuple[bytes, bool]:
    """The body as the upstream gets it, and whether it was made to give usage that the caller did not ask for."""
    if not isinstance(value, dict):
        return body, False
    changed: dict[str, Any] = {}
    if isinstance(value.get("model"), str) and value["model"] != target.upstream_model:
        changed["model"] = target.upstream_model
    strips = False
    if value.get("stream") is True and asks_for_usage(family, path):
        options = value.get("stream_options")
        if not (isinstance(options, dict) and options.get("include_usage") is True):
            changed["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
            strips = True
    return (with_members(body, changed) if changed else body), strips


def _exchange(scope: Scope, key: KeyIdentity, call: Call, asked: str, target: Target, value: Any) -> Exchange:
    given = scope["headers"]
    trace_id, parent = passing.trace_of(given)
    return Exchange(
        key, call.operation, asked, target, value, value.get("stream") is True,
        source_type=passing.value_of(given, "x-source-type"),
        source=passing.value_of(given, "x-source"),
        session_id=passing.value_of(given, "x-session-id"),
        user_id=passing.value_of(given, "x-user-id") or str(member(value, "user") or ""),
        trace_id=trace_id,
        parent_span_id=parent,
    )  # fmt: skip


def _clean_path(scope: Scope, root: str) -> str:
    """The path below the API's root. Raises Refused for one that would leave it."""
    path = cast(str, scope["path"]).removeprefix(root)
    if not root:
        raise Refused(404, "The gateway is at /gateway/openai/v1 and /gateway/anthropic/v1.")
    parts = path.split("/")
    if not path or "\\" in path or any(part in ("", ".", "..") for part in parts) or not path.isprintable():
        raise Refused(404, "There is no such path in this API.")
    return "/".join(quote(part, safe="-._~!$&'()*+,;=:@") for part in parts)


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _listing(names: list[str], family: Family) -> dict[str, Any]:
    if family == "anthropic":
        data = [
            {"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"} for name in names
        ]
        return {
            "data": data,
            "has_more": False,
            "first_id": names[0] if names else None,
            "last_id": names[-1] if names else None,
        }
    return {
        "object": "list",
        "data": [{"id": name, "object": "model", "created": 0, "owned_by": "modeltraces"} for name in names],
    }


async def _respond(send: Send, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
    given = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    start: Message = {
        "type": "http.response.start",
        "status": status,
        "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *given],
    }
    await send(start)
    await send({"type": "http.response.body", "body": body})
