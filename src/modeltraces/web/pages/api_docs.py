"""`/api/v1/docs`: the OpenAPI document as a page of ours: no third-party viewer, so no script and style from elsewhere."""

import re
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import Response

from modeltraces.web.shell import theme
from modeltraces.web.templating import html_of, render

router = APIRouter(include_in_schema=False)

_CODE = re.compile(r"`([^`]+)`")
_TITLES = {"ingest": "Sending runs", "runs": "Asking for runs", "models": "Models", "health": "The process"}


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    place: str
    required: bool
    takes: str
    description: Markup


@dataclass(frozen=True, slots=True)
class Operation:
    id: str
    method: str
    path: str
    summary: str
    paragraphs: tuple[Markup, ...]
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class Section:
    id: str
    title: str
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class ApiDocsPage:
    theme: str
    version: str
    introduction: tuple[Markup, ...]
    sections: tuple[Section, ...]


@router.get("/api/v1/docs")
async def api_docs(request: Request) -> Response:
    page = page_of(request.app.openapi(), theme(request))
    return html_of(request, render("api_docs.html", page=page, theme=page.theme))


def page_of(document: dict[str, Any], theme: str) -> ApiDocsPage:
    grouped: dict[str, list[Operation]] = {}
    for path, verbs in document["paths"].items():
        for method, operation in verbs.items():
            tag = (operation.get("tags") or ["other"])[0]
            grouped.setdefault(tag, []).append(_operation(method.upper(), path, operation))
    order = [*_TITLES, *sorted(grouped.keys() - _TITLES.keys())]
    return ApiDocsPage(
        theme,
        document["info"]["version"],
        _paragraphs(document["info"].get("description", "")),
        tuple(Section(tag, _TITLES.get(tag, tag), tuple(grouped[tag])) for tag in order if tag in grouped),
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> Operation:
    return Operation(
        re.sub(r"\W+", "-", f"{method}{path}".lower()).strip("-"),
        method,
        path,
        operation.get("summary", ""),
        _paragraphs(operation.get("description", "")),
        tuple(
            Parameter(
                one["name"],
                one["in"],
                bool(one.get("required")),
                _takes(one.get("schema", {})),
                _marked(one.get("description", "")),
            )
            for one in operation.get("parameters", ())
        ),
    )


def _takes(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        kinds = ", ".join(map(str, schema["enum"]))
    else:
        kinds = str(schema.get("format") or schema.get("type", ""))
    return f"{kinds}; default {schema['default']}" if "default" in schema else kinds


def _paragraphs(text: str) -> tuple[Markup, ...]:
    return tuple(_marked(" ".join(part.split())) for part in text.split("\n\n") if part.strip())


def _marked(text: str) -> Markup:
    """Escaped, with `code` as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))
