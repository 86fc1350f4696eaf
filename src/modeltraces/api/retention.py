"""`/api/v1/retention`: how long runs and their payloads are kept, and what the daily sweep removed."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from fastapi import APIRouter, Request

from modeltraces.api.bodies import object_of
from modeltraces.api.identity import Admin, Forbidden, Identity, Reader
from modeltraces.api.state import parts_of
from modeltraces.catalog.retention import sweeps
from modeltraces.catalog.retention.policy import (
    SETTABLE,
    Days,
    Policy,
    Said,
    change_policy,
    preview_policy,
    read_policy,
)
from modeltraces.catalog.retention.sweeper import shown
from modeltraces.catalog.retention.sweeps import Sweep
from modeltraces.parts import Parts
from modeltraces.query.times import rfc3339
from modeltraces.store import retention
from modeltraces.store.engine import QueryLimitExceeded
from modeltraces.store.retention import Removed

router = APIRouter(prefix="/api/v1/retention", tags=["retention"])


@dataclass(frozen=True, slots=True)
class Kept:
    """What an account keeps, what it has, and what the sweeps do."""

    policy: Policy
    oldest_run_us: int | None
    oldest_payload_us: int | None
    sweep: Sweep
    next_sweep_us: int


async def kept_of(parts: Parts, account_id: str, policy: Policy | None = None) -> Kept:
    look_up = parts.workers.look_up
    if policy is None:
        policy = await look_up(read_policy, parts.catalog, account_id, parts.sweeper.server)
    sweep = await look_up(sweeps.latest, parts.catalog, account_id)
    run_us, payload_us = await parts.workers.query(retention.oldest, parts.store, account_id)
    next_us = sweeps.next_on(sweep, parts.sweeper.hour, parts.catalog.clock())
    return Kept(policy, run_us, payload_us, sweep, next_us)


async def would_remove(parts: Parts, account_id: str, policy: Policy) -> Removed | None:
    """What the next sweep would take from the account under that policy; None where it is too much to be counted in time."""
    keep = policy.keep(account_id, parts.catalog.clock())
    try:
        return await parts.workers.query(retention.would_remove, parts.store, account_id, keep)
    except QueryLimitExceeded:
        return None


def require_owner(identity: Identity) -> None:
    """What is removed does not come back. Raises Forbidden for other people; an admin key acts for the account."""
    if identity.role not in (None, "owner"):
        raise Forbidden(
            f"Your role ({identity.role}) does not allow this: how long runs are kept is for owners of the account."
        )


@router.get("", summary="How long what is kept")
async def get_retention(request: Request, identity: Reader) -> dict[str, Any]:
    """`keep_runs_days` and `keep_payloads_days` of the account, 0 for ever; `account` is what it says itself (null: as the
    server does), `models` those that say something of their own; the oldest run, the oldest payload, and the sweeps.
    """
    return kept_json(await kept_of(parts_of(request), identity.account_id))


@router.patch("", summary="Change how long the account's runs are kept")
async def change_retention(request: Request, identity: Admin, dry_run: bool = False) -> dict[str, Any]:
    """`{keep_runs_days?, keep_payloads_days?}`: days, 0 for ever, null as the server does. Inputs, outputs and payloads go
    before their run; the rest of it stays, and so does every number.

    `would_remove` is what the next sweep takes, or null where it is too much to be counted in time. With `dry_run=true`
    nothing is changed, and that is what it would take.
    """
    return await _change(request, identity, None, dry_run)


@router.patch("/models/{name:path}", summary="Change how long a model's runs are kept")
async def change_model_retention(request: Request, name: str, identity: Admin, dry_run: bool = False) -> dict[str, Any]:
    """The same for one model; null is as the account does."""
    return await _change(request, identity, name, dry_run)


@router.post("/sweep", summary="Remove now what is past its days", status_code=202)
async def sweep_now(request: Request, identity: Admin) -> dict[str, Any]:
    """Sweeps come once a day by themselves. This one begins within seconds."""
    require_owner(identity)
    parts = parts_of(request)
    await parts.workers.look_up(parts.sweeper.ask)
    return kept_json(await kept_of(parts, identity.account_id))


async def _change(request: Request, identity: Identity, model: str | None, dry_run: bool) -> dict[str, Any]:
    require_owner(identity)
    parts = parts_of(request)
    body = await object_of(request, SETTABLE)
    of = (parts.catalog, identity.account_id, body)
    policy = await parts.workers.look_up(partial(preview_policy, *of, server=parts.sweeper.server, model=model))
    # All that may fail comes before the change: who is told of an error is to find everything as it was.
    removed = await would_remove(parts, identity.account_id, policy)
    kept = await kept_of(parts, identity.account_id, policy)
    if not dry_run:
        change = partial(change_policy, *of, server=parts.sweeper.server, actor=identity.actor, model=model)
        kept = replace(kept, policy=await parts.workers.look_up(change))
    return {**kept_json(kept), "would_remove": None if removed is None else shown(removed)}


def kept_json(kept: Kept) -> dict[str, Any]:
    policy, sweep = kept.policy, kept.sweep
    return {
        **_days_json(policy.days),
        "account": _said_json(policy.account),
        "server": _days_json(policy.server.capped),
        "models": [
            {"model": name, **_days_json(policy.days_of(name)), "own": _said_json(said)}
            for name, said in policy.models.items()
        ],
        "oldest_run_on": None if kept.oldest_run_us is None else rfc3339(kept.oldest_run_us),
        "oldest_payload_on": None if kept.oldest_payload_us is None else rfc3339(kept.oldest_payload_us),
        "last_sweep": {
            "started_on": rfc3339(sweep.started_on_us),
            "ended_on": rfc3339(sweep.ended_on_us) if sweep.ended_on_us else None,
            "error": sweep.error or None,
            "removed": shown(sweep.removed),
        }
        if sweep.started_on_us
        else None,
        "next_sweep_on": rfc3339(kept.next_sweep_us),
    }


def _days_json(days: Days) -> dict[str, Any]:
    return {"keep_runs_days": days.runs, "keep_payloads_days": days.payloads}


def _said_json(said: Said) -> dict[str, Any]:
    return {"keep_runs_days": said.keep_runs_days, "keep_payloads_days": said.keep_payloads_days}
