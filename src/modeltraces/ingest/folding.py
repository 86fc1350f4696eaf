"""Several recordings of one call → one run that counts, whatever the order in which they came.

The store keeps every recording as a row of its own. The richest one is the run; the others say `superseded_by`, and
lend it what it lacks. What was lent stands in `borrowed`, so a later recording is folded from the originals again,
never from a mixture; and a recording that turns out to be of another call leaves nothing behind.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from modeltraces.ingest.links import latest_end, same_call, same_response
from modeltraces.ingest.nesting import tie_nested, was_cut_off
from modeltraces.ingest.ties import Ties
from modeltraces.run import UNKNOWN_MODEL, Run

_LENT: Final = (
    "model", "base_model", "provider", "deployment_version", "connection_name", "operation", "time_to_first_token_ms",
    "streaming", "input", "output", "input_tokens", "output_tokens", "cached_input_tokens", "cache_write_input_tokens",
    "reasoning_tokens", "finish_reasons", "request", "response", "response_id", "session_id", "user_id",
)  # fmt: skip
_LENT_ON_FAILURE: Final = ("error_type", "error_message", "error_code")
_SIZED: Final = {"input": "input_size", "output": "output_size"}
OWN_SOURCE_TYPE: Final = "modeltraces.own_source_type"
OWN_SOURCE: Final = "modeltraces.own_source"
"""Attributes that keep what a recording itself said of its source while it bears another's."""
_BLANK: Final[dict[str, Any]] = {
    f.name: f.default if f.default is not dataclasses.MISSING else None for f in dataclasses.fields(Run)
}


def original(run: Run) -> Run:
    """The recording as it was sent: what it borrowed is taken out again."""
    if not run.borrowed and not run.superseded_by and run.version == 1:
        return run
    blanks: dict[str, Any] = {}
    for name in run.borrowed:
        blanks[name] = [] if name == "finish_reasons" else UNKNOWN_MODEL if name == "model" else _BLANK[name]
        if name in _SIZED:
            blanks[_SIZED[name]] = 0
    if "source" in run.borrowed:
        attributes = dict(run.attributes)
        blanks["source_type"], blanks["source"] = attributes.pop(OWN_SOURCE_TYPE, ""), attributes.pop(OWN_SOURCE, "")
        blanks["attributes"] = attributes
    return dataclasses.replace(run, borrowed=[], superseded_by="", version=1, **blanks)


@dataclass(slots=True)
class Call:
    """The recordings of one call."""

    recordings: list[Run]
    tied: list[tuple[str, ...]]
    """Of each recording, the instrumentations of those that bear its response id, its own too: no other recording by
    one of these will ever be of this call."""


def calls(runs: Sequence[Run]) -> list[Call]:
    """The recordings of one account, grouped by the call they record, whatever the order they are given in."""
    runs = sorted(runs, key=lambda run: (run.executed_on_us, run.request_id))
    ties = Ties(runs)
    for one, other in _of_one_response(runs):
        ties.tie(one, other)
    tied = [tuple(sorted(ties.scopes(index))) for index in range(len(runs))]
    for one, other in _parents(runs):
        ties.tie(one, other)
    tie_nested(runs, ties)
    return [Call([runs[index] for index in group], [tied[index] for index in group]) for group in ties.groups()]


def _of_one_response(runs: Sequence[Run]) -> Iterator[tuple[int, int]]:
    """`runs` by their start."""
    by_response: dict[str, list[int]] = defaultdict(list)
    for index, run in enumerate(runs):
        if run.response_id:
            by_response[run.response_id].append(index)
    for alike in by_response.values():
        for position, one in enumerate(alike):
            latest = latest_end(runs[one])
            for later in range(position + 1, len(alike)):
                if runs[alike[later]].executed_on_us > latest:
                    break
                if same_response(runs[one], runs[alike[later]]):
                    yield one, alike[later]


def _parents(runs: Sequence[Run]) -> Iterator[tuple[int, int]]:
    at_span = {(run.trace_id, run.span_id): index for index, run in enumerate(runs) if run.span_id}
    children: dict[int, list[int]] = defaultdict(list)
    for index, run in enumerate(runs):
        parent = at_span.get((run.trace_id, run.parent_span_id)) if run.parent_span_id else None
        if parent is not None and parent != index and same_call(runs[parent], run):
            children[parent].append(index)
    for parent, inner in children.items():
        # A span around several calls (tries, steps) is one with the call whose response it returned: each call is a run.
        chosen = max(
            inner,
            key=lambda index: (
                bool(runs[parent].response_id) and runs[index].response_id == runs[parent].response_id,
                runs[index].executed_on_us,
                runs[index].span_id,
            ),
        )
        yield parent, chosen


def fold(recordings: Sequence[Run], parts: int = 0) -> list[Run]:
    """The rows of one call, the run that counts first. `parts`: how many log records were read into them."""
    version = len(recordings) + parts
    if version == 1:
        return list(recordings)
    failed = any(run.status == "failed" for run in recordings)
    ranked = sorted(recordings, key=lambda run: (not (failed and was_cut_off(run)), *_richness(run)), reverse=True)
    best, others = ranked[0], ranked[1:]
    lent: dict[str, Any] = {}
    names = _LENT if best.status == "success" else _LENT + _LENT_ON_FAILURE
    for name in names:
        if _known(name, getattr(best, name)):
            continue
        lender = next((other for other in others if _known(name, getattr(other, name))), None)
        if lender is not None:
            lent[name] = getattr(lender, name)
            if name in _SIZED:
                lent[_SIZED[name]] = getattr(lender, _SIZED[name])
    if not best.payload_cut and lent and any(run.payload_cut for run in others):
        lent["payload_cut"] = True
    borrowed = {*best.borrowed, *(name for name in lent if name not in _SIZED.values())}
    origin = max(ranked, key=_origin)
    if (origin.source_type, origin.source) != (best.source_type, best.source):
        own = {OWN_SOURCE_TYPE: best.source_type, OWN_SOURCE: best.source}
        lent |= {"source_type": origin.source_type, "source": origin.source, "attributes": best.attributes | own}
        borrowed.add("source")
    winner = dataclasses.replace(best, version=version, borrowed=sorted(borrowed), **lent)
    return [winner, *(dataclasses.replace(run, version=version, superseded_by=best.request_id) for run in others)]


def _known(name: str, value: Any) -> bool:
    return value is not None and value not in ("", False, []) and not (name == "model" and value == UNKNOWN_MODEL)


def _richness(run: Run) -> tuple[Any, ...]:
    """Text first, then tokens, then the innermost (shortest) span: it timed the call and not the framework around it."""
    return (
        bool(run.output or run.error_message),
        bool(run.input),
        run.input_tokens is not None,
        -(run.response_time_ms or 0),
        run.request_id,
    )


def _origin(run: Run) -> tuple[bool, str, str]:
    """A named agent or workflow says more than the service that every span bears. By value, so that order is nothing."""
    return (run.source_type != "Application", run.source_type, run.source)
