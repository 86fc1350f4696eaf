"""OTLP/JSON → the same messages that protobuf gives.

It differs from protobuf's own JSON form: ids are hex. Names may be lowerCamelCase or the original; 64-bit integers may
be numbers or strings; unknown fields are ignored. One span or log record that is malformed becomes one that
`spans`/`logs` refuse with the reason given here, so that the others of its request are kept.
"""

import base64
import binascii
import contextlib
import math
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from modeltraces.ingest.otlp.density import check_json
from modeltraces.ingest.otlp.payloads import clean, load

MALFORMED: Final = "modeltraces.malformed"
"""Attribute that bears the reason in the place of a malformed span or log record; it has no ids."""
MAX_DEPTH: Final = 64
_ISOLATED: Final = frozenset({"opentelemetry.proto.trace.v1.Span", "opentelemetry.proto.logs.v1.LogRecord"})
_IDS: Final = frozenset({"trace_id", "span_id", "parent_span_id"})
_INTEGERS: Final[dict[int, tuple[int, int]]] = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SINT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_SINT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_FIXED32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.TYPE_FIXED64: (0, 2**64 - 1),
}
_FLOATS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

_Field = tuple[str, Any, bool]
"""Name in Python, descriptor (whose stubs know only half of what upb gives), whether it is a list."""
_tables: dict[str, dict[str, _Field]] = {}


def traces_from_json(body: bytes) -> ExportTraceServiceRequest:
    """The request. Raises ValueError, saying where, for a body that is no OTLP/JSON of traces."""
    return ExportTraceServiceRequest(**_request(body, ExportTraceServiceRequest))


def logs_from_json(body: bytes) -> ExportLogsServiceRequest:
    """The request. Raises ValueError, saying where, for a body that is no OTLP/JSON of logs."""
    return ExportLogsServiceRequest(**_request(body, ExportLogsServiceRequest))


def _request(body: bytes, kind: type[Message]) -> dict[str, Any]:
    check_json(body)
    try:
        try:
            value = load(body)
        except UnicodeDecodeError:
            # One broken character must not cost the whole batch.
            value = load(body.decode(errors="replace"))
    except ValueError as error:
        raise ValueError(f"The body is no valid JSON: {error}") from error
    return _message(value, kind.DESCRIPTOR, "", 0)


def _fields(descriptor: Any) -> dict[str, _Field]:
    table = _tables.get(descriptor.full_name)
    if table is None:
        table = {}
        for field in descriptor.fields:
            table[field.name] = table[field.json_name] = (field.name, field, field.is_repeated)
        _tables[descriptor.full_name] = table
    return table


def _message(value: Any, descriptor: Any, where: str, depth: int) -> dict[str, Any]:
    if type(value) is not dict:
        raise ValueError(f"{where or 'The body'} must be a JSON object.")
    if depth > MAX_DEPTH:
        raise ValueError(f"{where[:200]} is nested too deeply: at most {MAX_DEPTH} levels are read.")
    table = _fields(descriptor)
    result: dict[str, Any] = {}
    for key, part in value.items():
        known = table.get(key)
        if known is None or part is None:
            continue
        name, field, is_repeated = known
        if not is_repeated:
            result[name] = _value(part, field, f"{where}.{key}" if where else key, depth)
        elif type(part) is list:
            path = f"{where}.{key}" if where else key
            result[name] = [_value(item, field, f"{path}[{number}]", depth) for number, item in enumerate(part)]
        else:
            raise ValueError(f"{where}.{key} must be a JSON array.".lstrip("."))
    return result


def _value(value: Any, field: Any, where: str, depth: int) -> Any:
    kind = field.type
    if kind == FieldDescriptor.TYPE_STRING:
        if type(value) is str:
            return value if value.isascii() else clean(value)
        raise ValueError(f"{where} must be a string.")
    if kind == FieldDescriptor.TYPE_MESSAGE:
        descriptor = field.message_type
        if descriptor.full_name in _ISOLATED:
            try:
                return _message(value, descriptor, where, depth + 1)
            except ValueError as error:
                return {"attributes": [{"key": MALFORMED, "value": {"string_value": str(error)}}]}
        return _message(value, descriptor, where, depth + 1)
    if kind in _INTEGERS:
        return _integer(value, _INTEGERS[kind], where)
    if kind == FieldDescriptor.TYPE_ENUM:
        return _enum(value, field, where)
    if kind == FieldDescriptor.TYPE_BOOL:
        if type(value) is bool:
            return value
        raise ValueError(f"{where} must be true or false.")
    if kind == FieldDescriptor.TYPE_BYTES:
        return _bytes(value, field.name in _IDS, where)
    return _double(value, where)


def _integer(value: Any, bounds: tuple[int, int], where: str) -> int:
    if type(value) is str and len(value) <= 24:
        with contextlib.suppress(ValueError):
            value = int(value)
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or not bounds[0] <= value <= bounds[1]:
        raise ValueError(f"{where} must be an integer between {bounds[0]} and {bounds[1]}.")
    return value


def _double(value: Any, where: str) -> float:
    if type(value) in (int, float):
        return float(value)
    if type(value) is str and len(value) <= 64:
        try:
            return _FLOATS[value] if value in _FLOATS else float(value)
        except ValueError:
            pass
    raise ValueError(f"{where} must be a number.")


def _enum(value: Any, field: Any, where: str) -> int:
    if type(value) is int and -(2**31) <= value < 2**31:
        return value
    if type(value) is str:
        known = field.enum_type.values_by_name.get(value)
        if known is not None:
            return int(known.number)
        if value.isascii() and value.isdigit() and len(value) < 10:
            return int(value)
    raise ValueError(f"{where} must be one of {field.enum_type.name}.")


def _bytes(value: Any, is_id: bool, where: str) -> bytes:
    if type(value) is not str:
        raise ValueError(f"{where} must be a string.")
    if not is_id:
        try:
            return base64.b64decode(
                value + "=" * (-len(value) % 4), altchars=b"-_" if "-" in value or "_" in value else None
            )
        except (ValueError, binascii.Error) as error:
            raise ValueError(f"{where} must be base64.") from error
    digits = 32 if where.endswith(("traceId", "trace_id")) else 16
    if value and len(value) != digits:
        raise ValueError(f"{where} must be {digits} hex digits, not {len(value)} characters.")
    try:
        return binascii.unhexlify(value)
    except (ValueError, binascii.Error) as error:
        raise ValueError(f"{where} must be hex digits.") from error
