"""OTLP requests from plain Python values."""

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from modeltraces.ingest.otlp.logs import contents_of_logs
from modeltraces.ingest.otlp.spans import runs_of_traces
from modeltraces.ingest.recordings import ContentPart, Decoded, Limits, SourceDefaults
from modeltraces.run import Run

NOW_US = 1_795_000_000_000_000
START_NS = (NOW_US - 60_000_000) * 1000
TRACE_ID = bytes(range(16))
SPAN_ID = bytes(range(1, 9))
CHAT: Mapping[str, Any] = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}


def any_value(value: Any) -> AnyValue:
    message = AnyValue()
    if isinstance(value, bool):
        message.bool_value = value
    elif isinstance(value, int):
        message.int_value = value
    elif isinstance(value, float):
        message.double_value = value
    elif isinstance(value, bytes):
        message.bytes_value = value
    elif isinstance(value, list | tuple):
        message.array_value.SetInParent()
        message.array_value.values.extend([any_value(item) for item in value])
    elif isinstance(value, dict):
        message.kvlist_value.SetInParent()
        message.kvlist_value.values.extend(key_values(value))
    elif value is not None:
        message.string_value = value
    return message


def key_values(attributes: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=name, value=any_value(value)) for name, value in attributes.items()]


def event(name: str, attributes: Mapping[str, Any], after_ms: float = 1.0) -> Span.Event:
    at_ns = START_NS + int(after_ms * 1e6)
    return Span.Event(name=name, time_unix_nano=at_ns, attributes=key_values(attributes))


def span(attributes: Mapping[str, Any], **more: Any) -> Span:
    """A span of 1.5 s; `more` are fields of the message, `events` among them."""
    fields: dict[str, Any] = {
        "trace_id": TRACE_ID,
        "span_id": SPAN_ID,
        "name": "chat gpt-4o",
        "kind": 3,
        "start_time_unix_nano": START_NS,
        "end_time_unix_nano": START_NS + 1_500_000_000,
        "attributes": key_values(attributes),
    }
    return Span(**(fields | more))


def traces(
    spans: Sequence[Span], resource: Mapping[str, Any] | None = None, scope: str = "test.scope"
) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.extend(key_values(resource or {"service.name": "weather-app"}))
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = scope
    scope_spans.spans.extend(spans)
    return request


def decode(
    *spans: Span,
    resource: Mapping[str, Any] | None = None,
    defaults: SourceDefaults | None = None,
    limits: Limits | None = None,
    scope: str = "test.scope",
) -> Decoded:
    return runs_of_traces(
        traces(spans, resource, scope),
        account_id="A",
        defaults=defaults or SourceDefaults(),
        limits=limits or Limits(),
        received_on_us=NOW_US,
    )


def run_of(attributes: Mapping[str, Any], *, limits: Limits | None = None, **more: Any) -> Run:
    """The one run of a span with these attributes."""
    decoded = decode(span(attributes, **more), limits=limits)
    assert not decoded.rejected
    assert len(decoded.runs) == 1
    return decoded.runs[0]


def chat(attributes: Mapping[str, Any] | None = None, *, limits: Limits | None = None, **more: Any) -> Run:
    """The run of an OpenTelemetry chat span of gpt-4o with these attributes beside."""
    return run_of({**CHAT, **(attributes or {})}, limits=limits, **more)


def log(name: str, body: Any = None, attributes: Mapping[str, Any] | None = None, **more: Any) -> LogRecord:
    fields: dict[str, Any] = {
        "trace_id": TRACE_ID,
        "span_id": SPAN_ID,
        "event_name": name,
        "time_unix_nano": START_NS,
        "body": any_value(body),
        "attributes": key_values(attributes or {}),
    }
    return LogRecord(**(fields | more))


def logs(*records: LogRecord) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.extend(records)
    return request


def decode_logs(*records: LogRecord, limits: Limits | None = None) -> Decoded:
    return contents_of_logs(logs(*records), account_id="A", limits=limits or Limits(), received_on_us=NOW_US)


def parts_of(*records: LogRecord, limits: Limits | None = None) -> list[ContentPart]:
    decoded = decode_logs(*records, limits=limits)
    assert not decoded.rejected
    return decoded.contents
