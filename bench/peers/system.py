"""What is asked of every system alike. An adapter says in which of a system's own calls it is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from modeltraces.run import Run

HOUR_US: Final = 3_600_000_000
PATIENCE_SECONDS: Final = 60.0
"""An answer that takes longer is given up, here and on every page that a person looks at."""


@dataclass(frozen=True, slots=True)
class Period:
    """From inclusive, to exclusive, microseconds since the epoch."""

    start_us: int
    end_us: int

    def wider(self, milliseconds: int) -> "Period":
        """With other bounds than before, so that no cache knows the answer."""
        return Period(self.start_us - milliseconds * 1000, self.end_us + milliseconds * 1000)


@dataclass(frozen=True, slots=True)
class Summary:
    count: int
    p50: float
    p90: float
    p99: float


class System(Protocol):
    """A running system. Runs are told apart by their trace ids; each run here has a trace of its own."""

    name: str
    version: str
    port: int
    pid: int
    data_dir: Path
    path: str
    """Where it takes OTLP, as protobuf over HTTP."""
    headers: Mapping[str, str]

    def count(self, period: Period) -> int: ...

    def newest(self, period: Period) -> Sequence[str]:
        """The trace ids of the newest 50 runs, newest first; names, times, status and beginnings of texts come with them."""

    def summary(self, period: Period) -> Summary: ...

    def hourly(self, period: Period) -> Mapping[int, float]:
        """P90 by the hour's begin, of the hours in which something was; P50 and P99 come with it."""

    def containing(self, period: Period, text: str) -> Sequence[str]:
        """As `newest`, of the runs whose input has the text."""

    def one(self, run: Run) -> str:
        """The answer for a whole run: JSON, with its payloads."""


@dataclass(slots=True)
class Figures:
    """What was measured of one system."""

    version: str
    sent: dict[str, list[float]] = field(default_factory=dict)
    """By how they were sent: runs, seconds until they were durable and queryable, processor ms of the server."""
    p50_ms: dict[str, float | None] = field(default_factory=dict)
    """None where the answer was not waited for any longer."""
    p95_ms: dict[str, float | None] = field(default_factory=dict)
    least_ms: dict[str, float | None] = field(default_factory=dict)
    """The quickest try: what a call takes when nothing else is at work."""
    processor_ms: dict[str, float | None] = field(default_factory=dict)
    """Of the server's processes, for one call."""
    uses: dict[str, float] = field(default_factory=dict)

    @property
    def rates(self) -> dict[str, float]:
        """Runs a second."""
        return {name: runs / seconds for name, (runs, seconds, _) in self.sent.items()}
