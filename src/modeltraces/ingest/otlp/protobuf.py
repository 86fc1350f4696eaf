"""OTLP protobuf → messages, without letting one bad span cost its whole batch.

The protobuf library refuses a message in which any string is not UTF-8, any value is nested too deeply, or any byte is
out of place. Emitters in languages whose strings are bytes do send such. So a body that is refused is walked field by
field: broken characters are replaced, and a span or log record that cannot be walked becomes one that `spans`/`logs`
refuse with a reason.
"""

from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from modeltraces.ingest.otlp.density import check_protobuf
from modeltraces.ingest.otlp.json import MALFORMED

MAX_REPAIRED_BYTES: Final = 8 * 1024 * 1024
"""Walking costs some hundred times as much as parsing; exporters' batches are smaller, and an attacker's are not."""
_MAX_DEPTH: Final = 80
"""Levels of messages; the library parses 100."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_ISOLATED: Final[dict[str, type[Span] | type[LogRecord]]] = {
    Span.DESCRIPTOR.full_name: Span,
    LogRecord.DESCRIPTOR.full_name: LogRecord,
}


def traces_from_protobuf(body: bytes) -> ExportTraceServiceRequest:
    """The request. Raises google.protobuf.message.DecodeError for a body that is no such message, ValueError for one
    that unfolds too much."""
    check_protobuf(body, ExportTraceServiceRequest.DESCRIPTOR)
    try:
        return ExportTraceServiceRequest.FromString(body)
    except DecodeError as error:
        return ExportTraceServiceRequest.FromString(_repaired(body, ExportTraceServiceRequest, error))


def logs_from_protobuf(body: bytes) -> ExportLogsServiceRequest:
    """The request. Raises google.protobuf.message.DecodeError for a body that is no such message, ValueError for one
    that unfolds too much."""
    check_protobuf(body, ExportLogsServiceRequest.DESCRIPTOR)
    try:
        return ExportLogsServiceRequest.FromString(body)
    except DecodeError as error:
        return ExportLogsServiceRequest.FromString(_repaired(body, ExportLogsServiceRequest, error))


def _repaired(body: bytes, kind: Any, refusal: DecodeError) -> bytes:
    if len(body) > MAX_REPAIRED_BYTES:
        raise refusal
    try:
        return _walk(body, kind.DESCRIPTOR, 0)
    except ValueError:
        raise refusal from None


def _walk(data: bytes, descriptor: Any, depth: int) -> bytes:
    """The message's bytes with every string valid. Raises ValueError where the bytes are no message."""
    if depth > _MAX_DEPTH:
        raise ValueError("It is nested too deeply.")
    fields = descriptor.fields_by_number
    out = bytearray()
    at = 0
    while at < len(data):
        start = at
        tag, at = _varint(data, at)
        field = fields.get(tag >> 3)
        wire_type = tag & 7
        if wire_type == _VARINT:
            _, at = _varint(data, at)
        elif wire_type == _FIXED64:
            at += 8
        elif wire_type == _FIXED32:
            at += 4
        elif wire_type == _BYTES:
            size, at = _varint(data, at)
            value = data[at : at + size]
            at += size
            if at > len(data):
                raise ValueError("It is cut short.")
            if field is not None:
                out += _encoded(tag) + _with_length(_mended(value, field, depth))
            continue
        else:
            raise ValueError(f"It holds a field of the unknown wire type {wire_type}.")
        if at > len(data):
            raise ValueError("It is cut short.")
        out += data[start:at]
    return bytes(out)


def _mended(value: bytes, field: Any, depth: int) -> bytes:
    if field.type == FieldDescriptor.TYPE_STRING:
        return value.decode(errors="replace").encode()
    if field.type != FieldDescriptor.TYPE_MESSAGE:
        return value
    kind = _ISOLATED.get(field.message_type.full_name)
    if kind is None:
        return _walk(value, field.message_type, depth + 1)
    try:
        return _walk(value, field.message_type, depth + 1)
    except ValueError as error:
        reason = f"The {field.message_type.name} is malformed: {error}"
        attribute = KeyValue(key=MALFORMED, value=AnyValue(string_value=reason))
        return kind(attributes=[attribute]).SerializeToString()


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("It is cut short.")


def _encoded(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _with_length(value: bytes) -> bytes:
    return _encoded(len(value)) + value
