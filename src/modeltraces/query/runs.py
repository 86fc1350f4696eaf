"""Runs, a page at a time; one run; its neighbours in the selection.

A page takes two steps: the keys of its rows from the columns that order and filter them (`positions`), then the rows by their keys.
So sorting and filtering never read the texts of runs that are not shown, and nothing ever reads payloads but `get_run`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from modeltraces.query.cursor import Direction, Position, decode, encode
from modeltraces.query.filters import Bound, FilterContext
from modeltraces.query.order import Ordering
from modeltraces.query.positions import positions
from modeltraces.query.selection import Selection, where
from modeltraces.run import PREVIEW_CHARACTERS, Run, Status, executed_on_ms_of
from modeltraces.store.engine import Store
from modeltraces.store.news import Seen
from modeltraces.store.rows import READ_COLUMNS, run_of_row

_MAX_FOLDS: Final = 8
"""Folded runs are followed this far: linking folds into the final run, a longer chain is a fault."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run as lists show it: everything but payloads, with the first 500 characters of input and output."""

    request_id: str
    executed_on_us: int
    received_on_us: int
    status: Status
    model: str
    base_model: str
    provider: str
    deployment_version: str
    connection_name: str
    operation: str
    response_time_ms: float | None
    response_time_clamped: bool
    time_to_first_token_ms: float | None
    streaming: bool
    source_type: str
    source: str
    input: str
    output: str
    input_size: int
    """Bytes of the whole."""
    output_size: int
    input_tokens: int | None
    output_tokens: int | None
    cached_input_tokens: int | None
    reasoning_tokens: int | None
    error_type: str
    error_message: str
    error_code: str
    trace_id: str
    span_id: str
    parent_span_id: str
    session_id: str
    user_id: str
    payload_removed_on_us: int
    finish_reasons: list[str] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def input_truncated(self) -> bool:
        return _is_truncated(self.input, self.input_size)

    @property
    def output_truncated(self) -> bool:
        return _is_truncated(self.output, self.output_size)


def _is_truncated(preview: str, size: int) -> bool:
    # Characters of the preview, and bytes of the whole: a text of exactly 500 characters is not truncated.
    return len(preview) >= PREVIEW_CHARACTERS and size > len(preview.encode())


@dataclass(frozen=True, slots=True)
class Page:
    runs: list[RunSummary]
    next_cursor: str | None
    previous_cursor: str | None


_EXPRESSIONS: Final = {
    "executed_on_us": "toUnixTimestamp64Micro(executed_on)",
    "received_on_us": "toUnixTimestamp64Micro(received_on)",
    "payload_removed_on_us": "toUnixTimestamp64Micro(payload_removed_on)",
    "input": "input_preview",
    "output": "output_preview",
}
"""Each costs time, as the engine plans it; what can be told from what is read is told here."""


def _columns(context: FilterContext) -> str:
    expressions = {**_EXPRESSIONS, "model": context.model}
    return ", ".join(f"{expressions.get(name, name)} AS c_{name}" for name in RunSummary.__dataclass_fields__)


def list_runs(
    store: Store, selection: Selection, context: FilterContext, *, limit: int, cursor: str | None, secret: bytes
) -> Page:
    """One page of the selection in its order. Raises CursorError for a cursor that is not of this selection."""
    direction: Direction = "after"
    position = None
    if cursor is not None:
        position, direction = decode(selection, cursor, secret)
    found = positions(store, selection, context, position, direction, limit + 1)
    more = len(found) > limit
    found = found[:limit]
    if direction == "before":
        found.reverse()
    has_next = more if direction == "after" else True
    has_previous = position is not None if direction == "after" else more
    return Page(
        summaries(store, selection.account_id, [(at.executed_on_us, at.request_id) for at in found], context),
        encode(selection, found[-1], "after", secret) if found and has_next else None,
        encode(selection, found[0], "before", secret) if found and has_previous else None,
    )


def summaries(
    store: Store, account_id: str, keys: Sequence[tuple[int, str]], context: FilterContext
) -> list[RunSummary]:
    """The runs of (executed_on_us, request_id), in the order given; those that are gone are left out."""
    if not keys:
        return []
    # PREWHERE may hold only the sort key: it is applied before FINAL has chosen a row.
    rows = store.query(
        f"SELECT {_columns(context)} FROM runs FINAL PREWHERE account_id = {{account_id:String}} "
        "AND executed_on IN (SELECT fromUnixTimestamp64Micro(arrayJoin({starts:Array(Int64)}), 'UTC')) "
        "AND request_id IN {ids:Array(String)}",
        {
            "account_id": account_id,
            "starts": [at for at, _ in keys],
            "ids": [request_id for _, request_id in keys],
            **context.params,
        },
        surface="runs.rows",
    )
    found = {(row[1], row[0]): _with_base_model(RunSummary(*row), context) for row in rows}
    return [found[key] for key in keys if key in found]


def _with_base_model(run: RunSummary, context: FilterContext) -> RunSummary:
    base = "" if run.base_model else context.base_models.get(run.model, "")
    return replace(run, base_model=base) if base else run


