"""Addresses that are no page: those that lead to the first one, and those under /settings that lead nowhere."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from modeltraces.api.errors import Problem
from modeltraces.web.address import MODEL_TRACES
from modeltraces.web.guard import PageReader, PageRoute

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/")
@router.get("/settings")
@router.get("/settings/")
@router.get("/settings/monitoring")
async def first_page(request: Request) -> Response:
    """Who types the address of the server, or of the section, means what is in it, with what was said behind it."""
    query = request.url.query
    return RedirectResponse(f"{MODEL_TRACES}?{query}" if query else MODEL_TRACES, 303)


@router.get("/settings/{path:path}")
async def nowhere(request: Request, path: str, identity: PageReader) -> Response:
    raise Problem(404, "The address may have been mistyped, or what it named is gone.")
