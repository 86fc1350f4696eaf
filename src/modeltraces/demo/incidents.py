"""Periods worth finding: when a model was slow or failed, and why. All are set against the end of the history."""

from dataclasses import dataclass
from typing import Final

from modeltraces.demo.models import LLAMA_V2_DAYS

_MINUTE: Final = 60_000_000
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


@dataclass(frozen=True, slots=True)
class Incident:
    """From one instant (inclusive) to another: some runs of a model are slowed or fail."""

    name: str
    model: str
    from_us: int
    to_us: int
    slowdown: float = 1.0
    failure_rate: float = 0.0
    failure_kind: str = "server"
    version: str = ""
    """Only this deployment version; '' for all. `connection` likewise."""
    connection: str = ""

    def touches(self, at_us: int, version: str, connection: str) -> bool:
        return (
            self.from_us <= at_us < self.to_us and self.version in ("", version) and self.connection in ("", connection)
        )


def _working_hour(end_us: int, days_before: int, hour: int) -> int:
    """The start of that UTC hour, some days before the end; on the Friday before for a weekend, when little happens."""
    day = end_us // _DAY - days_before
    # The epoch was a Thursday.
    day -= max(0, (day + 3) % 7 - 4)
    return day * _DAY + hour * _HOUR


def _last_noon(end_us: int) -> int:
    """Noon today if that was a while ago, or the same distance before the end: there is always a slow period to find."""
    noon = end_us // _DAY * _DAY + 12 * _HOUR
    return noon if 2 * _HOUR <= end_us - noon <= 8 * _HOUR else end_us - 5 * _HOUR


def incidents_before(end_us: int) -> tuple[Incident, ...]:
    """The incidents of a history that ends at this instant."""
    storm = _working_hour(end_us, 3, 14)
    rollout = end_us - int(LLAMA_V2_DAYS * _DAY)
    return (
        Incident("queue", "support-triage", _last_noon(end_us), end_us - 40 * _MINUTE, slowdown=7.0, failure_rate=0.03, failure_kind="timeout"),
        Incident("gpu-saturation", "mistral-small", _working_hour(end_us, 5, 17), _working_hour(end_us, 5, 21), slowdown=5.0, failure_rate=0.14, failure_kind="timeout"),
        Incident("gpu-saturation", "llama-3.1-8b-instruct", _working_hour(end_us, 5, 17), _working_hour(end_us, 5, 21), slowdown=4.0, failure_rate=0.04, failure_kind="timeout"),
        Incident("rate-limit-storm", "gpt-4o", storm, storm + 50 * _MINUTE, failure_rate=0.62, failure_kind="rate_limit", connection="azure-eu"),
        Incident("rate-limit-storm", "gpt-4o", end_us - 26 * _HOUR, end_us - 26 * _HOUR + 25 * _MINUTE, failure_rate=0.4, failure_kind="rate_limit", connection="azure-eu"),
        Incident("out-of-memory", "llama-3.1-8b-instruct", rollout, rollout + 19 * _HOUR, slowdown=1.3, failure_rate=0.24, failure_kind="oom", version="v2"),
        Incident("overload", "claude-sonnet-5-5", _working_hour(end_us, 8, 15), _working_hour(end_us, 8, 17), slowdown=2.0, failure_rate=0.35, failure_kind="server"),
        Incident("engine-restart", "qwen2.5-coder", _working_hour(end_us, 13, 9), _working_hour(end_us, 13, 9) + 12 * _MINUTE, failure_rate=0.95, failure_kind="server"),
        Incident("long-scans", "invoice-extractor", _working_hour(end_us, 2, 8), _working_hour(end_us, 2, 11), failure_rate=0.3, failure_kind="context", version="v2"),
        Incident("content-filter", "gpt-4o", _working_hour(end_us, 17, 10), _working_hour(end_us, 17, 13), failure_rate=0.22, failure_kind="content_filter", connection="azure-eu"),
        Incident("slow-embeddings", "text-embedding-3-small", _working_hour(end_us, 1, 2), _working_hour(end_us, 1, 5), slowdown=9.0),
    )  # fmt: skip
