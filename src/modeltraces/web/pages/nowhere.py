"""Addresses under /settings that are no page."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from modeltraces.api.errors import Problem
from modeltraces.web.guard import PageReader, PageRoute

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/settings/{path:path}")
async def nowhere(request: Request, path: str, identity: PageReader) -> Response:
    raise Problem(404, "The address may have been mistyped, or what it named is gone.")
