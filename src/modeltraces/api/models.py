"""`/api/v1/models`: the catalog's models, read and changed."""

from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from modeltraces.api.bodies import object_of
from modeltraces.api.catalog_json import model_json
from modeltraces.api.errors import Problem
from modeltraces.api.former_names import is_unborne
from modeltraces.api.identity import Admin, Identity, Reader
from modeltraces.api.state import parts_of
from modeltraces.catalog import model_edits
from modeltraces.catalog.connections import list_connections
from modeltraces.catalog.hosting.still_up import still_up
from modeltraces.catalog.models import ModelEntry
from modeltraces.catalog.places import doubts_about_places
from modeltraces.parts import Parts
from modeltraces.query.presence import has_runs

router = APIRouter(prefix="/api/v1/models", tags=["models"])


async def entry_of(parts: Parts, identity: Identity, name: str) -> ModelEntry:
    """The model of that name. Raises Problem 404."""
    entry = await parts.workers.look_up(parts.registry.get_model, identity.account_id, name)
    if entry is None:
        raise Problem(404, "This account has no model of that name.")
    return entry


@router.get("", summary="List models")
async def list_models(request: Request, identity: Reader) -> dict[str, Any]:
    """Every model of the account: `{"models": [{name, kind, base_model, deployments, connections, first_run_on, …}]}`.

    Archived ones are left out.
    """
    parts = parts_of(request)
    entries = await parts.workers.look_up(parts.registry.list_models, identity.account_id)
    return {"models": [model_json(entry) for entry in entries]}


@router.post("", summary="Add a model", status_code=201)
async def create_model(request: Request, identity: Admin) -> dict[str, Any]:
    """`{name, kind, base_model?, provider?}`. 409 when a model, or runs, have that name.

    A name that another model had before is free when no run bears it.
    """
    parts = parts_of(request)
    body = await object_of(request, ("name", "kind", "base_model", "provider"), required=("name", "kind"))
    create = partial(
        model_edits.create, parts.catalog, identity.account_id, body["name"], body["kind"],
        base_model=body.get("base_model"), provider=body.get("provider"), actor=identity.actor,
        is_unborne=await is_unborne(parts, identity.account_id, body["name"]),
    )  # fmt: skip
    name = await parts.workers.look_up(create)
    return model_json(await entry_of(parts, identity, name))


@router.post("/{name:path}/merge", summary="Merge a model into another")
async def merge_model(request: Request, name: str, identity: Admin) -> dict[str, Any]:
    """`{into}`: its runs, past and to come, are counted as that model's from now on. Answers that model.

    409 for another kind, and for the same model. `unmerge` takes it back.
    """
    parts = parts_of(request)
    body = await object_of(request, ("into",), required=("into",))
    if not isinstance(body["into"], str):
        raise Problem(422, "into must be a model's name.", parameter="into")
    await parts.workers.look_up(
        partial(model_edits.merge, parts.catalog, identity.account_id, name, body["into"], actor=identity.actor)
    )
    return model_json(await entry_of(parts, identity, body["into"]))


@router.post("/{name:path}/unmerge", summary="Take a merge back")
async def unmerge_model(request: Request, name: str, identity: Admin) -> dict[str, Any]:
    """The merged model becomes one of its own again, with its runs. Answers it."""
    parts = parts_of(request)
    await parts.workers.look_up(
        partial(model_edits.unmerge, parts.catalog, identity.account_id, name, actor=identity.actor)
    )
    return model_json(await entry_of(parts, identity, name))


@router.get("/{name:path}", summary="One model")
async def get_model(request: Request, name: str, identity: Reader) -> dict[str, Any]:
    """The model of that name (percent-encoded; slashes are part of it). 404 when the account has none of that name."""
    return model_json(await entry_of(parts_of(request), identity, name))


@router.patch("/{name:path}", summary="Change a model")
async def edit_model(request: Request, name: str, identity: Admin) -> dict[str, Any]:
    """Any of `{name, kind, base_model, provider, archived, routing}`. A renamed model keeps its runs.

    `routing`: `{"weights": {"v2": 90, "v1": 10}, "fallbacks": ["v1", "azure-eu"]}`, how the gateway spreads its calls;
    null: over nothing but what serves it best. 409 when the name is used. `warnings`: what goes on costing after archiving, and
    which places of a new routing are skipped, and why.
    """
    parts = parts_of(request)
    body = await object_of(request, model_edits.EDITABLE)
    unborne = "name" in body and await is_unborne(parts, identity.account_id, body["name"])
    renamed = await parts.workers.look_up(
        partial(
            model_edits.edit, parts.catalog, identity.account_id, name, body, is_unborne=unborne, actor=identity.actor
        )
    )
    entry = await entry_of(parts, identity, renamed)
    warnings = []
    if body.get("archived") and (up := still_up((one.version, one.intervals) for one in entry.deployments)):
        warnings.append(f"{up}; undeploy what is no longer needed.")
    if body.get("routing"):
        connections = await parts.workers.look_up(list_connections, parts.catalog, identity.account_id)
        warnings += doubts_about_places(entry, connections)
    return model_json(entry) | {"warnings": warnings}


@router.delete("/{name:path}", summary="Delete a model", status_code=204)
async def delete_model(request: Request, name: str, identity: Admin) -> Response:
    """Only one that has no runs and was never hosted; 409 otherwise: archive it with `PATCH {"archived": true}`."""
    parts = parts_of(request)
    entry = await entry_of(parts, identity, name)
    found = await parts.workers.query(
        partial(has_runs, parts.store, identity.account_id, models=(*entry.recorded_names, entry.name))
    )
    await parts.workers.look_up(
        partial(model_edits.delete, parts.catalog, identity.account_id, name, has_runs=found, actor=identity.actor)
    )
    return Response(status_code=204)
