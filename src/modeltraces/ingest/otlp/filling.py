"""A run's input and output from its payloads: plain text, whole payload, sizes, cuts, masking."""

from collections.abc import Callable
from typing import Any

from modeltraces.ingest.otlp.messages import input_text, output_text
from modeltraces.ingest.otlp.payloads import clean, cut_text, dump, fit, fits, map_texts, utf8_size
from modeltraces.ingest.recordings import Limits
from modeltraces.run import Run


def set_request(run: Run, request: dict[str, Any], limits: Limits) -> None:
    """Set input, input size and request payload."""
    run.input_size, kept = _kept(run, request, input_text, limits)
    if kept is not None:
        run.input, run.request = kept


def set_response(run: Run, response: dict[str, Any], limits: Limits) -> None:
    """Set output, output size and response payload."""
    run.output_size, kept = _kept(run, response, output_text, limits)
    if kept is not None:
        run.output, run.response = kept


def _kept(
    run: Run, payload: dict[str, Any], text_of: Callable[[dict[str, Any]], str], limits: Limits
) -> tuple[int, tuple[str, str] | None]:
    """(bytes of the whole plain text, what is kept: plain text and payload, or None when content is not recorded)."""
    if limits.redact is not None:
        payload = map_texts(payload, limits.redact)
    text = clean(text_of(payload))
    size = utf8_size(text)
    if not limits.record_content:
        return size, None
    if not payload:
        return size, (text, "")
    if size <= min(limits.max_part_bytes, limits.max_payload_bytes):
        written = dump(payload)
        if fits(written, limits):
            return size, (text, written)
    fitted, was_cut = fit(payload, limits)
    if was_cut:
        run.payload_cut = True
        text = cut_text(clean(text_of(fitted)), limits.max_payload_bytes)
    return size, (text, dump(fitted))
