"""Who asks: by API key, or by the session that the cookie stands for. The account comes from here and nowhere else.

Routes take `Depends(require("read"))`. Without valid credentials the answer is 401 and says nothing more; a valid key
or session that may not do this gets 403, which says what is missing.
"""

import base64
import binascii
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Protocol, cast

from fastapi import Depends
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from modeltraces.api.parameters import check_parameters
from modeltraces.api.security import SAFE_METHODS, comes_from_our_page, same_token, sent_csrf_token
from modeltraces.catalog.errors import Invalid
from modeltraces.catalog.key_authenticator import KeyAuthenticator, KeyIdentity
from modeltraces.catalog.keys import KEY_START, Scope
from modeltraces.catalog.sessions import SessionIdentity, Sessions
from modeltraces.catalog.users import Role

SESSION_COOKIE: Final = "modeltraces_session"
KEY_HEADERS: Final = ("x-api-key", "api-key")
"""Where a key stands alone: Anthropic's SDKs send the one, Azure's the other."""
KEY_PLACES: Final = (f"Authorization: Bearer {KEY_START}…", *(f"{name}: {KEY_START}…" for name in KEY_HEADERS))
"""Every place that a key is taken from."""

ROLE_SCOPES: Final[dict[Role, frozenset[Scope]]] = {
    "viewer": frozenset({"read"}),
    "member": frozenset({"read"}),
    "admin": frozenset({"read", "ingest", "admin"}),
    "owner": frozenset({"read", "ingest", "admin"}),
}


class IdentityParts(Protocol):
    """What `request.app.state.parts` must have for this module."""

    @property
    def keys(self) -> KeyAuthenticator: ...

    @property
    def sessions(self) -> Sessions: ...


class Unauthenticated(HTTPException):
    """No credentials, or none that are valid. Says nothing more: not which, not why."""

    def __init__(self) -> None:
        super().__init__(401, "", headers={"WWW-Authenticate": "Bearer"})


class Forbidden(HTTPException):
    """Known, but not allowed; `detail` says what is missing."""

    def __init__(self, detail: str) -> None:
        super().__init__(403, detail)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, and in which account. Exactly one of `key` and `user` is set."""

    account_id: str
    actor: str
    """For the audit log: an email, or `key:NAME`."""
    scopes: frozenset[Scope]
    role: Role | None = None
    key: KeyIdentity | None = None
    user: SessionIdentity | None = None

    @property
    def csrf_token(self) -> str:
        """What this session's forms must send back; '' for a key."""
        return self.user.csrf_token if self.user else ""

    def check_may_grant(self, scopes: Iterable[str]) -> None:
        """A key of scope admin does all that an owner does, prices too. Raises Invalid for other people who would make one."""
        if "admin" in scopes and self.role not in (None, "owner"):
            raise Invalid(
                "Only an owner makes keys of scope admin, which may do more than you: choose other scopes.",
                parameter="scopes",
            )

    @property
    def may_export(self) -> bool:
        """Viewers look, they do not take whole tables away."""
        return "read" in self.scopes and self.role != "viewer"


def identity_of_key(key: KeyIdentity) -> Identity:
    return Identity(account_id=key.account_id, actor=f"key:{key.name}", scopes=key.scopes, key=key)


def identity_of_session(user: SessionIdentity) -> Identity:
    return Identity(
        account_id=user.account_id, actor=user.email, scopes=ROLE_SCOPES[user.role], role=user.role, user=user
    )


def key_places(form: str = "{}") -> str:
    """Every place that a key is taken from, in words. `form`: how each is written."""
    *others, last = (form.format(place) for place in KEY_PLACES)
    return f"{', '.join(others)} or {last}"


def key_in(connection: HTTPConnection, *, basic: bool = False) -> str | None:
    """The API key that the request bears, valid or not.

    Other credentials in `Authorization` are not ours to judge: a proxy in front may ask for its own.
    """
    return _key_of(connection.headers, basic=basic)


def _key_of(headers: Mapping[str, str], *, basic: bool = False) -> str | None:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer" and value.startswith(KEY_START):
        return value
    if basic and scheme.lower() == "basic" and (password := _basic_password(value)) is not None:
        return password
    return key_alone(headers)


