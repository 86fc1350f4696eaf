"""What real SDKs and instrumentations sent comes out as the calls that were made."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from modeltraces.ingest.folding import calls, fold
from modeltraces.ingest.otlp.json import logs_from_json, traces_from_json
from modeltraces.ingest.otlp.logs import apply_contents, contents_of_logs
from modeltraces.ingest.otlp.spans import runs_of_traces
from modeltraces.ingest.recordings import Decoded, Limits, SourceDefaults
from modeltraces.run import Run
from tests.emitters.facts import check

RECORDED = Path(__file__).parents[2] / "emitters" / "recorded"
RECEIVED_ON_US = 2_000_000_000_000_000
NAMES_NO_MODEL = ("anthropic_openllmetry_events",)
"""It puts the model into events that carry no ids."""
NAMES_NO_PROVIDER = ("langfuse", "litellm_otel")
FILES = sorted(RECORDED.glob("*/*.json"))


def decoded_requests(document: dict[str, Any]) -> Iterator[Decoded]:
    for request in document["requests"]:
        body = json.dumps(request["body_json"]).encode()
        if request["path"].endswith("/traces"):
            yield runs_of_traces(
                traces_from_json(body),
                account_id="A",
                defaults=SourceDefaults(),
                limits=Limits(),
                received_on_us=RECEIVED_ON_US,
            )
        elif request["path"].endswith("/logs"):
            yield contents_of_logs(logs_from_json(body), account_id="A", limits=Limits(), received_on_us=RECEIVED_ON_US)


def runs_in(path: Path) -> list[Run]:
    """The runs of a recording, with the content of its log records, before recordings of one call are linked."""
    decoded = list(decoded_requests(json.loads(path.read_text())))
    parts = [part for one in decoded for part in one.contents]
    return [
        apply_contents(run, [part for part in parts if (part.trace_id, part.span_id) == (run.trace_id, run.span_id)])
        for one in decoded
        for run in one.runs
    ]


@pytest.mark.parametrize("path", FILES, ids=[f"{path.parent.name}/{path.stem}" for path in FILES])
def test_every_recorded_scenario_gives_runs_that_say_model_provider_source_and_outcome(path: Path) -> None:
    runs = runs_in(path)
    assert runs
    scenario = path.stem
    for run in runs:
        assert run.model != "unknown" or path.parent.name in NAMES_NO_MODEL
        assert run.provider or path.parent.name in NAMES_NO_PROVIDER
        assert run.source
        assert run.response_time_ms is not None
        assert not run.response_time_clamped
        assert (run.status == "failed") == bool(run.error_type or run.error_message)
    if "error" in scenario:
        assert all(run.status == "failed" and run.output == "" for run in runs)
        assert all(run.output_tokens is None for run in runs)
    elif scenario != "broken":
        assert all(run.status == "success" for run in runs)


@pytest.mark.parametrize("path", FILES, ids=[f"{path.parent.name}/{path.stem}" for path in FILES])
def test_the_recordings_of_a_call_fold_into_the_run_that_is_expected(path: Path) -> None:
    """What the server tells of them is tested with the emitters; here a wrong reading is found without one."""
    counted = [run for call in calls(runs_in(path)) for run in fold(call.recordings) if not run.superseded_by]
    check([as_json(run) for run in counted], json.loads(path.read_text())["expected"])


def as_json(run: Run) -> dict[str, Any]:
    error = {"type": run.error_type, "message": run.error_message, "code": run.error_code}
    return asdict(run) | {"error": error if run.status == "failed" else None}


@pytest.mark.parametrize("path", FILES, ids=[f"{path.parent.name}/{path.stem}" for path in FILES])
def test_nothing_recorded_is_refused_but_log_records_that_name_no_call(path: Path) -> None:
    for decoded in decoded_requests(json.loads(path.read_text())):
        for rejection in decoded.rejected:
            assert "carries no trace id" in rejection.reason
