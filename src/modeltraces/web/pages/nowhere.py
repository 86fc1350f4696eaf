"""Addresses under /settings that are no page."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from modeltraces.api.errors import Problem
from modeltraces.web.address import MODEL_TRACES
from modeltraces.web.guard import PageReader, PageRoute

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/settings")
@router.get("/settings/")
@router.get("/settings/monitoring")
async def settings(request: Request) -> Response:
    """The first of the pages: who types the address of the section means what is in it."""
    return RedirectResponse(MODEL_TRACES, 303)


@router.get("/settings/{path:path}")
async def nowhere(request: Request, path: str, identity: PageReader) -> Response:
    raise Problem(404, "The address may have been mistyped, or what it named is gone.")
