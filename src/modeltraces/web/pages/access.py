"""Signing in, by password or by a one-time link, and signing out."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from modeltraces.api.identity import (
    SESSION_COOKIE,
    Forbidden,
    OptionalIdentity,
    clear_session_cookie,
    set_session_cookie,
)
from modeltraces.api.security import comes_from_our_page
from modeltraces.api.state import parts_of
from modeltraces.catalog import accounts, bootstrap, links
from modeltraces.catalog.errors import CatalogError, Conflict, Invalid, NotFound, TooManyAttempts, WrongCredentials
from modeltraces.web.account_contexts import DoorPage
from modeltraces.web.address import MODEL_TRACES, SIGN_IN, SIGN_OUT
from modeltraces.web.guard import PageRoute
from modeltraces.web.shell import theme
from modeltraces.web.templating import html

router = APIRouter(route_class=PageRoute, include_in_schema=False)

Text = Annotated[str, Form()]


def _local(address: str) -> str:
    """Where to go after the sign-in: a path of ours, whatever the address says."""
    ours = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return address if ours else MODEL_TRACES


def _door(
    request: Request, *, email: str = "", next: str = "", error: str = "", status: int = 200, retry: int = 0
) -> Response:
    page = DoorPage(
        title="Sign in", text="", theme=theme(request), kind="password", action=SIGN_IN, email=email, next=next,
        error=error,
    )  # fmt: skip
    return html(request, "door.html", page, status=status, headers={"Retry-After": str(retry)} if retry else None)


@router.get(SIGN_IN)
async def sign_in_page(request: Request, identity: OptionalIdentity, next: str = "") -> Response:
    if identity is not None and identity.user is not None:
        return RedirectResponse(_local(next), 303)
    return _door(request, next=_local(next) if next else "")


@router.post(SIGN_IN)
async def sign_in(request: Request, email: Text = "", password: Text = "", next: Text = "") -> Response:
    _same_site(request)
    parts = parts_of(request)
    address = request.client.host if request.client else ""
    try:
        user = await parts.workers.look_up(parts.sign_in.check, email, password, address)
    except WrongCredentials as error:
        return _door(request, email=email, next=next, error=str(error), status=401)
    except TooManyAttempts as error:
        return _door(request, email=email, next=next, error=str(error), status=429, retry=error.retry_after_seconds)
    mine = await parts.workers.look_up(accounts.accounts_of, parts.catalog, user.id)
    return await _enter(request, user.id, mine[0].id, _local(next))


@router.get(links.PATH + "{token}")
async def link_page(request: Request, token: str) -> Response:
    """What the link is for; using it takes a click, as mail scanners open links too."""
    parts = parts_of(request)
    link = await parts.workers.look_up(links.peek, parts.catalog, token)
    return _link_door(request, token, link)


@router.post(links.PATH + "{token}")
async def use_link(request: Request, token: str, email: Text = "", password: Text = "", again: Text = "") -> Response:
    _same_site(request)
    parts = parts_of(request)
    link = await parts.workers.look_up(links.peek, parts.catalog, token)
    if link is None or not link.needs_password:
        try:
            link = await parts.workers.look_up(links.redeem, parts.catalog, token)
        except NotFound:
            return _link_door(request, token, None)
    else:
        if password != again:
            return _link_door(request, token, link, email=email, error="The two passwords differ.")
        try:
            link = await parts.workers.look_up(bootstrap.accept, parts.catalog, token, password, email=email)
        except NotFound:
            return _link_door(request, token, None)
        except (Invalid, Conflict) as error:
            return _link_door(request, token, link, email=email, error=str(error))
    assert link.user_id is not None
    return await _enter(request, link.user_id, link.account_id, MODEL_TRACES)


def _link_door(
    request: Request, token: str, link: links.SigninLink | None, *, email: str = "", error: str = ""
) -> Response:
    action = links.path_of(token)
    if link is None:
        page = DoorPage(
            title="This link does not work any more", theme=theme(request), kind="gone",
            text="It was used already, or it is too old. Ask for a new one, or make one with the command `modeltraces users link`.",
        )  # fmt: skip
        return html(request, "door.html", page, status=404)
    if not link.needs_password:
        page = DoorPage("Sign in", f"As {link.email}.", theme(request), "confirm", action)
    elif link.email is None:
        text = "You are the first here. Choose how you sign in from now on; you will own the account."
        page = DoorPage("Set up your account", text, theme(request), "choose", action, email, True, error=error)
    else:
        text = f"Welcome, {link.email}. Choose a password."
        page = DoorPage("Choose a password", text, theme(request), "choose", action, link.email, error=error)
    return html(request, "door.html", page, status=422 if error else 200)


async def _enter(request: Request, user_id: str, account_id: str, address: str) -> Response:
    parts = parts_of(request)
    if (before := request.cookies.get(SESSION_COOKIE)) is not None:
        await parts.workers.look_up(parts.sessions.revoke, before)
    agent = request.headers.get("user-agent", "")
    try:
        new = await parts.workers.look_up(parts.sessions.create, user_id, account_id, user_agent=agent)
    except CatalogError as error:
        return _door(request, error=str(error), status=403)
    response = RedirectResponse(address, 303)
    set_session_cookie(response, request, new.token, max_age_seconds=parts.sessions.lifetime_seconds)
    return response


@router.post(SIGN_OUT)
async def sign_out(request: Request, identity: OptionalIdentity) -> Response:
    if identity is not None and identity.user is not None:
        parts = parts_of(request)
        await parts.workers.look_up(parts.sessions.revoke, request.cookies[SESSION_COOKIE])
    response = RedirectResponse(SIGN_IN, 303)
    clear_session_cookie(response, request)
    return response


def _same_site(request: Request) -> None:
    """There is no session, so no token of it, before the sign-in: the browser's word has to do."""
    if not comes_from_our_page(request.headers):
        raise Forbidden("This sign-in was asked for by another site's page.")
