"""Server-sent events as they pass: cut into whole events, however the network cut them."""

from dataclasses import dataclass, field
from typing import Final

MOST_PENDING: Final = 16 << 20
"""Bytes of one event that is not complete; what is longer is no event that anybody understands, and passes in pieces."""


@dataclass(slots=True)
class Splitter:
    """Bytes in, whole events out, each with the blank line at its end. What is left at the end is in `rest`."""

    _pending: bytearray = field(default_factory=bytearray)
    _seen: int = 0

    @property
    def rest(self) -> bytes:
        return bytes(self._pending)

    def feed(self, data: bytes) -> list[bytes]:
        self._pending += data
        events = []
        while (end := self._end()) >= 0 or len(self._pending) > MOST_PENDING:
            end = end if end >= 0 else len(self._pending)
            events.append(bytes(self._pending[:end]))
            del self._pending[:end]
            self._seen = 0
        # A blank line may begin in what is here.
        self._seen = max(0, len(self._pending) - 3)
        return events

    def _end(self) -> int:
        found = [
            (at + len(mark))
            for mark in (b"\n\n", b"\n\r\n", b"\r\r")
            if (at := self._pending.find(mark, self._seen)) >= 0
        ]
        return min(found, default=-1)


def data_of(event: bytes) -> tuple[str, bytes]:
    """(event name, data) of one event; the lines of its data joined, as the standard says."""
    name, data = "", []
    for line in event.splitlines():
        field_name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field_name == b"data":
            data.append(value)
        elif field_name == b"event":
            name = value.decode("utf-8", "replace")
    return name, b"\n".join(data)
