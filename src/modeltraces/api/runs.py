"""What is asked of runs: metrics, series, the table, one run, the export, the live view."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from modeltraces.api import live
from modeltraces.api.errors import Problem
from modeltraces.api.export import export_response
from modeltraces.api.hosting import deployed_since, hosting_json, hosting_of
from modeltraces.api.identity import Identity, Reader
from modeltraces.api.openapi import ORDER, PAGE, SELECTION, parameter, takes
from modeltraces.api.run_json import ModelFacts, run_json, summary_json
from modeltraces.api.state import parts_of
from modeltraces.catalog.models import ModelEntry
from modeltraces.parts import Parts
from modeltraces.query.filters import FilterContext
from modeltraces.query.metrics import Percentiles, metrics, requests_since_deployment
from modeltraces.query.runs import get_run, list_runs
from modeltraces.query.selection import Selection, SelectionError, parse_limit, parse_selection
from modeltraces.query.series import Point, series
from modeltraces.query.series_by import COMPARABLE, MAX_GROUPS, series_by
from modeltraces.query.times import rfc3339
from modeltraces.run import now_us

router = APIRouter(prefix="/api/v1", tags=["runs"])

UNKNOWN_MODEL: Final = "x-unknown-model"
_UNKNOWN_BYTES: Final = 1000
"""A header: the models of the selection that the catalog does not have, percent-encoded."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A selection, and what the catalog adds to it."""

    parts: Parts
    selection: Selection
    context: FilterContext
    facts: ModelFacts
    entries: list[ModelEntry]

    @property
    def headers(self) -> dict[str, str]:
        """The contract fixes the answers; who misspelt a model is told beside them that the catalog has none of it."""
        unknown = [name for name in self.selection.models if name not in self.facts.kinds]
        return {UNKNOWN_MODEL: _listed(unknown)} if unknown else {}


def _listed(names: Sequence[str]) -> str:
    told: list[str] = []
    for name in names:
        told.append(quote(name, safe=""))
        if len(", ".join(told)) > _UNKNOWN_BYTES:
            # A line that is too long would cost the whole answer at a proxy.
            return ", ".join([*told[:-1], "..."])
    return ", ".join(told)


async def asked(request: Request, identity: Identity, also: Collection[str] = ()) -> Asked:
    """The selection of the query string. Raises SelectionError."""
    parts = parts_of(request)
    selection = parse_selection(request.query_params, account_id=identity.account_id, now_us=now_us(), also=also)
    entries = await parts.workers.look_up(parts.registry.list_models, identity.account_id, archived=True)
    facts = ModelFacts.of(entries)
    return Asked(parts, selection, facts.context, facts, entries)


def json_response(value: Any, headers: Mapping[str, str]) -> Response:
    return Response(orjson.dumps(value), media_type="application/json", headers=headers)


def percentiles_json(percentiles: Percentiles) -> dict[str, float | None]:
    return {"p50": percentiles.p50, "p90": percentiles.p90, "p99": percentiles.p99}


@router.get("/metrics", summary="Metrics of a selection", openapi_extra=takes(SELECTION))
async def get_metrics(request: Request, identity: Reader) -> Response:
    """Counts, failure rate (0 to 1), response time percentiles (ms), tokens (null: unknown) and hosting credits.

    Percentiles are exact up to 10 000 runs and within 1 % above. `hosting_credits`: the sum, over the deployments' hosted
    intervals, of hours in the period, replicas and credits per replica-hour; `utilization`: response time per hosted
    replica time; both null for external models and where no hosting was entered. A filter by version narrows both.
    `hosted_models`: how many models they cover.
    """
    ask = await asked(request, identity)
    hosting = hosting_of(ask.selection, ask.entries)
    query, store = ask.parts.workers.query, ask.parts.store
    found, since = await asyncio.gather(
        query(metrics, store, ask.selection, ask.context, hosting.names),
        query(requests_since_deployment, store, ask.selection, ask.context, deployed_since(ask.entries)),
    )
    return json_response(
        {
            "total_requests": found.total_requests,
            "failed_requests": found.failed_requests,
            "failure_rate": found.failure_rate,
            "response_time_ms": percentiles_json(found.response_time_ms),
            **hosting_json(hosting, found),
            "input_tokens": found.input_tokens,
            "output_tokens": found.output_tokens,
            "total_requests_since_deployment": since,
        },
        ask.headers,
    )


_SERIES = [
    parameter(
        "step_seconds",
        "Seconds of a step; chosen for at most 200 points when absent.",
        {"type": "integer", "minimum": 1},
    ),
    parameter("tz", "IANA time zone in which steps of days begin; UTC when absent.", {"type": "string"}),
    parameter(
        "by",
        f"One series for each value of this field, beside each other: the {MAX_GROUPS} with most requests.",
        {"type": "string", "enum": list(COMPARABLE)},
    ),
]


