"""The pages: server-rendered HTML over the same queries as the API."""

from inspect import isawaitable

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from modeltraces.api.errors import Problem
from modeltraces.web import static
from modeltraces.web.guard import message, recognise
from modeltraces.web.pages import (
    access,
    api_docs,
    api_keys,
    audit_log,
    connections,
    gateway,
    hardware,
    matching,
    members,
    model,
    model_traces,
    models,
    nowhere,
    profile,
    rejected,
    retention,
    suggest,
    try_it,
)


def install(app: FastAPI) -> None:
    """Add the pages and their static files to the app. Raises static.NotBuilt when the front end was never built."""
    static.manifest()
    app.router.routes.append(static.route)
    for page in (
        suggest,
        model_traces,
        rejected,
        models,
        model,
        connections,
        hardware,
        matching,
        retention,
        api_keys,
        gateway,
        try_it,
        members,
        audit_log,
        profile,
        access,
        api_docs,
        nowhere,
    ):
        app.include_router(page.router)
    problem = app.exception_handlers[HTTPException]

    async def page_or_problem(request: Request, error: Exception) -> Response:
        """Who looks for a page that is not there is shown one; programs get the problem."""
        nowhere = isinstance(error, HTTPException) and error.status_code == 404
        if nowhere and request.method in ("GET", "HEAD") and _is_for_people(request):
            await recognise(request)
            return message(request, Problem(404, "The address may have been mistyped, or what it named is gone."))
        answer = problem(request, error)
        return await answer if isawaitable(answer) else answer

    app.add_exception_handler(HTTPException, page_or_problem)


def _is_for_people(request: Request) -> bool:
    wants = request.headers.get("accept", "").partition(",")[0].partition(";")[0].strip().lower()
    return wants == "text/html" and not request.url.path.startswith(("/api/", "/v1/", "/static/"))
