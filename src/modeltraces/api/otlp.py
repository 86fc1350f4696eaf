"""OTLP/HTTP: `POST /v1/traces`, `POST /v1/logs`, and the address that Langfuse's SDKs post to.

Answers as the OTLP specification 1.x says, in the encoding that was sent: 200 when the runs are on disk, with
`partial_success` for the spans that were malformed; 503 with Retry-After when more waits than fits.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceResponse,
)

from modeltraces.api import intake
from modeltraces.api.identity import Identity, Ingester, require
from modeltraces.api.state import parts_of
from modeltraces.ingest.decoding import decode_logs, decode_traces
from modeltraces.ingest.recordings import Decoded, Limits, SourceDefaults

router = APIRouter(tags=["ingest"])
LangfuseSender = Annotated[Identity, Depends(require("ingest", basic=True))]

_PROTOBUF: Final = ("application/x-protobuf", "application/protobuf")
_JSON: Final = "application/json"


def defaults_of(identity: Identity) -> SourceDefaults:
    key = identity.key
    if key is None:
        return SourceDefaults()
    return SourceDefaults(key.default_source_type, key.default_source, key.name)


@router.post("/v1/traces", summary="OTLP/HTTP traces")
async def post_traces(request: Request, identity: Ingester) -> Response:
    """Every span that records a model call becomes a run; the others are left. Protobuf or JSON, gzip or deflate."""
    return await _traces(request, identity)


@router.post("/api/public/otel/v1/traces", summary="OTLP/HTTP traces, for Langfuse SDKs")
async def post_langfuse_traces(request: Request, identity: LangfuseSender) -> Response:
    """As `/v1/traces`, with Basic authentication: any user name, a key of ours for the password."""
    return await _traces(request, identity)


async def _traces(request: Request, identity: Identity) -> Response:
    decoded, as_json = await _take_in(request, identity, "traces", decode_traces)
    answer = ExportTraceServiceResponse()
    if decoded.rejected:
        answer.partial_success.rejected_spans = len(decoded.rejected)
        answer.partial_success.error_message = intake.summary_of(decoded.rejected)
    return _answer(answer, as_json)


@router.post("/v1/logs", summary="OTLP/HTTP logs")
async def post_logs(request: Request, identity: Ingester) -> Response:
    """Log records that carry the content of a model call are joined to its run, whichever comes first."""
    decoded, as_json = await _take_in(request, identity, "logs", decode_logs)
    answer = ExportLogsServiceResponse()
    if decoded.rejected:
        answer.partial_success.rejected_log_records = len(decoded.rejected)
        answer.partial_success.error_message = intake.summary_of(decoded.rejected)
    return _answer(answer, as_json)


async def _take_in(
    request: Request,
    identity: Identity,
    signal: str,
    decode: Callable[[bytes, bool, str, SourceDefaults, Limits], Decoded],
) -> tuple[Decoded, bool]:
    parts, defaults = parts_of(request), defaults_of(identity)
    async with intake.counting_bad_bodies(parts, identity.account_id, signal, defaults.key_name):
        as_json = _is_json(request)
        async with intake.body_of(request, parts) as body:
            try:
                decoded = await parts.decoders.run(
                    decode, len(body.data), body.data, as_json, identity.account_id, defaults, parts.limits
                )
            except (DecodeError, ValueError) as error:
                raise intake.not_an_export(signal, as_json, error) from error
            await intake.store(
                parts, intake.batch_of(decoded, identity.account_id, signal, defaults.key_name, len(body.data))
            )
    return decoded, as_json


def _is_json(request: Request) -> bool:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == _JSON:
        return True
    if media_type in _PROTOBUF:
        return False
    raise intake.BadBody(
        415,
        f"Content-Type {media_type[:80]!r} is not read here; OTLP/HTTP sends application/x-protobuf or application/json.",
    )


def _answer(message: Message, as_json: bool) -> Response:
    if as_json:
        content: Any = json_format.MessageToJson(message, indent=None)
        return Response(content, media_type=_JSON)
    return Response(message.SerializeToString(), media_type=_PROTOBUF[0])
