"""The pages: server-rendered HTML over the same queries as the API."""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from modeltraces.web import static
from modeltraces.web.address import MODEL_TRACES
from modeltraces.web.pages import (
    access,
    api_docs,
    api_keys,
    audit_log,
    connections,
    hardware,
    members,
    model,
    model_traces,
    models,
    nowhere,
    profile,
    rejected,
    suggest,
)


def install(app: FastAPI) -> None:
    """Add the pages and their static files to the app. Raises static.NotBuilt when the front end was never built."""
    static.manifest()
    app.router.routes.append(static.route)
    app.add_api_route("/", _home, include_in_schema=False)
    for page in (
        suggest,
        model_traces,
        rejected,
        models,
        model,
        connections,
        hardware,
        api_keys,
        members,
        audit_log,
        profile,
        access,
        api_docs,
        nowhere,
    ):
        app.include_router(page.router)


async def _home(request: Request) -> Response:
    return RedirectResponse(MODEL_TRACES, 303)
