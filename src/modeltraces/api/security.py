"""What every answer says to the browser, and what a change asked for by a browser must prove.

A page may load scripts, styles and images from this host only, runs no inline script, is shown in no frame. A request
that changes something with a session's cookie must come from a page of ours: the browser says so in `Sec-Fetch-Site`
or `Origin`, and the page sends the session's CSRF token. API keys need neither: no browser adds them by itself.
"""

import hmac
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

_HEADERS: Final = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}

CSRF_HEADER: Final = "x-csrf-token"
CSRF_FIELD: Final = "csrf_token"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_FORM_TYPES: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


class SecurityHeaders:
    """ASGI middleware; touches the head of an answer only, so that streams pass as they come.

    `public_prefixes`: paths whose answers belong to nobody and may be kept by caches (the built scripts and styles);
    everything else is `no-store` unless it says otherwise itself.
    """

    def __init__(self, app: ASGIApp, public_prefixes: Sequence[str] = ("/static/",)) -> None:
        self._app = app
        self._public = tuple(public_prefixes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        public = scope["path"].startswith(self._public)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if not public:
                    headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers)


def comes_from_our_page(headers: Headers) -> bool:
    """Whether a browser made this request from a page of ours, as far as it tells.

    True, too, when it tells nothing: such a client is no browser of these days, and sends no cookie by itself.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        # `same-site` is not enough: another port of this host, or a neighbour under the same domain, is a stranger.
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is None:
        return True
    host = urlsplit(origin).netloc.lower()
    # A proxy may put its own name for us into Host. A foreign page cannot set X-Forwarded-Host without asking first.
    ours = {headers.get("host", "").lower(), headers.get("x-forwarded-host", "").lower()} - {""}
    return host != "" and host in ours


def is_form(headers: Headers) -> bool:
    return headers.get("content-type", "").partition(";")[0].strip().lower() in _FORM_TYPES


async def sent_csrf_token(request: Request) -> str:
    """The token in the header, else in the form's field, else ''. Reading a form leaves it readable for the route."""
    token = request.headers.get(CSRF_HEADER)
    if token is not None:
        return token
    if is_form(request.headers):
        value = (await request.form()).get(CSRF_FIELD)
        if isinstance(value, str):
            return value
    return ""


def same_token(sent: str, expected: str) -> bool:
    """Compares in constant time; an empty token matches nothing."""
    return bool(expected) and hmac.compare_digest(sent.encode("utf-8", "replace"), expected.encode())
