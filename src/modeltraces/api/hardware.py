"""`/api/v1/hardware`: the price list that hosting is reckoned by."""

from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from modeltraces.api.bodies import object_of
from modeltraces.api.catalog_json import hardware_json
from modeltraces.api.errors import Problem
from modeltraces.api.identity import Admin, Forbidden, Identity, Reader
from modeltraces.api.state import parts_of
from modeltraces.catalog.hosting import hardware

router = APIRouter(prefix="/api/v1/hardware", tags=["hardware"])


def require_owner(identity: Identity) -> None:
    """Prices are an owner's matter. Raises Forbidden for other people; an admin key acts for the account."""
    if identity.role not in (None, "owner"):
        raise Forbidden(f"Your role ({identity.role}) does not allow this: prices are for owners of the account.")


@router.get("", summary="The price list")
async def list_hardware(request: Request, identity: Reader) -> dict[str, Any]:
    """`{hardware: [{name, credits_per_replica_hour, prices: [{from, credits_per_replica_hour, actor}]}]}`, by name."""
    parts = parts_of(request)
    found = await parts.workers.look_up(hardware.list_hardware, parts.catalog, identity.account_id)
    return {"hardware": [hardware_json(one) for one in found]}


@router.post("", summary="Set a price")
async def set_price(request: Request, response: Response, identity: Admin) -> dict[str, Any]:
    """`{name, credits_per_replica_hour}`: new hardware (201), or its price from now on (200).

    Hosted intervals that are open keep their price until they are scaled or redeployed.
    """
    require_owner(identity)
    parts = parts_of(request)
    body = await object_of(request, ("name", "credits_per_replica_hour"), required=("name", "credits_per_replica_hour"))
    if not isinstance(body["name"], str):
        raise Problem(422, "name must be text.", parameter="name")
    put = partial(
        hardware.offer, parts.catalog, identity.account_id, body["name"], body["credits_per_replica_hour"],
        actor=identity.actor,
    )  # fmt: skip
    found, is_new = await parts.workers.look_up(put)
    response.status_code = 201 if is_new else 200
    return hardware_json(found)


@router.patch("/{name:path}", summary="Change a price")
async def change_price(request: Request, name: str, identity: Admin) -> dict[str, Any]:
    """`{credits_per_replica_hour}`, from now on."""
    require_owner(identity)
    parts = parts_of(request)
    body = await object_of(request, ("credits_per_replica_hour",), required=("credits_per_replica_hour",))
    change = partial(
        hardware.change_price, parts.catalog, identity.account_id, name, body["credits_per_replica_hour"],
        actor=identity.actor,
    )  # fmt: skip
    return hardware_json(await parts.workers.look_up(change))


@router.delete("/{name:path}", summary="Take hardware off the list", status_code=204)
async def remove_hardware(request: Request, name: str, identity: Admin) -> Response:
    """409 while a deployment is on it."""
    require_owner(identity)
    parts = parts_of(request)
    await parts.workers.look_up(
        partial(hardware.remove, parts.catalog, identity.account_id, name, actor=identity.actor)
    )
    return Response(status_code=204)
