"""What Langfuse's SDKs ask before they send: `auth_check()` wants to see a project."""

from typing import Any

from fastapi import APIRouter, Request

from modeltraces.api.otlp import LangfuseSender
from modeltraces.api.state import parts_of
from modeltraces.catalog import accounts

router = APIRouter(tags=["ingest"])


@router.get("/api/public/projects", summary="The key's account, as Langfuse SDKs ask for it")
async def list_projects(request: Request, identity: LangfuseSender) -> dict[str, Any]:
    """One project, which is the account of the key; Basic authentication as for the traces."""
    parts = parts_of(request)
    account = await parts.workers.look_up(accounts.get, parts.catalog, identity.account_id)
    named = {"id": account.id, "name": account.name}
    return {"data": [{**named, "organization": named, "metadata": {}}]}
