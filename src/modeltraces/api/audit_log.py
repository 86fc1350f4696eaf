"""`GET /api/v1/audit-log`: who changed what in the account, a page at a time or all of it as a file."""

import csv
import io
import json
from collections.abc import AsyncIterator, Collection, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.datastructures import QueryParams

from modeltraces.api.export import _ExportResponse as ExportResponse
from modeltraces.api.identity import Admin, Identity
from modeltraces.api.openapi import parameter, takes
from modeltraces.api.state import parts_of
from modeltraces.catalog import audit
from modeltraces.catalog.audit import AuditEntry, AuditFilter
from modeltraces.catalog.audit_actions import ACTIONS, check_action
from modeltraces.catalog.db import Catalog
from modeltraces.parts import Parts
from modeltraces.query.cursor import CursorError
from modeltraces.query.selection import DEFAULT_LIMIT, MAX_LIMIT, SelectionError, no_such_parameter, parse_limit
from modeltraces.query.times import parse_instant, rfc3339

log = structlog.get_logger(__name__)
router = APIRouter(prefix="/api/v1/audit-log", tags=["audit log"])

CSV_HEADER: Final = ("Time", "Actor", "Action", "Object", "Before", "After", "Entry")
# What a spreadsheet takes for the start of a formula, as in the export of runs; a test compares the two.
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001
MEDIA_TYPES: Final = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}

_FILTER_NAMES: Final = ("actor", "action", "object", "from", "to")
_LAST_ID: Final = 2**63 - 1

_FILTER: Final = [
    parameter("actor", "Who: an email, `key:NAME`, `cli`, `ingest` or `server`.", {"type": "string"}),
    parameter(
        "action",
        f"What was done: {', '.join(f'`{action}`' for action in ACTIONS)}; `key.*` is all that begins so. Others: 422.",
        {"type": "string"},
    ),
    parameter("object", "What it was done to; a part of it, in any case.", {"type": "string"}),
    parameter("from", "RFC 3339 with an offset; inclusive.", {"type": "string", "format": "date-time"}),
    parameter("to", "RFC 3339 with an offset; exclusive.", {"type": "string", "format": "date-time"}),
]
_PAGE: Final = [
    parameter(
        "limit", "Entries of a page.", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
    ),
    parameter("cursor", "`next_cursor` of the page before.", {"type": "string"}),
]
_FORMAT: Final = [
    parameter("format", "The file's format.", {"type": "string", "enum": list(MEDIA_TYPES), "default": "csv"})
]


@router.get("", summary="The audit log", openapi_extra=takes(_FILTER, _PAGE))
async def get_audit_log(request: Request, identity: Admin) -> Response:
    """`{entries: [{id, at, actor, action, object, before, after}], next_cursor}`, newest first.

    `before` and `after` are objects of the values that the change was about, or null.
    """
    params, parts = request.query_params, parts_of(request)
    filter = await _filter(parts, identity, params, ("limit", "cursor"))
    limit, before_id = parse_limit(params), _cursor(params.get("cursor"))

    def listed() -> bytes:
        found = audit.list_entries(parts.catalog, identity.account_id, filter, limit=limit + 1, before_id=before_id)
        shown = found[:limit]
        cursor = str(shown[-1].id) if len(found) > limit else None
        return _json({"entries": [entry_json(entry) for entry in shown], "next_cursor": cursor})

    return Response(await parts.workers.look_up(listed), media_type="application/json")


