"""Recordings that nothing but time and text ties together: which are of one call.

Without a parent link or a response id, one instrumentation's span still lies within the other's, names the same model,
and ended the same way. That alone would be a guess; so one of these must hold too, the strongest first: they are of one
trace, or they bear the same text, or one program made both, one bearing no text and both beginning and ending as one.
Each recording is matched with at most one around it and one inside it, so that equal calls side by side keep their
number.
"""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from modeltraces.ingest.links import form_of, ids_contradict, same_kind
from modeltraces.ingest.neighbours import BRACKET_US, NESTED_TOLERANCE_US, interval_of, squeezed
from modeltraces.ingest.ties import Ties
from modeltraces.run import UNKNOWN_MODEL, Run

_MOST_TRIED: Final = 32
"""How many spans around one are looked at before it is left alone."""
_MOST_CLASSES: Final = 32


@dataclass(slots=True)
class Span:
    """A recording, and what is compared of it."""

    run: Run
    start: int
    end: int
    text: str
    output: str
    service: str
    process: str
    id_form: str
    """Of two response ids of one form that are equal, something else has made a tie already."""

    @classmethod
    def of(cls, run: Run) -> "Span | None":
        interval = interval_of(run)
        if interval is None:
            return None
        named = run.source if run.source_type == "Application" else ""
        return cls(
            run,
            *interval,
            text=squeezed(run.input),
            output=squeezed(run.output),
            service=run.attributes.get("service.name", named),
            process=run.attributes.get("service.instance.id", ""),
            id_form=form if run.response_id and (form := form_of(run.response_id)).isalpha() else "",
        )


def nested_in_time(outer: Span, inner: Span) -> bool:
    """Whether the inner lies within the outer and nothing that both say speaks against one call."""
    one, other = outer.run, inner.run
    return (
        one.instrumentation != other.instrumentation
        and _lies_within(outer, inner)
        and same_kind(one, other)
        and _models_agree(one, other)
        and _outcomes_agree(outer, inner)
        and not ids_contradict(one, other)
    )


def _lies_within(outer: Span, inner: Span) -> bool:
    length = inner.end - inner.start
    # Of two that are as long as each other, one is the outer one whichever is asked about first.
    if (outer.end - outer.start, outer.run.request_id) <= (length, inner.run.request_id):
        return False
    if inner.start < outer.start - NESTED_TOLERANCE_US or inner.end > outer.end + NESTED_TOLERANCE_US:
        return False
    # The tolerance must not make one of two that follow each other.
    return 2 * (min(inner.end, outer.end) - max(inner.start, outer.start)) >= length


def _models_agree(one: Run, other: Run) -> bool:
    if UNKNOWN_MODEL in (one.model, other.model):
        return True
    return one.model in (other.model, other.base_model) or one.base_model == other.model


def _outcomes_agree(one: Span, other: Span) -> bool:
    if one.run.status == other.run.status:
        codes = {one.run.error_code, other.run.error_code} - {""}
        return len(codes) < 2 or not all(code.isdigit() for code in codes)
    succeeded = one if one.run.status == "success" else other
    return was_cut_off(succeeded.run) and (one.output == other.output or not one.output or not other.output)


def was_cut_off(run: Run) -> bool:
    """A stream that is said to have gone well, but whose end nobody saw: another recording's error is the truth."""
    return run.status == "success" and run.streaming and not run.finish_reasons and run.output_tokens is None


def _without_text(one: Span, other: Span) -> bool:
    """What holds beside for recordings of which one has no text that could be compared."""
    tokens = {one.run.input_tokens, other.run.input_tokens} - {None}
    return not (one.text and other.text) and len(tokens) < 2


def _of_one_program(outer: Span, inner: Span) -> bool:
    providers = {outer.run.provider.lower(), inner.run.provider.lower()} - {""}
    return (
        _without_text(outer, inner)
        and len(providers) < 2
        and abs(inner.start - outer.start) <= BRACKET_US
        and abs(outer.end - inner.end) <= BRACKET_US
    )


def _any(one: Span, other: Span) -> bool:
    return True


_Evidence = tuple[Callable[[Span], tuple[str, ...]], Callable[[Span, Span], bool]]
_EVIDENCE: Final[tuple[_Evidence, ...]] = (
    (lambda span: (span.run.trace_id, span.text), _any),
    (lambda span: (span.text, span.output, span.service or "-"), _any),
    (lambda span: (span.text, span.service or "-"), _any),
    (lambda span: (span.run.trace_id,), _without_text),
    (lambda span: (span.process,), _of_one_program),
)
"""What must be equal and known of two spans, and what must hold of them beside; the strongest first."""


