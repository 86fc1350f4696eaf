"""What other processes record: a call whose recordings come to several of them is one run, too.

Each looks through what the others wrote, and so finds what its own is linked with. Two that write at the same time do
not find each other's before; so each looks on, and folds what is linked with anything that it wrote itself a moment ago.
Both may fold the same, and then write the same.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from modeltraces.ingest.links import LinkIndex
from modeltraces.ingest.neighbours import TEXT_CHARACTERS
from modeltraces.run import Run
from modeltraces.store.contents import ContentPart
from modeltraces.store.engine import Store
from modeltraces.store.news import VISIBLE_SECONDS, Depth, Seen, new_contents, new_links

_AT_ONCE: Final = 20_000
"""Rows of one look: bounds its memory."""
_LEAST_SECONDS: Final = 0.25
"""Between two looks: under load each takes up some thousand rows, and not each commit one."""
_OWN_SECONDS: Final = 30.0
"""How long what this process wrote is remembered as its own. The others look every second; one that has hung since
before finds it itself when it looks again."""

Start = tuple[str, int]
"""Account, start (µs)."""


@dataclass(slots=True)
class Own:
    """What this process wrote in the last half minute or minute: hashes of starts and spans."""

    _young: set[int] = field(default_factory=set)
    _old: set[int] = field(default_factory=set)
    _turned_on: float = field(default_factory=time.monotonic)

    def remember(self, runs: Iterable[Run], contents: Iterable[ContentPart]) -> None:
        now = time.monotonic()
        if now - self._turned_on > _OWN_SECONDS:
            self._old, self._young, self._turned_on = self._young, set(), now
        self._young.update(hash((run.account_id, run.executed_on_us)) for run in runs)
        self._young.update(hash((part.account_id, part.trace_id, part.span_id)) for part in contents)

    def __contains__(self, key: tuple[object, ...]) -> bool:
        found = hash(key)
        return found in self._young or found in self._old


@dataclass(slots=True)
class Others:
    """Used by the writer's thread only."""

    store: Store
    index: LinkIndex
    me: str
    """The name that this process writes under; '' where it is the only one, and there is nobody to look for."""
    own: Own = field(default_factory=Own)
    pending: set[Start] = field(default_factory=set)
    """Where the recordings stand that are to be folded for what others wrote; whoever has done so clears it."""
    twins: dict[str, set[str]] = field(default_factory=dict)
    """Account → Request IDs that another process stored under another start; likewise."""
    seen_runs: Seen = field(default_factory=lambda: Seen(0))
    seen_contents: Seen = field(default_factory=lambda: Seen(0))
    _depth: Depth = field(default_factory=Depth)
    _looked_on: float = float("-inf")

    def begin(self, now_us: int) -> None:
        """Where to look from: what is older has been recalled."""
        self.seen_runs = self.seen_contents = Seen(now_us - VISIBLE_SECONDS * 1_000_000)

    def is_due(self) -> bool:
        return bool(self.me) and time.monotonic() - self._looked_on >= _LEAST_SECONDS

    def look(self, now_us: int) -> None:
        """Take up what others wrote since."""
        floor_us = self._depth.floor_us(now_us)
        self._look_at_contents(floor_us)
        self._look_at_runs(floor_us)
        self.seen_runs, self.seen_contents = self.seen_runs.at(now_us), self.seen_contents.at(now_us)
        self._looked_on = time.monotonic()

    def _look_at_runs(self, floor_us: int) -> None:
        while True:
            links = new_links(self.store, self.me, self.seen_runs, _AT_ONCE, TEXT_CHARACTERS, floor_us)
            if any(self.seen_runs.hides(link.writer, floor_us) for link in links):
                floor_us = 0
                continue
            for link in links:
                self.pending |= self._tied_to_own(link.run)
                self._note_twin(link.run)
                self.index.remember(link.run, whole=False)
                self.seen_runs = self.seen_runs.with_row(link.writer, link.run.received_on_us)
            if len(links) < _AT_ONCE:
                return

    def _tied_to_own(self, run: Run) -> set[Start]:
        tied = {(run.account_id, start) for start in self.index.counterparts(run)}
        has_own_content = bool(run.span_id) and (run.account_id, run.trace_id, run.span_id) in self.own
        if has_own_content or any(start in self.own for start in tied):
            return tied | {(run.account_id, run.executed_on_us)}
        return set()

    def _note_twin(self, run: Run) -> None:
        if not run.span_id:
            known = self.index.request(run.account_id, run.request_id)
            if known and run.executed_on_us not in known:
                self.twins.setdefault(run.account_id, set()).add(run.request_id)

    def _look_at_contents(self, floor_us: int) -> None:
        while True:
            places = new_contents(self.store, self.me, self.seen_contents, _AT_ONCE, floor_us)
            if any(self.seen_contents.hides(place.writer, floor_us) for place in places):
                floor_us = 0
                continue
            for place in places:
                span = place.account_id, place.trace_id, place.span_id
                self.index.remember_content(*span)
                starts = {(place.account_id, start) for start in self.index.span(*span)}
                if any(start in self.own for start in starts):
                    self.pending |= starts
                self.seen_contents = self.seen_contents.with_row(place.writer, place.received_on_us)
            if len(places) < _AT_ONCE:
                return
