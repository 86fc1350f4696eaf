"""OTLP exports as tests need them: built from plain values, sent as any exporter would."""

import secrets
import time
from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}


def any_value(value: Any) -> AnyValue:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case list() | tuple():
            built = AnyValue()
            built.array_value.values.extend(any_value(part) for part in value)
            return built
        case dict():
            built = AnyValue()
            built.kvlist_value.values.extend(key_values(value))
            return built
    return AnyValue(string_value=str(value))


def key_values(values: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=name, value=any_value(value)) for name, value in values.items()]


def genai_span(
    model: str = "gpt-4o",
    *,
    start_ns: int | None = None,
    ms: float = 250,
    trace_id: bytes = b"",
    span_id: bytes = b"",
    parent: bytes = b"",
    error: str = "",
    **attributes: Any,
) -> Span:
    """One chat span of the current GenAI conventions; `attributes` replace `.` by `__` (`gen_ai__usage__input_tokens`)."""
    start = time.time_ns() if start_ns is None else start_ns
    values: dict[str, Any] = {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": model,
        **{name.replace("__", "."): value for name, value in attributes.items()},
    }  # fmt: skip
    if error:
        values["error.type"] = error
    return Span(
        trace_id=trace_id or secrets.token_bytes(16),
        span_id=span_id or secrets.token_bytes(8),
        parent_span_id=parent,
        name=f"chat {model}",
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=start,
        end_time_unix_nano=start + int(ms * 1e6),
        attributes=key_values(values),
        status=Status(code=Status.STATUS_CODE_ERROR if error else Status.STATUS_CODE_UNSET),
    )


def messages(role: str, text: str) -> str:
    import orjson

    return orjson.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}]).decode()


def traces(*spans: Span, service: str = "shop", scope: str = "test.instrumentation") -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.extend(key_values({"service.name": service}))
    scoped = resource.scope_spans.add()
    scoped.scope.name = scope
    scoped.spans.extend(spans)
    return request


def log_record(
    event: str, body: Any, *, trace_id: bytes, span_id: bytes, at_ns: int | None = None, **attributes: Any
) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    record = resource.scope_logs.add().log_records.add()
    record.event_name = event
    record.time_unix_nano = time.time_ns() if at_ns is None else at_ns
    record.trace_id, record.span_id = trace_id, span_id
    if body is not None:
        record.body.CopyFrom(any_value(body))
    record.attributes.extend(
        key_values({"event.name": event, **{name.replace("__", "."): value for name, value in attributes.items()}})
    )
    return request
