"""`POST /api/v1/runs`: runs as JSON, one, an array, or NDJSON."""

from typing import Any

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response

from modeltraces.api import intake
from modeltraces.api.errors import Problem
from modeltraces.api.identity import Identity, Ingester
from modeltraces.api.otlp import defaults_of
from modeltraces.api.state import parts_of
from modeltraces.ingest.decoding import DecodedNative, decode_native
from modeltraces.ingest.native import Invalid
from modeltraces.ingest.recordings import Rejection, SourceDefaults
from modeltraces.ingest.writer import Batch
from modeltraces.parts import Parts
from modeltraces.run import ModelKind

router = APIRouter(tags=["ingest"])

_NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")


@router.post("/api/v1/runs", summary="Record runs")
async def post_runs(request: Request, identity: Ingester) -> Response:
    """Record one run (an object), many (an array), or NDJSON (`Content-Type: application/x-ndjson`).

    Only `model` is required. With `request_id` a run that is sent again replaces itself. Answers when the runs are on
    disk: `{"request_ids": […]}` of those accepted, in order; for an array also `{"rejected": [{"index", "reason"}]}`.
    A single run that cannot be taken is a 422.
    """
    parts, defaults = parts_of(request), defaults_of(identity)
    async with intake.counting_bad_bodies(parts, identity.account_id, "runs", defaults.key_name):
        decoded = await _take_in(request, parts, identity, defaults)
    accepted, rejected = decoded.accepted, decoded.rejected
    if rejected and not decoded.many:
        raise Problem(422, rejected[0][1])
    answer: dict[str, Any] = {"request_ids": [native.run.request_id for native in accepted]}
    if decoded.many:
        answer["rejected"] = [{"index": index, "reason": reason} for index, reason in rejected]
    return Response(orjson.dumps(answer), media_type="application/json")


async def _take_in(request: Request, parts: Parts, identity: Identity, defaults: SourceDefaults) -> DecodedNative:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in ("application/json", *_NDJSON):
        raise intake.BadBody(
            415, f"Content-Type {media_type[:80]!r} is not read here; send application/json or application/x-ndjson."
        )
    async with intake.body_of(request, parts) as body:
        try:
            decoded = await parts.decoders.run(
                decode_native, len(body.data),
                body.data, media_type in _NDJSON, identity.account_id, defaults, parts.limits,
            )  # fmt: skip
        except Invalid as error:
            raise intake.BadBody(400, f"{error}.") from error
        accepted, rejected = decoded.accepted, decoded.rejected
        kinds: dict[str, ModelKind] = {native.run.model: native.kind for native in accepted if native.kind is not None}
        batch = Batch(
            identity.account_id,
            "runs",
            [native.run for native in accepted],
            rejections=intake.rejection_rows(
                [Rejection(reason, f"index {index}") for index, reason in rejected],
                identity.account_id, "runs", defaults.key_name,
            ),
            given_ids=frozenset(native.run.request_id for native in accepted if native.given_id),
            key_name=defaults.key_name,
            kinds=kinds,
            rejected=len(rejected),
            size=len(body.data),
        )  # fmt: skip
        await intake.store(parts, batch)
    return decoded
