"""What a page says once after a change: carried over the redirect, gone with the next look.

A change is answered with a redirect, so that loading the page again does not make the change again. What must be said
of it, and may be a secret, goes with the redirect in a cookie: encrypted for this server and this session, of one
path, for two minutes. It is in no address, no log and no table.
"""

import base64
from typing import Final

import orjson
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from modeltraces.api.identity import Identity
from modeltraces.api.state import parts_of

COOKIE: Final = "modeltraces_once"
SECONDS: Final = 120


def redirect_saying(request: Request, identity: Identity, path: str, **said: str) -> Response:
    """See Other to `path`, with its query, where `said` gives these texts, once."""
    assert identity.user is not None
    content = orjson.dumps({"session": identity.user.id_hash, "said": said})
    response = RedirectResponse(path, 303)
    response.set_cookie(
        COOKIE,
        _fernet(request).encrypt(content).decode(),
        max_age=SECONDS,
        path=path.partition("?")[0],
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


def said(request: Request, identity: Identity) -> dict[str, str]:
    """What the redirect said, or nothing: to another session, too late, or of another server."""
    cookie = request.cookies.get(COOKIE)
    if cookie is None or identity.user is None:
        return {}
    try:
        content = orjson.loads(_fernet(request).decrypt(cookie.encode(), ttl=SECONDS))
    except InvalidToken:
        return {}
    return dict(content["said"]) if content["session"] == identity.user.id_hash else {}


def forget(request: Request, response: Response) -> Response:
    """The answer that shows it takes the cookie back."""
    if COOKIE in request.cookies:
        response.delete_cookie(
            COOKIE, path=request.url.path, httponly=True, samesite="strict", secure=request.url.scheme == "https"
        )
    return response


def _fernet(request: Request) -> Fernet:
    derived = HKDF(SHA256(), length=32, salt=None, info=b"modeltraces shown once").derive(parts_of(request).secret)
    return Fernet(base64.urlsafe_b64encode(derived))
