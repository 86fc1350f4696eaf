"""The shapes of the contract as JSON Schema, for the OpenAPI document; a test holds real answers against them."""

from typing import Final

from modeltraces.api.catalog_schemas import CATALOG_SCHEMAS
from modeltraces.api.key_schemas import KEY_SCHEMAS
from modeltraces.api.matching_schemas import MATCHING_SCHEMAS
from modeltraces.api.retention_schemas import RETENTION_SCHEMAS
from modeltraces.api.shapes import (
    COUNT,
    INSTANT,
    KIND,
    MAYBE_COUNT,
    MAYBE_INSTANT,
    MAYBE_MS,
    MAYBE_TEXT,
    TEXT,
    Schema,
    listed,
    nullable,
    reference,
    shaped,
)

_STATUS: Final[Schema] = {"type": "string", "enum": ["success", "failed"]}

_RUN: Final[Schema] = {
    "request_id": TEXT,
    "status": _STATUS,
    "model": TEXT,
    "model_kind": {"anyOf": [KIND, {"type": "null"}]},
    "base_model": MAYBE_TEXT,
    "provider": MAYBE_TEXT,
    "deployment_version": MAYBE_TEXT,
    "connection_name": MAYBE_TEXT,
    "operation": MAYBE_TEXT,
    "response_time_ms": MAYBE_MS,
    "response_time_clamped": {"type": "boolean"},
    "time_to_first_token_ms": MAYBE_MS,
    "executed_on": INSTANT,
    "source_type": MAYBE_TEXT,
    "source": MAYBE_TEXT,
    "input": TEXT,
    "output": TEXT,
    "input_tokens": MAYBE_COUNT,
    "output_tokens": MAYBE_COUNT,
    "cached_input_tokens": MAYBE_COUNT,
    "reasoning_tokens": MAYBE_COUNT,
    "finish_reasons": {"type": "array", "items": TEXT},
    "streaming": {"type": "boolean"},
    "error": {
        "anyOf": [
            shaped({"type": MAYBE_TEXT, "message": MAYBE_TEXT, "code": MAYBE_TEXT}),
            {"type": "null"},
        ]
    },
    "trace_id": MAYBE_TEXT,
    "span_id": MAYBE_TEXT,
    "parent_span_id": MAYBE_TEXT,
    "session_id": MAYBE_TEXT,
    "user_id": MAYBE_TEXT,
    "attributes": {"type": "object", "additionalProperties": TEXT},
    "payload_removed_on": MAYBE_INSTANT,
}
_NEW_RUN: Final[Schema] = {
    **{name: {} for name in _RUN if name not in ("response_time_clamped", "payload_removed_on")},
    **{"model": {"type": "string", "minLength": 1, "maxLength": 512}, "status": _STATUS, "model_kind": KIND},
    **{
        "executed_on": INSTANT,
        "request": {},
        "response": {},
        "cache_write_input_tokens": COUNT,
        "response_id": TEXT,
    },
}
_PERCENTILES: Final = shaped(dict.fromkeys(("p50", "p90", "p99"), MAYBE_MS))

SCHEMAS: Final[dict[str, Schema]] = {
    "Problem": shaped(
        {
            "type": TEXT,
            "title": TEXT,
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "What is wrong, and what to do."},
            "parameter": {"type": "string", "description": "The parameter it is about."},
            "position": {"type": "integer", "description": "In a filter: where, counted from 0."},
            "expected": {"type": "array", "items": TEXT, "description": "In a filter: what could stand there."},
        },
        optional=("detail", "parameter", "position", "expected"),
    ),
    "Run": shaped({**_RUN, "request": {}, "response": {}}, description="One whole run."),
    "RunSummary": shaped(
        {**_RUN, "input_truncated": {"type": "boolean"}, "output_truncated": {"type": "boolean"}},
        description="A run as lists carry it: the first 500 characters of input and output.",
    ),
    "NewRun": {"type": "object", "properties": _NEW_RUN, "required": ["model"]},
    "RunPage": shaped({"runs": {"type": "array", "items": reference("RunSummary")}, "next_cursor": MAYBE_TEXT}),
    "Accepted": shaped(
        {
            "request_ids": {"type": "array", "items": TEXT},
            "rejected": {"type": "array", "items": shaped({"index": COUNT, "reason": TEXT})},
        },
        optional=("rejected",),
    ),
    "Metrics": shaped(
        {
            "total_requests": COUNT,
            "failed_requests": COUNT,
            "failure_rate": nullable("number", minimum=0, maximum=1),
            "response_time_ms": _PERCENTILES,
            "hosting_credits": nullable("number", minimum=0),
            "utilization": nullable("number", minimum=0),
            "credits_per_1000_requests": nullable("number", minimum=0),
            "hosted_models": COUNT,
            "input_tokens": MAYBE_COUNT,
            "output_tokens": MAYBE_COUNT,
            "total_requests_since_deployment": COUNT,
        }
    ),
    "Point": shaped(
        {"at": INSTANT, "total_requests": COUNT, "failed_requests": COUNT, "response_time_ms": _PERCENTILES}
    ),
    "Series": shaped(
        {
            "step_seconds": COUNT,
            "points": listed(reference("Point")),
            "groups": listed(
                shaped({"name": MAYBE_TEXT, "total_requests": COUNT, "points": listed(reference("Point"))})
            ),
            "left_out": COUNT,
        },
        optional=("points", "groups", "left_out"),
        description="One series in `points`; with `by`, one for each value in `groups`.",
    ),
    **CATALOG_SCHEMAS,
    **MATCHING_SCHEMAS,
    **KEY_SCHEMAS,
    **RETENTION_SCHEMAS,
}


def content(name: str, media_type: str = "application/json") -> Schema:
    """The `content` of a response or a body of that schema."""
    return {media_type: {"schema": reference(name)}}