@router.get("/export", summary="Export the audit log", openapi_extra=takes(_FILTER, _FORMAT))
async def get_export(request: Request, identity: Admin) -> Response:
    """All entries that the filters let through, newest first, streamed. Cells that a spreadsheet would run as formulas
    get a leading apostrophe. A file that breaks off was broken off: ask again."""
    params, parts = request.query_params, parts_of(request)
    filter = await _filter(parts, identity, params, ("format",))
    format = params.get("format", "csv")
    if format not in MEDIA_TYPES:
        raise SelectionError("format", f"format must be one of {', '.join(MEDIA_TYPES)}.")
    pieces = _pieces(parts.catalog, identity.account_id, filter, format)
    # Made before the answer begins, so that a catalog that is away is an error like any other.
    first = await parts.workers.look_up(next, pieces, b"")

    async def body() -> AsyncIterator[bytes]:
        piece = first
        try:
            while piece:
                yield piece
                piece = await parts.workers.look_up(next, pieces, b"")
        except Exception as error:
            log.error("an export of the audit log broke off", error=str(error))
            raise

    async def finish() -> None:
        """Nothing is held between two pages."""

    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%SZ")
    return ExportResponse(
        body(),
        finish,
        parts.settings.export_idle_seconds,
        media_type=MEDIA_TYPES[format],
        headers={"Content-Disposition": f'attachment; filename="audit-log-{stamp}.{format}"'},
    )


async def _filter(parts: Parts, identity: Identity, params: QueryParams, also: Collection[str]) -> AuditFilter:
    filter = parse_filter(params, also)
    if filter.action:
        await parts.workers.look_up(check_action, parts.catalog, identity.account_id, filter.action)
    return filter


def parse_filter(params: QueryParams, also: Collection[str] = ()) -> AuditFilter:
    """The filter that query parameters say. `also`: names that the call itself takes.

    Raises SelectionError for anything that is unknown, repeated or wrong; nothing is ignored.
    """
    known = (*_FILTER_NAMES, *also)
    for name in params:
        if name not in known:
            raise no_such_parameter(name, known)
        if len(values := params.getlist(name)) > 1:
            raise SelectionError(name, f"{name} was given {len(values)} times; give it once.")
    start, end = _instant(params, "from"), _instant(params, "to")
    if start is not None and end is not None and start >= end:
        raise SelectionError("from", "from must lie before to.")
    return AuditFilter(_text(params, "actor"), _text(params, "action"), _text(params, "object"), start, end)


def entry_json(entry: AuditEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": rfc3339(entry.at_us),
        "actor": entry.actor,
        "action": entry.action,
        "object": entry.object,
        "before": entry.before,
        "after": entry.after,
    }


def _text(params: QueryParams, name: str) -> str:
    text = params.get(name)
    if text is None:
        return ""
    if not text:
        raise SelectionError(name, f"{name} is empty: say what it must be, or leave the parameter out for all.")
    if "\0" in text:
        raise SelectionError(name, f"{name} holds a NUL character, which no entry does.")
    if name == "action" and "*" in text[:-1]:
        raise SelectionError(name, "action may have a * at its end only, as in model.*.")
    return text


def _instant(params: QueryParams, name: str) -> int | None:
    text = params.get(name)
    try:
        return None if text is None else parse_instant(text)
    except ValueError as error:
        raise SelectionError(name, f"{name} {error}.") from error


def _cursor(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20 and 0 < int(text) <= _LAST_ID):
        raise CursorError("The cursor is not one of ours. Take next_cursor from the page before, or leave it out.")
    return int(text)


def _pieces(catalog: Catalog, account_id: str, filter: AuditFilter, format: str) -> Iterator[bytes]:
    if format == "jsonl":
        for page in audit.pages(catalog, account_id, filter):
            yield b"".join(_json(entry_json(entry)) + b"\n" for entry in page)
        return
    rows: list[tuple[str, ...]] = [CSV_HEADER]
    for page in audit.pages(catalog, account_id, filter):
        rows += [_cells(entry) for entry in page]
        yield _csv(rows)
        rows = []
    if rows:
        yield _csv(rows)


def _cells(entry: AuditEntry) -> tuple[str, ...]:
    before, after = ("" if value is None else _json(value).decode() for value in (entry.before, entry.after))
    texts = (entry.actor, entry.action, entry.object)
    return (rfc3339(entry.at_us), *(_harmless(text) for text in texts), before, after, str(entry.id))


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _csv(rows: list[tuple[str, ...]]) -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file).writerows(rows)
    return file.getvalue().encode("utf-8", "replace")


def _json(value: Any) -> bytes:
    # In JSON a lone surrogate, which UTF-8 does not have, is written as Python does: \ud800.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
