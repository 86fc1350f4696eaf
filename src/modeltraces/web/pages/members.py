"""Members of the account: listed, invited, given another role, removed."""

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from modeltraces.api.identity import Forbidden, Identity
from modeltraces.api.state import parts_of
from modeltraces.catalog import links, users
from modeltraces.catalog.errors import Conflict, Invalid
from modeltraces.catalog.users import ROLES, Role, may_manage
from modeltraces.web import shown_once
from modeltraces.web.account_contexts import MemberRow, MembersPage
from modeltraces.web.address import MEMBERS
from modeltraces.web.contexts import Moment
from modeltraces.web.formatting import day, iso
from modeltraces.web.guard import PageAdmin, PageReader, PageRoute
from modeltraces.web.shell import shell, zone
from modeltraces.web.templating import html

router = APIRouter(route_class=PageRoute, include_in_schema=False)

Text = Annotated[str, Form()]


@router.get(MEMBERS)
async def list_members(request: Request, identity: PageReader) -> Response:
    new = shown_once.said(request, identity)
    page = await _page(
        request, identity, invited=new.get("email", ""), link=new.get("link", ""), pending=bool(new.get("pending"))
    )
    return shown_once.forget(request, page)


@router.post(MEMBERS)
async def add_member(request: Request, identity: PageAdmin, email: Text = "", role: Text = "") -> Response:
    """Adds a member, and shows once, after a redirect, the link to hand to them when they have no login yet."""
    parts = parts_of(request)
    link = ""
    try:
        wanted = users.parse_role(role)
        _allowed(identity, None, wanted)
        user = await parts.workers.look_up(
            users.create, parts.catalog, identity.account_id, email, wanted, actor=identity.actor
        )
    except (Invalid, Conflict) as error:
        return await _page(request, identity, error=str(error), email=email, status=422)
    if not user.has_password:
        # Of who was invited to another account, too: a link would lead into that one as well.
        with suppress(Conflict):
            token = await parts.workers.look_up(links.invite, parts.catalog, identity.account_id, user.id)
            link = str(request.base_url).rstrip("/") + links.path_of(token)
    pending = "" if user.has_password else "1"
    return shown_once.redirect_saying(request, identity, MEMBERS, email=user.email, link=link, pending=pending)


@router.post(f"{MEMBERS}/{{user_id}}/role")
async def change_role(request: Request, user_id: str, identity: PageAdmin, role: Text = "") -> Response:
    parts = parts_of(request)
    wanted = users.parse_role(role)
    member = await parts.workers.look_up(users.get_member, parts.catalog, identity.account_id, user_id)
    _allowed(identity, member.role, wanted)
    await parts.workers.look_up(
        users.set_role, parts.catalog, identity.account_id, user_id, wanted, actor=identity.actor
    )
    return RedirectResponse(MEMBERS, 303)


@router.post(f"{MEMBERS}/{{user_id}}/remove")
async def remove_member(request: Request, user_id: str, identity: PageAdmin) -> Response:
    parts = parts_of(request)
    member = await parts.workers.look_up(users.get_member, parts.catalog, identity.account_id, user_id)
    _allowed(identity, member.role, None)
    await parts.workers.look_up(users.remove_member, parts.catalog, identity.account_id, user_id, actor=identity.actor)
    return RedirectResponse(MEMBERS, 303)


def _allowed(identity: Identity, current: Role | None, new: Role | None) -> None:
    if identity.role is None or not may_manage(identity.role, current, new):
        raise Forbidden("Only an owner may make or change owners.")


async def _page(
    request: Request,
    identity: Identity,
    *,
    error: str = "",
    email: str = "",
    invited: str = "",
    link: str = "",
    pending: bool = False,
    status: int = 200,
) -> Response:
    parts = parts_of(request)
    found = await parts.workers.look_up(users.list_members, parts.catalog, identity.account_id)
    here, acting = zone(request), identity.role
    assert acting is not None
    may_change = "admin" in identity.scopes
    page = MembersPage(
        shell=shell(request, identity, "Members", MEMBERS),
        members=tuple(
            MemberRow(
                id=member.user.id,
                email=member.user.email,
                role=member.role,
                joined=Moment(day(member.joined_on_us, here), iso(member.joined_on_us)),
                pending=not member.user.has_password,
                disabled=member.user.disabled,
                you=member.user.email == identity.actor,
                manageable=may_change and may_manage(acting, member.role, None) and member.user.email != identity.actor,
            )
            for member in found
        ),
        roles=tuple(role for role in ROLES if may_manage(acting, None, role)) if may_change else (),
        may_change=may_change,
        error=error,
        email=email,
        invited_email=invited,
        invite_link=link,
        invited_is_pending=pending,
    )
    return html(request, "members.html", page, status=status)
