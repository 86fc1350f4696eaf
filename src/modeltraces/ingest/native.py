"""The native way in: runs as JSON, in the field names of the contract (design: `POST /api/v1/runs`).

Only `model` is required. An unknown field is an error that names the nearest known one: a misspelt field that is
dropped in silence is a loss that nobody sees.
"""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast

import orjson

from modeltraces.catalog.text import has_unprintable
from modeltraces.ingest.otlp.density import check_json
from modeltraces.ingest.otlp.messages import input_text, output_text
from modeltraces.ingest.otlp.payloads import clean, cut_text, dump, map_texts, utf8_size, written_within
from modeltraces.ingest.recordings import Limits, SourceDefaults
from modeltraces.run import LONGEST_MS, MODEL_KINDS, ModelKind, Run, new_request_id

MAX_NAME: Final = 512
MAX_ERROR_BYTES: Final = 16 << 10
"""Of an error's message: lists carry it."""
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST_AHEAD_US: Final = 86_400_000_000
_REQUEST_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")
_ADDRESSES: Final = ("export", "stream", ".", "..")
_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")
_SPAN_ID: Final = re.compile(r"[0-9a-f]{16}")
_MAX_COUNT: Final = 2**53


class Invalid(ValueError):
    """A field's value cannot be taken; the text names the field and says what it takes."""


@dataclass(frozen=True, slots=True)
class NativeRun:
    run: Run
    given_id: bool
    kind: ModelKind | None


def load_runs(body: bytes, ndjson: bool) -> tuple[list[Any], bool]:
    """The values of a body, and whether they are many (an array or NDJSON). Raises Invalid."""
    try:
        check_json(body)
    except ValueError as error:
        raise Invalid(f"the body cannot be read: {error}") from error
    if ndjson:
        values: list[Any] = []
        for number, line in enumerate(body.split(b"\n"), 1):
            if line.strip():
                try:
                    values.append(orjson.loads(line))
                except orjson.JSONDecodeError as error:
                    values.append(Invalid(f"line {number} is not JSON: {error}"))
        return values, True
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"the body is not JSON: {error}") from error
    return (value, True) if isinstance(value, list) else ([value], False)


