"""Which recordings say themselves that they are of one call: the rules, and the index of what arrived lately.

A call can be recorded more than once: by a framework's span around an SDK's, by two spans in two traces that bear one
response id, by log records beside a span; what only time and text tie together is for `nesting`. `LinkIndex` remembers
where the recordings of the last minutes stand, so that the writer needs the store only for those few that have a
counterpart.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from modeltraces.ingest.neighbours import Neighbours
from modeltraces.run import Run

SEVERAL: Final = "\0"
"""In place of an instrumentation's name, where there were several."""
_CLOCK_TOLERANCE_US: Final = 1_000_000
"""Two instrumentations of one process read one clock; a second covers spans that a proxy on another machine made."""


def same_call(outer: Run, inner: Run) -> bool:
    """Whether a model-call span and a model-call span inside it record one call."""
    return same_kind(outer, inner) and _overlap(outer, inner) and not ids_contradict(outer, inner)


def same_response(one: Run, other: Run) -> bool:
    """Whether two spans that bear one response id record one call.

    One instrumentation does not record a call twice; but test servers and some engines give one id to every response.
    So the id links only recordings by different instrumentations that overlap in time.
    """
    return one.instrumentation != other.instrumentation and same_kind(one, other) and _overlap(one, other)


def same_kind(one: Run, other: Run) -> bool:
    return (one.operation == "embeddings") == (other.operation == "embeddings")


def _overlap(one: Run, other: Run) -> bool:
    return latest_end(one) >= other.executed_on_us and latest_end(other) >= one.executed_on_us


def latest_end(run: Run) -> float:
    """Until when (µs) another recording of the same call may start."""
    if run.response_time_ms is None:
        return float("inf")
    return run.executed_on_us + run.response_time_ms * 1000 + _CLOCK_TOLERANCE_US


def ids_contradict(one: Run, other: Run) -> bool:
    """Two ids of one form (`chatcmpl-…`) that differ are two responses; a framework's own id says nothing."""
    if not one.response_id or not other.response_id or one.response_id == other.response_id:
        return False
    return form_of(one.response_id) == form_of(other.response_id)


def form_of(response_id: str) -> str:
    return response_id.replace("_", "-").partition("-")[0]


@dataclass(slots=True)
class LinkIndex:
    """Where the recordings of the last minutes stand: hash of what links them → starts (µs) of the runs concerned.

    Two generations are kept, so that forgetting costs nothing: an entry lives for one to two half-windows.
    """

    window_seconds: float = 1800
    max_entries: int = 600_000
    _young: dict[int, int | tuple[int, ...]] = field(default_factory=dict)
    """A single start stands for itself: most have one, and a tuple around it takes as much as the rest of its entry."""
    _old: dict[int, int | tuple[int, ...]] = field(default_factory=dict)
    _young_near: Neighbours = field(default_factory=Neighbours)
    _old_near: Neighbours = field(default_factory=Neighbours)
    _young_scopes: dict[str, str] = field(default_factory=dict)
    """Account → the one instrumentation whose recordings bore response ids, or SEVERAL."""
    _old_scopes: dict[str, str] = field(default_factory=dict)
    _turned_on: float = field(default_factory=time.monotonic)

    def remember(self, run: Run, tied: tuple[str, ...] = (), whole: bool = True) -> None:
        """`tied`: the instrumentations of those that bear its response id, its own too.
        `whole`: whether its input is more than the last TEXT_CHARACTERS."""
        for key in _keys_of(run):
            known = _starts(self._young.get(key, ()))
            if run.executed_on_us not in known:
                self._young[key] = (*known[-31:], run.executed_on_us) if known else run.executed_on_us
        if (
            run.response_id
            and self._young_scopes.setdefault(run.account_id, run.instrumentation) != run.instrumentation
        ):
            self._young_scopes[run.account_id] = SEVERAL
        self._young_near.add(run, tied, whole)

    def remember_content(self, account_id: str, trace_id: str, span_id: str) -> None:
        self._young[_content_key(account_id, trace_id, span_id)] = ()

    def has_content(self, run: Run) -> bool:
        key = _content_key(run.account_id, run.trace_id, run.span_id)
        return key in self._young or key in self._old

    def span(self, account_id: str, trace_id: str, span_id: str) -> Iterable[int]:
        return self._get(_span_key(account_id, trace_id, span_id))

    def request(self, account_id: str, request_id: str) -> tuple[int, ...]:
        return self._get(_request_key(account_id, request_id))

    def counterparts(self, run: Run) -> set[int]:
        """Starts (µs) of runs that may be linked with this one, its own earlier recording among them."""
        starts: set[int] = set()
        if run.span_id:
            starts.update(self._get(_span_key(run.account_id, run.trace_id, run.span_id)))
            starts.update(self._get(_parent_key(run.account_id, run.trace_id, run.span_id)))
            if run.parent_span_id:
                starts.update(self._get(_span_key(run.account_id, run.trace_id, run.parent_span_id)))
        if run.response_id and not self._is_alone(run):
            starts.update(self._get(_response_key(run.account_id, run.response_id)))
        for near in (self._young_near, self._old_near):
            starts.update(near.starts(run))
        return starts

    def _is_alone(self, run: Run) -> bool:
        """Whether no other instrumentation recorded a response in its account: then one id ties nothing, though a server gives
        it to all its responses."""
        own = run.instrumentation
        return all(scopes.get(run.account_id, own) == own for scopes in (self._young_scopes, self._old_scopes))

    def _get(self, key: int) -> tuple[int, ...]:
        return _starts(self._young.get(key, ())) + _starts(self._old.get(key, ()))

    def turn_if_due(self) -> None:
        """Forget the old half when the young one is full or its time is over: called once a commit."""
        now = time.monotonic()
        held = len(self._young) + 2 * self._young_near.size
        if held * 2 > self.max_entries or (now - self._turned_on) * 2 > self.window_seconds:
            self._old, self._young, self._turned_on = self._young, {}, now
            self._old_near, self._young_near = self._young_near, Neighbours()
            self._old_scopes, self._young_scopes = self._young_scopes, {}


def _starts(kept: int | tuple[int, ...]) -> tuple[int, ...]:
    return (kept,) if isinstance(kept, int) else kept


def _keys_of(run: Run) -> Iterator[int]:
    if run.span_id:
        yield _span_key(run.account_id, run.trace_id, run.span_id)
        if run.parent_span_id:
            yield _parent_key(run.account_id, run.trace_id, run.parent_span_id)
    else:
        yield _request_key(run.account_id, run.request_id)
    if run.response_id:
        yield _response_key(run.account_id, run.response_id)


# 64-bit hashes instead of the ids themselves keep an entry at some 100 bytes; what they find is compared in full.
def _span_key(account_id: str, trace_id: str, span_id: str) -> int:
    return hash(("span", account_id, trace_id, span_id))


def _parent_key(account_id: str, trace_id: str, span_id: str) -> int:
    return hash(("parent", account_id, trace_id, span_id))


def _content_key(account_id: str, trace_id: str, span_id: str) -> int:
    return hash(("content", account_id, trace_id, span_id))


def _response_key(account_id: str, response_id: str) -> int:
    return hash(("response", account_id, response_id))


def _request_key(account_id: str, request_id: str) -> int:
    return hash(("request", account_id, request_id))
