"""Contexts → HTML. Templates escape everything; an undefined name is an error."""

import gzip
import re
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from modeltraces.web.static import asset

_SMALLEST_TO_COMPRESS: Final = 1000
_LEVEL: Final = 5
"""A page of 50 runs takes about a millisecond at this level, and is a tenth of its size."""

_JOINT: Final = re.compile(r"(?<=[./_@])(?<!\d\.(?=\d))(?=[^./_@\s])")
"""Between the parts of a name or an address; not within `4.1` or `10.0.0.1`."""


def breakable(text: str) -> Markup:
    """The text as markup that a narrow place breaks after its dots, slashes and the like, before it breaks its words."""
    return Markup("<wbr>").join(escape(part) for part in _JOINT.split(text))


@cache
def environment() -> Environment:
    env = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
    )
    env.filters["breakable"] = breakable
    env.globals["asset"] = asset
    env.globals["m"] = env.get_template("macros.html").module
    return env


def script_json(value: Any) -> str:
    """JSON for a `<script type="application/json">`: nothing in it can end the element."""
    return orjson.dumps(value).decode().replace("<", "\\u003c")


def render(template: str, **context: Any) -> str:
    return environment().get_template(template).render(**context)


def html(
    request: Request, template: str, page: Any, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """The page as an answer, compressed if the browser takes that."""
    return html_of(request, render(template, page=page), status=status, headers=headers)


def html_of(request: Request, text: str, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    content = text.encode()
    own = {"vary": "accept-encoding, hx-request, hx-target, cookie", **(headers or {})}
    if len(content) >= _SMALLEST_TO_COMPRESS and "gzip" in request.headers.get("accept-encoding", ""):
        content = gzip.compress(content, _LEVEL, mtime=0)
        own["content-encoding"] = "gzip"
    return HTMLResponse(content, status, own)
