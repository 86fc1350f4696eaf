"""What the address of the Model Traces page says: the whole state of the page, so that a link shows the same.

The parameters are the API's selection parameters (see `docs/api.md`), `columns`, `after`: how many runs stand before
the page that the cursor leads to, and `compare` and `measure`: what the chart draws side by side. Defaults are left out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote, urlencode

from starlette.datastructures import QueryParams

MODEL_TRACES: Final = "/settings/monitoring/model-traces"
REJECTED: Final = "/settings/monitoring/rejected"
API_KEYS: Final = "/settings/api-keys"
GATEWAY: Final = "/settings/gateway"
MEMBERS: Final = "/settings/members"
AUDIT_LOG: Final = "/settings/audit-log"
MODELS: Final = "/settings/models"
CONNECTIONS: Final = "/settings/connections"
HARDWARE: Final = "/settings/hardware"
MATCHING: Final = "/settings/matching"
RETENTION: Final = "/settings/retention"
PROFILE: Final = "/settings/profile"
SIGN_IN: Final = "/sign-in"
SIGN_OUT: Final = "/sign-out"
EXPORT: Final = "/api/v1/runs/export"
AUDIT_LOG_EXPORT: Final = "/api/v1/audit-log/export"
STREAM: Final = "/api/v1/runs/stream"

PERIODS: Final = {
    "24h": "24 hours",
    "7d": "7 days",
    "30d": "30 days",
    "90d": "90 days",
    "all": "since deployment",
}
DEFAULT_PERIOD: Final = "7d"
COMPARE: Final = {"deployment_version": "Versions", "connection_name": "Connections", "model": "Models"}
"""The fields that the chart compares by, as its head names them."""
MEASURES: Final = {"": "P90", "p99": "P99", "requests": "Requests"}
"""What the chart compares."""
SHOWN_ONLY: Final = frozenset({"columns", "after", "compare", "measure"})
"""The parameters that say how the page shows its runs, not which and in what order."""
DEFAULT_SORT: Final = "executed_on"
_UNQUOTED: Final = ":,"
"""Stand in a query as they are."""


@dataclass(frozen=True, slots=True)
class Address:
    """One state of the page. `period` is '' when `from_` and `to` say it."""

    models: tuple[str, ...] = ()
    period: str = DEFAULT_PERIOD
    from_: str = ""
    to: str = ""
    filter: str = ""
    sort: str = DEFAULT_SORT
    order: str = "desc"
    cursor: str = ""
    columns: tuple[str, ...] = ()
    after: int = 0
    """How many runs stand before the first that is shown, as it was counted while paging; 0: unknown, or none."""
    compare: str = ""
    """The field that the chart draws a line for each value of; '': it draws all runs together."""
    measure: str = ""

    @classmethod
    def of(cls, query: QueryParams) -> "Address":
        from_, to = query.get("from", ""), query.get("to", "")
        return cls(
            models=tuple(name for name in query.getlist("model") if name),
            period="" if from_ or to else query.get("period", "") or DEFAULT_PERIOD,
            from_=from_,
            to=to,
            filter=query.get("filter", "").strip(),
            sort=query.get("sort", "") or DEFAULT_SORT,
            order=query.get("order", "") or "desc",
            cursor=query.get("cursor", ""),
            columns=tuple(name for name in query.get("columns", "").split(",") if name),
            after=_whole(query.get("after", "")),
            compare=query.get("compare", ""),
            measure="" if query.get("measure", "") == "p90" else query.get("measure", ""),
        )

    def changed(self, **changes: Any) -> "Address":
        """The address of another state. What the cursor stands on is gone, unless it is among the changes."""
        return replace(self, **{"cursor": "", "after": 0, **changes})

    def kept(self, **changes: Any) -> "Address":
        """The address of another way to show the same runs, in the same place of the list."""
        return replace(self, **changes)

    def selection(self) -> list[tuple[str, str]]:
        """The parameters that choose runs (not their order, nor the place in it), without defaults."""
        pairs = [("model", name) for name in self.models]
        if self.period and self.period != DEFAULT_PERIOD:
            pairs.append(("period", self.period))
        pairs += [(name, value) for name, value in (("from", self.from_), ("to", self.to)) if value]
        if self.filter:
            pairs.append(("filter", self.filter))
        return pairs

    def ordering(self) -> list[tuple[str, str]]:
        pairs = []
        if self.sort != DEFAULT_SORT:
            pairs.append(("sort", self.sort))
        if self.order != "desc":
            pairs.append(("order", self.order))
        return pairs

    def pairs(self) -> list[tuple[str, str]]:
        """Every parameter that is not at its default."""
        pairs = self.selection() + self.ordering()
        if self.columns:
            pairs.append(("columns", ",".join(self.columns)))
        pairs += [(name, value) for name, value in (("compare", self.compare), ("measure", self.measure)) if value]
        if self.cursor:
            pairs.append(("cursor", self.cursor))
            if self.after:
                pairs.append(("after", str(self.after)))
        return pairs

    @property
    def url(self) -> str:
        return with_query(MODEL_TRACES, self.pairs())

    def of_each_model(self) -> Callable[[str], str]:
        """The address of the same state for a model alone, by its name: as `changed` says it, quick enough for thousands."""
        # The model comes first, whatever else there is.
        rest = with_query("", self.changed(models=()).pairs()).replace("?", "&", 1)
        return lambda name: f"{MODEL_TRACES}?model={quote(name, safe=_UNQUOTED)}{rest}"

    def run_url(self, request_id: str) -> str:
        """The page with this run open."""
        return with_query(run_path(request_id), self.pairs())


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def run_path(request_id: str) -> str:
    return f"{MODEL_TRACES}/runs/{quote(request_id, safe='')}"


def model_path(name: str) -> str:
    """The model's own page."""
    if name in (".", ".."):
        # As a segment of a path these mean a folder, however they are written.
        return with_query(MODELS, [("model", name)])
    return f"{MODELS}/{quote(name, safe='')}"


def with_query(path: str, pairs: Sequence[tuple[str, str]]) -> str:
    return f"{path}?{urlencode(pairs, quote_via=quote, safe=_UNQUOTED)}" if pairs else path
