"""Trying a connection or an endpoint out: one real call, and what came back, in words."""

import asyncio
import ssl
import string
import time
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from modeltraces.catalog.addresses import check_resolved, refusal
from modeltraces.catalog.errors import Invalid
from modeltraces.gateway import encodings
from modeltraces.gateway.headers import value_of
from modeltraces.gateway.sockets import NO_TLS, SocketGuard, reason_of
from modeltraces.gateway.upstream_errors import Unreachable, Unsendable, UpstreamError
from modeltraces.gateway.upstreams import Limit, Upstreams

_TIMEOUT_SECONDS: Final = 15
_MOST_BYTES: Final = 8 << 20
_MOST_SAID: Final = 300
_MOST_LOOKED_AT: Final = 10_000
_LONGEST_NAME: Final = 512
_TELLING: Final = 8
"""Characters of a credential that tell something of it; fewer are a prefix such as `sk-`, or chance."""
_LOWER: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_AZURE_VERSION: Final = "2024-10-21"
_ANTHROPIC_VERSION: Final = "2023-06-01"


@dataclass(frozen=True, slots=True)
class Probe:
    """What a trial call found."""

    ok: bool
    says: str
    """One line for a person: what came back, or why nothing did and what to do. Never the credential."""
    status: int | None = None
    """The HTTP status; None when there was no answer."""
    elapsed_ms: float = 0.0
    """Until the answer, or until it was given up."""
    models: tuple[str, ...] = ()
    """The models that the server says it has."""


async def probe(protocol: str, base_url: str, credential: str, *, allow_link_local: bool = False) -> Probe:
    """Ask the server for its models, with the credential. Never raises for what the server does.

    Raises Invalid for an address that leads to a metadata service.
    """
    guard = SocketGuard(allow_link_local)
    began = time.perf_counter()
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            await asyncio.to_thread(check_resolved, base_url, "The address", allow_link_local=allow_link_local)
            began = time.perf_counter()
            status, content = await _call(protocol, base_url, credential, guard)
    except TimeoutError:
        found = Probe(
            False, f"No answer within {_TIMEOUT_SECONDS} seconds. Is the address right, and reachable from here?"
        )
    except (UpstreamError, encodings.Unreadable, ValueError) as error:
        found = Probe(False, _failure(error))
    else:
        found = _understood(status, content, credential)
    if guard.refused:
        raise Invalid(refusal("The address"))
    return replace(found, elapsed_ms=(time.perf_counter() - began) * 1000)


async def _call(protocol: str, base_url: str, credential: str, guard: SocketGuard) -> tuple[int, bytes]:
    """(HTTP status, the body, of a long one its beginning), as the gateway's calls are made. A redirect is not followed:
    it could lead the credential elsewhere."""
    url, headers = _request(protocol, base_url, credential)
    # Whoever asks waits no longer than the limit of the whole; these only have to be longer.
    limit = Limit(*[_TIMEOUT_SECONDS + 1.0] * 3)
    upstreams = Upstreams(guard)
    answer = await upstreams.send("GET", url, headers, b"", limit, lambda: None)
    try:
        encoding = value_of(answer.headers, "content-encoding").strip().lower()
        unfolding = encodings.Unfolding(encoding, _MOST_BYTES + 1) if encoding in encodings.READ else None
        content = bytearray()
        while len(content) <= _MOST_BYTES and (piece := await answer.read()):
            content += piece if unfolding is None else unfolding.feed(piece)
        return answer.status, bytes(content)
    finally:
        answer.close()


def _failure(error: Exception) -> str:
    """Why there was no answer. Of the error itself nothing is said: it may hold the headers."""
    if isinstance(error, Unreachable):
        reason = error.reason
        if isinstance(reason, ssl.SSLCertVerificationError):
            why = reason.verify_message or "its certificate is not valid"
            return f"No secure connection: {why}. Give it a certificate that is trusted here."
        if isinstance(reason, ssl.SSLError):
            return f"No secure connection: {NO_TLS}. Is the address right, and is it https?"
        return f"No connection: {reason_of(reason)}. Is the address right, and reachable from here?"
    if isinstance(error, encodings.Unreadable):
        return "Its answer was compressed, although it was asked not to be, and cannot be read. Is the address right?"
    if isinstance(error, Unsendable | ValueError):
        return "No client can call this address. Is the address right?"
    return f"The server broke the call off ({type(error).__name__}). Is the address right?"


