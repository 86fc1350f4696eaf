"""How much a body unfolds when it is read: refused before, when it is more than any exporter's.

An empty span is two bytes on the wire and a hundred and fifty in memory; sixteen megabytes of them were two and a half
gigabytes and half a minute. Bytes that say much pass whatever their size; bytes that say nothing, many times, do not.
"""

from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor

UNCHECKED_BYTES: Final = 2 << 20
"""Bodies up to this are read as they are: they cannot unfold beyond some hundred megabytes. Batches are smaller."""
MOST_RECORDS: Final = 100_000
"""Spans or log records of one request; the SDKs send 512, collectors some thousands."""
_BYTES_A_PART: Final = 8
"""An attribute of one letter and one digit is two parts of eleven bytes."""
_SPARE_PARTS: Final = 100_000
_SMALL: Final = 16
_RECORDS: Final = frozenset({"opentelemetry.proto.trace.v1.Span", "opentelemetry.proto.logs.v1.LogRecord"})
_MAX_DEPTH: Final = 100


def check_protobuf(body: bytes, descriptor: Any) -> None:
    """Raises ValueError for a message that unfolds too much. What is malformed is left for the parser to refuse."""
    if len(body) > UNCHECKED_BYTES:
        _Count(_SPARE_PARTS + len(body) // _BYTES_A_PART).walk(body, 0, len(body), descriptor, 0)


def check_json(body: bytes) -> None:
    """As `check_protobuf`, for JSON: an object or an array takes some hundred bytes at least."""
    if len(body) > UNCHECKED_BYTES and body.count(b"{") + body.count(b"[") > _SPARE_PARTS + len(body) // _BYTES_A_PART:
        raise ValueError("it holds far more objects and arrays than an export of its size does")


class _Count:
    def __init__(self, most: int) -> None:
        self._left = most
        self._records_left = MOST_RECORDS

    def walk(self, data: bytes, at: int, end: int, descriptor: Any, depth: int) -> None:
        fields = descriptor.fields_by_number
        while at < end:
            tag = shift = 0
            while True:
                if at >= end or shift > 63:
                    return
                byte = data[at]
                at += 1
                tag |= (byte & 0x7F) << shift
                if byte < 0x80:
                    break
                shift += 7
            kind = tag & 7
            if kind == 1:
                at += 8
                continue
            if kind == 5:
                at += 4
                continue
            if kind not in (0, 2):
                return
            size = shift = 0
            while True:
                if at >= end or shift > 63:
                    return
                byte = data[at]
                at += 1
                size |= (byte & 0x7F) << shift
                if byte < 0x80:
                    break
                shift += 7
            if kind == 0:
                continue
            field = fields.get(tag >> 3)
            if field is not None and field.type == FieldDescriptor.TYPE_MESSAGE:
                self._part(data, at, min(at + size, end), field.message_type, depth)
            at += size

    def _part(self, data: bytes, at: int, end: int, descriptor: Any, depth: int) -> None:
        self._left -= 1
        if descriptor.full_name in _RECORDS:
            self._records_left -= 1
            if self._records_left < 0:
                raise ValueError(f"it holds more than {MOST_RECORDS} spans or log records; send fewer in a request")
        if end - at <= _SMALL:
            # Not looked into: it can hold no more than this.
            self._left -= (end - at) // 4
        elif depth < _MAX_DEPTH:
            self.walk(data, at, end, descriptor, depth + 1)
        if self._left < 0:
            raise ValueError("it holds far more attributes and values than an export of its size does")
