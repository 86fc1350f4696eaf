"""OTLP bodies between protobuf and OTLP/JSON, whose ids are hex; protobuf's own JSON has them in base64."""

import base64
import json
from collections.abc import Callable
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

REQUESTS: dict[
    str, type[ExportTraceServiceRequest] | type[ExportLogsServiceRequest] | type[ExportMetricsServiceRequest]
] = {
    "traces": ExportTraceServiceRequest,
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}
ID_KEYS = frozenset({"traceId", "spanId", "parentSpanId"})


def signal_of(path: str) -> str:
    """`traces`, `logs` or `metrics`, from a request's path."""
    return path.rsplit("/", 1)[-1]


def _map_ids(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {
            key: change(part) if key in ID_KEYS and isinstance(part, str) else _map_ids(part, change)
            for key, part in value.items()
        }
    if isinstance(value, list):
        return [_map_ids(part, change) for part in value]
    return value


def to_json(path: str, content_type: str, body: bytes) -> dict[str, Any]:
    """The request as OTLP/JSON, whichever of the two forms it came in."""
    if content_type == "application/json":
        parsed: dict[str, Any] = json.loads(body)
        return parsed
    message = REQUESTS[signal_of(path)]()
    message.ParseFromString(body)
    as_dict = MessageToDict(message, use_integers_for_enums=True)
    changed: dict[str, Any] = _map_ids(as_dict, lambda text: base64.b64decode(text).hex())
    return changed


def from_json(path: str, content_type: str, body: dict[str, Any]) -> bytes:
    """The bytes to send: the reverse of `to_json`."""
    if content_type == "application/json":
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    with_base64 = _map_ids(body, lambda text: base64.b64encode(bytes.fromhex(text)).decode())
    message = ParseDict(with_base64, REQUESTS[signal_of(path)](), ignore_unknown_fields=True)
    return bytes(message.SerializeToString())
