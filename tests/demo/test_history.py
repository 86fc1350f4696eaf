"""The demo's history: how many, which, whose, and that it is the same every time."""

import re
from collections import Counter

import orjson
import pytest

from modeltraces.demo.history import BATCH_RUNS, generate_history, pace_at
from modeltraces.demo.models import MODELS
from modeltraces.run import Run, executed_on_ms_of
from tests.demo.conftest import ACCOUNT, HISTORY_RUNS, NOW_US

DAY_US = 86_400_000_000
SCRIPTS = {
    "Arabic": r"[\u0600-\u06ff]",
    "Hebrew": r"[\u0590-\u05ff]",
    "Devanagari": r"[\u0900-\u097f]",
    "Han": r"[\u4e00-\u9fff]",
    "Kana": r"[\u3040-\u30ff]",
    "Hangul": r"[\uac00-\ud7af]",
    "Cyrillic": r"[\u0400-\u04ff]",
    "emoji": r"[\U0001f300-\U0001faff]",
    "umlauts": r"[äöüß]",
    "Spanish": r"[¿¡ñ]",
}


def test_it_has_exactly_as_many_runs_as_were_asked_for_each_with_an_id_of_its_own(history: list[Run]) -> None:
    assert len(history) == HISTORY_RUNS
    assert len({run.request_id for run in history}) == HISTORY_RUNS


def test_its_runs_are_in_order_and_fill_thirty_days_to_the_present(history: list[Run]) -> None:
    starts = [run.executed_on_us for run in history]
    assert starts == sorted(starts)
    assert NOW_US - 30 * DAY_US <= starts[0] < NOW_US - 29.5 * DAY_US
    assert NOW_US - 600_000_000 < starts[-1] < NOW_US