def get_run(store: Store, account_id: str, request_id: str) -> Run | None:
    """One whole run with its payloads; for a recording that was folded into another, the run it was folded into."""
    for _ in range(_MAX_FOLDS):
        run = _stored(store, account_id, request_id)
        if run is None or not run.superseded_by or run.superseded_by == request_id:
            return run
        request_id = run.superseded_by
    return None


def _stored(store: Store, account_id: str, request_id: str) -> Run | None:
    at_ms = executed_on_ms_of(request_id)
    if at_ms is not None:
        # The id tells its time, and time is the sort key: a granule or two are read.
        first = at_ms * 1000
        run = _one(store, account_id, request_id, first, first + 1000)
        if run is not None:
            return run
    starts = store.query(
        "SELECT DISTINCT toUnixTimestamp64Micro(executed_on) FROM runs "
        "WHERE account_id = {account_id:String} AND request_id = {request_id:String}",
        {"account_id": account_id, "request_id": request_id},
        surface="run.find",
    )
    found = [_one(store, account_id, request_id, start, start + 1) for (start,) in starts]
    return max((run for run in found if run is not None), key=lambda run: run.version, default=None)


def _one(store: Store, account_id: str, request_id: str, from_us: int, to_us: int) -> Run | None:
    rows: Sequence[Sequence[Any]] = store.query(
        f"SELECT {READ_COLUMNS} FROM runs FINAL PREWHERE account_id = {{account_id:String}} "
        "AND executed_on >= fromUnixTimestamp64Micro({from_us:Int64}, 'UTC') "
        "AND executed_on < fromUnixTimestamp64Micro({to_us:Int64}, 'UTC') AND request_id = {request_id:String}",
        {"account_id": account_id, "request_id": request_id, "from_us": from_us, "to_us": to_us},
        surface="run.one",
    )
    # The engine takes as long to plan an order of so many columns as to read them; one id has one row, or very few.
    return max(map(run_of_row, rows), key=lambda run: run.version, default=None)


def neighbours(
    store: Store, selection: Selection, context: FilterContext, request_id: str
) -> tuple[str | None, str | None]:
    """(previous, next) Request IDs of a run inside the selection, in the order it is shown in.

    Both None when there is no such run; a run that is not in the selection has those around its place.
    """
    run = get_run(store, selection.account_id, request_id)
    if run is None:
        return None, None
    bound = Bound("k")
    ordering = Ordering.of(selection, context, bound)
    here = {"account_id": run.account_id, "at": run.executed_on_us, "request_id": run.request_id}
    rows = store.query(
        f"SELECT {ordering.value} FROM runs FINAL PREWHERE account_id = {{account_id:String}} "
        "AND executed_on = fromUnixTimestamp64Micro({at:Int64}, 'UTC') AND request_id = {request_id:String}",
        {**here, **context.params, **bound.params},
        surface="run.place",
    )
    place = Position(rows[0][0] if rows else None, run.executed_on_us, run.request_id)
    around = [
        positions(store, selection, context, place, direction, 1) for direction in ("before", "after")
    ]  # fmt: skip
    before, after = (found[0].request_id if found else None for found in around)
    return before, after


@dataclass(frozen=True, slots=True)
class Arrival:
    """A run of a selection that was received, and which process wrote it."""

    run: RunSummary
    writer: str
    received_on_us: int


def runs_since(
    store: Store,
    selection: Selection,
    context: FilterContext,
    seen: Seen,
    limit: int,
    *,
    after: Arrival | None = None,
    floor_us: int = 0,
) -> tuple[list[Arrival], bool]:
    """Runs of the selection that were not seen, by writer and in the order each received them; and whether there are more.

    Those of one commit share the instant: to ask on, give the last one as `after`, and the same `seen`. A run that
    another recording was added to since comes again. `floor_us`: of those received after it only.
    """
    condition, params = where(selection, context)
    unseen, of_seen = seen.condition(floor_us)
    bound = Bound("r")
    if after is not None:
        place = [bound.text(after.writer), bound.instant(after.received_on_us)]
        place += [bound.instant(after.run.executed_on_us), bound.text(after.run.request_id)]
        unseen += f" AND (writer, received_on, executed_on, request_id) > ({', '.join(place)})"
    rows = store.query(
        "SELECT toUnixTimestamp64Micro(executed_on), request_id, writer, toUnixTimestamp64Micro(received_on) FROM runs FINAL "
        f"WHERE {condition} AND {unseen} ORDER BY writer, received_on, executed_on, request_id "
        f"LIMIT {bound(limit, 'UInt64')}",
        {**params, **of_seen, **bound.params},
        surface="runs.since",
    )
    places = {(at_us, request_id): (writer, received_us) for at_us, request_id, writer, received_us in rows}
    found = summaries(store, selection.account_id, list(places), context)
    arrived = [Arrival(run, *places[run.executed_on_us, run.request_id]) for run in found]
    return arrived, bool(arrived) and len(rows) == limit
