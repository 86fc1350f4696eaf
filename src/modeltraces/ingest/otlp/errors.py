"""Whether a call failed, and why: from the status, the attributes and the exception events, in that many spellings."""

import re
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from modeltraces.ingest.otlp.attributes import attributes_of
from modeltraces.ingest.otlp.dialects.reading import Reading

_TYPED: Final = re.compile(
    r"^([A-Za-z_][\w.]{0,200}(?:Error|Exception|Timeout|Interrupt|Warning|Exit)): (.*)", re.DOTALL
)
_CODE: Final = re.compile(r"^(?:Error code|HTTP|status[_ ]code|Status)[: ]+(\d{3})\b", re.IGNORECASE)
_SDK_ERRORS: Final = {
    "400": "BadRequestError",
    "401": "AuthenticationError",
    "403": "PermissionDeniedError",
    "404": "NotFoundError",
    "409": "ConflictError",
    "422": "UnprocessableEntityError",
    "429": "RateLimitError",
}
_TRACEBACK: Final = "Traceback (most recent call last):"


@dataclass(slots=True)
class Failure:
    type: str = ""
    message: str = ""
    code: str = ""


def failure_of(span: Span, reading: Reading, finish_reasons: list[str]) -> Failure | None:
    """The failure that the span records, or None. Long texts that are cut for the message stay in `reading.rest`."""
    # Which status the server answered is of use beside the error's code, which it need not be.
    reading.give_back("error_code")
    exception = _exception(span)
    code = span.status.code
    error_type = reading.text("error_type")
    level = reading.text("level").upper()
    has_failed = (
        code == Status.STATUS_CODE_ERROR
        or bool(error_type)
        or exception is not None
        or level == "ERROR"
        or "error" in finish_reasons
    )
    if not has_failed:
        return None
    exception = exception or {}
    message = _text(exception.get("exception.message")) or span.status.message or reading.text("error_message")
    stacktrace = _text(exception.get("exception.stacktrace"))
    if stacktrace:
        reading.rest["exception.stacktrace"] = stacktrace
    if _TRACEBACK in message:
        reading.rest.setdefault("exception.stacktrace", message)
        message = last_line(message)
    failure = Failure(type=error_type or _text(exception.get("exception.type")), message=message)
    typed = _TYPED.match(message)
    if typed and (not failure.type or typed[1].rpartition(".")[2] == failure.type.rpartition(".")[2]):
        # Some emitters put the type in front of the message.
        failure.type, failure.message = failure.type or typed[1], typed[2]
    failure.code = reading.text("error_code")
    if not failure.code or failure.code.startswith("2"):
        coded = _CODE.match(failure.message)
        failure.code = coded[1] if coded else failure.code if not failure.code.startswith("2") else ""
    if not failure.type and failure.message.startswith("Error code: "):
        failure.type = _sdk_error(failure.code)
    if not failure.message and "error" in finish_reasons:
        failure.message = "The generation ended with finish reason 'error'."
    return failure


def _sdk_error(code: str) -> str:
    """The class of the openai and anthropic SDKs whose text begins with `Error code: `; the code decides it."""
    return _SDK_ERRORS.get(code, "InternalServerError" if code.startswith("5") else "APIStatusError")


def last_line(traceback: str) -> str:
    """The message at the end of a traceback: from the last line that is not indented."""
    lines = traceback.rstrip().splitlines()
    for number in range(len(lines) - 1, -1, -1):
        line = lines[number]
        if _TYPED.match(line) or (line and not line[0].isspace() and number and lines[number - 1][:1].isspace()):
            return "\n".join(lines[number:]).strip()
    return lines[-1].strip() if lines else ""


def _exception(span: Span) -> dict[str, Any] | None:
    found = None
    for event in span.events:
        if event.name == "exception":
            found = attributes_of(event.attributes)
    return found


def _text(value: Any) -> str:
    return value if type(value) is str else ""
