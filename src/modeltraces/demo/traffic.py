"""Live traffic: a client that sends runs to the running server as instrumented programs do, until told to stop."""

import threading
import time
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from random import Random
from typing import Final
from urllib.parse import urlsplit

import orjson
import structlog

from modeltraces.demo.emitting import native_of, trace_request
from modeltraces.demo.history import pace_at
from modeltraces.demo.incidents import Incident
from modeltraces.demo.making import RunMaker
from modeltraces.demo.sources import WORKLOADS, rhythm_weight
from modeltraces.run import Run, now_us

log = structlog.get_logger(__name__)

LEAST_PER_SECOND: Final = 0.1
"""In nights, too: enough to see runs arrive, and half of what the history has in its busiest hours."""
OPENING_PER_SECOND: Final = 0.5
OPENING_SECONDS: Final = 120.0
"""Whoever starts the demo looks at the live view first. No bar of the last day's chart grows past its highest by it."""
_LONGEST_INPUT: Final = 50_000
_LONGEST_PAUSE_SECONDS: Final = 30.0
_FOREVER_US: Final = 1 << 62


@dataclass(slots=True)
class TrafficReport:
    """What was sent; read it from any thread."""

    acknowledged: int = 0
    refused: int = 0
    unreachable: int = 0


@dataclass(slots=True)
class _Sender:
    """One connection, opened again when it was lost."""

    url: str
    api_key: str
    _connection: HTTPConnection | None = None

    def post(self, path: str, body: bytes, content_type: str) -> int:
        """The answer's status. Raises OSError or HTTPException when there is none."""
        if self._connection is None:
            address = urlsplit(self.url)
            kind = HTTPSConnection if address.scheme == "https" else HTTPConnection
            self._connection = kind(address.hostname or "127.0.0.1", address.port, timeout=20)
        headers = {"Content-Type": content_type, "Authorization": f"Bearer {self.api_key}"}
        try:
            self._connection.request("POST", path, body, headers)
            response = self._connection.getresponse()
            response.read()
        except BaseException:
            self.close()
            raise
        return response.status

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass(slots=True)
class LiveTraffic:
    """Runs of the demo's models that end now, at jittered moments; some fail, some are streams.

    `account_id` is not sent: the key says whose the runs are.
    """

    url: str
    api_key: str
    runs_per_second: float | None = None
    """None: as the history went, see `live_pace`."""
    seed: int | None = None
    report: TrafficReport = field(default_factory=TrafficReport)

    def run(self, stop: threading.Event) -> None:
        """Send until `stop` is set. A server that is away is tried again, less and less often."""
        rng = Random(self.seed)
        maker = RunMaker("", rng, end_us=now_us(), incidents=_ordinary_trouble())
        sender = _Sender(self.url, self.api_key)
        pause = 0.0
        began = time.monotonic()
        try:
            while not stop.wait(
                pause or rng.expovariate(self.runs_per_second or live_pace(now_us(), time.monotonic() - began))
            ):
                run = self._next(maker, rng)
                try:
                    status = _send(sender, run)
                except (OSError, HTTPException):
                    self.report.unreachable += 1
                    pause = min(_LONGEST_PAUSE_SECONDS, (pause or 0.25) * 2)
                    continue
                pause = 0.0
                if status == 200:
                    self.report.acknowledged += 1
                elif status in (429, 503):
                    pause = 2.0
                else:
                    self.report.refused += 1
                    pause = _LONGEST_PAUSE_SECONDS
                    log.warning("live traffic was refused; trying again", status=status)
        finally:
            sender.close()

    def start(self, stop: threading.Event) -> threading.Thread:
        thread = threading.Thread(target=self.run, args=(stop,), name="demo-traffic", daemon=True)
        thread.start()
        return thread

    def _next(self, maker: RunMaker, rng: Random) -> Run:
        hours = time.time() / 3600
        hour, weekday = int(hours) % 24, (int(hours) // 24 + 3) % 7
        # Rhythms differ in their sums; sources that sleep now are heard now and then.
        weights = [w.share * max(0.05, rhythm_weight(w.rhythm, hour, weekday)) for w in WORKLOADS]
        while True:
            run = maker.make(rng.choices(WORKLOADS, weights)[0], now_us())
            if len(run.input) <= _LONGEST_INPUT:
                break
        # What is recorded ended now, so it began a moment ago.
        run.executed_on_us -= round((run.response_time_ms or 0.0) * 1000)
        return run


def live_pace(at_us: int, seconds: float) -> float:
    """Runs a second, so and so many `seconds` after the start."""
    if seconds < OPENING_SECONDS:
        return OPENING_PER_SECOND
    return max(LEAST_PER_SECOND, pace_at(at_us))


def _send(sender: _Sender, run: Run) -> int:
    """Send the run in the way that its source has; the answer's status."""
    if run.source_type in ("API", "Prompt Studio"):
        return sender.post("/api/v1/runs", orjson.dumps(native_of(run)), "application/json")
    request = trace_request([run], "openinference" if run.source_type == "Application" else "gen_ai")
    return sender.post("/v1/traces", request.SerializeToString(), "application/x-protobuf")


def _ordinary_trouble() -> tuple[Incident, ...]:
    """Failures often enough that who watches sees one within a minute or two."""
    return (
        Incident("rate-limit", "gpt-4o", 0, _FOREVER_US, failure_rate=0.05, failure_kind="rate_limit"),
        Incident("overload", "claude-sonnet-5-5", 0, _FOREVER_US, failure_rate=0.04, failure_kind="server"),
        Incident("context", "invoice-extractor", 0, _FOREVER_US, failure_rate=0.05, failure_kind="context"),
    )
