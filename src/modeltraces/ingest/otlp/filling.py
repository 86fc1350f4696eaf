"""A run's input and output from its payloads: plain text, whole payload, sizes, cuts, masking."""

from typing import Any

from modeltraces.ingest.otlp.messages import input_text, output_text
from modeltraces.ingest.otlp.payloads import clean, cut_text, dump, fit, map_texts, utf8_size
from modeltraces.ingest.recordings import Limits
from modeltraces.run import Run


def set_request(run: Run, request: dict[str, Any], limits: Limits) -> None:
    """Set input, input size and request payload."""
    if limits.redact is not None:
        request = map_texts(request, limits.redact)
    text = clean(input_text(request))
    run.input_size = utf8_size(text)
    if not limits.record_content:
        return
    payload = dump(request)
    if _may_be_long(payload, limits):
        fitted, was_cut = fit(request, limits)
        if was_cut:
            run.payload_cut = True
            text, payload = cut_text(clean(input_text(fitted)), limits.max_payload_bytes), dump(fitted)
    run.input, run.request = text, payload


def set_response(run: Run, response: dict[str, Any], limits: Limits) -> None:
    """Set output, output size and response payload."""
    if limits.redact is not None:
        response = map_texts(response, limits.redact)
    text = clean(output_text(response))
    run.output_size = utf8_size(text)
    if not limits.record_content:
        return
    payload = dump(response) if response else ""
    if _may_be_long(payload, limits):
        fitted, was_cut = fit(response, limits)
        if was_cut:
            run.payload_cut = True
            text, payload = cut_text(clean(output_text(fitted)), limits.max_payload_bytes), dump(fitted)
    run.output, run.response = text, payload


def _may_be_long(payload: str, limits: Limits) -> bool:
    # A character has at most four bytes: nothing inside a text this short can be over a cap.
    return len(payload) * 4 > min(limits.max_part_bytes, limits.max_payload_bytes)
