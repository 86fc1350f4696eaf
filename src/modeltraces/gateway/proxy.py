"""The gateway: takes a call, finds where it goes, passes it on byte for byte, and records what passed.

One ASGI app below `/gateway`. The caller's answer never waits for the store: the record goes to a journal on disk before the
answer's last byte.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import unquote

import orjson
import structlog
from prometheus_client import Counter
from starlette.requests import HTTPConnection
from starlette.types import Message, Receive, Scope, Send

from modeltraces.api.identity import KEY_HEADERS, authenticate, key_in, key_places, known_key
from modeltraces.arrivals import Arrival, Arrivals, NotComing
from modeltraces.catalog.errors import CatalogUnavailable, Invalid
from modeltraces.catalog.key_authenticator import KeyIdentity
from modeltraces.catalog.keys import KEY_START
from modeltraces.catalog.vault import Vault
from modeltraces.gateway import headers as passing
from modeltraces.gateway.allowed import callable_names, check_alternatives, check_name, check_targets
from modeltraces.gateway.asked import ROOTS, Asked, clean_path, fault_of, read_body, root_of
from modeltraces.gateway.calls import Call, call_of, without_deployment
from modeltraces.gateway.errors import Refused, error_body
from modeltraces.gateway.exchange import Exchange
from modeltraces.gateway.forwarding import Forwarding
from modeltraces.gateway.limits import Limiter
from modeltraces.gateway.listing import entry, listing
from modeltraces.gateway.names import check_model
from modeltraces.gateway.no_target import NoTarget
from modeltraces.gateway.recorder import LARGE_BYTES, Recorder
from modeltraces.gateway.relay import Relay
from modeltraces.gateway.routing import Router
from modeltraces.gateway.sockets import SocketGuard
from modeltraces.gateway.target_book import TargetBook
from modeltraces.gateway.targets import Candidates, Family, Target
from modeltraces.gateway.timeouts import Timeouts
from modeltraces.gateway.upstreams import Upstreams
from modeltraces.gateway.usage import UsageAsking
from modeltraces.http_protocol import LEFT

log = structlog.get_logger(__name__)

CALLS: Final = Counter(
    "modeltraces_gateway_calls",
    "Calls through the gateway, by family (openai, anthropic) and outcome.",
    ["family", "outcome"],
)


Told = Mapping[str, str]
"""Headers by their names in lower case."""
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Not TRACE, which asks an upstream to send back what it got: the stored credential, too."""


_STOPPED: Final = "The server is being stopped, and the call had no answer yet. Send it again."


class _ClientLeft(Exception):
    """The caller is gone."""


class _CutOff(Exception):
    """An answer that had begun has no end: the server is being stopped."""


