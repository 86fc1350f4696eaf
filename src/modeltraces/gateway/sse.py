"""Server-sent events as they pass: cut into whole events, however the network cut them."""

import re
from dataclasses import dataclass, field
from typing import Final

MOST_PENDING: Final = 16 << 20
"""Bytes of one event that is not complete; what is longer is no event that anybody understands, and passes in pieces."""

_BLANK_LINE: Final = re.compile(rb"\n\r?\n|\r\r")


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
        while (found := _BLANK_LINE.search(self._pending, self._seen)) or len(self._pending) > MOST_PENDING:
            end = found.end() if found else len(self._pending)
            # A match holds on to the buffer, which then could not be cut.
            found = None
            events.append(bytes(self._pending[:end]))
            del self._pending[:end]
            self._seen = 0
        # A blank line may begin in what is here.
        self._seen = max(0, len(self._pending) - 3)
        return events


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