def _understood(status: int, content: bytes, credential: str) -> Probe:
    body = _json(content)
    if 200 <= status < 300:
        models = _models(body, credential)
        if status == 200 and models is not None:
            count = f"{len(models)} model{'s' if len(models) != 1 else ''}"
            return Probe(True, f"It works: {count}.", status, models=models)
        if len(content) > _MOST_BYTES:
            says = "Its answer is longer than any list of models. Is the path of the address right?"
        else:
            says = "It answered, but not with a list of models. Is the path of the address right?"
        return Probe(False, says if status == 200 else f"HTTP {status}. {says}", status)
    said = _said(body, credential)
    advice = {
        401: "It refused the credential. Enter the right one.",
        403: "It refused the credential. Enter the right one.",
        404: "It has no list of models there. Is the path of the address right?",
        429: "It is over its rate limit; the connection itself works.",
    }.get(status, "It answered with a redirect; enter the address that it leads to." if 300 <= status < 400 else "It answered with an error.")  # fmt: skip
    return Probe(False, f"HTTP {status}. {advice}{f' It says: {said}' if said else ''}", status)


def _request(protocol: str, base_url: str, credential: str) -> tuple[str, list[tuple[str, str]]]:
    plain = ("Accept-Encoding", "identity")
    if protocol == "anthropic":
        root = base_url.removesuffix("/v1")
        return f"{root}/v1/models", [
            plain,
            ("anthropic-version", _ANTHROPIC_VERSION),
            *_header("x-api-key", credential),
        ]
    if protocol == "azure_openai":
        root = base_url.removesuffix("/v1").removesuffix("/openai")
        return f"{root}/openai/models?api-version={_AZURE_VERSION}", [plain, *_header("api-key", credential)]
    path = "/api/tags" if protocol == "ollama" else "/models"
    return base_url + path, [plain, *_header("Authorization", credential and f"Bearer {credential}")]


def _header(name: str, value: str) -> list[tuple[str, str]]:
    return [(name, value)] if value else []


def _json(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


def _models(body: Any, credential: str) -> tuple[str, ...] | None:
    listed = body.get("data", body.get("models")) if isinstance(body, dict) else None
    if not isinstance(listed, list):
        return None
    named = [item.get("id") or item.get("name") or item.get("model") for item in listed if isinstance(item, dict)]
    return tuple(
        name
        for name in named
        if isinstance(name, str)
        and 0 < len(name) <= _LONGEST_NAME
        and name.isprintable()
        and (len(credential) < _TELLING or credential not in name)
    )


def _said(body: Any, credential: str) -> str:
    """What the server says of its error, on one line, without any part of the credential."""
    if not isinstance(body, dict):
        return ""
    error = body.get("error")
    inner = error.get("message") if isinstance(error, dict) else error
    for text in (inner, body.get("message"), body.get("detail")):
        if isinstance(text, str) and text:
            line = " ".join(text[:_MOST_LOOKED_AT].split())
            return without_credential("".join(filter(str.isprintable, line)), credential)[:_MOST_SAID]
    return ""


def without_credential(text: str, credential: str) -> str:
    """The text with `…` for the credential and for any telling part of it, in whatever case.

    Providers repeat a part of a wrong key, some all of it.
    """
    width = min(_TELLING, len(credential))
    if not width:
        return text
    secret, lower = credential.translate(_LOWER), text.translate(_LOWER)
    parts = {secret[start : start + width] for start in range(len(secret) - width + 1)}
    kept: list[str] = []
    hidden_to = 0
    for at, character in enumerate(text):
        if lower[at : at + width] in parts:
            if hidden_to <= at:
                kept.append("…")
            hidden_to = at + width
        if at >= hidden_to:
            kept.append(character)
    return "".join(kept)