def key_alone(headers: Mapping[str, str]) -> str | None:
    """What stands in a header that holds nothing but a key, valid or not."""
    given = [headers[name] for name in KEY_HEADERS if name in headers]
    # A proxy may add a key of its own beside ours; and `api-key` may be anybody's.
    return next((one for one in given if one.startswith(KEY_START)), headers.get(KEY_HEADERS[0]))


def known_key(headers: Mapping[str, str], keys: KeyAuthenticator) -> KeyIdentity | None:
    """Whose key the headers bear (by their names in lower case) when that is in memory, in microseconds. None: `authenticate`
    knows."""
    token = _key_of(headers)
    return None if token is None else keys.cached(token)


def _basic_password(value: str) -> str | None:
    try:
        _, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return password if colon and password.startswith(KEY_START) else None


async def authenticate(connection: HTTPConnection, *, basic: bool = False) -> Identity | None:
    """Who asks, or None. A key that is not valid is None even beside a valid cookie. Raises CatalogUnavailable.

    Does not check that a change was meant: see `checked`.
    """
    parts = cast(IdentityParts, connection.app.state.parts)
    if (token := key_in(connection, basic=basic)) is not None:
        key = parts.keys.cached(token) or await run_in_threadpool(parts.keys.authenticate, token)
        return identity_of_key(key) if key else None
    if (cookie := connection.cookies.get(SESSION_COOKIE)) is not None:
        user = await run_in_threadpool(parts.sessions.lookup, cookie)
        return identity_of_session(user) if user else None
    return None


async def checked(request: Request, identity: Identity) -> Identity:
    """Raises Forbidden for a change that a session's page did not ask for."""
    if identity.user is None or request.method in SAFE_METHODS:
        return identity
    if not comes_from_our_page(request.headers):
        raise Forbidden("This change was asked for by another site's page.")
    if not same_token(await sent_csrf_token(request), identity.csrf_token):
        raise Forbidden("The page is out of date: load it again. (Its X-CSRF-Token is missing or not this session's.)")
    return identity


def require(scope: Scope, *, basic: bool = False) -> Callable[[Request], Awaitable[Identity]]:
    """A dependency that gives the Identity, if it may do `scope`.

    `basic`: take a key as the password of Basic authentication, too (Langfuse SDKs).
    """

    async def dependency(request: Request) -> Identity:
        identity = await authenticate(request, basic=basic)
        if identity is None:
            raise Unauthenticated
        if scope not in identity.scopes:
            if identity.key is not None:
                raise Forbidden(f"This key lacks the scope {scope!r}. Make one with it, or use another key.")
            raise Forbidden(f"Your role ({identity.role}) does not allow this. Ask an owner or admin of the account.")
        allowed = await checked(request, identity)
        if scope == "admin" and request.method not in SAFE_METHODS:
            check_parameters(request)
        return allowed

    return dependency


async def _optional(request: Request) -> Identity | None:
    identity = await authenticate(request)
    return await checked(request, identity) if identity else None


async def _signed_in(request: Request) -> Identity:
    identity = await _optional(request)
    if identity is None or identity.user is None:
        raise Unauthenticated
    return identity


OptionalIdentity = Annotated[Identity | None, Depends(_optional)]
"""For pages that answer without credentials, too (by sending to the sign-in)."""
SignedIn = Annotated[Identity, Depends(_signed_in)]
"""A person's session, whatever the role; keys are refused."""
Reader = Annotated[Identity, Depends(require("read"))]
Ingester = Annotated[Identity, Depends(require("ingest"))]
Admin = Annotated[Identity, Depends(require("admin"))]


def set_session_cookie(response: Response, request: Request, token: str, *, max_age_seconds: int) -> None:
    """After signing in. `max_age_seconds`: `Sessions.lifetime_seconds`."""
    response.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=max_age_seconds,
        path="/",
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


def clear_session_cookie(response: Response, request: Request) -> None:
    response.delete_cookie(
        SESSION_COOKIE, path="/", httponly=True, samesite="lax", secure=request.url.scheme == "https"
    )
