"""`/api/v1/connections`: how external models are reached. A credential goes in and never comes out."""

from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from modeltraces.api.bodies import object_of
from modeltraces.api.catalog_json import connection_json
from modeltraces.api.errors import Problem
from modeltraces.api.identity import Admin, Identity, Reader
from modeltraces.api.state import parts_of
from modeltraces.api.trials import trial_json, try_out
from modeltraces.catalog import connections
from modeltraces.catalog.connections import Connection
from modeltraces.parts import Parts
from modeltraces.query.presence import has_runs

router = APIRouter(prefix="/api/v1/connections", tags=["connections"])


async def _connection(parts: Parts, identity: Identity, name: str) -> Connection:
    for connection in await parts.workers.look_up(connections.list_connections, parts.catalog, identity.account_id):
        if connection.name == name:
            return connection
    raise Problem(404, "This account has no connection of that name.")


@router.get("", summary="List connections")
async def list_connections(request: Request, identity: Reader) -> dict[str, Any]:
    """`{connections: [{name, provider, protocol, base_url, models, has_credential, created_on, archived}]}`, by name."""
    parts = parts_of(request)
    found = await parts.workers.look_up(connections.list_connections, parts.catalog, identity.account_id)
    return {"connections": [connection_json(connection) for connection in found]}


@router.post("", summary="Add a connection", status_code=201)
async def create_connection(request: Request, identity: Admin) -> dict[str, Any]:
    """`{name, provider, protocol: openai|anthropic|azure_openai, base_url, credential, models: ["gpt-4o", …] or ["*"]}`.

    409 when the name is used; 422 for an address that is not http(s) or leads to a metadata service.
    """
    parts = parts_of(request)
    body = await object_of(request, connections.SETTABLE, required=("name", "protocol", "base_url"))
    create = partial(
        connections.create, parts.catalog, identity.account_id, body, parts.vault,
        actor=identity.actor, allow_link_local=parts.settings.allow_link_local,
    )  # fmt: skip
    name = await parts.workers.look_up(create)
    return connection_json(await _connection(parts, identity, name))


@router.post("/{name:path}/test", summary="Try a connection out")
async def test_connection(request: Request, name: str, identity: Admin) -> dict[str, Any]:
    """One real call with its credential: `{ok, says, status, elapsed_ms, models}`. A failing server is still a 200 here."""
    parts = parts_of(request)
    reach = await parts.workers.look_up(connections.reach, parts.catalog, identity.account_id, name)
    return trial_json(await try_out(parts, reach))


@router.get("/{name:path}", summary="One connection")
async def get_connection(request: Request, name: str, identity: Reader) -> dict[str, Any]:
    return connection_json(await _connection(parts_of(request), identity, name))


@router.patch("/{name:path}", summary="Change a connection")
async def edit_connection(request: Request, name: str, identity: Admin) -> dict[str, Any]:
    """Any of its members, and `archived`; a null credential removes it. 409 for a new name while runs bear the old one."""
    parts = parts_of(request)
    body = await object_of(request, connections.SETTABLE)
    edit = partial(
        connections.edit, parts.catalog, identity.account_id, name, body, parts.vault,
        has_runs=await _has_runs(parts, identity, name), actor=identity.actor,
        allow_link_local=parts.settings.allow_link_local,
    )  # fmt: skip
    renamed = await parts.workers.look_up(edit)
    return connection_json(await _connection(parts, identity, renamed))


@router.delete("/{name:path}", summary="Delete a connection", status_code=204)
async def delete_connection(request: Request, name: str, identity: Admin) -> Response:
    """Only one that no run came through; 409 otherwise: archive it with `PATCH {"archived": true}`."""
    parts = parts_of(request)
    delete = partial(
        connections.delete, parts.catalog, identity.account_id, name,
        has_runs=await _has_runs(parts, identity, name), actor=identity.actor,
    )  # fmt: skip
    await parts.workers.look_up(delete)
    return Response(status_code=204)


async def _has_runs(parts: Parts, identity: Identity, name: str) -> bool:
    return await parts.workers.query(partial(has_runs, parts.store, identity.account_id, connection_name=name))