@router.get("/metrics/series", summary="Metrics over time", openapi_extra=takes(SELECTION, _SERIES))
async def get_series(request: Request, identity: Reader) -> Response:
    """`{step_seconds, points: [{at, total_requests, failed_requests, response_time_ms: {p50, p90, p99}}]}`, empty steps too.

    With `by` (compare v1 with v2): `{step_seconds, groups: [{name, total_requests, points}], left_out}`.
    """
    ask = await asked(request, identity, also=("step_seconds", "tz", "by"))
    step, tz, by = _step(request), zone_of(request), request.query_params.get("by")
    asking = ask.parts.store, ask.selection, ask.context
    if by is not None:
        groups = await ask.parts.workers.query(partial(series_by, by=by, step_seconds=step, tz=tz), *asking)
        return json_response(
            {
                "step_seconds": groups.step_seconds,
                "groups": [
                    {
                        "name": group.name or None,
                        "total_requests": group.total_requests,
                        "points": points_json(group.points),
                    }
                    for group in groups.groups
                ],
                "left_out": groups.left_out,
            },
            ask.headers,
        )
    found = await ask.parts.workers.query(partial(series, step_seconds=step, tz=tz), *asking)
    return json_response({"step_seconds": found.step_seconds, "points": points_json(found.points)}, ask.headers)


def points_json(points: Sequence[Point]) -> list[dict[str, Any]]:
    return [
        {
            "at": rfc3339(point.at_us),
            "total_requests": point.total_requests,
            "failed_requests": point.failed_requests,
            "response_time_ms": percentiles_json(point.response_time_ms),
        }
        for point in points
    ]


def _step(request: Request) -> int | None:
    text = request.query_params.get("step_seconds")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 12 and int(text) > 0):
        raise SelectionError("step_seconds", "step_seconds must be a whole number of seconds, at least 1.")
    return int(text)


def zone_of(request: Request) -> ZoneInfo | None:
    """The zone of the parameter `tz`. Raises SelectionError."""
    name = request.query_params.get("tz")
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        raise SelectionError("tz", "tz must be an IANA time zone such as Europe/Berlin.") from error


@router.get("/runs", summary="A page of runs", openapi_extra=takes(SELECTION, ORDER, PAGE))
async def get_runs(request: Request, identity: Reader) -> Response:
    """`{runs, next_cursor}` in the order asked for. Input and output are cut at 500 characters (`…_truncated` say so)."""
    ask = await asked(request, identity)
    limit, cursor = parse_limit(request.query_params), request.query_params.get("cursor")

    def listed() -> bytes:
        page = list_runs(
            ask.parts.store, ask.selection, ask.context, limit=limit, cursor=cursor, secret=ask.parts.secret
        )
        # A thousand runs with their attributes may be megabytes: written here, not on the event loop.
        runs = [summary_json(run, ask.facts) for run in page.runs]
        return orjson.dumps({"runs": runs, "next_cursor": page.next_cursor})

    return Response(await ask.parts.workers.query(listed), media_type="application/json", headers=ask.headers)


_FORMAT = [
    parameter(
        "format", "The file's format.", {"type": "string", "enum": ["csv", "jsonl", "parquet"], "default": "csv"}
    ),
    parameter("tz", "IANA time zone of the times in a CSV; UTC when absent.", {"type": "string"}),
    parameter(
        "raw",
        "`1`: leave cells that a spreadsheet would run as formulas as they are.",
        {"type": "string", "enum": ["0", "1"]},
    ),
]


@router.get("/runs/export", summary="Export runs", openapi_extra=takes(SELECTION, ORDER, _FORMAT))
async def get_export(request: Request, identity: Reader) -> Response:
    """All runs of the selection, whole input and output, streamed. A file that breaks off was broken off: ask again."""
    if not identity.may_export:
        raise Problem(403, "Viewers may not export. Ask an owner or admin of the account for another role.")
    ask = await asked(request, identity, also=("format", "tz", "raw"))
    return await export_response(
        ask.parts, request.scope, ask.selection, ask.context,
        format=request.query_params.get("format", "csv"), zone=zone_of(request),
        raw=request.query_params.get("raw", "0"), headers=ask.headers,
    )  # fmt: skip


@router.get("/runs/stream", summary="New runs as they land", openapi_extra=takes(SELECTION))
async def get_stream(request: Request, identity: Reader) -> Response:
    """Server-sent events: `event: run`, a run as in `/runs` as its data, and an id where Last-Event-ID resumes there."""
    ask = await asked(request, identity)
    return StreamingResponse(
        live.events(request, ask.parts, ask.selection),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no", **ask.headers},
    )


@router.get("/runs/{request_id:path}", summary="One whole run")
async def get_one(request: Request, request_id: str, identity: Reader) -> Response:
    """The run with its payloads. The id of a recording that was folded into another leads to that one."""
    parts = parts_of(request)
    entries = await parts.workers.look_up(parts.registry.list_models, identity.account_id, archived=True)

    def whole() -> bytes | None:
        run = get_run(parts.store, identity.account_id, request_id)
        # Payloads may be megabytes: they are read and written here, not on the event loop.
        return None if run is None else orjson.dumps(run_json(run, ModelFacts.of(entries)))

    content = await parts.workers.query(whole)
    if content is None:
        raise Problem(404, "This account has no run of that Request ID.")
    return Response(content, media_type="application/json")
