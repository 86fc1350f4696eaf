"""Which recordings of other instrumentations lie so in time that they may be of the same call: an index of intervals.

It only proposes; `nesting` decides from the recordings themselves. It knows of a recording when it was, its trace, and
how its input ends. Nothing is filed while an account sends by one instrumentation: what that one sends is never two of
a call.
"""

import sys
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from modeltraces.run import Run

NESTED_TOLERANCE_US: Final = 2_000
"""How far an inner span may stick out of the outer one: clocks of some runtimes count whole milliseconds."""
BRACKET_US: Final = 30_000
"""How much earlier and later an outer span is that only wraps one call of the SDK: 2.5 ms was measured, and over 10 where
the program waits for a core in between."""
TEXT_CHARACTERS: Final = 40
"""How much of the end of a text is always remembered: it tells prompts apart better than how they begin."""

_TEXT_KEPT: Final = 24
"""Of these, without spaces."""
_TEXT_COMPARED: Final = 4_000
_FORM: Final = 4
"""How many characters of a response id tell whose it is (`chatcmpl-…`, `msg_…`)."""
_MOST_FILED: Final = 256
"""How many of one trace, of one text, or of one instant are remembered: the last ones."""
_INSTANT_BITS: Final = 15
"""Starts are filed by 33 ms: no bracket reaches over more than the next one."""


class _Entry(NamedTuple):
    start: int
    elapsed_ms: float
    scopes: tuple[str, ...]
    """Its own instrumentation, and those of the recordings that bear its response id."""
    trace: int
    """Hash of the trace id; 0 where it is filed by its text only."""
    tail: int
    """Hash of the end of the text; 0 where there is none."""
    text: int
    """Hash of more of it, by which it is filed then; 0 where it is not known."""
    form: str
    """How its response id begins."""

    @property
    def end(self) -> int:
        return self.start + int(self.elapsed_ms * 1000)


def squeezed(text: str) -> str:
    """The text without spaces and line ends, in which emitters differ when they write the same message or JSON."""
    return text.replace(" ", "").replace("\n", "")


def interval_of(run: Run) -> tuple[int, int] | None:
    """Start and end (µs) of a span, or None where it says nothing: no span, no end, or an end before its start."""
    elapsed = run.response_time_ms
    if elapsed is None or run.response_time_clamped or not run.span_id or not run.instrumentation:
        return None
    return run.executed_on_us, run.executed_on_us + int(elapsed * 1000)


def _text_hash(text: str) -> int:
    return hash(squeezed(text[-_TEXT_COMPARED:]))


def _tail_hash(text: str) -> int:
    """Another than that of a whole text that is no longer."""
    return hash(("tail", squeezed(text[-TEXT_CHARACTERS:])[-_TEXT_KEPT:]))


@dataclass(slots=True)
class _Entries:
    """As columns: an entry takes 56 bytes instead of six times as many, and a busy server has a hundred thousand."""

    starts: "array[int]" = field(default_factory=lambda: array("q"))
    elapsed: "array[float]" = field(default_factory=lambda: array("d"))
    scopes: list[tuple[str, ...]] = field(default_factory=list)
    traces: "array[int]" = field(default_factory=lambda: array("q"))
    tails: "array[int]" = field(default_factory=lambda: array("q"))
    texts: "array[int]" = field(default_factory=lambda: array("q"))
    forms: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.starts)

    def add(self, entry: _Entry) -> None:
        for column, value in zip(self._columns, entry, strict=True):
            column.append(value)

    def since(self, first: int) -> Iterator[_Entry]:
        return map(_Entry._make, zip(*(column[first:] for column in self._columns), strict=True))

    @property
    def _columns(self) -> tuple[Any, ...]:
        return self.starts, self.elapsed, self.scopes, self.traces, self.tails, self.texts, self.forms


