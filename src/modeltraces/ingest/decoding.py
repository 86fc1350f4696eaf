"""A request's body → what it holds. Pure: nothing but values goes in and out."""

from dataclasses import dataclass, field

from modeltraces.ingest.native import Invalid, NativeRun, load_runs, run_of_json
from modeltraces.ingest.otlp.json import logs_from_json, traces_from_json
from modeltraces.ingest.otlp.logs import contents_of_logs
from modeltraces.ingest.otlp.protobuf import logs_from_protobuf, traces_from_protobuf
from modeltraces.ingest.otlp.spans import runs_of_traces
from modeltraces.ingest.recordings import Decoded, Limits, SourceDefaults
from modeltraces.run import now_us


@dataclass(slots=True)
class DecodedNative:
    """What one request of the native way in holds."""

    accepted: list[NativeRun] = field(default_factory=list)
    rejected: list[tuple[int, str]] = field(default_factory=list)
    """Position in the request, and the reason."""
    many: bool = False
    """Whether it was an array or NDJSON."""


def decode_traces(body: bytes, as_json: bool, account_id: str, defaults: SourceDefaults, limits: Limits) -> Decoded:
    """An OTLP ExportTraceServiceRequest. Raises ValueError or protobuf's DecodeError when it is none."""
    request = traces_from_json(body) if as_json else traces_from_protobuf(body)
    return runs_of_traces(request, account_id=account_id, defaults=defaults, limits=limits, received_on_us=now_us())


def decode_logs(body: bytes, as_json: bool, account_id: str, defaults: SourceDefaults, limits: Limits) -> Decoded:
    """An OTLP ExportLogsServiceRequest. Raises ValueError or protobuf's DecodeError when it is none."""
    request = logs_from_json(body) if as_json else logs_from_protobuf(body)
    return contents_of_logs(request, account_id=account_id, limits=limits, received_on_us=now_us())


def decode_native(
    body: bytes, ndjson: bool, account_id: str, defaults: SourceDefaults, limits: Limits
) -> DecodedNative:
    """A body of `POST /api/v1/runs`. Raises Invalid when it is no JSON; a run that is none is rejected by itself."""
    received = now_us()
    values, many = load_runs(body, ndjson)
    decoded = DecodedNative(many=many)
    for index, value in enumerate(values):
        try:
            decoded.accepted.append(
                run_of_json(value, account_id=account_id, defaults=defaults, limits=limits, received_on_us=received)
            )
        except Invalid as error:
            decoded.rejected.append((index, f"{error}"))
        except Exception as error:  # One run must never take the others with it.
            decoded.rejected.append((index, f"the run could not be read ({type(error).__name__})"))
    return decoded
