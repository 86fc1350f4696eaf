"""The Run: one request to a model and its outcome. Everything speaks of it; it speaks of nothing.

Times are integers, microseconds since the Unix epoch in UTC. Durations are float milliseconds.
Text that is unknown is the empty string; numbers that are unknown are None (never 0: a stream that reports no
tokens used an unknown number of them, not none).
"""

import hashlib
import secrets
import time
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, Final, Literal

Status = Literal["success", "failed"]
ModelKind = Literal["open_source", "fine_tuned", "external"]

MODEL_KINDS: Final[tuple[ModelKind, ...]] = ("open_source", "fine_tuned", "external")
PREVIEW_CHARACTERS: Final = 500
"""Lists carry this many characters of input and output (contract)."""
UNKNOWN_MODEL: Final = "unknown"
"""The model of a run whose emitter named none."""
LONGEST_MS: Final = 30 * 86_400_000
"""Of a response time that can be one. A call that took longer was timed wrong, and would alone make its model's percentiles."""
CLIENT_LEFT: Final = "client_left"
"""Finish reason of a call whose caller was gone before its end: neither a success that was seen, nor a failure."""


@dataclass(slots=True)
class Run:
    """One run, as it stands in the store. See `docs/fields.md` for each field's definition."""

    account_id: str
    request_id: str
    executed_on_us: int
    model: str
    status: Status = "success"
    base_model: str = ""
    """The model that served the request, as the provider names it (`gpt-4o-2024-08-06`), or the catalog's base model."""
    provider: str = ""
    """The provider as the emitter names it (`openai`, `vllm`); a new model's kind is inferred from it."""
    deployment_version: str = ""
    connection_name: str = ""
    operation: str = ""
    response_time_ms: float | None = None
    response_time_clamped: bool = False
    """The emitter's end lay before its start, or more than 30 days after: response time is 0, or that, and left out of percentiles."""
    time_to_first_token_ms: float | None = None
    streaming: bool = False
    source_type: str = ""
    source: str = ""
    input: str = ""
    output: str = ""
    input_size: int = 0
    """Bytes of UTF-8 before any cut; `output_size` likewise."""
    output_size: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    reasoning_tokens: int | None = None
    finish_reasons: list[str] = field(default_factory=list)
    error_type: str = ""
    error_message: str = ""
    error_code: str = ""
    request: str = ""
    """The whole request payload as JSON text, or ''. `response` likewise."""
    response: str = ""
    payload_cut: bool = False
    """A part of a payload was longer than the cap: it was cut, with its original size said in its place."""
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    response_id: str = ""
    """The provider's id of the response: what ties two recordings of one call together across traces."""
    session_id: str = ""
    user_id: str = ""
    instrumentation: str = ""
    """The instrumentation scope's name, or `native`, `gateway`, `demo`."""
    attributes: dict[str, str] = field(default_factory=dict)
    version: int = 1
    """Of the rows of one recording the store keeps that with the highest: at least the number of recordings (spans, log
    records) that it was folded from, and higher than that of the row that it changes."""
    superseded_by: str = ""
    """The Request ID of the run that this recording was folded into, or '' for a run that counts."""
    borrowed: list[str] = field(default_factory=list)
    """Fields whose value came from another recording of the same call."""
    received_on_us: int = 0
    server_address: str = ""
    """Host, or host:port, of the server that was called."""
    key_name: str = ""
    """The key that the run came in with."""
    matched_by: str = ""
    """The rule that gave it its model, deployment or connection; '' when none did. Then they are as recorded."""
    recorded_model: str = ""
    """What the recording itself said, where a rule matched; so the next two."""
    recorded_deployment_version: str = ""
    recorded_connection_name: str = ""
    payload_removed_on_us: int = 0
    """When its input, output and payloads were removed for their age; 0: they were not."""

    def __reduce__(self) -> tuple[type["Run"], tuple[Any, ...]]:
        # Half the time of the default, which names every field of every run: runs come pickled from their decoders.
        return Run, _values_of(self)


RUN_FIELDS: Final[tuple[str, ...]] = tuple(f.name for f in fields(Run))
_values_of: Final = attrgetter(*RUN_FIELDS)


def now_us() -> int:
    return time.time_ns() // 1000


def _uuid_text(milliseconds: int, tail: int, version: int) -> str:
    value = (milliseconds & 0xFFFF_FFFF_FFFF) << 80 | (tail & ((1 << 80) - 1))
    value &= ~(0xF << 76) & ((1 << 128) - 1)
    value |= version << 76
    value &= ~(0b11 << 62) & ((1 << 128) - 1)
    value |= 0b10 << 62
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def new_request_id(executed_on_us: int) -> str:
    """A UUIDv7 (RFC 9562) whose time is the run's own, so that ids sort as the runs do."""
    return _uuid_text(executed_on_us // 1000, secrets.randbits(80), 7)


def request_id_of_span(trace_id: str, span_id: str, executed_on_us: int) -> str:
    """The Request ID of an OTLP span: a UUIDv8 of its start (ms) and a digest of its trace and span id (hex).

    The same span sent again gives the same id, and the id alone tells when the run was, so one run is found
    through the table's sort key.
    """
    digest = hashlib.blake2b(f"{trace_id}:{span_id}".encode(), digest_size=10).digest()
    return _uuid_text(executed_on_us // 1000, int.from_bytes(digest, "big"), 8)


def executed_on_ms_of(request_id: str) -> int | None:
    """The millisecond a Request ID of ours (UUIDv7 or v8) bears, or None for an id that was given from outside."""
    if len(request_id) != 36 or request_id[14:15] not in "78" or request_id[8] != "-" or request_id[13] != "-":
        return None
    try:
        return int(request_id[:8] + request_id[9:13], 16)
    except ValueError:
        return None
