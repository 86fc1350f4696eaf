"""The work that every system does: the same spans taken in, the same questions answered, and the answers compared.

A system that answers otherwise than the runs say has not done the work: that ends the measurement.
"""

import math
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Final

import httpx

from bench.client import send_all
from bench.generate import generate
from bench.peers.process import tree_mb, tree_processor_ms
from bench.peers.system import HOUR_US, Figures, Period, Summary, System
from bench.results import quantile
from bench.server import disk_mb
from modeltraces.demo.emitting import trace_request
from modeltraces.run import Run

DAYS: Final = 7
BATCH: Final = 512
"""Spans of a request: what OpenTelemetry's SDKs send at most."""
CONNECTIONS: Final = (1, 4)
# No run has either in its output or attributes alone: one of the peers looks there too when it is asked for the input.
TEXTS: Final = {"text in input, 4 % of runs": "shipments", "text in input, no run": "unobtainium"}
_PORTION: Final = 4 * BATCH
"""Sent and counted at once."""
_TRIES: Final = 30
_FEWEST_TRIES: Final = 3
_CALL_SECONDS: Final = 10.0
"""After which a slow call is not tried more often."""
_QUERYABLE_SECONDS: Final = 900.0
_POLL_SECONDS: Final = 0.25
_FIRST_BOUNDS: Final = 1_000_000
"""Milliseconds; more than the bounds of any count before."""


@dataclass(slots=True)
class Work:
    runs: list[Run]
    period: Period

    @classmethod
    def of(cls, count: int, end_us: int, *, seed: int = 1) -> "Work":
        """`count` runs of the 7 days before `end_us`, each a trace of its own: peers count and list traces."""
        end_us -= end_us % 1000
        rng = Random(seed)
        runs = [run for batch in generate("", end_us, runs=count, days=DAYS, seed=seed) for run in batch]
        for run in runs:
            # Whole milliseconds: one of the peers keeps no others, and order and percentiles would differ by that.
            run.executed_on_us -= run.executed_on_us % 1000
            run.response_time_ms = float(round(run.response_time_ms or 0.0))
            run.trace_id, run.parent_span_id = f"{rng.getrandbits(128):032x}", ""
        return cls(runs, Period(end_us - DAYS * 24 * HOUR_US, end_us))

    def bodies(self, runs: Sequence[Run]) -> list[bytes]:
        batches = [runs[start : start + BATCH] for start in range(0, len(runs), BATCH)]
        return [trace_request(batch, "openinference").SerializeToString() for batch in batches]


def measure(
    system: System, work: Work, figures: Figures, *, tries: int = _TRIES, at_most_seconds: float = math.inf
) -> Iterator[str]:
    """Take the runs in, then ask; says before each step what comes, and at the end that all is done or that time is over.

    What the system has already, and what the figures say already, is left out. Raises AssertionError for a wrong answer.
    """
    until = time.monotonic() + at_most_seconds
    has = system.count(work.period)
    for name, connections, start, end in _portions(len(work.runs)):
        if end <= has:
            continue
        assert start == has, (
            f"{system.name} has {has} runs, and lost the rest of a portion: begin with an empty directory"
        )
        if time.monotonic() > until:
            yield f"{has} runs are in; time is over"
            return
        yield f"taking in from {has}"
        _send(
            system, work, start, end, connections, figures.sent.setdefault(name, [0.0, 0.0, 0.0]) if name else [0.0] * 3
        )
        has = end
    figures.uses["processor ms for each run taken in"] = (
        sum(processor for *_, processor in figures.sent.values()) / sum(runs for runs, *_ in figures.sent.values())
    )  # fmt: skip
    figures.uses["disk, MB"] = disk_mb(system.data_dir)
    for number, question in enumerate(questions(system, work)):
        if question.name in figures.p50_ms:
            continue
        if time.monotonic() > until:
            yield f"{len(figures.p50_ms)} questions are answered; time is over"
            return
        yield question.name
        _answer(system, question, figures, _FIRST_BOUNDS + number * (tries + 1), tries)
    figures.uses["memory, MB"] = tree_mb(system.pid)
    yield "done"


def _portions(count: int) -> Iterator[tuple[str, int, int, int]]:
    """How they are sent, over how many connections, from which run to which: one batch to warm up, then half over each number."""
    yield "", 1, 0, min(BATCH, count)
    half = BATCH + (count - BATCH) // 2
    for connections, first, last in zip(CONNECTIONS, (BATCH, half), (half, count), strict=True):
        name = f"{connections} connection{'s' if connections > 1 else ''}"
        for start in range(first, last, _PORTION):
            yield name, connections, start, min(start + _PORTION, last)


def _send(system: System, work: Work, start: int, end: int, connections: int, sums: list[float]) -> None:
    """From the first byte sent until every run is counted: a 200 alone does not say that one is stored."""
    requests = [_request(system, body) for body in work.bodies(work.runs[start:end])]
    before, began = tree_processor_ms(system.pid), time.perf_counter()
    sent = send_all(system.port, requests, connections, at_most_seconds=_QUERYABLE_SECONDS)
    assert set(sent.statuses) <= {200, 429, 503}, f"{system.name}: {sent.statuses}"
    until, tries = time.monotonic() + _QUERYABLE_SECONDS, 1
    while (found := system.count(work.period.wider(start + tries))) != end:
        assert found < end, f"{system.name}: {found} runs are counted, {end} were sent"
        assert time.monotonic() < until, f"{system.name}: {found} of {end} runs are counted"
        tries += 1
        time.sleep(_POLL_SECONDS)
    seconds, processor = time.perf_counter() - began, tree_processor_ms(system.pid) - before
    for place, value in enumerate((end - start, seconds, processor)):
        sums[place] += value


