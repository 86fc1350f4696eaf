"""The Traces view: one run, its error first, input, output, metadata."""

from datetime import tzinfo
from typing import Final, Literal
from urllib.parse import quote

from modeltraces.query.filters import Pattern, Term, to_text
from modeltraces.run import ModelKind, Run
from modeltraces.web.address import MODEL_TRACES, Address, with_query
from modeltraces.web.attempts import attempts
from modeltraces.web.contexts import ErrorBox, MetadataRow, Payload, RunDetail, Text
from modeltraces.web.formatting import UNKNOWN, count, duration, instant, iso, removal, server_text, size
from modeltraces.web.toolbar import KIND_LABELS

FIRST_CHARACTERS: Final = 20_000
"""Of a text that is shown at once; a whole one may be megabytes."""
_UNKNOWN: Final = Text(UNKNOWN, "unknown", unknown=True)


def payload_path(side: str, request_id: str, view: str) -> str:
    return with_query(f"{MODEL_TRACES}/payload/{side}/{quote(request_id, safe='')}", [("view", view)])


def detail(
    run: Run,
    address: Address,
    zone: tzinfo,
    *,
    kind: ModelKind | None,
    base_model: str,
    previous_id: str | None,
    next_id: str | None,
    now_us: int,
) -> RunDetail:
    """`kind`, `base_model`: what the catalog knows of the run's model."""
    tokens = ""
    if run.input_tokens is not None or run.output_tokens is not None:
        tokens = f"{_number(run.input_tokens)} → {_number(run.output_tokens)} tokens"
    facts = (run.model, duration(run.response_time_ms) if run.response_time_ms is not None else "", tokens)
    return RunDetail(
        request_id=run.request_id,
        failed=run.status == "failed",
        facts=tuple(fact for fact in facts if fact),
        error=ErrorBox(run.error_type, run.error_message, run.error_code) if run.status == "failed" else None,
        payloads=(_payload(run, "input", zone), _payload(run, "output", zone)),
        metadata=_nine(run, base_model, zone, now_us),
        more=_more(run, kind),
        attributes=tuple(MetadataRow(name, _text(value), mono=True) for name, value in sorted(run.attributes.items())),
        attempts=attempts(run.attributes),
        close_href=address.url,
        previous_href=address.run_url(previous_id) if previous_id else "",
        next_href=address.run_url(next_id) if next_id else "",
    )


def _payload(run: Run, key: Literal["input", "output"], zone: tzinfo) -> Payload:
    text, whole, bytes_before, tokens = (
        (run.input, run.request, run.input_size, run.input_tokens)
        if key == "input"
        else (run.output, run.response, run.output_size, run.output_tokens)
    )
    cut = len(text) > FIRST_CHARACTERS
    stored = len(text.encode("utf-8", "replace"))
    notes = [f"{count(tokens)} tokens" if tokens is not None else ""]
    removed = bool(run.payload_removed_on_us and not text and not whole)
    if removed and bytes_before:
        notes.append(size(bytes_before))
    elif bytes_before and not stored:
        notes.append(f"{size(bytes_before)}, not recorded")
    elif bytes_before > stored:
        notes.append(f"shortened from {size(bytes_before)} when it was recorded")
    return Payload(
        key=key,
        title=key.capitalize(),
        text=text[:FIRST_CHARACTERS],
        cut=cut,
        size=size(stored),
        note=" · ".join(note for note in notes if note),
        text_url=payload_path(key, run.request_id, "text"),
        json_url=payload_path(key, run.request_id, "json"),
        has_json=bool(whole),
        removed=removal(run.executed_on_us, run.payload_removed_on_us, zone) if removed else "",
    )


