"""Log records → content parts, and content parts into the run whose call they belong to."""

import copy
from collections.abc import Sequence
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from modeltraces.ingest.otlp.attributes import attributes_of, python_value
from modeltraces.ingest.otlp.contents import (
    NAMES,
    Piece,
    add_to_payloads,
    body_of,
    part_id_of,
    piece_of,
    piece_of_body,
)
from modeltraces.ingest.otlp.filling import set_request, set_response
from modeltraces.ingest.otlp.json import MALFORMED
from modeltraces.ingest.otlp.messages import input_text, output_text
from modeltraces.ingest.otlp.payloads import dump, fit, fits, load, map_texts, utf8_size
from modeltraces.ingest.otlp.spans import EARLIEST_US, LATEST_AHEAD_US
from modeltraces.ingest.recordings import ContentPart, Decoded, Limits, Rejection
from modeltraces.run import Run

_UNATTACHED = (
    "The log record carries no trace id and span id, so it is not known which call it belongs to. "
    "Emit it while the call's span is current, or have the instrumentation write content to span attributes."
)
_CONTENT_FIELDS = ("input", "inputs", "output", "outputs", "system", "tools")
_NO_LIMITS = Limits(max_part_bytes=2**62, max_media_bytes=2**62, max_payload_bytes=2**62)


def contents_of_logs(
    request: ExportLogsServiceRequest, *, account_id: str, limits: Limits, received_on_us: int
) -> Decoded:
    """The content parts of the request's log records. Records about something else are counted and left."""
    decoded = Decoded()
    order = 0
    for resource_logs in request.resource_logs:
        for scope_logs in resource_logs.scope_logs:
            for record in scope_logs.log_records:
                order += 1
                try:
                    part = _part_of(record, order, account_id, limits, received_on_us)
                except ValueError as refusal:
                    decoded.rejected.append(Rejection(str(refusal), _subject(record)))
                except Exception as error:  # One record must never take the others with it.
                    reason = f"The log record could not be read ({type(error).__name__})."
                    decoded.rejected.append(Rejection(reason, _subject(record)))
                else:
                    if part is None:
                        decoded.ignored += 1
                    else:
                        decoded.contents.append(part)
    return decoded


def _subject(record: LogRecord) -> str:
    trace_id, span_id = record.trace_id[:16].hex() or "-", record.span_id[:8].hex() or "-"
    return f"{record.event_name[:200] or 'log record'} (trace {trace_id}, span {span_id})"


def _part_of(record: LogRecord, order: int, account_id: str, limits: Limits, received_on_us: int) -> ContentPart | None:
    attributes: dict[str, Any] | None = None
    name = record.event_name
    if not name:
        attributes = attributes_of(record.attributes)
        if MALFORMED in attributes and not record.trace_id:
            raise ValueError(str(attributes[MALFORMED]))
        told = attributes.get("event.name")
        name = told if type(told) is str else ""
    if name not in NAMES:
        return None
    if not any(record.trace_id) and not any(record.span_id):
        raise ValueError(_UNATTACHED)
    if len(record.trace_id) != 16 or len(record.span_id) != 8 or not any(record.trace_id) or not any(record.span_id):
        raise ValueError("The trace id must be 16 bytes (32 hex digits) and the span id 8 (16), and not all zero.")
    at_ns = record.time_unix_nano or record.observed_time_unix_nano
    at_us = at_ns // 1000
    if not EARLIEST_US <= at_us <= received_on_us + LATEST_AHEAD_US:
        # The order of the messages hangs on it, but not which call they belong to.
        at_us = received_on_us
    if attributes is None:
        attributes = attributes_of(record.attributes)
    piece = piece_of(name, python_value(record.body), attributes, at_ns, order)
    if piece is None:
        return None
    trace_id, span_id = record.trace_id.hex(), record.span_id.hex()
    _limit(piece, limits)
    return ContentPart(
        account_id=account_id,
        trace_id=trace_id,
        span_id=span_id,
        part_id=part_id_of(trace_id, span_id, name, piece),
        at_us=at_us,
        name=name,
        body=body_of(piece),
    )