def _request(system: System, body: bytes) -> bytes:
    headers = {
        "Host": f"127.0.0.1:{system.port}", "Content-Type": "application/x-protobuf",
        "Content-Length": str(len(body)), **system.headers,
    }  # fmt: skip
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {system.path} HTTP/1.1\r\n{head}\r\n".encode() + body


@dataclass(frozen=True, slots=True)
class Question:
    name: str
    ask: Callable[[int], Any]
    """With a number that makes its bounds new."""
    check: Callable[[Any], None]
    """Against the runs themselves. Raises AssertionError."""


def questions(system: System, work: Work) -> list[Question]:
    newest = sorted(work.runs, key=lambda run: run.executed_on_us, reverse=True)
    hours: defaultdict[int, list[float]] = defaultdict(list)
    for run in newest:
        hours[run.executed_on_us // HOUR_US * HOUR_US].append(run.response_time_ms or 0.0)
    period = work.period

    def containing(name: str, text: str) -> Question:
        having = [run for run in newest if text in run.input]
        return Question(name, lambda n: system.containing(period.wider(n), text), partial(_same_runs, having))

    def one(number: int) -> tuple[Run, str]:
        run = newest[number * 7919 % len(newest)]
        return run, system.one(run)

    return [
        Question("newest 50", lambda n: system.newest(period.wider(n)), partial(_same_runs, newest)),
        Question("count, P50, P90, P99", lambda n: system.summary(period.wider(n)), partial(_right_summary, newest)),
        Question("P50, P90, P99 by the hour", lambda n: system.hourly(period.wider(n)), partial(_right_hours, hours)),
        Question("one run, whole", one, _whole),
        # Last: what is given up is still being worked on.
        *[containing(name, text) for name, text in TEXTS.items()],
    ]


def _same_runs(newest: Sequence[Run], found: Sequence[str]) -> None:
    # Of those of one millisecond any may come first.
    times = {run.trace_id: run.executed_on_us for run in newest}
    expected = [run.executed_on_us for run in newest[:50]]
    assert [times.get(name) for name in found] == expected, f"other runs than the newest: {found}"


def _right_summary(runs: Sequence[Run], found: Summary) -> None:
    times = [run.response_time_ms or 0.0 for run in runs]
    assert found.count == len(runs), f"{found.count} runs instead of {len(runs)}"
    for share, value in ((0.5, found.p50), (0.9, found.p90), (0.99, found.p99)):
        _near(times, share, value, 0.01 if share > 0.95 else 0.02)


def _right_hours(hours: Mapping[int, list[float]], found: Mapping[int, float]) -> None:
    assert set(found) == set(hours), f"{len(found)} hours instead of {len(hours)}"
    for hour, p90 in found.items():
        _near(hours[hour], 0.9, p90, 0.1)


def _near(values: Sequence[float], share: float, value: float, tolerance: float) -> None:
    """Systems interpolate and estimate in ways of their own: a quantile is right between those beside it."""
    ordered, last = sorted(values), len(values) - 1
    low = ordered[max(0, math.floor((share - tolerance) * last))]
    high = ordered[min(last, math.ceil((share + tolerance) * last))]
    assert low - 1 <= value <= high + 1, f"P{share * 100:.0f} {value} is not within {low} and {high}"


def _whole(found: tuple[Run, str]) -> None:
    run, answer = found
    # The longest word of the input, so that it may be written and escaped in any way.
    word = max(re.findall(r"[A-Za-z]+", run.input), key=len, default="")
    assert word in answer, f"{word} is not in {answer[:300]}"
    assert run.trace_id in answer or run.span_id in answer, f"not the run asked for: {answer[:300]}"


def _answer(system: System, question: Question, figures: Figures, first: int, tries: int) -> None:
    name = question.name
    try:
        # The first one warms up.
        _timed(question, first, 1)
        before = tree_processor_ms(system.pid)
        times = _timed(question, first + 1, tries)
    except httpx.TimeoutException:
        figures.p50_ms[name] = figures.p95_ms[name] = figures.least_ms[name] = figures.processor_ms[name] = None
        return
    figures.processor_ms[name] = (tree_processor_ms(system.pid) - before) / len(times)
    figures.p50_ms[name], figures.p95_ms[name] = quantile(times, 0.5), quantile(times, 0.95)
    figures.least_ms[name] = min(times)


def _timed(question: Question, first: int, tries: int) -> list[float]:
    """Milliseconds of each try."""
    times: list[float] = []
    until = time.perf_counter() + _CALL_SECONDS
    for number in range(tries):
        if number >= _FEWEST_TRIES and time.perf_counter() > until:
            break
        began = time.perf_counter()
        found = question.ask(first + number)
        times.append((time.perf_counter() - began) * 1000)
        question.check(found)
    return times