def run_of_json(
    value: Any, *, account_id: str, defaults: SourceDefaults, limits: Limits, received_on_us: int
) -> NativeRun:
    """One run from its JSON object. Raises Invalid."""
    if isinstance(value, Invalid):
        raise value
    if not isinstance(value, dict):
        raise Invalid(f"a run is a JSON object; this is {_type_name(value)}")
    fields = {name: part for name, part in value.items() if part is not None}
    for name in fields:
        if name not in _READERS and name not in _COMPUTED:
            near = difflib.get_close_matches(str(name), _READERS, 1)
            raise Invalid(f"unknown field {str(name)[:80]!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    read = {name: _READERS[name](name, part) for name, part in fields.items() if name in _READERS}
    if not read.get("model"):
        raise Invalid("'model' is required: the name of the model that was called")
    start: int = read.get("executed_on", 0)
    if start > received_on_us + _LATEST_AHEAD_US:
        raise Invalid("'executed_on' lies more than a day in the future")
    given = read.get("request_id", "")
    run = Run(account_id, given, start, read["model"], instrumentation="native", received_on_us=received_on_us)
    if not start and not given:
        elapsed = (read.get("response_time_ms") or 0) * 1000
        run.executed_on_us = received_on_us - int(min(elapsed, _LATEST_AHEAD_US))
    run.request_id = given or new_request_id(run.executed_on_us)
    run.source_type = read.get("source_type") or defaults.source_type or "API"
    run.source = read.get("source") or defaults.source or defaults.key_name
    set_text(run, "input", "request", input_text, read, limits)
    _complete(run, read, limits)
    return NativeRun(run, bool(given), read.get("model_kind"))


def _complete(run: Run, read: Mapping[str, Any], limits: Limits) -> None:
    for name in _DIRECT:
        if name in read:
            setattr(run, name, read[name])
    error: Mapping[str, str] = read.get("error", {})
    run.error_type, run.error_message, run.error_code = (error.get(part, "") for part in ("type", "message", "code"))
    run.status = read.get("status") or ("failed" if error else "success")
    if run.status == "success" and error:
        raise Invalid("'status' is 'success' but 'error' is given: leave one of them out")
    run.error_message = error_within(run.error_message, limits)
    set_text(run, "output", "response", output_text, read, limits)
    run.attributes = attributes_within(read.get("attributes", {}), limits)


def error_within(message: str, limits: Limits) -> str:
    """An error's message as it is stored: masked, and cut."""
    return cut_text(limits.redact(message) if limits.redact else message, MAX_ERROR_BYTES)


def set_text(
    run: Run,
    name: str,
    payload_name: str,
    text_of: Callable[[dict[str, Any]], str],
    read: Mapping[str, Any],
    limits: Limits,
) -> None:
    """What `read` holds of the input (or output, by its `name`) and of its whole payload, masked and cut."""
    redact = limits.redact or (lambda text: text)
    payload = read.get(payload_name)
    whole = redact(read[name] if name in read else text_of(_object(payload, name)))
    setattr(run, f"{name}_size", utf8_size(whole))
    if not limits.record_content:
        return
    if payload is not None:
        if limits.redact is not None:
            payload = map_texts(payload, lambda text: redact(clean(text)))
        written, fitted = written_within(payload, limits)
        setattr(run, payload_name, written)
        if fitted is not None:
            run.payload_cut = True
            # A file in a shape that nobody knows stands in the text as it is, but for this.
            whole = whole if name in read else redact(text_of(_object(fitted, name)))
    kept = cut_text(whole, limits.max_part_bytes)
    run.payload_cut = run.payload_cut or kept != whole
    setattr(run, name, kept)


def _object(payload: Any, key: str) -> dict[str, Any]:
    if payload is None:
        return {}
    return payload if isinstance(payload, dict) else {key: payload}


def attributes_within(given: Mapping[str, str], limits: Limits) -> dict[str, str]:
    redact = limits.redact or (lambda text: text)
    kept = {
        name: cut_text(redact(text), limits.max_part_bytes)
        for name, text in list(given.items())[: limits.max_attributes]
    }
    if len(given) > limits.max_attributes:
        kept["modeltraces.dropped_attributes"] = str(len(given) - limits.max_attributes)
    return kept


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise Invalid(f"'{name}' takes a string; this is {_type_name(value)}")
    return clean(value)


def _name(name: str, value: Any) -> str:
    text = _text(name, value).strip()
    if len(text) > MAX_NAME:
        raise Invalid(f"'{name}' is longer than {MAX_NAME} characters")
    return text


def _catalog_name(name: str, value: Any) -> str:
    """Of what a run brings into the catalog: the gateway takes no other, and nobody could type it."""
    text = _name(name, value)
    if has_unprintable(value.strip()):
        raise Invalid(f"'{name}' must not contain line breaks or control characters")
    return text


def _content(name: str, value: Any) -> str:
    return clean(value) if isinstance(value, str) else dump(value)


def _request_id(name: str, value: Any) -> str:
    if value in _ADDRESSES:
        raise Invalid(f"'request_id' may not be {value!r}: the run could not be asked for by it")
    if not isinstance(value, str) or not _REQUEST_ID.fullmatch(value):
        raise Invalid("'request_id' takes 1 to 128 printable ASCII characters without spaces")
    return value


def _one_of(*choices: str) -> Callable[[str, Any], str]:
    def read(name: str, value: Any) -> str:
        if value not in choices:
            raise Invalid(f"'{name}' is one of {', '.join(choices)}")
        return cast(str, value)

    return read


def _milliseconds(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST_MS:
        raise Invalid(
            f"'{name}' takes milliseconds, a number that is not negative and no more than 30 days ({LONGEST_MS})"
        )
    return float(value)


def _count(name: str, value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _MAX_COUNT:
        raise Invalid(f"'{name}' takes a whole number that is not negative and below 2^53 ({_MAX_COUNT})")
    return value


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise Invalid(f"'{name}' is true or false")
    return value


def _instant(name: str, value: Any) -> int:
    wanted = f"'{name}' takes an RFC 3339 time with its offset, such as 2026-11-24T12:00:00.123456Z"
    if not isinstance(value, str):
        raise Invalid(wanted)
    try:
        instant = datetime.fromisoformat(value)
    except ValueError as error:
        raise Invalid(wanted) from error
    if instant.tzinfo is None:
        raise Invalid(f"{wanted}; this one has no offset")
    if instant < _EARLIEST:
        raise Invalid(f"'{name}' lies before the year 2000")
    whole = int((instant.replace(microsecond=0) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    return whole * 1_000_000 + instant.microsecond


def _hex_id(pattern: re.Pattern[str], length: int) -> Callable[[str, Any], str]:
    def read(name: str, value: Any) -> str:
        text = value.lower() if isinstance(value, str) else ""
        if not pattern.fullmatch(text) or not text.strip("0"):
            raise Invalid(f"'{name}' takes {length} hexadecimal digits, not all zero")
        return text

    return read


def _names(name: str, value: Any) -> list[str]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or len(values) > 64:
        raise Invalid(f"'{name}' takes a list of at most 64 strings")
    return [_name(name, part) for part in values]


def _error(name: str, value: Any) -> dict[str, str]:
    if isinstance(value, str):
        return {"message": clean(value)}
    if not isinstance(value, dict) or value.keys() - {"type", "message", "code"}:
        raise Invalid("'error' takes an object of type, message and code, or a string")
    parts = {part: clean(str(text)) for part, text in value.items() if text is not None}
    for part in ("type", "code"):
        if len(parts.get(part, "")) > MAX_NAME:
            raise Invalid(f"'error' takes a {part} of at most {MAX_NAME} characters")
    return parts or {"message": ""}


def _attribute_map(name: str, value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise Invalid(f"'{name}' takes an object")
    return {
        clean(str(key))[:MAX_NAME]: clean(part) if isinstance(part, str) else dump(part)
        for key, part in value.items()
        if part is not None
    }


def _anything(name: str, value: Any) -> Any:
    return value


def _type_name(value: Any) -> str:
    return {dict: "an object", list: "an array", str: "a string", bool: "true or false"}.get(type(value), "a number")


_DIRECT: Final = (
    "base_model", "provider", "deployment_version", "connection_name", "operation", "response_time_ms",
    "time_to_first_token_ms", "streaming", "input_tokens", "output_tokens", "cached_input_tokens",
    "cache_write_input_tokens", "reasoning_tokens", "finish_reasons", "trace_id", "span_id", "parent_span_id",
    "response_id", "session_id", "user_id",
)  # fmt: skip
_READERS: Final[dict[str, Callable[[str, Any], Any]]] = {
    "model": _catalog_name,
    "request_id": _request_id,
    "status": _one_of("success", "failed"),
    "model_kind": _one_of(*MODEL_KINDS),
    "base_model": _catalog_name,
    "provider": _catalog_name,
    "deployment_version": _catalog_name,
    "connection_name": _catalog_name,
    "operation": _name,
    "response_time_ms": _milliseconds,
    "time_to_first_token_ms": _milliseconds,
    "executed_on": _instant,
    "streaming": _flag,
    "source_type": _name,
    "source": _name,
    "input": _content,
    "output": _content,
    "input_tokens": _count,
    "output_tokens": _count,
    "cached_input_tokens": _count,
    "cache_write_input_tokens": _count,
    "reasoning_tokens": _count,
    "finish_reasons": _names,
    "error": _error,
    "request": _anything,
    "response": _anything,
    "trace_id": _hex_id(_TRACE_ID, 32),
    "span_id": _hex_id(_SPAN_ID, 16),
    "parent_span_id": _hex_id(_SPAN_ID, 16),
    "response_id": _name,
    "session_id": _name,
    "user_id": _name,
    "attributes": _attribute_map,
}
_COMPUTED: Final = frozenset({"input_truncated", "output_truncated", "input_size", "output_size", "payload_cut", "received_on",
                              "response_time_clamped", "instrumentation", "payload_removed_on"})  # fmt: skip
"""Fields that an exported run has and that are made here: taken without complaint, so that an export can be sent in."""
