"""The work that systems are compared by: done by a real server of ours here; the peers are installed only when asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench.peers.__main__ import sections
from bench.peers.environments import NAMES, requirement_of
from bench.peers.ours import running_ours
from bench.peers.system import HOUR_US, Figures, Period, Summary
from bench.peers.work import TEXTS, Question, Work, measure, questions
from bench.results import quantile
from modeltraces.demo.emitting import span_of
from modeltraces.run import Run

END_US = 1_795_000_000_000_000


@pytest.fixture(scope="module")
def work() -> Work:
    return Work.of(700, END_US)


class Exact:
    """Answers from the runs themselves."""

    name, version, port, pid, path = "exact", "1", 0, 0, ""
    data_dir = Path()
    headers: Mapping[str, str] = {}

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = sorted(runs, key=lambda run: -run.executed_on_us)

    def count(self, period: Period) -> int:
        return len(self.runs)

    def newest(self, period: Period) -> Sequence[str]:
        return [run.trace_id for run in self.runs[:50]]

    def summary(self, period: Period) -> Summary:
        times = [run.response_time_ms or 0.0 for run in self.runs]
        return Summary(len(times), *(quantile(times, share) for share in (0.5, 0.9, 0.99)))

    def hourly(self, period: Period) -> Mapping[int, float]:
        hours: dict[int, list[float]] = {}
        for run in self.runs:
            hours.setdefault(run.executed_on_us // HOUR_US * HOUR_US, []).append(run.response_time_ms or 0.0)
        return {hour: quantile(times, 0.9) for hour, times in hours.items()}

    def containing(self, period: Period, text: str) -> Sequence[str]:
        return [run.trace_id for run in self.runs if text in run.input][:50]

    def one(self, run: Run) -> str:
        return f"{run.trace_id} {run.input}"


def _wrong(system: Exact, work: Work) -> set[str]:
    """The questions that the system answers otherwise than the work's runs say."""

    def fails(question: Question) -> bool:
        try:
            question.check(question.ask(0))
        except AssertionError:
            return True
        return False

    return {question.name for question in questions(system, work) if fails(question)}


def test_a_server_of_ours_does_the_whole_work_in_parts_and_every_figure_is_there(work: Work, tmp_path: Path) -> None:
    with running_ours(tmp_path / "data") as system:
        figures = Figures(system.version)
        in_no_time = list(measure(system, work, figures, at_most_seconds=-1))
        in_time = list(measure(system, work, figures, tries=1))
        again = list(measure(system, work, figures))
    assert in_no_time == ["0 runs are in; time is over"]
    assert in_time[0] == "taking in from 0"
    assert in_time[-1] == "done"
    assert again == ["done"], "work that was broken off goes on where it was"
    names = {question.name for question in questions(system, work)}
    assert set(figures.p50_ms) == set(figures.p95_ms) == set(figures.least_ms) == set(figures.processor_ms) == names
    assert all(
        value and value > 0 for value in (*figures.rates.values(), *figures.p50_ms.values(), *figures.uses.values())
    )
    assert sum(value or 0 for value in figures.processor_ms.values()) > 0
    assert {"1 connection", "4 connections"} == set(figures.rates)


def test_right_answers_are_taken_for_right(work: Work) -> None:
    assert _wrong(Exact(work.runs), work) == set()


def test_a_run_that_is_missing_is_found_by_every_question_that_it_belongs_to(work: Work) -> None:
    newest = max(work.runs, key=lambda run: run.executed_on_us)
    assert {"newest 50", "count, P50, P90, P99"} <= _wrong(Exact([run for run in work.runs if run is not newest]), work)


def test_response_times_that_are_off_by_a_third_are_taken_for_wrong(work: Work) -> None:
    slower = [replace(run, response_time_ms=(run.response_time_ms or 0.0) * 4 / 3) for run in work.runs]
    assert {"count, P50, P90, P99", "P50, P90, P99 by the hour"} <= _wrong(Exact(slower), work)


def test_of_the_texts_asked_for_some_inputs_have_one_and_none_the_other_and_no_span_has_them_elsewhere(
    work: Work,
) -> None:
    found, none = ({run.trace_id for run in work.runs if text in run.input} for text in TEXTS.values())
    assert 0.02 < len(found) / len(work.runs) < 0.06
    assert not none
    assert found == {run.trace_id for run in work.runs if "shipments" in str(span_of(run, "openinference")).casefold()}


def test_every_run_is_a_trace_of_its_own(work: Work) -> None:
    assert len({run.trace_id for run in work.runs}) == len(work.runs) == 700
    assert not any(run.parent_span_id for run in work.runs)


def test_ratios_are_to_the_faster_peer_and_of_rates_to_the_higher_one() -> None:
    measured = {
        "modeltraces": Figures("1", {"1 connection": [8000, 2.0, 900.0]}, {"newest 50": 10.0}, {"newest 50": 12.0}),
        "phoenix": Figures("2", {"1 connection": [400, 2.0, 900.0]}, {"newest 50": 300.0}, {"newest 50": 310.0}),
        "mlflow": Figures("3", {"1 connection": [400, 1.0, 900.0]}, {"newest 50": 20.0}, {"newest 50": 48.0}),
    }
    rates, p50, p95, *_ = sections(measured, 1000)
    assert rates.rows == [["1 connection", 4000.0, 200.0, 400.0, 10.0]]
    assert p50.rows == [["newest 50", 10.0, 300.0, 20.0, 0.5]]
    assert p95.rows == [["newest 50", 12.0, 310.0, 48.0, 0.25]]


def test_an_answer_that_was_given_up_is_said_and_is_no_part_of_a_ratio() -> None:
    measured = {
        name: Figures("1", {}, {"text in input": value}, {"text in input": value})
        for name, value in (("modeltraces", 30.0), ("phoenix", 900.0), ("mlflow", None))
    }
    _, p50, *_ = sections(measured, 1000)
    assert p50.rows == [["text in input", 30.0, 900.0, "over 60 s", pytest.approx(1 / 30)]]


def test_one_system_alone_has_no_ratio() -> None:
    _, p50, *_ = sections({"modeltraces": Figures("1", {}, {"newest 50": 10.0}, {"newest 50": 12.0})}, 1000)
    assert p50.rows == [["newest 50", 10.0, ""]]


@pytest.mark.parametrize("name", NAMES)
def test_a_peer_is_installed_in_one_stated_version(name: str) -> None:
    package, _, version = requirement_of(name).partition("==")
    assert package.isascii()
    assert [part.isdigit() for part in version.split(".")] == [True] * 3