def _limit(piece: Piece, limits: Limits) -> None:
    content = {name: value for name in _CONTENT_FIELDS if (value := getattr(piece, name)) is not None}
    if limits.redact is not None:
        content = map_texts(content, limits.redact)
        piece.error = {name: limits.redact(text) if name == "message" else text for name, text in piece.error.items()}
    long = not fits(dump(content), limits)
    if long or not limits.record_content:
        request: dict[str, Any] = {}
        response: dict[str, Any] = {}
        for name, value in content.items():
            setattr(piece, name, value)
        add_to_payloads(request, response, [piece])
        piece.input_size = utf8_size(input_text(request))
        piece.output_size = utf8_size(output_text(response))
    if not limits.record_content:
        content = dict.fromkeys(content)
    elif long:
        for name, value in content.items():
            content[name], was_cut = fit(value, limits)
            piece.was_cut = piece.was_cut or was_cut
        if not piece.was_cut:
            piece.input_size = piece.output_size = 0
    for name, value in content.items():
        setattr(piece, name, value)


def apply_contents(run: Run, parts: Sequence[ContentPart], limits: Limits = _NO_LIMITS) -> Run:
    """The run with what the parts say and its span does not: input, output, payloads, finish reasons, error.

    Pure. The parts may come in any order and any number of times, also ones that were applied before. Fields that
    were filled are listed in `borrowed`; `version` is 1 + the number of distinct parts.
    """
    distinct: dict[str, Piece] = {}
    for part in parts:
        piece = piece_of_body(part.body)
        known = distinct.get(part.part_id)
        if known is None or piece.order < known.order:
            distinct[part.part_id] = piece
    if not distinct:
        return run
    ordered = [piece for _, piece in sorted(distinct.items(), key=lambda item: (item[1].at_ns, item[1].order, item[0]))]
    filled = copy.copy(run)
    filled.version = 1 + len(distinct)
    borrowed = set(run.borrowed)
    _fill_input(filled, ordered, borrowed, limits)
    _fill_output(filled, ordered, borrowed, limits)
    _fill_error(filled, ordered, borrowed)
    filled.borrowed = sorted(borrowed)
    return filled


def _fill_input(run: Run, pieces: list[Piece], borrowed: set[str], limits: Limits) -> None:
    if run.input_size and "input" not in borrowed:
        return
    request = _payload(run.request) or ({"model": run.model} if run.model else {})
    before = dict(request)
    add_to_payloads(request, {}, pieces, replace=True)
    size = sum(piece.input_size for piece in pieces)
    if request != before:
        set_request(run, request, limits)
        borrowed |= {"input", "request"}
    if size:
        run.input_size = max(run.input_size, size)
        run.payload_cut = run.payload_cut or any(piece.was_cut for piece in pieces)
        borrowed.add("input")


def _fill_output(run: Run, pieces: list[Piece], borrowed: set[str], limits: Limits) -> None:
    if not run.finish_reasons or "finish_reasons" in borrowed:
        response: dict[str, Any] = {}
        add_to_payloads({}, response, pieces)
        if response.get("finish_reasons"):
            run.finish_reasons = response["finish_reasons"]
            borrowed.add("finish_reasons")
    if run.output_size and "output" not in borrowed:
        return
    response = _payload(run.response)
    before = dict(response)
    add_to_payloads({}, response, pieces, replace=True)
    size = sum(piece.output_size for piece in pieces)
    if response != before:
        set_response(run, response, limits)
        borrowed |= {"output", "response"}
    if size:
        run.output_size = max(run.output_size, size)
        run.payload_cut = run.payload_cut or any(piece.was_cut for piece in pieces)
        borrowed.add("output")


def _fill_error(run: Run, pieces: list[Piece], borrowed: set[str]) -> None:
    errors = [piece.error for piece in pieces if piece.error]
    if not errors or (run.status == "failed" and run.error_message and "error_message" not in borrowed):
        return
    run.error_type = run.error_type or errors[-1].get("type", "")
    run.error_message = errors[-1].get("message", "")
    if run.status != "failed":
        run.status = "failed"
        borrowed.add("status")
    borrowed |= {"error_type", "error_message"}


def _payload(text: str) -> dict[str, Any]:
    if not text:
        return {}
    value = load(text)
    return value if type(value) is dict else {}
