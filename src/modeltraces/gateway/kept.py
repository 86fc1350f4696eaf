"""A body that is kept for the record while it passes: what it holds, and whether that is an answer at all."""

import hashlib
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from modeltraces.gateway.calls import Call
from modeltraces.gateway.encodings import READ, Unreadable, unfolded

RECORDED_BYTES: Final = 64 << 20
"""Of one answer, a body or a stream, that are kept to be read; what is longer passes, and is recorded as far as this."""
_MEDIA: Final = ("audio/", "image/", "video/", "application/octet-stream", "application/pdf")


@dataclass(slots=True)
class Kept:
    kind: str = ""
    """Its Content-Type, without parameters, in lower case."""
    encoding: str = ""
    size: int = 0
    _pieces: list[bytes] = field(default_factory=list)
    _digest: Any = None
    _is_read: bool = False
    """Whether it was JSON, of any kind."""

    def __post_init__(self) -> None:
        if self.is_media:
            self._digest = hashlib.sha256()

    @property
    def is_media(self) -> bool:
        return self.kind.startswith(_MEDIA)

    @property
    def is_json(self) -> bool:
        return self.kind == "application/json" or self.kind.endswith("+json")

    def add(self, came: bytes) -> None:
        if self._digest is not None:
            self._digest.update(came)
        elif self.size < RECORDED_BYTES:
            self._pieces.append(came)
        self.size += len(came)

    def value(self) -> Any:
        """Its JSON, or its text; of sound and images type, size and digest."""
        if self._digest is not None:
            return {"type": "blob", "mime": self.kind[:128], "size": self.size, "sha256": self._digest.hexdigest()}
        data = b"".join(self._pieces)
        if self.encoding not in ("", "identity"):
            if self.encoding not in READ:
                return f"[{len(data)} bytes, {self.encoding}]"
            try:
                data = unfolded(data, self.encoding, RECORDED_BYTES)
            except Unreadable:
                return f"[{len(data)} bytes, {self.encoding}, that cannot be read]"
        # Some servers call their JSON text.
        if self.is_json or data[:1] in (b"{", b"["):
            try:
                value = orjson.loads(data)
            except orjson.JSONDecodeError:
                pass
            else:
                self._is_read = True
                return value
        return data.decode("utf-8", "replace")

    def fault(self, call: Call, value: Any) -> str:
        """Why a body that came whole, with a status of success, is no answer to such a call: '' when it may be one."""
        if self.size == 0:
            return "an empty body"
        if isinstance(value, str) and (
            self.kind == "text/html" or value[:200].lstrip().lower().startswith(("<!doctype", "<html"))
        ):
            return "a page of HTML"
        # What was too long, or could not be unfolded, is not judged.
        is_whole = self.size <= RECORDED_BYTES and self.encoding in ("", "identity")
        return "what is no JSON" if call.answers == "json" and is_whole and not (self._is_read or self.is_media) else ""
