"""Who may see a page, and what a page's answer is when it cannot be the page: HTML, never a problem object."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final
from urllib.parse import quote

import structlog
from fastapi import Depends
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from modeltraces.api.errors import Problem, problem_of
from modeltraces.api.identity import Forbidden, Identity, Unauthenticated, authenticate, checked
from modeltraces.catalog.errors import CatalogUnavailable
from modeltraces.web.account_contexts import MessagePage
from modeltraces.web.address import MODEL_TRACES, SIGN_IN
from modeltraces.web.contexts import Option
from modeltraces.web.shell import shell, theme
from modeltraces.web.templating import html

log = structlog.get_logger(__name__)

_TITLES: Final = {
    400: "This address cannot be understood",
    403: "You may not see this",
    404: "There is no such page",
    408: "The form did not come whole",
    409: "This cannot be done",
    413: "This is too large",
    422: "This cannot be done",
    503: "This cannot be answered right now",
}


async def _reader(request: Request) -> Identity:
    identity = await authenticate(request)
    if identity is None or identity.user is None:
        raise Unauthenticated
    # Also for what goes wrong from here on: its page keeps the navigation.
    request.state.reader = identity
    identity = await checked(request, identity)
    if "read" not in identity.scopes:
        raise Forbidden("Your role does not allow this. Ask an owner or admin of the account.")
    return identity


async def _admin(request: Request) -> Identity:
    identity = await _reader(request)
    if "admin" not in identity.scopes:
        raise Forbidden(f"Your role ({identity.role}) does not allow this. Ask an owner or admin of the account.")
    return identity


PageReader = Annotated[Identity, Depends(_reader)]
"""A signed-in person who may read; others are sent to the sign-in."""
PageAdmin = Annotated[Identity, Depends(_admin)]


def is_fragment(request: Request) -> bool:
    """Whether htmx asked for a part of the page, not for the whole (as it does on back and forward)."""
    return "hx-request" in request.headers and "hx-history-restore-request" not in request.headers


class PageRoute(APIRoute):
    """Answers an exception with a page that says what is wrong, and a missing session with the sign-in."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_page(request: Request) -> Response:
            try:
                return await handle(request)
            except Unauthenticated:
                return to_sign_in(request)
            except RequestValidationError as error:
                first = error.errors()[0]
                return message(request, Problem(422, f"{'.'.join(map(str, first['loc'][1:]))}: {first['msg']}"))
            except Exception as error:
                problem = problem_of(error)
                if problem.status >= 500:
                    # What is away or too much says so itself, each time that somebody looks.
                    trace = error if problem.status == 500 else None
                    log.error("page failed", path=request.url.path, error=str(error), exc_info=trace)
                return message(request, problem)

        return handle_page


def to_sign_in(request: Request) -> Response:
    """The sign-in, which leads back here."""
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.method not in ("GET", "HEAD") or back in ("/", MODEL_TRACES):
        address = SIGN_IN
    else:
        address = f"{SIGN_IN}?next={quote(back, safe='/')}"
    if "hx-request" in request.headers:
        return Response(status_code=200, headers={"HX-Redirect": address})
    return RedirectResponse(address, 303)


async def recognise(request: Request) -> None:
    """Who asks, for the navigation of a message where no route asked; nobody, when that cannot be told."""
    try:
        identity = await authenticate(request)
    except CatalogUnavailable:
        return
    if identity is not None and identity.user is not None:
        request.state.reader = identity


def message(request: Request, problem: Problem) -> Response:
    title = _TITLES.get(problem.status, "Something went wrong")
    if problem.status == 400 and request.method == "POST":
        title = "What was sent cannot be understood"
    reader: Identity | None = getattr(request.state, "reader", None)
    # Out of order, the server may have no navigation to show.
    surround = shell(request, reader, title, "") if reader is not None and problem.status < 500 else None
    page = MessagePage(
        shell=surround,
        theme=theme(request),
        status=problem.status,
        title=title,
        text=problem.detail,
        actions=(Option("Try again", str(request.url)), Option("Model Traces", MODEL_TRACES))
        if problem.status >= 500 and request.method == "GET"
        else (Option("Model Traces", MODEL_TRACES),),
    )
    headers = {**problem.headers, **({"HX-Retarget": "body", "HX-Reswap": "innerHTML"} if is_fragment(request) else {})}
    template = "message.html" if surround is None else "message_in_shell.html"
    return html(request, template, page, status=problem.status, headers=headers)