class Gateway:
    def __init__(
        self,
        targets: TargetBook,
        recorder: Recorder,
        limiter: Limiter,
        vault: Vault,
        arrivals: Arrivals,
        *,
        body_bytes: int,
        timeouts: Timeouts,
        allow_link_local: bool,
    ) -> None:
        self.targets = targets
        self._recorder = recorder
        self._limiter = limiter
        self._vault = vault
        self._arrivals = arrivals
        self._body_bytes = body_bytes
        self._timeouts = timeouts
        self.router = Router()
        self._usage = UsageAsking()
        self._upstreams = Upstreams(SocketGuard(allow_link_local))

    async def close(self) -> None:
        self._upstreams.close()

    async def call(self, key: KeyIdentity | None, scope: Scope, receive: Receive, send: Send) -> None:
        """One call. `key`: on whose behalf; None: on that of the key that it bears."""
        root = root_of(scope["path"])
        family = shape = ROOTS.get(root, "openai")
        told = passing.by_name(scope["headers"])
        try:
            path = clean_path(scope, root)
            call = call_of(family, scope["method"], path)
            shape = call.protocol if call else family
            key = key or known_key(told, scope["app"].state.parts.keys) or await self._key(scope)
            if "gateway" not in key.scopes:
                raise Refused(403, "This key lacks the scope 'gateway'. Make one with it, or use another key.")
            await self._answer(key, scope, receive, send, family, path, call, told)
        except Refused as refused:
            CALLS.labels(family, "refused").inc()
            error = error_body(shape, refused.status, refused.message, is_no_address=refused.is_no_address)
            await _respond(send, refused.status, error, refused.headers)
        except CatalogUnavailable as away:
            log.error("the gateway cannot reach the catalog", error=str(away))
            await _respond(send, 503, error_body(shape, 503, "The catalog does not answer."), {"Retry-After": "2"})
        except _ClientLeft:
            CALLS.labels(family, "client_left").inc()
        except _CutOff:
            CALLS.labels(family, "passed").inc()
        except asyncio.CancelledError:
            # The time that calls have after that is over, and none of an answer is passed.
            CALLS.labels(family, "refused").inc()
            await _respond(send, 503, error_body(shape, 503, _STOPPED), {"Retry-After": "2"})

    async def _answer(
        self, key: KeyIdentity, scope: Scope, receive: Receive, send: Send, family: Family, path: str,
        call: Call | None, told: Told,
    ) -> None:  # fmt: skip
        if scope["method"] not in _METHODS:
            raise Refused(405, "The gateway passes no such method.", {"Allow": ", ".join(sorted(_METHODS))})
        if scope["method"] in ("GET", "HEAD") and (path == "models" or path.startswith("models/")):
            found = await asyncio.to_thread(self._listed, key, family, unquote(path[len("models/") :]))
            await _respond(send, 200, orjson.dumps(found))
            return
        if told.get("upgrade", "").lower() == "websocket":
            raise Refused(400, "The gateway passes no WebSockets. Use the calls over HTTP.")
        asked = await self._asked(key, scope, receive, family, path, call, told)
        candidates = await self._candidates(asked, key)
        # Inference or not: who knows what else an upstream answers with a model's work.
        await self._limiter.admit(key)
        targets = self.router.order(key.account_id, candidates)
        # What is not known to be inference may not be safe to do twice.
        targets = targets if asked.call else targets[:1]
        exchange = asked.exchange(key, targets[0])
        relay = Relay(self._recorder, self._timeouts, exchange, asked.call, scope, send)
        forwarding = Forwarding(
            self._upstreams, self._timeouts, self.router, self._usage, key.account_id, asked, self._credential, exchange,
            relay, candidates.is_routed,
        )  # fmt: skip
        await _until_left(forwarding.run(targets), relay, exchange, scope, receive)
        CALLS.labels(family, "passed").inc()

    def _names(self, key: KeyIdentity, family: Family) -> list[str]:
        def serves(name: str) -> bool:
            return self.targets.serves(key.account_id, name, family)

        return callable_names(key.limits, self.targets.names(key.account_id, family), serves)

    def _listed(self, key: KeyIdentity, family: Family, name: str) -> dict[str, Any]:
        """One model that the key may call, or all. Raises Refused."""
        if not name:
            return listing(self._names(key, family), family)
        check_model(name)
        try:
            found = self.targets.resolve(key.account_id, name, family)
        except NoTarget as error:
            check_name(key.limits, name)
            raise Refused(404, str(error)) from error
        check_targets(key.limits, name, found.every)
        return entry(name, family)

    async def _asked(
        self, key: KeyIdentity, scope: Scope, receive: Receive, family: Family, path: str, call: Call | None, told: Told
    ) -> Asked:
        """Raises Refused for an inference without what it must say, and while calls cannot be recorded."""
        path, named = (path, "") if call is None else without_deployment(path)
        encoding = told.get("content-encoding", "")
        if call is not None and encoding.lower() not in ("", "identity"):
            what = f"The gateway takes no compressed bodies, and this one is {encoding[:40]}"
            raise Refused(415, f"{what}: send it without Content-Encoding.", {"Accept-Encoding": "identity"})
        body = await self._body(told, receive)
        kind = "" if call is None else told.get("content-type", "")
        # Reading a large one on the event loop would hold up everybody's calls.
        form, value = (
            await asyncio.to_thread(read_body, kind, body) if len(body) > LARGE_BYTES else read_body(kind, body)
        )
        asked = Asked(
            family, scope["method"], path, scope["query_string"].decode("latin-1"), scope["headers"], call, body, value,
            bool(key.limits.allowed_models), told, form, named,
        )  # fmt: skip
        if asked.model.strip():
            check_model(asked.model)
        if call is not None:
            if not isinstance(asked.value, dict):
                raise Refused(400, await asyncio.to_thread(fault_of, body))
            if not asked.model.strip():
                raise Refused(400, 'The body must name a model: {"model": "…"}.')
            if key.limits.recording != "off" and not self._recorder.lets_in():
                what = "cannot be written" if self._recorder.journal.trouble else "is full"
                raise Refused(503, f"The journal of recorded calls {what}. Try again later.", {"Retry-After": "5"})
        return asked

    async def _candidates(self, asked: Asked, key: KeyIdentity) -> Candidates:
        """Raises Refused when nothing serves the call, and when what does is not for this key."""
        try:
            found = await self._found(asked, key.account_id)
        except NoTarget as error:
            check_name(key.limits, asked.model)
            raise Refused(error.status, str(error)) from error
        check_targets(key.limits, asked.called_model, found.every)
        check_alternatives(key.limits, asked.value)
        return found

    async def _found(self, asked: Asked, account_id: str) -> Candidates:
        if asked.model:
            resolve = partial(self.targets.resolve, account_id, asked.model, asked.family)
            is_known = self.targets.is_known(account_id, asked.model, asked.family)
            return resolve() if is_known else await asyncio.to_thread(resolve)
        name = asked.told.get("x-connection", "")
        try:
            return Candidates((await asyncio.to_thread(self.targets.connection, account_id, name, asked.family),))
        except NoTarget as error:
            if name or not call_of(asked.family, "POST", asked.path):
                raise
            # What OpenAI stores of its calls is read at the same paths, by the connection that stored it.
            what = f"{asked.path} is called with POST, not {asked.method}. Or is this no call of a model?"
            raise Refused(405, f"{what} {error}", {"Allow": "POST"}) from error

    async def _key(self, scope: Scope) -> KeyIdentity:
        """That of a call whose key is not in memory. Raises Refused."""
        connection = HTTPConnection(scope)
        identity = await authenticate(connection)
        if identity is not None and identity.key is not None:
            return identity.key
        if key_in(connection) is not None:
            what = "The key that came is not valid: it is unknown here, revoked or expired."
        elif given := next((name for name in ("Authorization", *KEY_HEADERS) if name in connection.headers), ""):
            what = f"What came in {given} is no key of this server's: these begin with {KEY_START}."
        else:
            what = "No key came with this call."
        raise Refused(401, f"{what} Send one as {key_places()}.", {"WWW-Authenticate": "Bearer"})

    async def _body(self, told: Told, receive: Receive) -> bytes:
        length = told.get("content-length", "")
        if length.isdecimal() and int(length) > self._body_bytes:
            raise self._too_large()
        pieces: list[bytes] = []
        size, arrival = 0, Arrival(self._arrivals)
        while True:
            try:
                message = await arrival.piece(receive())
            except NotComing as error:
                raise Refused(error.status, str(error), error.headers) from error
            if message["type"] == "http.disconnect":
                raise _ClientLeft
            piece = message.get("body", b"")
            size += len(piece)
            if size > self._body_bytes:
                raise self._too_large()
            pieces.append(piece)
            if not message.get("more_body", False):
                return b"".join(pieces)

    def _too_large(self) -> Refused:
        return Refused(413, f"The body must have at most {self._body_bytes >> 20} MB.", {"Connection": "close"})

    def _credential(self, target: Target) -> str:
        """Raises Refused when it was stored with another secret key."""
        if target.locked_credential is None:
            return ""
        try:
            return self._vault.unlock(target.locked_credential)
        except Invalid as error:
            raise Refused(503, str(error)) from error


