"""What a commit writes: each new recording as it is, or folded with its counterparts, which are read back for it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from modeltraces.ingest.folding import fold, groups, original
from modeltraces.ingest.links import LinkIndex
from modeltraces.ingest.otlp.logs import apply_contents
from modeltraces.ingest.recordings import ContentPart, Limits
from modeltraces.run import Run
from modeltraces.store.contents import fetch_contents, recent_contents
from modeltraces.store.engine import Store
from modeltraces.store.rows import fetch_runs, recent_links, starts_of_requests

_ROUNDS: Final = 4
"""How far links are followed from a new recording: its parent, the parent's other children, their responses."""

_SpanKey = tuple[str, str, str]


@dataclass(slots=True)
class Linker:
    """Used by one thread, the writer's: reading counterparts and writing the fold must not interleave."""

    store: Store
    index: LinkIndex
    limits: Limits = field(default_factory=Limits)

    def recall(self, since_us: int) -> None:
        """Fill the index with what was received since then: called once, at start."""
        for run in recent_links(self.store, since_us, self.index.max_entries // 4):
            self.index.remember(run)
        for account_id, trace_id, span_id in recent_contents(self.store, since_us, self.index.max_entries // 4):
            self.index.remember_content(account_id, trace_id, span_id)

    def settle_given_ids(self, runs: Sequence[Run]) -> None:
        """Give a run whose Request ID came from outside the start under which it is already known, if it is.

        The start is part of the table's key: with another one, a run that is sent again would stand there twice.
        `executed_on_us` 0 means that the sender gave none.
        """
        unknown: dict[str, list[Run]] = defaultdict(list)
        firsts: dict[tuple[str, str], int] = {}
        for run in runs:
            starts = self.index.request(run.account_id, run.request_id)
            first = firsts.get((run.account_id, run.request_id)) or next(iter(starts), None)
            if first is None:
                unknown[run.account_id].append(run)
            else:
                run.executed_on_us = first
        for account_id, strangers in unknown.items():
            stored = starts_of_requests(self.store, account_id, [run.request_id for run in strangers])
            for run in strangers:
                known = firsts.get((account_id, run.request_id)) or stored.get(run.request_id)
                run.executed_on_us = known or run.executed_on_us or run.received_on_us
                firsts[account_id, run.request_id] = run.executed_on_us

    def settle(self, runs: Sequence[Run], contents: Sequence[ContentPart]) -> list[Run]:
        """The rows to write for new recordings and new log records, and remember them."""
        for part in contents:
            self.index.remember_content(part.account_id, part.trace_id, part.span_id)
        parents = {(run.account_id, run.trace_id, run.parent_span_id) for run in runs if run.parent_span_id}
        spans = {(run.account_id, run.trace_id, run.span_id) for run in runs if run.span_id}
        responses: dict[tuple[str, str], int] = defaultdict(int)
        for run in runs:
            if run.response_id:
                responses[run.account_id, run.response_id] += 1
        alone: list[Run] = []
        linked: list[Run] = []
        for run in runs:
            has_counterpart = (
                (run.span_id and (run.account_id, run.trace_id, run.span_id) in parents)
                or (run.parent_span_id and (run.account_id, run.trace_id, run.parent_span_id) in spans)
                or (run.response_id and responses[run.account_id, run.response_id] > 1)
                or (run.span_id and self.index.has_content(run))
                or self.index.counterparts(run)
            )
            (linked if has_counterpart else alone).append(run)
        starts = {
            (part.account_id, start)
            for part in contents
            for start in self.index.span(part.account_id, part.trace_id, part.span_id)
        }
        if linked or starts:
            alone += self._folded(linked, starts, contents)
        for run in alone:
            self.index.remember(run)
        return alone

    def _folded(self, new: Sequence[Run], starts: set[tuple[str, int]], contents: Sequence[ContentPart]) -> list[Run]:
        known = {(run.account_id, run.request_id): run for run in new}
        fetched: set[tuple[str, int]] = set()
        reached = list(new)
        for _ in range(_ROUNDS):
            wanted = starts | {(run.account_id, start) for run in reached for start in self.index.counterparts(run)}
            wanted -= fetched
            if not wanted:
                break
            fetched |= wanted
            starts = set()
            reached = []
            for row in fetch_runs(self.store, wanted):
                if (row.account_id, row.request_id) not in known:
                    run = original(row)
                    known[row.account_id, row.request_id] = run
                    reached.append(run)
        parts = self._parts_of(known.values(), contents)
        by_account: dict[str, list[Run]] = defaultdict(list)
        counts: dict[str, int] = {}
        for run in known.values():
            own = parts.get((run.account_id, run.trace_id, run.span_id), [])
            counts[run.request_id] = len({part.part_id for part in own})
            by_account[run.account_id].append(apply_contents(run, own, self.limits) if own else run)
        rows = []
        for recordings in by_account.values():
            for group in groups(recordings):
                rows += fold(group, sum(counts[run.request_id] for run in group))
        return rows

    def _parts_of(self, runs: Iterable[Run], contents: Sequence[ContentPart]) -> dict[_SpanKey, list[ContentPart]]:
        found: dict[_SpanKey, list[ContentPart]] = defaultdict(list)
        for part in contents:
            found[part.account_id, part.trace_id, part.span_id].append(part)
        keys = [
            (run.account_id, run.trace_id, run.span_id) for run in runs if run.span_id and self.index.has_content(run)
        ]
        for part in fetch_contents(self.store, keys):
            found[part.account_id, part.trace_id, part.span_id].append(part)
        return found
