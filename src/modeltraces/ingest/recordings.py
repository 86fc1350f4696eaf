"""What passes between reading what was sent and storing it.

A *recording* is what one emitter sent about one call: a span, or log records that carry its content. Reading is pure
and touches no store; the writer stores what is read, and linking folds several recordings of one call into one run.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from modeltraces.run import Run
from modeltraces.store.contents import ContentPart

__all__ = ["ContentPart", "Decoded", "Limits", "Rejection", "SourceDefaults"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of one recording is kept, and what of it."""

    max_part_bytes: int = 1024 * 1024
    """Bytes of UTF-8 of one text of a payload; what is longer is cut, and its size said in its place."""
    max_media_bytes: int = 256 * 1024
    """Bytes of one image, sound or file of a payload, as its base64 stands there; what is longer is replaced by its type,
    size and digest."""
    max_payload_bytes: int = 16 * 1024 * 1024
    """Bytes of a whole request or response; over it, the longest parts are cut."""
    max_attributes: int = 256
    record_content: bool = True
    """False: sizes and tokens are kept, texts and payloads are not."""
    redact: Callable[[str], str] | None = None
    """Masks what must not be stored; applied to every text of a payload before anything is made of it."""


@dataclass(frozen=True, slots=True)
class SourceDefaults:
    """What the key that a recording came in with says of its source; '' where it says nothing."""

    source_type: str = ""
    source: str = ""
    key_name: str = ""


@dataclass(frozen=True, slots=True)
class Rejection:
    """One span or log record that was refused; what came with it was not."""

    reason: str
    """Says what is wrong and, where it helps, what to do."""
    subject: str
    """Which one: a span's name and ids, as far as they are known."""


@dataclass(slots=True)
class Decoded:
    """What one request holds."""

    runs: list[Run] = field(default_factory=list)
    contents: list[ContentPart] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    ignored: int = 0
    """Spans and log records that are well-formed and record no call to a model."""
