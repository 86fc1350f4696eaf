"""What a commit writes: each new recording as it is, or folded with its counterparts, which are read back for it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from modeltraces.catalog.matching.rules import unmatch
from modeltraces.ingest.folding import calls, fold, original
from modeltraces.ingest.links import SEVERAL, LinkIndex
from modeltraces.ingest.neighbours import TEXT_CHARACTERS, meeting
from modeltraces.ingest.otlp.logs import apply_contents
from modeltraces.ingest.recordings import ContentPart, Limits
from modeltraces.run import UNKNOWN_MODEL, Run
from modeltraces.store.contents import fetch_contents
from modeltraces.store.engine import Store
from modeltraces.store.news import recent_contents, recent_links
from modeltraces.store.rows import fetch_runs, starts_of_requests

_ROUNDS: Final = 8
"""How far links are followed from a new recording: its parent, the parent's other children, their responses, what
overlaps with those …"""

_Key = tuple[str, str]
"""Account, Request ID."""
_SpanKey = tuple[str, str, str]


@dataclass(slots=True)
class Linker:
    """Used by one thread, the writer's: reading counterparts and writing the fold must not interleave."""

    store: Store
    index: LinkIndex
    limits: Limits = field(default_factory=Limits)

    def recall(self, since_us: int) -> None:
        """Fill the index with what was received since then: called once, at start."""
        for link in recent_links(self.store, since_us, self.index.max_entries // 6, TEXT_CHARACTERS):
            self.index.remember(link.run, whole=False)
        for place in recent_contents(self.store, since_us, self.index.max_entries // 6):
            self.index.remember_content(place.account_id, place.trace_id, place.span_id)

    def settle_given_ids(self, runs: Sequence[Run]) -> dict[str, list[str]]:
        """Give a run whose Request ID came from outside the start under which it is already known, if it is.

        The start is part of the table's key: with another one, a run that is sent again would stand there twice.
        `executed_on_us` 0 means that the sender gave none. Returns the ids by account that are new.
        """
        new: dict[str, list[str]] = {}
        unknown: dict[str, list[Run]] = defaultdict(list)
        firsts: dict[tuple[str, str], int] = {}
        for run in runs:
            starts = self.index.request(run.account_id, run.request_id)
            # Of several, which two processes gave it at the same time, the first is kept.
            first = firsts.get((run.account_id, run.request_id)) or min(starts, default=None)
            if first is None:
                unknown[run.account_id].append(run)
            else:
                run.executed_on_us = first
        for account_id, strangers in unknown.items():
            stored = starts_of_requests(self.store, account_id, [run.request_id for run in strangers])
            new[account_id] = [run.request_id for run in strangers if run.request_id not in stored]
            for run in strangers:
                known = firsts.get((account_id, run.request_id)) or stored.get(run.request_id)
                run.executed_on_us = known or run.executed_on_us or run.received_on_us
                firsts[account_id, run.request_id] = run.executed_on_us
        return new

    def learn_starts(self, account_id: str, starts: Mapping[str, int]) -> None:
        """Remember where runs stand (Request ID → start) that another process may have stored, too."""
        for request_id, start in starts.items():
            if start not in self.index.request(account_id, request_id):
                self.index.remember(Run(account_id, request_id, start, UNKNOWN_MODEL))

    def settle(self, runs: Sequence[Run], contents: Sequence[ContentPart]) -> list[Run]:
        """The rows to write for new recordings and new log records, and remember them."""
        self.index.turn_if_due()
        for part in contents:
            self.index.remember_content(part.account_id, part.trace_id, part.span_id)
        gathered = _Gathered(self.store, self.index, self.limits, contents)
        told = [run for run in runs if run.span_id and self.index.has_content(run)]
        gathered.add(told)
        # Their text may now be like that of a recording which knew nothing of them.
        gathered.fetch(
            {
                (part.account_id, start)
                for part in contents
                for start in self.index.span(part.account_id, part.trace_id, part.span_id)
            }
        )
        settled = set(gathered.recordings)
        others = [run for run in runs if (run.account_id, run.request_id) not in settled] if settled else runs
        alone, linked = self._parted(others, list(gathered.recordings.values()))
        rows: list[Run] = []
        if linked or settled:
            gathered.add(linked)
            gathered.follow()
            rows = gathered.rows()
        for run in alone:
            self.index.remember(run)
        return alone + rows

    def settle_stored(self, starts: set[tuple[str, int]]) -> list[Run]:
        """The rows that change when stored recordings of these (account, start) are folded anew."""
        self.index.turn_if_due()
        gathered = _Gathered(self.store, self.index, self.limits, ())
        gathered.fetch(starts)
        gathered.follow()
        return gathered.rows()

    def _parted(self, runs: Sequence[Run], settled: Sequence[Run]) -> tuple[list[Run], list[Run]]:
        """The runs that have no counterpart among themselves, the settled ones, and those in the index; and the rest."""
        everything = [*runs, *settled] if settled else runs
        parents = {(run.account_id, run.trace_id, run.parent_span_id) for run in everything if run.parent_span_id}
        spans = {(run.account_id, run.trace_id, run.span_id) for run in everything if run.span_id}
        responses: dict[tuple[str, str], str] = {}
        for run in everything:
            if run.response_id:
                key = run.account_id, run.response_id
                if responses.setdefault(key, run.instrumentation) != run.instrumentation:
                    responses[key] = SEVERAL
        met = meeting(everything)
        alone: list[Run] = []
        linked: list[Run] = []
        for position, run in enumerate(runs):
            has_counterpart = (
                (run.span_id and (run.account_id, run.trace_id, run.span_id) in parents)
                or (run.parent_span_id and (run.account_id, run.trace_id, run.parent_span_id) in spans)
                or (run.response_id and responses[run.account_id, run.response_id] == SEVERAL)
                or position in met
                or self.index.counterparts(run)
            )
            (linked if has_counterpart else alone).append(run)
        return alone, linked


@dataclass(slots=True)
class _Gathered:
    """The recordings that one commit folds: new ones, and those that are read back for them."""

    store: Store
    index: LinkIndex
    limits: Limits
    contents: Sequence[ContentPart]
    recordings: dict[_Key, Run] = field(default_factory=dict)
    """As they were sent, and with what their log records say."""
    parts: dict[_Key, int] = field(default_factory=lambda: defaultdict(int))
    """How many log records a recording has."""
    stored: dict[_Key, Run] = field(default_factory=dict)
    """The rows as they stand in the store."""
    fetched: set[tuple[str, int]] = field(default_factory=set)
    fresh: set[_Key] = field(default_factory=set)
    """Those of which the index does not know yet what this commit brought."""
    unfollowed: set[_Key] = field(default_factory=set)
    """The last ones that were reached: what they are linked with is not known."""

    def add(self, runs: Iterable[Run]) -> list[Run]:
        """Take recordings up, with their log records. The newest of one recording is the one that counts."""
        new = {(run.account_id, run.request_id): run for run in runs}
        parts = self._parts_of(new.values())
        for key, run in new.items():
            own = parts.get((run.account_id, run.trace_id, run.span_id), [])
            self.parts[key] = len({part.part_id for part in own})
            self.recordings[key] = apply_contents(original(run), own, self.limits) if own else original(run)
        return [self.recordings[key] for key in new]

    def fetch(self, starts: set[tuple[str, int]]) -> list[Run]:
        """Read back the recordings of these (account, start), and take up those that are not there yet."""
        wanted = starts - self.fetched
        if not wanted:
            return []
        self.fetched |= wanted
        rows = {(row.account_id, row.request_id): row for row in fetch_runs(self.store, wanted)}
        for row in rows.values():
            # Recordings are compared by what they say themselves; rules are asked again when they are written.
            unmatch(row)
        self.stored |= rows
        return self.add([row for key, row in rows.items() if key not in self.recordings])

    def follow(self) -> None:
        """Read back what is linked with the recordings, and what is linked with that."""
        self.fresh = set(self.recordings)
        reached = list(self.recordings.values())
        for _ in range(_ROUNDS):
            reached = self.fetch({(run.account_id, start) for run in reached for start in self._counterparts(run)})
            if not reached:
                return
        self.unfollowed = {(run.account_id, run.request_id) for run in reached}

    def _counterparts(self, run: Run) -> set[int]:
        starts = self.index.counterparts(run)
        if "input" in run.borrowed:
            # Before the log records with its text came, it may have been taken for another call's.
            starts |= self.index.counterparts(replace(run, input=""))
        return starts

    def rows(self) -> list[Run]:
        """The rows that are new or changed, and remember where all stand."""
        by_account: dict[str, list[Run]] = defaultdict(list)
        for run in self.recordings.values():
            by_account[run.account_id].append(run)
        rows: list[Run] = []
        for recordings in by_account.values():
            for call in calls(recordings):
                keys = [(run.account_id, run.request_id) for run in call.recordings]
                if self.unfollowed.issuperset(keys):
                    continue
                tied = dict(zip(keys, call.tied, strict=True))
                for row in fold(call.recordings, sum(self.parts[key] for key in keys)):
                    key = (row.account_id, row.request_id)
                    if key in self.fresh or len(tied[key]) > 1:
                        self.index.remember(row, tied[key])
                    if self._is_new(row):
                        rows.append(row)
        return rows

    def _is_new(self, row: Run) -> bool:
        """Whether it says something that the stored row does not; it then gets a version that the store prefers."""
        known = self.stored.get((row.account_id, row.request_id))
        if known is None:
            return True
        if replace(known, version=row.version, received_on_us=row.received_on_us) == row:
            return False
        row.version = max(row.version, known.version + 1)
        return True

    def _parts_of(self, runs: Iterable[Run]) -> dict[_SpanKey, list[ContentPart]]:
        keys = {
            (run.account_id, run.trace_id, run.span_id)
            for run in runs
            if run.span_id and (run.borrowed or self.index.has_content(run))
        }
        found: dict[_SpanKey, list[ContentPart]] = defaultdict(list)
        if not keys:
            return found
        for part in self.contents:
            if (part.account_id, part.trace_id, part.span_id) in keys:
                found[part.account_id, part.trace_id, part.span_id].append(part)
        for part in fetch_contents(self.store, keys):
            found[part.account_id, part.trace_id, part.span_id].append(part)
        return found
