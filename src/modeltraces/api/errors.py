"""One shape for every error: `application/problem+json` (RFC 9457), from one place.

`type` is `about:blank`, `title` the status' phrase, `detail` a sentence that says what is wrong and what to do.
Further members (`parameter`, `position`, `expected`) say where.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from modeltraces.api.identity import KEY_HEADERS
from modeltraces.api.ways import family_of, hint, is_ingest
from modeltraces.catalog.errors import CatalogBusy, CatalogUnavailable, Conflict, Invalid, NotFound
from modeltraces.gateway.errors import error_body
from modeltraces.ingest.bodies import BodyMalformed, BodyTooLarge, UnsupportedEncoding
from modeltraces.ingest.writer import QueueFull
from modeltraces.query.cursor import CursorError
from modeltraces.query.selection import SelectionError
from modeltraces.seldom import Seldom
from modeltraces.store.engine import QueryLimitExceeded, StoreError, StoreUnavailable

log = structlog.get_logger(__name__)

PROBLEM: Final = "application/problem+json"
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_refusals: Final = Seldom(60)
RETRY_SECONDS: Final = 2
"""Retry-After of 503: two commits' time; exporters add their own back-off."""


class Problem(Exception):
    """An error to answer with. `extra`: further members of the problem object."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None, **extra: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}
        self.extra = extra


def problem_response(status: int, detail: str = "", headers: dict[str, str] | None = None, **extra: Any) -> Response:
    import orjson

    body: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    if detail:
        body["detail"] = detail
    body.update(extra)
    return Response(orjson.dumps(body), status_code=status, media_type=PROBLEM, headers=headers)


def problem_of(error: Exception) -> Problem:
    """The problem that an exception of any part amounts to; an unknown one is a 500 that says nothing of itself."""
    retry = {"Retry-After": str(RETRY_SECONDS)}
    match error:
        case Problem():
            return error
        case SelectionError():
            extra: dict[str, Any] = {"parameter": error.parameter}
            if error.position is not None:
                extra["position"] = error.position
            if error.expected:
                extra["expected"] = list(error.expected)
            return Problem(400, error.message, **extra)
        case CursorError():
            return Problem(400, str(error) or "The cursor is not one of ours.", parameter="cursor")
        case BodyTooLarge():
            return Problem(413, _sentence(str(error)))
        case BodyMalformed():
            return Problem(400, _sentence(str(error)))
        case UnsupportedEncoding():
            return Problem(415, _sentence(str(error)), {"Accept-Encoding": "gzip, deflate, identity"})
        case QueueFull():
            return Problem(503, "More runs wait to be stored than fit the memory set aside. Send again later.", retry)
        case NotFound():
            return Problem(404, str(error))
        case Conflict():
            return Problem(409, str(error))
        case Invalid():
            where: dict[str, Any] = {"parameter": error.parameter} if error.parameter else {}
            return Problem(422, str(error), **where)
        case QueryLimitExceeded():
            return Problem(503, str(error), retry)
        case StoreUnavailable() | CatalogBusy():
            return Problem(503, _sentence(str(error)), retry)
        case CatalogUnavailable():
            # Its own words name the database's address and user, and whoever asks need not be anybody.
            return Problem(503, "The database of accounts and models cannot be used; the server's log says why.", retry)
        case HTTPException():
            return Problem(error.status_code, str(error.detail or ""), dict(error.headers or {}))
        case StoreError():
            return Problem(500, "The store could not answer. The server's log says why.")
    return Problem(500, "Something went wrong here. The server's log says what.")


def install(app: FastAPI) -> None:
    """Answer every exception of the API with a problem."""

    async def answer(request: Request, error: Exception) -> Response:
        problem = problem_of(error)
        if isinstance(error, HTTPException):
            problem = _led_on(app, request, problem)
            _note_refusal(request, problem.status)
            if problem.status in (404, 405) and (family := family_of(request.method, request.url.path)):
                # Who calls a model past the gateway reads errors with a provider's library.
                content = error_body(family, problem.status, problem.detail, is_no_address=True)
                return Response(content, problem.status, problem.headers, "application/json")
        if problem.status >= 500 and not isinstance(error, QueueFull):
            # Where the database is away, its own words say all there is, and every request says them.
            log.error(
                "request failed",
                path=request.url.path,
                error=str(error),
                exc_info=error if problem.status == 500 else None,
            )
        return problem_response(problem.status, problem.detail, problem.headers, **problem.extra)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        return problem_response(422, f"{where or 'the request'}: {first['msg']}", parameter=where)

    async def left(request: Request, error: Exception) -> Response:
        # Nobody is there to read it; but that a sender leaves is no fault of ours, to be logged with a traceback.
        return problem_response(400, "The body ended before its end.")

    for kind in (
        Problem, SelectionError, CursorError, BodyTooLarge, BodyMalformed, UnsupportedEncoding, QueueFull, NotFound,
        Conflict, Invalid, StoreError, CatalogUnavailable, HTTPException, Exception,
    ):  # fmt: skip
        app.add_exception_handler(kind, answer)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(ClientDisconnect, left)


def _led_on(app: FastAPI, request: Request, problem: Problem) -> Problem:
    """The router's own 404 and 405, with where the request was probably meant to go."""
    if problem.status not in (404, 405) or problem.detail != HTTPStatus(problem.status).phrase:
        return problem
    path = request.url.path
    paths = app.openapi()["paths"]
    known: Iterable[str] = paths
    headers = problem.headers
    if problem.status == 405:
        # The router tells of the first route at the path alone.
        headers |= {"Allow": ", ".join(_methods_at(app, request))}
        first = f"{path[:200]} takes {headers['Allow']}, not {request.method}."
        known = [one for one, verbs in paths.items() if path.startswith(one) and request.method.lower() in verbs]
    else:
        first = f"There is nothing at {path[:200]}."
    leads = hint(request.method, path, known, str(request.base_url).rstrip("/"))
    return Problem(problem.status, f"{first} {leads}".rstrip(), headers)


def _methods_at(app: FastAPI, request: Request) -> list[str]:
    def is_taken(method: str) -> bool:
        scope = {**request.scope, "method": method}
        return any(route.matches(scope)[0] is Match.FULL for route in app.router.routes)

    return [method for method in _METHODS if is_taken(method)]


def _note_refusal(request: Request, status: int) -> None:
    """A program that sends runs to nowhere, or with a wrong key, tells nobody: its operator looks here."""
    path = request.url.path
    if status not in (401, 403, 404, 405) or not is_ingest(request.method, path):
        return
    unsaid = _refusals.due(status)
    if unsaid is None:
        return
    with_key = any(name in request.headers for name in ("authorization", *KEY_HEADERS))
    log.warning(
        "refused what was sent",
        status=status,
        path=path[:200],
        client=request.client.host if request.client else "",
        credentials="not valid here" if with_key and status == 401 else "sent" if with_key else "none",
        unsaid_since_last_line=unsaid,
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
