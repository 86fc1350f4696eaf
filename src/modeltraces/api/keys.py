"""`/api/v1/keys`: the account's API keys. A key itself is said once, to whoever makes it."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from modeltraces.api.bodies import instant_of, object_of
from modeltraces.api.errors import Problem
from modeltraces.api.identity import Admin, Identity
from modeltraces.api.state import parts_of
from modeltraces.catalog import key_usage, keys
from modeltraces.catalog.key_limits import LIMITS
from modeltraces.catalog.key_models import doubts_about
from modeltraces.catalog.key_usage import NOTHING, Used, Window, window_of
from modeltraces.catalog.keys import DEFAULT_SCOPES, ApiKey
from modeltraces.parts import Parts
from modeltraces.query.times import rfc3339

router = APIRouter(prefix="/api/v1/keys", tags=["keys"])

_GIVEN: Final = (*keys.SETTABLE, "scopes", "expires_on")


@router.get("", summary="List API keys")
async def list_keys(request: Request, identity: Admin) -> dict[str, Any]:
    """`{keys: [{id, name, prefix, scopes, requests_per_minute, tokens_per_day, allowed_models, recording, used, …}]}`, newest first.

    `used` is what a limited key has used of its minute and day, in UTC; null for one that is not counted.
    """
    parts = parts_of(request)
    of = parts.catalog, identity.account_id
    found, used = await parts.workers.look_up(lambda: (keys.list_keys(*of), key_usage.current(*of)))
    return {"keys": [_json(key, used, parts.catalog.clock()) for key in parts.keys.with_last_use(found)]}


@router.post("", summary="Make an API key", status_code=201)
async def create_key(request: Request, identity: Admin) -> dict[str, Any]:
    """`{name, scopes?, default_source_type?, default_source?, expires_on?, requests_per_minute?, tokens_per_day?, allowed_models?, recording?}`.

    The answer's `key` is the key itself: it is not kept, and said this once. Absent or null limits are no limits.
    `warnings`: of `allowed_models`, those that the account does not have.
    """
    parts = parts_of(request)
    body = await object_of(request, _GIVEN, required=("name",))
    scopes = _scopes(body)
    identity.check_may_grant(scopes)
    create = partial(
        keys.create_key, parts.catalog, identity.account_id, _text(body, "name"),
        actor=identity.actor,
        scopes=scopes,
        default_source_type=_text(body, "default_source_type"),
        default_source=_text(body, "default_source"),
        expires_on_us=instant_of(body.get("expires_on"), "expires_on"),
        limits={name: body.get(name) for name in LIMITS},
    )  # fmt: skip
    plain, key = await parts.workers.look_up(create)
    return {**_json(key, {}, parts.catalog.clock()), "warnings": await _warnings(parts, identity, key), "key": plain}


@router.patch("/{key_id}", summary="Change an API key")
async def change_key(request: Request, key_id: str, identity: Admin) -> dict[str, Any]:
    """Any of its name, defaults, limits and recording; a null limit is none. Holds at once, in other processes within seconds.

    `warnings`: of `allowed_models`, those that the account does not have.
    """
    parts = parts_of(request)
    body = await object_of(request, keys.SETTABLE)
    change = partial(keys.change_key, parts.catalog, identity.account_id, key_id, body, actor=identity.actor)
    [key] = parts.keys.with_last_use([await parts.workers.look_up(change)])
    used = await parts.workers.look_up(key_usage.current, parts.catalog, identity.account_id)
    return {**_json(key, used, parts.catalog.clock()), "warnings": await _warnings(parts, identity, key)}


@router.delete("/{key_id}", summary="Revoke an API key", status_code=204)
async def revoke_key(request: Request, key_id: str, identity: Admin) -> Response:
    """It is refused from then on, in other processes within seconds. Runs that came in with it stay."""
    parts = parts_of(request)
    await parts.workers.look_up(
        partial(keys.revoke_key, parts.catalog, identity.account_id, key_id, actor=identity.actor)
    )
    return Response(status_code=204)


async def _warnings(parts: Parts, identity: Identity, key: ApiKey) -> list[str]:
    return await parts.workers.look_up(doubts_about, parts.catalog, parts.registry, identity.account_id, key.limits)


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str | None):
        raise Problem(422, f"{name} must be text.", parameter=name)
    return value or ""


def _scopes(body: Mapping[str, Any]) -> list[str]:
    value = body.get("scopes")
    if value is None:
        return list(DEFAULT_SCOPES)
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Problem(422, f"scopes must be a list of {', '.join(keys.SCOPES)}.", parameter="scopes")
    return value


def _json(key: ApiKey, used: Mapping[Window, Used], now_us: int) -> dict[str, Any]:
    limits = key.limits
    minute, day = (used.get(window_of(key.id, span, now_us), NOTHING) for span in key_usage.SPANS)
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "scopes": list(key.scopes),
        "default_source_type": key.default_source_type or None,
        "default_source": key.default_source or None,
        "requests_per_minute": limits.requests_per_minute,
        "tokens_per_day": limits.tokens_per_day,
        "allowed_models": list(limits.allowed_models),
        "recording": limits.recording,
        "used": {"requests_this_minute": minute.requests, "tokens_today": day.tokens} if limits.counts else None,
        "created_on": rfc3339(key.created_on_us),
        "created_by": key.created_by,
        "expires_on": None if key.expires_on_us is None else rfc3339(key.expires_on_us),
        "last_used_on": None if key.last_used_on_us is None else rfc3339(key.last_used_on_us),
    }