@dataclass(slots=True)
class _Account:
    scopes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Instrumentation → the tuple of it alone, so that entries share one."""
    entries: _Entries = field(default_factory=_Entries)
    filed: int = 0
    """How many of the entries stand in the three below."""
    by_trace: dict[int, list[_Entry]] = field(default_factory=dict)
    by_text: dict[int, list[_Entry]] = field(default_factory=dict)
    by_instant: dict[int, list[_Entry]] = field(default_factory=dict)

    def file(self) -> None:
        for entry in self.entries.since(self.filed):
            if entry.tail:
                _put(self.by_text, entry.text or entry.tail, entry)
            if entry.trace:
                _put(self.by_trace, entry.trace, entry)
                _put(self.by_instant, entry.start >> _INSTANT_BITS, entry)
        self.filed = len(self.entries)


def _put(shelf: dict[int, list[_Entry]], key: int, entry: _Entry) -> None:
    held = shelf.get(key)
    if held is None:
        shelf[key] = [entry]
        return
    if len(entry.scopes) > 1:
        # It stood there before it was tied.
        held[:] = [other for other in held if other._replace(scopes=entry.scopes) != entry]
    if len(held) >= _MOST_FILED:
        del held[0]
    held.append(entry)


@dataclass(slots=True)
class Neighbours:
    size: int = 0
    _accounts: dict[str, _Account] = field(default_factory=dict)

    def add(self, run: Run, tied: tuple[str, ...] = (), whole: bool = True) -> None:
        """`tied`: the instrumentations of the recordings that bear its response id, its own too.
        `whole`: whether its input is more than the last TEXT_CHARACTERS."""
        elapsed, scope = run.response_time_ms, run.instrumentation
        if elapsed is None or run.response_time_clamped or not run.span_id or not scope:
            return
        account = self._accounts.get(run.account_id)
        if account is None:
            account = self._accounts[run.account_id] = _Account()
        scopes = account.scopes.get(scope)
        if scopes is None:
            scopes = account.scopes[scope] = (scope,)
        tail, text, trace = _tail_hash(run.input) if run.input else 0, 0, hash(run.trace_id)
        if whole and tail and len(account.scopes) > 1:
            text = _text_hash(run.input)
        scopes, form = tied or scopes, sys.intern(run.response_id[:_FORM])
        if run.borrowed:
            if "response_id" in run.borrowed:
                form = ""
            if tail and "input" in run.borrowed:
                # From log records it is the recording's own; from another recording it is not: look for both.
                account.entries.add(_Entry(run.executed_on_us, elapsed, scopes, 0, tail, text, form))
                tail, text = 0, 0
                self.size += 1
        account.entries.add(_Entry(run.executed_on_us, elapsed, scopes, trace, tail, text, form))
        self.size += 1

    def starts(self, run: Run) -> Iterable[int]:
        """Starts (µs) of other instrumentations' recordings that may be of the same call."""
        account = self._accounts.get(run.account_id)
        if account is None or (len(account.scopes) == 1 and run.instrumentation in account.scopes):
            return ()
        span = interval_of(run)
        if span is None:
            return ()
        account.file()
        form = run.response_id[:_FORM]
        return {
            entry.start
            for entry in _near(account, run, *span)
            # What reads the provider's id of the response, as the other does, needs no other tie.
            if not (form and entry.form.startswith(form))
        }


def _near(account: _Account, run: Run, start: int, end: int) -> Iterator[_Entry]:
    scope = run.instrumentation
    if run.input:
        for key in (_text_hash(run.input), _tail_hash(run.input)):
            for entry in account.by_text.get(key, ()):
                if scope not in entry.scopes and _nests(start, end, entry):
                    yield entry
    for entry in account.by_trace.get(hash(run.trace_id), ()):
        if scope not in entry.scopes and not (run.input and entry.tail) and _nests(start, end, entry):
            yield entry
    instant = start >> _INSTANT_BITS
    for near in (instant - 1, instant, instant + 1):
        for entry in account.by_instant.get(near, ()):
            if scope not in entry.scopes and not (run.input and entry.tail) and _brackets(start, end, entry):
                yield entry


def _nests(start: int, end: int, entry: _Entry) -> bool:
    first, last = entry.start, entry.end
    if end - start >= last - first:
        return first >= start - NESTED_TOLERANCE_US and last <= end + NESTED_TOLERANCE_US
    return start >= first - NESTED_TOLERANCE_US and end <= last + NESTED_TOLERANCE_US


def _brackets(start: int, end: int, entry: _Entry) -> bool:
    return abs(entry.start - start) <= BRACKET_US and abs(entry.end - end) <= BRACKET_US


def meeting(runs: Sequence[Run]) -> set[int]:
    """Positions of the runs of one commit that another instrumentation's run may be of one call with."""
    scopes: dict[str, set[str]] = defaultdict(set)
    for account_id, scope in {(run.account_id, run.instrumentation) for run in runs}:
        scopes[account_id].add(scope)
    places = {account_id: _Places() for account_id, several in scopes.items() if len(several) > 1}
    if not places:
        return set()
    looking: list[tuple[int, _Places, tuple[str, int, int, int]]] = []
    for position, run in enumerate(runs):
        found = places.get(run.account_id)
        if found is not None and (span := interval_of(run)) is not None:
            text = _text_hash(run.input) if run.input else 0
            place = (run.instrumentation, text, hash(run.trace_id), span[0] >> _INSTANT_BITS)
            found.put(*place)
            looking.append((position, found, place))
    return {position for position, found, place in looking if found.has_other(*place)}


@dataclass(slots=True)
class _Places:
    """Where the runs of one account and commit stand: text, trace, or instant → the instrumentation, '' if several."""

    texts: dict[int, str] = field(default_factory=dict)
    traces: dict[int, str] = field(default_factory=dict)
    instants: dict[int, str] = field(default_factory=dict)
    blank_traces: dict[int, str] = field(default_factory=dict)
    """Only of runs without text; `blank_instants` likewise."""
    blank_instants: dict[int, str] = field(default_factory=dict)

    def put(self, scope: str, text: int, trace: int, instant: int) -> None:
        _mark(self.traces, trace, scope)
        _mark(self.instants, instant, scope)
        _mark(self.instants, instant + 1, scope)
        if text:
            _mark(self.texts, text, scope)
        else:
            _mark(self.blank_traces, trace, scope)
            _mark(self.blank_instants, instant, scope)
            _mark(self.blank_instants, instant + 1, scope)

    def has_other(self, scope: str, text: int, trace: int, instant: int) -> bool:
        if text and self.texts[text] != scope:
            return True
        traces, instants = (self.blank_traces, self.blank_instants) if text else (self.traces, self.instants)
        return (
            traces.get(trace, scope) != scope
            or instants.get(instant, scope) != scope
            or instants.get(instant + 1, scope) != scope
        )


def _mark(places: dict[int, str], key: int, scope: str) -> None:
    if places.setdefault(key, scope) != scope:
        places[key] = ""
