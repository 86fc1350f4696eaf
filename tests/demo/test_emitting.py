"""What the demo sends is read back as the run it was made of."""

import orjson
import pytest

from modeltraces.demo.emitting import Dialect, native_of, trace_request
from modeltraces.ingest.native import run_of_json
from modeltraces.ingest.otlp.spans import runs_of_traces
from modeltraces.ingest.recordings import Limits, SourceDefaults
from modeltraces.run import Run
from tests.demo.conftest import ACCOUNT, NOW_US

SAME_IN_ALL = (
    "executed_on_us", "model", "status", "deployment_version", "connection_name", "provider", "source_type", "source",
    "input", "input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens", "error_message",
    "error_type", "error_code", "session_id", "user_id", "trace_id", "span_id", "operation",
)  # fmt: skip


def differences(sent: Run, read: Run, names: tuple[str, ...]) -> dict[str, tuple[object, object]]:
    return {
        name: (getattr(sent, name), getattr(read, name)) for name in names if getattr(sent, name) != getattr(read, name)
    }


@pytest.mark.parametrize("dialect", ["gen_ai", "openinference"])
def test_spans_are_read_as_the_runs_they_were_made_of(first_runs: list[Run], dialect: Dialect) -> None:
    # OpenInference's instrumentations flatten the inputs of embeddings, each in its own way.
    kept = [run for run in first_runs[:2_000] if dialect == "gen_ai" or run.operation == "chat"]
    sent = {run.request_id: run for run in kept}
    decoded = runs_of_traces(
        trace_request(sent.values(), dialect),
        account_id=ACCOUNT, defaults=SourceDefaults(), limits=Limits(), received_on_us=NOW_US,
    )  # fmt: skip
    assert (decoded.rejected, decoded.ignored) == ([], 0)
    assert {run.request_id for run in decoded.runs} == set(sent)
    for run in decoded.runs:
        original = sent[run.request_id]
        assert differences(original, run, SAME_IN_ALL) == {}
        assert run.response_time_ms == pytest.approx(original.response_time_ms, abs=0.002)
        if original.time_to_first_token_ms is not None:
            assert run.time_to_first_token_ms == pytest.approx(original.time_to_first_token_ms, abs=0.002)
        if original.status == "success":
            assert run.base_model == original.base_model
            if original.operation == "chat":
                assert run.output == original.output
            assert run.finish_reasons == original.finish_reasons


def test_native_json_is_read_as_the_run_it_was_made_of(first_runs: list[Run]) -> None:
    for original in first_runs[:1_500]:
        value = orjson.loads(orjson.dumps(native_of(original)))
        run = run_of_json(
            value, account_id=ACCOUNT, defaults=SourceDefaults(), limits=Limits(), received_on_us=NOW_US
        ).run
        names = (
            *SAME_IN_ALL,
            "output",
            "response_time_ms",
            "time_to_first_token_ms",
            "streaming",
            "base_model",
            "response_id",
        )
        assert differences(original, run, names) == {}
