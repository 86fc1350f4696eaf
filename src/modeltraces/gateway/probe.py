"""Trying a connection or an endpoint out: one real call, and what came back, in words."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import orjson

from modeltraces.catalog.addresses import check_resolved

_TIMEOUT_SECONDS: Final = 15
_MOST_BYTES: Final = 1 << 20
_MOST_SAID: Final = 300
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
    models: tuple[str, ...] = ()
    """The models that the server says it has."""


async def probe(protocol: str, base_url: str, credential: str, *, allow_link_local: bool = False) -> Probe:
    """Ask the server for its models, with the credential. Never raises for what the server does.

    Raises Invalid for an address that leads to a metadata service.
    """
    await asyncio.to_thread(check_resolved, base_url, "The address", allow_link_local=allow_link_local)
    url, headers = _request(protocol, base_url, credential)
    began = time.perf_counter()
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)) as session,
            # A redirect could lead the credential elsewhere.
            session.get(url, headers=headers, allow_redirects=False) as answer,
        ):
            content = await answer.content.read(_MOST_BYTES)
            status = answer.status
    except TimeoutError:
        return Probe(
            False, f"No answer within {_TIMEOUT_SECONDS} seconds. Is the address right, and reachable from here?"
        )
    except aiohttp.ClientConnectorError as error:
        reason = error.os_error.strerror or type(error.os_error).__name__
        return Probe(False, f"No connection: {reason.lower()}. Is the address right, and reachable from here?")
    except (aiohttp.ClientError, OSError) as error:
        return Probe(False, f"The server broke the call off ({type(error).__name__}). Is the address right?")
    elapsed = (time.perf_counter() - began) * 1000
    body = _json(content)
    if status == 200:
        models = _models(body)
        if models is None:
            return Probe(
                False, "It answered, but not with a list of models. Is the path of the address right?", status, elapsed
            )
        return Probe(True, f"It works: {len(models)} model{'s' if len(models) != 1 else ''}.", status, elapsed, models)
    said = _said(body, credential)
    advice = {
        401: "It refused the credential. Enter the right one.",
        403: "It refused the credential. Enter the right one.",
        404: "It has no list of models there. Is the path of the address right?",
        429: "It is over its rate limit; the connection itself works.",
    }.get(status, "It answered with a redirect; enter the address that it leads to." if 300 <= status < 400 else "It answered with an error.")  # fmt: skip
    return Probe(False, f"HTTP {status}. {advice}{f' It says: {said}' if said else ''}", status, elapsed)


def _request(protocol: str, base_url: str, credential: str) -> tuple[str, dict[str, str]]:
    if protocol == "anthropic":
        root = base_url.removesuffix("/v1")
        return f"{root}/v1/models", {"x-api-key": credential, "anthropic-version": _ANTHROPIC_VERSION}
    if protocol == "azure_openai":
        root = base_url.removesuffix("/openai")
        return f"{root}/openai/models?api-version={_AZURE_VERSION}", {"api-key": credential}
    if protocol == "ollama":
        return f"{base_url}/api/tags", {"Authorization": f"Bearer {credential}"} if credential else {}
    return f"{base_url}/models", {"Authorization": f"Bearer {credential}"} if credential else {}


def _json(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


def _models(body: Any) -> tuple[str, ...] | None:
    listed = body.get("data", body.get("models")) if isinstance(body, dict) else None
    if not isinstance(listed, list):
        return None
    named = [item.get("id") or item.get("name") or item.get("model") for item in listed if isinstance(item, dict)]
    return tuple(name for name in named if isinstance(name, str))


def _said(body: Any, credential: str) -> str:
    error = body.get("error", body) if isinstance(body, dict) else None
    text = error.get("message") if isinstance(error, dict) else error
    if not isinstance(text, str):
        return ""
    # Providers repeat a part of a wrong key, some all of it.
    if credential:
        text = text.replace(credential, "…")
    return " ".join(text.split())[:_MOST_SAID]