async def _until_left(
    work: Awaitable[None], relay: Relay, exchange: Exchange | None, scope: Scope, receive: Receive
) -> None:
    """Run the call, and break it off as soon as the caller is gone. Raises Refused when the server's stop does so first."""
    here = asyncio.current_task()
    assert here is not None
    has_left = False

    def left() -> None:
        nonlocal has_left
        # The end of an answer is told the same way.
        if not relay.has_ended and not has_left:
            has_left = relay.has_caller_left = True
            here.cancel()

    tell = scope.get("extensions", {}).get(LEFT)
    if tell is None:
        watching = asyncio.ensure_future(_watch(receive, left))
        stop: Callable[[], object] = watching.cancel
    else:
        tell["tell"](left)
        stop = partial(tell["tell"], None)
    try:
        await work
    except asyncio.CancelledError:
        if has_left and not here.uncancel():
            if relay.is_whole:
                return
            raise _ClientLeft from None
        if relay.has_begun:
            raise _CutOff from None
        recorded = {} if exchange is None else {"x-request-id": exchange.request_id}
        raise Refused(503, _STOPPED, {"Retry-After": "2", **recorded}) from None
    finally:
        stop()


async def _watch(receive: Receive, left: Callable[[], None]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    left()


async def _respond(send: Send, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
    given = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    start: Message = {
        "type": "http.response.start",
        "status": status,
        "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *given],
    }
    await send(start)
    await send({"type": "http.response.body", "body": body})