def tie_nested(runs: Sequence[Run], ties: Ties) -> None:
    """Tie the recordings (of one account) that are nested in time. Depends on nothing but the set of recordings."""
    spans = {index: span for index, run in enumerate(runs) if (span := Span.of(run)) is not None}
    if len({span.run.instrumentation for span in spans.values()}) < 2:
        return
    classes = {index: (ties.scopes(index), bool(span.text), span.id_form) for index, span in spans.items()}
    matching = _Matching(spans, ties, classes)
    for key_of, holds in _EVIDENCE:
        matching.match({index: key for index, span in spans.items() if all(key := key_of(span))}, holds)


_Class = tuple[frozenset[str], bool, str]
_Waiting = list[tuple[int, int]]
"""End and index of spans that may be the outer one, the first to end first."""


@dataclass(slots=True)
class _Matching:
    spans: dict[int, Span]
    ties: Ties
    classes: dict[int, _Class]
    """By what they were tied to before anything was matched, whether they bear text, and the form of their response
    ids: what can never match is not even looked at."""
    inside: set[int] = field(default_factory=set)
    """Those that were matched with one around them; `around` likewise."""
    around: set[int] = field(default_factory=set)

    def match(self, keys: dict[int, Hashable], holds: Callable[[Span, Span], bool]) -> None:
        """First those that lie closest, which are right wherever it can be known; then of what is left as many as there
        can be, so that the number is right where equal calls overlap.

        All keys in one pass: which pairs there are then depends on what is near them, and on nothing else.
        """
        pairs = [
            (self._gap(outer, inner), inner, outer)
            for inner, lots in self._sweep(keys)
            for outer in self._around(inner, lots, holds)
        ]
        for _, inner, outer in sorted(pairs):
            self._pair(outer, inner)
        for inner, lots in self._sweep(keys):
            any(self._pair(outer, inner) for outer in self._around(inner, lots, holds))

    def _sweep(self, keys: dict[int, Hashable]) -> Iterator[tuple[int, dict[_Class, _Waiting]]]:
        """Those without a pair around them, as they begin, and with each what began before and has the same key."""
        ordered = sorted(keys, key=lambda index: (self.spans[index].start, index))
        waiting: dict[Hashable, dict[_Class, _Waiting]] = defaultdict(lambda: defaultdict(list))
        begun = 0
        for index in ordered:
            latest = self.spans[index].start + NESTED_TOLERANCE_US
            while begun < len(ordered) and self.spans[ordered[begun]].start <= latest:
                other = ordered[begun]
                if other not in self.around:
                    insort(waiting[keys[other]][self.classes[other]], (self.spans[other].end, other))
                begun += 1
            lots = waiting[keys[index]]
            if index not in self.inside and len(lots) <= _MOST_CLASSES:
                yield index, lots

    def _around(self, index: int, lots: dict[_Class, _Waiting], holds: Callable[[Span, Span], bool]) -> Iterator[int]:
        """Those that may be the outer one, the first to end first."""
        inner = self.spans[index]
        candidates: _Waiting = []
        for kind, lot in lots.items():
            if self._may(index, kind, holds):
                first = bisect_left(lot, (inner.end - NESTED_TOLERANCE_US,))
                candidates += lot[first : first + _MOST_TRIED]
        for _, outer in sorted(candidates):
            span = self.spans[outer]
            if outer not in self.around and nested_in_time(span, inner) and holds(span, inner):
                yield outer

    def _pair(self, outer: int, inner: int) -> bool:
        if outer in self.around or inner in self.inside or not self.ties.may_tie(outer, inner):
            return False
        self.around.add(outer)
        self.inside.add(inner)
        self.ties.tie(outer, inner)
        return True

    def _gap(self, outer: int, inner: int) -> int:
        one, other = self.spans[outer], self.spans[inner]
        return abs(other.start - one.start) + abs(one.end - other.end)

    def _may(self, index: int, kind: _Class, holds: Callable[[Span, Span], bool]) -> bool:
        scopes, has_text, id_form = self.classes[index]
        return (
            not scopes & kind[0]
            and not (id_form and id_form == kind[2])
            and not (has_text and kind[1] and holds is not _any)
        )
