"""API keys: listed with what they used, made (and shown once), changed, revoked."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from modeltraces.api.identity import KEY_PLACES, Identity
from modeltraces.api.state import parts_of
from modeltraces.catalog import key_usage, keys
from modeltraces.catalog.errors import Invalid
from modeltraces.catalog.key_models import doubts_about_each
from modeltraces.catalog.key_usage import Used, Window
from modeltraces.run import now_us
from modeltraces.web import shown_once
from modeltraces.web.account_contexts import KeyForm, KeyRow, KeysPage
from modeltraces.web.address import API_KEYS, with_query
from modeltraces.web.catalog_forms import typed
from modeltraces.web.contexts import Moment
from modeltraces.web.formatting import day, instant, iso
from modeltraces.web.guard import PageAdmin, PageReader, PageRoute
from modeltraces.web.key_forms import RECORDING_OPTIONS, form_of, form_of_key, limits_given, limits_shown
from modeltraces.web.shell import shell, zone
from modeltraces.web.templating import html

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get(API_KEYS)
async def list_keys(request: Request, identity: PageReader) -> Response:
    return shown_once.forget(request, await _page(request, identity, new=shown_once.said(request, identity)))


@router.post(API_KEYS)
async def create_key(
    request: Request, identity: PageAdmin, scope: Annotated[list[str] | None, Form()] = None
) -> Response:
    """Shows the key once, after a redirect: it is in no address and no history, and loading again makes no second one."""
    parts = parts_of(request)
    given = await typed(request)
    try:
        identity.check_may_grant(scope or ())
        plain, key = await parts.workers.look_up(
            keys.create_key,
            parts.catalog,
            identity.account_id,
            given.get("name", ""),
            actor=identity.actor,
            scopes=scope or (),
            default_source_type=given.get("source_type", ""),
            default_source=given.get("source", ""),
            expires_on_us=_expiry(request, given.get("expires", "")),
            limits=limits_given(given),
        )
    except Invalid as error:
        return await _page(request, identity, form_of(given, scope or (), str(error)), status=422)
    return shown_once.redirect_saying(request, identity, API_KEYS, key=plain, id=key.id)


@router.post(f"{API_KEYS}/first")
async def create_first_key(request: Request, identity: PageAdmin) -> Response:
    """The key that the empty page fills into its examples: `{"key": …}`."""
    parts = parts_of(request)
    plain, _ = await parts.workers.look_up(
        keys.create_key, parts.catalog, identity.account_id, "First runs", actor=identity.actor, scopes=("ingest",)
    )
    return JSONResponse({"key": plain})


@router.post(f"{API_KEYS}/{{key_id}}/change")
async def change_key(request: Request, key_id: str, identity: PageAdmin) -> Response:
    parts = parts_of(request)
    given = await typed(request)
    texts = {"name": "name", "default_source_type": "source_type", "default_source": "source"}
    try:
        values = {**{name: given.get(field, "") for name, field in texts.items()}, **limits_given(given)}
        await parts.workers.look_up(
            keys.change_key, parts.catalog, identity.account_id, key_id, values, actor=identity.actor
        )
    except Invalid as error:
        return await _page(request, identity, form_of(given, error=str(error)), editing=key_id, status=422)
    return RedirectResponse(f"{API_KEYS}#{_anchor(key_id)}", 303)


@router.post(f"{API_KEYS}/{{key_id}}/revoke")
async def revoke_key(request: Request, key_id: str, identity: PageAdmin) -> Response:
    parts = parts_of(request)
    await parts.workers.look_up(keys.revoke_key, parts.catalog, identity.account_id, key_id, actor=identity.actor)
    return RedirectResponse(API_KEYS, 303)


def _expiry(request: Request, date: str) -> int | None:
    """The end of that day in the reader's zone, µs. Raises Invalid."""
    if not date:
        return None
    try:
        end = datetime.strptime(date, "%Y-%m-%d").replace(hour=23, minute=59, second=59, tzinfo=zone(request))
        return int(end.astimezone(UTC).timestamp()) * 1_000_000
    except (ValueError, OverflowError):
        raise Invalid("The expiry must be a date like 2027-01-31.") from None


async def _page(
    request: Request,
    identity: Identity,
    form: KeyForm | None = None,
    *,
    editing: str = "",
    new: Mapping[str, str] = MappingProxyType({}),
    status: int = 200,
) -> Response:
    """`form`: what was typed and refused: of a new key, or of the one that is `editing`. `new`: a key to show this once."""
    parts = parts_of(request)
    of = parts.catalog, identity.account_id

    def look_up() -> tuple[list[keys.ApiKey], Mapping[Window, Used], list[list[str]]]:
        found = keys.list_keys(*of)
        doubts = doubts_about_each(parts.catalog, parts.registry, identity.account_id, [key.limits for key in found])
        return found, key_usage.current(*of), doubts

    found, used, doubts = await parts.workers.look_up(look_up)
    may_change = "admin" in identity.scopes
    edited = (editing or request.query_params.get("edit", "")) if may_change else ""

    def row(key: keys.ApiKey, doubts: Sequence[str]) -> KeyRow:
        typed_again = form if editing else None
        return _row(request, key, used, doubts, (typed_again or form_of_key(key)) if key.id == edited else None)

    rows = tuple(map(row, parts.keys.with_last_use(found), doubts))
    refused = None if editing else form
    page = KeysPage(
        shell=shell(request, identity, "API keys", API_KEYS),
        keys=rows,
        may_change=may_change,
        key_places=KEY_PLACES,
        recordings=RECORDING_OPTIONS,
        create_href=with_query(API_KEYS, [("do", "create")]) if may_change else "",
        form=refused or (KeyForm() if may_change and request.query_params.get("do") == "create" else None),
        new_key=new.get("key", ""),
        new_key_row=next((row for row in rows if row.id == new.get("id")), None),
    )
    return html(request, "api_keys.html", page, status=status)


def _row(
    request: Request, key: keys.ApiKey, used: Mapping[Window, Used], doubts: Sequence[str], form: KeyForm | None
) -> KeyRow:
    here, now = zone(request), now_us()
    defaults = " · ".join(part for part in (key.default_source_type, key.default_source) if part)
    return KeyRow(
        id=key.id,
        name=key.name,
        prefix=key.prefix,
        scopes=key.scopes,
        defaults=defaults,
        created=Moment(day(key.created_on_us, here), iso(key.created_on_us)),
        created_by=key.created_by,
        last_used=None
        if key.last_used_on_us is None
        else Moment(instant(key.last_used_on_us, here, now_us=now), iso(key.last_used_on_us)),
        expires=None if key.expires_on_us is None else Moment(day(key.expires_on_us, here), iso(key.expires_on_us)),
        expired=key.expires_on_us is not None and key.expires_on_us <= now,
        limits=limits_shown(key, used, now),
        doubts=tuple(doubts),
        anchor=_anchor(key.id),
        edit_href=f"{with_query(API_KEYS, [('edit', key.id)])}#{_anchor(key.id)}",
        form=form,
    )


def _anchor(key_id: str) -> str:
    return f"key-{key_id}"
