"""`GET /api/v1/models`: the catalog, read."""

from typing import Any

from fastapi import APIRouter, Request

from modeltraces.api.errors import Problem
from modeltraces.api.identity import Reader
from modeltraces.api.state import parts_of
from modeltraces.catalog.models import ModelEntry
from modeltraces.query.times import rfc3339

router = APIRouter(prefix="/api/v1/models", tags=["models"])


def model_json(entry: ModelEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "kind": entry.kind,
        "base_model": entry.base_model or None,
        "provider": entry.provider or None,
        "deployments": [
            {"version": deployment.version, "created_on": rfc3339(deployment.created_on_us)}
            for deployment in entry.deployments
        ],
        "connections": [
            {"name": connection.name, "provider": connection.provider or None} for connection in entry.connections
        ],
        "first_run_on": rfc3339(entry.first_run_on_us) if entry.first_run_on_us is not None else None,
    }


@router.get("", summary="List models")
async def list_models(request: Request, identity: Reader) -> dict[str, Any]:
    """Every model of the account: `{"models": [{name, kind, base_model, deployments, connections, first_run_on}]}`."""
    parts = parts_of(request)
    entries = await parts.workers.look_up(parts.registry.list_models, identity.account_id)
    return {"models": [model_json(entry) for entry in entries]}


@router.get("/{name:path}", summary="One model")
async def get_model(request: Request, name: str, identity: Reader) -> dict[str, Any]:
    """The model of that name (percent-encoded; slashes are part of it). 404 when the account has none of that name."""
    parts = parts_of(request)
    entry = await parts.workers.look_up(parts.registry.get_model, identity.account_id, name)
    if entry is None:
        raise Problem(404, "This account has no model of that name.")
    return model_json(entry)