def _nine(run: Run, base_model: str, zone: tzinfo, now_us: int) -> tuple[MetadataRow, ...]:
    """The fields of the specification, in its order."""
    executed = Text(instant(run.executed_on_us, zone), iso(run.executed_on_us))
    of_catalog = Text(base_model, "As the catalog says: the run itself does not.")
    return (
        MetadataRow("Request ID", _text(run.request_id), mono=True),
        MetadataRow("Base Model", _text(run.base_model) if run.base_model or not base_model else of_catalog),
        MetadataRow("Connection Name", _text(run.connection_name)),
        MetadataRow("Response Time", _time(run.response_time_ms)),
        MetadataRow("Input Tokens", _tokens(run.input_tokens)),
        MetadataRow("Output Tokens", _tokens(run.output_tokens)),
        MetadataRow("Executed On", executed),
        _shared("Source Type", "source_type", run.source_type),
        _shared("Source", "source", run.source),
    )


def _more(run: Run, kind: ModelKind | None) -> tuple[MetadataRow, ...]:
    notes = []
    if run.response_time_clamped:
        why = "more than 30 days after" if run.response_time_ms else "before"
        notes.append(f"its end lay {why} its start, so it is left out of the percentiles")
    if run.payload_cut:
        notes.append("parts of the payload were longer than the limit and were cut")
    rows = [
        MetadataRow("Status", Text("Failed" if run.status == "failed" else "Success")),
        MetadataRow("Model", _text(run.model)),
        MetadataRow("Model Kind", _text(KIND_LABELS[kind] if kind else "")),
        MetadataRow("Deployment Version", _text(run.deployment_version)),
        MetadataRow("Provider", _text(run.provider)),
        MetadataRow("Operation", _text(run.operation)),
        MetadataRow("Streaming", Text("Yes" if run.streaming else "No")),
        MetadataRow("Time to First Token", _time(run.time_to_first_token_ms)),
        MetadataRow("Cached Input Tokens", _tokens(run.cached_input_tokens)),
        MetadataRow("Reasoning Tokens", _tokens(run.reasoning_tokens)),
        MetadataRow("Finish Reasons", _text(", ".join(run.finish_reasons))),
        _shared("Trace ID", "trace_id", run.trace_id, mono=True),
        MetadataRow("Span ID", _text(run.span_id), mono=True),
        MetadataRow("Parent Span ID", _text(run.parent_span_id), mono=True),
        _shared("Session ID", "session_id", run.session_id),
        _shared("User ID", "user_id", run.user_id),
        MetadataRow("Response ID", _text(run.response_id), mono=True),
        MetadataRow("Recorded by", _text(run.instrumentation)),
        MetadataRow("Server Address", _server(run.server_address)),
        MetadataRow("Key", _text(run.key_name)),
    ]
    if run.matched_by:
        rows.append(MetadataRow("Matched by", Text(f"{run.matched_by} (recorded as {_recorded_as(run)})")))
    if run.borrowed:
        rows.append(MetadataRow("From other recordings of this call", _text(", ".join(run.borrowed))))
    if notes:
        rows.append(MetadataRow("Notes", Text("; ".join(notes))))
    return tuple(rows)


def _recorded_as(run: Run) -> str:
    version, connection = run.recorded_deployment_version, run.recorded_connection_name
    return "@".join(part for part in (run.recorded_model, version or connection) if part)


def _shared(label: str, field: str, value: str, *, mono: bool = False) -> MetadataRow:
    """A value that other runs have too, and the way to them, whenever they were."""
    if not value:
        return MetadataRow(label, _UNKNOWN, mono=mono)
    term = Term(field, "is", (Pattern((value,)),))
    return MetadataRow(label, Text(value), mono=mono, href=Address(period="all", filter=to_text(term)).url)


def _text(value: str) -> Text:
    return Text(value) if value else _UNKNOWN


def _server(address: str) -> Text:
    """As it is read: older runs keep a host and port that came as one in brackets, as if they were IPv6's."""
    shown = server_text(address)
    return Text(shown, "" if shown == address else f"recorded as {address}") if address else _UNKNOWN


def _tokens(value: int | None) -> Text:
    return _UNKNOWN if value is None else Text(count(value))


def _time(value: float | None) -> Text:
    return _UNKNOWN if value is None else Text(duration(value), f"{value:.3f} ms")


def _number(value: int | None) -> str:
    return UNKNOWN if value is None else count(value)
