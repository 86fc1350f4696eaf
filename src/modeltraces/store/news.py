"""What has come to a store since it was last looked at, whoever wrote it.

Several processes write to one server. Within what one of them writes, `received_on` rises from commit to commit, and a
commit is seen before the next begins; between two of them it says nothing, for their clocks differ and one may be slow.
So a place in what comes is one instant for each writer (`Seen`).
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from modeltraces.run import Run
from modeltraces.store.engine import Store

VISIBLE_SECONDS: Final = 120
"""A commit is there so long after its `received_on` at the latest, what clocks differ by included: of a writer that was
not heard of before, no more is looked through."""
_DEEP_SECONDS: Final = 10.0
_SHALLOW_US: Final = 15_000_000
_VISIBLE_US: Final = VISIBLE_SECONDS * 1_000_000
_MOST_CHARACTERS: Final = 4_000
_PLACE: Final = "transform(writer, {writers:Array(String)}, {instants:Array(Int64)}, {since:Int64})"


@dataclass(frozen=True, slots=True)
class Seen:
    """Up to where everything was seen: µs of `received_on` by writer, and for writers that are not named."""

    since_us: int
    by_writer: Mapping[str, int] = field(default_factory=dict)

    def with_row(self, writer: str, received_on_us: int) -> "Seen":
        if received_on_us <= self.by_writer.get(writer, self.since_us):
            return self
        return replace(self, by_writer={**self.by_writer, writer: received_on_us})

    def hides(self, writer: str, floor_us: int) -> bool:
        """Whether a look from a floor on may have left out what this writer wrote before what it brought."""
        return self.by_writer.get(writer, self.since_us) < floor_us

    def at(self, now_us: int) -> "Seen":
        """The same place once everything was looked through, without what is too old to come any more."""
        since = max(self.since_us, now_us - _VISIBLE_US)
        return Seen(since, {writer: us for writer, us in self.by_writer.items() if us > since})

    def condition(self, floor_us: int = 0) -> tuple[str, dict[str, Any]]:
        """The rows that were not seen, as SQL and its parameters; of those only the ones after `floor_us`."""
        first = max(min((self.since_us, *self.by_writer.values())), floor_us)
        if not self.by_writer:
            return "received_on > fromUnixTimestamp64Micro({since:Int64}, 'UTC')", {"since": first}
        return (
            "received_on > fromUnixTimestamp64Micro({first:Int64}, 'UTC') "
            f"AND toUnixTimestamp64Micro(received_on) > {_PLACE}",
            {
                "first": first,
                "since": self.since_us,
                "writers": list(self.by_writer),
                "instants": list(self.by_writer.values()),
            },
        )

    def to_text(self) -> str:
        """`1790000000000000`, with several writers `1790000000000000,a1b2=1790000000000001`."""
        return ",".join([str(self.since_us), *(f"{writer}={us}" for writer, us in self.by_writer.items())])

    @classmethod
    def from_text(cls, text: str) -> "Seen | None":
        """None for what `to_text` has not made."""
        since, *others = text.split(",") if len(text) <= _MOST_CHARACTERS else [""]
        pairs = [other.partition("=") for other in others]
        instants = [since, *(us for _, _, us in pairs)]
        if not all(us.isascii() and us.isdecimal() and len(us) < 18 for us in instants):
            return None
        return cls(int(since), {writer: int(us) for writer, _, us in pairs})


@dataclass(slots=True)
class Depth:
    """How far back a look goes: most only a little, since what is new is mostly new, and some through everything that may
    still come. (Over a million rows in two minutes: a third of the time.)"""

    _last_on: float = float("-inf")

    def floor_us(self, now_us: int) -> int:
        if time.monotonic() - self._last_on < _DEEP_SECONDS:
            return now_us - _SHALLOW_US
        self._last_on = time.monotonic()
        return 0

    def forget(self) -> None:
        """Let the next look go through all."""
        self._last_on = float("-inf")


@dataclass(frozen=True, slots=True)
class Link:
    """A recording with nothing but its ids, its times and the end of its input: what links it to others."""

    writer: str
    run: Run


def recent_links(store: Store, since_us: int, limit: int, text_characters: int) -> Iterator[Link]:
    """The last recordings that were received since then, oldest first."""
    rows = store.query(
        f"SELECT {_link_columns(text_characters)} FROM runs "
        "WHERE received_on >= fromUnixTimestamp64Micro({since:Int64}) ORDER BY received_on DESC LIMIT {limit:UInt64}",
        {"since": since_us, "limit": limit},
        surface="ingest.recall",
    )
    return (_link(row) for row in reversed(rows))


def new_links(store: Store, me: str, seen: Seen, limit: int, text_characters: int, floor_us: int = 0) -> list[Link]:
    """The first `limit` recordings by others than `me` that were not seen, and those of the same commit as the last."""
    condition, params = seen.condition(floor_us)
    rows = store.query(
        f"SELECT {_link_columns(text_characters)} FROM runs WHERE writer != {{me:String}} AND {condition} "
        "ORDER BY writer, received_on LIMIT {limit:UInt64} WITH TIES",
        {**params, "me": me, "limit": limit},
        surface="ingest.others",
    )
    return [_link(row) for row in rows]


@dataclass(frozen=True, slots=True)
class ContentPlace:
    writer: str
    received_on_us: int
    account_id: str
    trace_id: str
    span_id: str


def new_contents(store: Store, me: str, seen: Seen, limit: int, floor_us: int = 0) -> list[ContentPlace]:
    """The same for log records that carry content of spans."""
    condition, params = seen.condition(floor_us)
    rows = store.query(
        "SELECT writer, toUnixTimestamp64Micro(received_on), account_id, trace_id, span_id FROM span_contents "
        f"WHERE writer != {{me:String}} AND {condition} ORDER BY writer, received_on LIMIT {{limit:UInt64}} WITH TIES",
        {**params, "me": me, "limit": limit},
        surface="ingest.others",
    )
    return [ContentPlace(*row) for row in rows]


def recent_contents(store: Store, since_us: int, limit: int) -> list[ContentPlace]:
    """The log records that were received since then, oldest first."""
    rows = store.query(
        "SELECT writer, toUnixTimestamp64Micro(received_on), account_id, trace_id, span_id FROM span_contents "
        "WHERE received_on >= fromUnixTimestamp64Micro({since:Int64}) ORDER BY received_on DESC LIMIT {limit:UInt64}",
        {"since": since_us, "limit": limit},
        surface="ingest.recall",
    )
    return [ContentPlace(*row) for row in reversed(rows)]


def _link_columns(text_characters: int) -> str:
    return (
        "writer, account_id, request_id, toUnixTimestamp64Micro(executed_on), model, trace_id, span_id, parent_span_id, "
        "response_id, instrumentation, response_time_ms, response_time_clamped, toUnixTimestamp64Micro(received_on), "
        f"rightUTF8(input, {text_characters}), has(borrowed, 'input'), has(borrowed, 'response_id')"
    )


def _link(row: Any) -> Link:
    (
        writer, account_id, request_id, start, model, trace_id, span_id, parent_span_id, response_id, instrumentation,
        response_time_ms, clamped, received_on_us, text, borrows_input, borrows_response_id,
    ) = row  # fmt: skip
    run = Run(
        account_id, request_id, start, model,
        trace_id=trace_id, span_id=span_id, parent_span_id=parent_span_id, response_id=response_id,
        instrumentation=instrumentation, response_time_ms=response_time_ms, response_time_clamped=clamped,
        received_on_us=received_on_us, input=text,
        borrowed=["input"] * borrows_input + ["response_id"] * borrows_response_id,
    )  # fmt: skip
    return Link(writer, run)
