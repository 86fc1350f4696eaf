"""The shapes of the contract as JSON Schema, for the OpenAPI document; a test holds real answers against them."""

from typing import Any, Final

Schema = dict[str, Any]


def nullable(kind: str, **more: Any) -> Schema:
    return {"type": [kind, "null"], **more}


def _object(properties: Schema, *, optional: tuple[str, ...] = (), **more: Any) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        **more,
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_TEXT: Final[Schema] = {"type": "string"}
_INSTANT: Final[Schema] = {"type": "string", "format": "date-time"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_MAYBE_COUNT: Final = nullable("integer", minimum=0)
_MAYBE_MS: Final = nullable("number", minimum=0)
_MAYBE_TEXT: Final = nullable("string")
_STATUS: Final[Schema] = {"type": "string", "enum": ["success", "failed"]}
_KIND: Final[Schema] = {"type": "string", "enum": ["open_source", "fine_tuned", "external"]}

_RUN: Final[Schema] = {
    "request_id": _TEXT,
    "status": _STATUS,
    "model": _TEXT,
    "model_kind": {"anyOf": [_KIND, {"type": "null"}]},
    "base_model": _MAYBE_TEXT,
    "provider": _MAYBE_TEXT,
    "deployment_version": _MAYBE_TEXT,
    "connection_name": _MAYBE_TEXT,
    "operation": _MAYBE_TEXT,
    "response_time_ms": _MAYBE_MS,
    "response_time_clamped": {"type": "boolean"},
    "time_to_first_token_ms": _MAYBE_MS,
    "executed_on": _INSTANT,
    "source_type": _MAYBE_TEXT,
    "source": _MAYBE_TEXT,
    "input": _TEXT,
    "output": _TEXT,
    "input_tokens": _MAYBE_COUNT,
    "output_tokens": _MAYBE_COUNT,
    "cached_input_tokens": _MAYBE_COUNT,
    "reasoning_tokens": _MAYBE_COUNT,
    "finish_reasons": {"type": "array", "items": _TEXT},
    "streaming": {"type": "boolean"},
    "error": {
        "anyOf": [
            _object({"type": _MAYBE_TEXT, "message": _MAYBE_TEXT, "code": _MAYBE_TEXT}),
            {"type": "null"},
        ]
    },
    "trace_id": _MAYBE_TEXT,
    "span_id": _MAYBE_TEXT,
    "parent_span_id": _MAYBE_TEXT,
    "session_id": _MAYBE_TEXT,
    "user_id": _MAYBE_TEXT,
    "attributes": {"type": "object", "additionalProperties": _TEXT},
}
_NEW_RUN: Final[Schema] = {
    **{name: {} for name in _RUN if name not in ("response_time_clamped",)},
    **{"model": {"type": "string", "minLength": 1, "maxLength": 512}, "status": _STATUS, "model_kind": _KIND},
    **{
        "executed_on": _INSTANT,
        "request": {},
        "response": {},
        "cache_write_input_tokens": _COUNT,
        "response_id": _TEXT,
    },
}
_PERCENTILES: Final = _object(dict.fromkeys(("p50", "p90", "p99"), _MAYBE_MS))

SCHEMAS: Final[dict[str, Schema]] = {
    "Problem": _object(
        {
            "type": _TEXT,
            "title": _TEXT,
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "What is wrong, and what to do."},
            "parameter": {"type": "string", "description": "The parameter it is about."},
            "position": {"type": "integer", "description": "In a filter: where, counted from 0."},
            "expected": {"type": "array", "items": _TEXT, "description": "In a filter: what could stand there."},
        },
        optional=("detail", "parameter", "position", "expected"),
    ),
    "Run": _object({**_RUN, "request": {}, "response": {}}, description="One whole run."),
    "RunSummary": _object(
        {**_RUN, "input_truncated": {"type": "boolean"}, "output_truncated": {"type": "boolean"}},
        description="A run as lists carry it: the first 500 characters of input and output.",
    ),
    "NewRun": {"type": "object", "properties": _NEW_RUN, "required": ["model"]},
    "RunPage": _object({"runs": {"type": "array", "items": _ref("RunSummary")}, "next_cursor": _MAYBE_TEXT}),
    "Accepted": _object(
        {
            "request_ids": {"type": "array", "items": _TEXT},
            "rejected": {"type": "array", "items": _object({"index": _COUNT, "reason": _TEXT})},
        },
        optional=("rejected",),
    ),
    "Metrics": _object(
        {
            "total_requests": _COUNT,
            "failed_requests": _COUNT,
            "failure_rate": nullable("number", minimum=0, maximum=1),
            "response_time_ms": _PERCENTILES,
            "hosting_credits": nullable("number", minimum=0),
            "utilization": nullable("number", minimum=0),
            "input_tokens": _MAYBE_COUNT,
            "output_tokens": _MAYBE_COUNT,
            "total_requests_since_deployment": _COUNT,
        }
    ),
    "Series": _object(
        {
            "step_seconds": _COUNT,
            "points": {
                "type": "array",
                "items": _object(
                    {
                        "at": _INSTANT,
                        "total_requests": _COUNT,
                        "failed_requests": _COUNT,
                        "response_time_ms": _PERCENTILES,
                    }
                ),
            },
        }
    ),
    "Model": _object(
        {
            "name": _TEXT,
            "kind": _KIND,
            "base_model": _MAYBE_TEXT,
            "provider": _MAYBE_TEXT,
            "deployments": {"type": "array", "items": _object({"version": _TEXT, "created_on": _INSTANT})},
            "connections": {"type": "array", "items": _object({"name": _TEXT, "provider": _MAYBE_TEXT})},
            "first_run_on": nullable("string", format="date-time"),
        }
    ),
    "AuditEntry": _object(
        {
            "id": _COUNT,
            "at": _INSTANT,
            "actor": _TEXT,
            "action": _TEXT,
            "object": _TEXT,
            "before": nullable("object"),
            "after": nullable("object"),
        },
        description="A change: who did what to what, and the values that it was about.",
    ),
    "AuditLogPage": _object({"entries": {"type": "array", "items": _ref("AuditEntry")}, "next_cursor": _MAYBE_TEXT}),
    "Models": _object({"models": {"type": "array", "items": _ref("Model")}}),
}


def content(name: str, media_type: str = "application/json") -> Schema:
    """The `content` of a response or a body of that schema."""
    return {media_type: {"schema": _ref(name)}}