def test_its_pace_goes_on_as_it_ended(history: list[Run]) -> None:
    hour_us = DAY_US // 24
    for days, hours in ((1, range(24)), (3, range(24)), (3, range(6, 18)), (3, range(2))):
        begin = NOW_US - days * DAY_US
        starts = [run.executed_on_us for run in history if run.executed_on_us >= begin]
        found = sum((start - begin) // hour_us % 24 in hours for start in starts)
        expected = sum(
            pace_at(begin + (day * 24 + hour) * hour_us, runs=HISTORY_RUNS) * 3600
            for day in range(days)
            for hour in hours
        )
        assert 0.8 < found / expected < 1.1, (days, hours, found, expected)


def test_its_batches_are_no_longer_than_one_insert() -> None:
    sizes = [len(batch) for batch in generate_history(ACCOUNT, NOW_US, runs=12_345)]
    assert sum(sizes) == 12_345
    assert set(sizes[:-1]) == {BATCH_RUNS}


def test_the_same_seed_and_instant_give_the_same_runs_and_another_seed_gives_others() -> None:
    first, again, other = (
        [run for batch in generate_history(ACCOUNT, NOW_US, runs=500, seed=seed) for run in batch] for seed in (1, 1, 2)
    )
    assert first == again
    assert {run.request_id for run in first}.isdisjoint({run.request_id for run in other})


def test_there_are_eight_models_of_all_three_kinds(history: list[Run]) -> None:
    assert {run.model for run in history} == set(MODELS)
    assert len(MODELS) == 8
    assert Counter(model.kind for model in MODELS.values()).keys() == {"open_source", "fine_tuned", "external"}


def test_deployed_models_have_versions_and_external_ones_connections(history: list[Run]) -> None:
    for run in history:
        is_external = MODELS[run.model].kind == "external"
        assert (run.connection_name != "") == is_external
        assert (run.deployment_version == "") == is_external
    versions = {(run.model, run.deployment_version) for run in history}
    assert {("llama-3.1-8b-instruct", "v2"), ("support-triage", "v1"), ("support-triage", "v3")} <= versions
    assert {run.connection_name for run in history if run.model == "gpt-4o"} == {"azure-eu", "openai-direct"}


def test_a_version_takes_over_step_by_step(history: list[Run]) -> None:
    def share(from_day: float, to_day: float) -> float:
        of_day = [
            run.deployment_version
            for run in history
            if run.model == "llama-3.1-8b-instruct" and from_day <= (NOW_US - run.executed_on_us) / DAY_US < to_day
        ]
        return of_day.count("v2") / len(of_day)

    assert share(13, 30) == 0
    assert 0.02 < share(11.05, 11.95) < 0.25
    assert 0.3 < share(10.3, 10.9) < 0.7
    assert share(0, 7) == 1


def test_there_are_sources_of_every_type(history: list[Run]) -> None:
    types = {run.source_type for run in history}
    assert types == {"Agent", "Workflow", "Prompt Studio", "Evaluation", "API", "Application"}
    assert all(run.source for run in history)


@pytest.mark.parametrize("script", SCRIPTS)
def test_inputs_and_outputs_are_in_many_scripts(history: list[Run], script: str) -> None:
    pattern = re.compile(SCRIPTS[script])
    assert sum(1 for run in history if pattern.search(run.input)) > 50
    assert sum(1 for run in history if pattern.search(run.output)) > 50


def test_texts_are_from_a_word_to_two_hundred_kilobytes(history: list[Run]) -> None:
    sizes = sorted(run.input_size for run in history)
    assert sizes[0] < 20
    assert 100 < sizes[len(sizes) // 2] < 2_000
    assert sizes[-1] > 100_000
    assert sum(1 for size in sizes if size > 50_000) > 10


def test_sizes_are_bytes_of_utf8(history: list[Run]) -> None:
    for run in history[:2_000]:
        assert run.input_size == len(run.input.encode())
        assert run.output_size == len(run.output.encode())


def test_payloads_have_the_form_of_their_provider(history: list[Run]) -> None:
    for run in history[:3_000]:
        request = orjson.loads(run.request)
        assert request["model"] == run.model
        if run.status == "failed":
            continue
        response = orjson.loads(run.response)
        assert response["model"] == run.base_model
        if run.operation == "embeddings":
            assert response["data"][0]["object"] == "embedding"
        elif run.model == "claude-sonnet-5-5":
            assert response["type"] == "message"
            assert response["stop_reason"] == run.finish_reasons[0]
            assert "system" not in {message["role"] for message in request["messages"]}
        else:
            assert response["object"] == "chat.completion"
            assert response["choices"][0]["finish_reason"] == run.finish_reasons[0]
            if run.output_tokens is None:
                assert "usage" not in response
            else:
                assert response["usage"]["completion_tokens"] == run.output_tokens


def test_there_are_streams_tool_calls_cached_and_reasoning_tokens_and_unknown_counts(history: list[Run]) -> None:
    answered = [run for run in history if run.status == "success"]
    streams = [run for run in answered if run.streaming]
    assert len(streams) > 0.1 * len(answered)
    for run in streams:
        assert run.time_to_first_token_ms is not None
        assert run.response_time_ms is not None
        assert 0 < run.time_to_first_token_ms <= run.response_time_ms
    assert all(run.time_to_first_token_ms is None for run in answered if not run.streaming)
    assert any("[tool call] get_order(" in run.output for run in answered)
    assert any(run.finish_reasons in (["length"], ["max_tokens"]) for run in answered)
    assert any(run.cached_input_tokens for run in answered)
    assert any(run.reasoning_tokens for run in answered)
    assert any(run.input_tokens is None for run in streams)
    assert all(run.input_tokens is not None for run in answered if not run.streaming)


def test_failed_runs_say_what_went_wrong_and_successful_ones_do_not(history: list[Run]) -> None:
    for run in history:
        assert bool(run.error_type) == bool(run.error_message) == (run.status == "failed")
    failed = [run for run in history if run.status == "failed"]
    assert 0.005 < len(failed) / len(history) < 0.05
    assert any(run.output and run.finish_reasons == ["error"] for run in failed), "no stream broke off"


def test_nights_and_weekends_are_quieter(history: list[Run]) -> None:
    by_hour = Counter(run.executed_on_us // 3_600_000_000 % 24 for run in history if run.source == "helpdesk-web")
    assert by_hour[10] > 10 * by_hour[1]
    # 1970-01-01 was a Thursday.
    by_weekday = Counter((run.executed_on_us // DAY_US + 3) % 7 for run in history if run.source == "helpdesk-web")
    assert by_weekday[6] < 0.4 * by_weekday[1]


def test_conversations_span_several_runs(history: list[Run]) -> None:
    sessions = Counter(run.session_id for run in history if run.session_id)
    assert sessions.most_common(1)[0][1] >= 3
    assert all(run.user_id for run in history if run.session_id)


def test_ids_tell_the_time_of_their_run(history: list[Run]) -> None:
    for run in history[:1_000]:
        assert executed_on_ms_of(run.request_id) == run.executed_on_us // 1000
