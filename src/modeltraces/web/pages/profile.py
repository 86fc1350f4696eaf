"""The reader themselves: their password, and which of their accounts they look at."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from modeltraces.api.identity import SESSION_COOKIE, Identity
from modeltraces.api.state import parts_of
from modeltraces.catalog import accounts, users
from modeltraces.catalog.errors import Invalid, TooManyAttempts, WrongCredentials
from modeltraces.web.account_contexts import ProfilePage
from modeltraces.web.address import MODEL_TRACES, PROFILE
from modeltraces.web.contexts import Option
from modeltraces.web.guard import PageReader, PageRoute
from modeltraces.web.shell import shell
from modeltraces.web.templating import html

router = APIRouter(route_class=PageRoute, include_in_schema=False)

Text = Annotated[str, Form()]


@router.get(PROFILE)
async def profile(request: Request, identity: PageReader) -> Response:
    return await _page(request, identity)


@router.post(PROFILE + "/password")
async def change_password(
    request: Request, identity: PageReader, current: Text = "", password: Text = "", again: Text = ""
) -> Response:
    """Sets the password and ends every other session of the reader."""
    parts, user = parts_of(request), identity.user
    assert user is not None
    if password != again:
        return await _page(request, identity, error="The two passwords differ.")
    address = request.client.host if request.client else ""
    try:
        # As at the sign-in: who came by somebody's session may not guess for ever.
        await parts.workers.look_up(parts.sign_in.check, user.email, current, address)
        await parts.workers.look_up(
            users.change_password, parts.catalog, user.user_id, password,
            actor=identity.actor, current=current, keep_session=user.id_hash,
        )  # fmt: skip
    except WrongCredentials:
        return await _page(request, identity, error="The current password is not right.")
    except TooManyAttempts as error:
        return await _page(request, identity, error=str(error), status=429, retry=error.retry_after_seconds)
    except Invalid as error:
        return await _page(request, identity, error=str(error))
    return await _page(request, identity, done="The password was changed. Your other sessions have ended.")


@router.post(PROFILE + "/account")
async def switch_account(request: Request, identity: PageReader, account: Text = "") -> Response:
    """404 for an account that the reader is not a member of."""
    parts = parts_of(request)
    await parts.workers.look_up(parts.sessions.switch_account, request.cookies[SESSION_COOKIE], account)
    return RedirectResponse(MODEL_TRACES, 303)


async def _page(
    request: Request, identity: Identity, *, error: str = "", done: str = "", status: int = 422, retry: int = 0
) -> Response:
    """`status`: of a page with an error."""
    parts, user = parts_of(request), identity.user
    assert user is not None
    mine = await parts.workers.look_up(accounts.accounts_of, parts.catalog, user.user_id)
    page = ProfilePage(
        shell=shell(request, identity, "Profile", PROFILE),
        accounts=tuple(Option(account.name, "", account.id == user.account_id, value=account.id) for account in mine),
        error=error,
        done=done,
    )
    headers = {"Retry-After": str(retry)} if retry else None
    return html(request, "profile.html", page, status=status if error else 200, headers=headers)
