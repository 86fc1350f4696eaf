"""The table of runs: which columns there are, and what stands in their cells."""

from collections.abc import Callable, Sequence
from datetime import tzinfo
from typing import Final

from modeltraces.query.fields import SORTABLE, field_named
from modeltraces.query.runs import Page, RunSummary
from modeltraces.web.address import Address
from modeltraces.web.contexts import Column, Empty, Moment, Option, RunRow, RunsTable, Text, Trouble
from modeltraces.web.formatting import UNKNOWN, count, duration, instant, iso, removal

NINE: Final = (
    "status",
    "request_id",
    "response_time",
    "deployment_version",
    "source_type",
    "source",
    "executed_on",
    "input",
    "output",
)
"""The columns of the specification, in its order."""


def _word(value: str) -> Text:
    return Text(value, value) if value else UNKNOWN_TEXT


def _tokens(value: int | None) -> Text:
    return UNKNOWN_TEXT if value is None else Text(count(value))


def _time(value: float | None) -> Text:
    return UNKNOWN_TEXT if value is None else Text(duration(value), f"{value:.3f} ms")


def _preview(value: str) -> Text:
    """The beginning in one line. Instructions at the start are left out: all runs of a caller share them."""
    text = value
    if value.startswith(_INSTRUCTIONS) and _USERS_MESSAGE in value:
        text = value.partition(_USERS_MESSAGE)[2] or value
    return Text(" ".join(text.split())[:240]) if text.strip() else UNKNOWN_TEXT


UNKNOWN_TEXT: Final = Text(UNKNOWN, unknown=True)
_INSTRUCTIONS: Final = ("system: ", "developer: ")
_USERS_MESSAGE: Final = "\n\nuser: "
PAGE_ROWS: Final = 50
_MOST_COLUMNS: Final = 10
"""That fit a screen of 1280 pixels; a table of more scrolls sideways."""

_CELLS: Final[dict[str, Callable[[RunSummary], Text]]] = {
    "response_time": lambda run: _time(run.response_time_ms),
    "deployment_version": lambda run: _word(run.deployment_version),
    "source_type": lambda run: _word(run.source_type),
    "source": lambda run: _word(run.source),
    "input": lambda run: _preview(run.input),
    "output": lambda run: _preview(run.output),
    "model": lambda run: _word(run.model),
    "base_model": lambda run: _word(run.base_model),
    "connection_name": lambda run: _word(run.connection_name),
    "operation": lambda run: _word(run.operation),
    "time_to_first_token": lambda run: _time(run.time_to_first_token_ms),
    "input_tokens": lambda run: _tokens(run.input_tokens),
    "output_tokens": lambda run: _tokens(run.output_tokens),
    "error_type": lambda run: _word(run.error_type),
    "user_id": lambda run: _word(run.user_id),
    "session_id": lambda run: _word(run.session_id),
}
_NUMERIC: Final = ("response_time", "time_to_first_token", "input_tokens", "output_tokens")
COLUMNS: Final = (*NINE[:2], "model", *NINE[2:], *(name for name in _CELLS if name not in (*NINE, "model")))
"""All that can be chosen, in the order they stand in."""


def label_of(column: str) -> str:
    field = field_named(column)
    assert field is not None, column
    return field.label


def chosen(address: Address, several: bool = False) -> tuple[str, ...]:
    """The columns that the address asks for, in their own order; Request ID is always there: it is the way in.

    `several`: runs of more than one model are shown. Unless asked otherwise, a row then says of which it is.
    """
    if not address.columns:
        return tuple(column for column in COLUMNS if column in NINE or (several and column == "model"))
    wanted = {*address.columns, "request_id"}
    return tuple(column for column in COLUMNS if column in wanted)


def columns(address: Address, several: bool = False) -> tuple[Column, ...]:
    made = []
    for key in chosen(address, several):
        sorted_here = address.sort == key
        # A column is sorted from its large end first: the slowest, the latest.
        flipped = "asc" if sorted_here and address.order == "desc" else "desc"
        made.append(
            Column(
                key=key,
                label=label_of(key),
                numeric=key in _NUMERIC,
                sort_href=address.changed(sort=key, order=flipped).url
                if key in SORTABLE and key not in ("status", "request_id")
                else "",
                sorted=("descending" if address.order == "desc" else "ascending") if sorted_here else "",
            )
        )
    return tuple(made)


def row_of(
    run: RunSummary, address: Address, zone: tzinfo, now_us: int, open_id: str = "", several: bool = False
) -> RunRow:
    shown = chosen(address, several)
    return RunRow(
        request_id=run.request_id,
        href=address.run_url(run.request_id),
        failed=run.status == "failed",
        current=run.request_id == open_id,
        executed_on=Moment(instant(run.executed_on_us, zone, now_us=now_us), iso(run.executed_on_us)),
        cells={key: _removed(key, run, zone) or _CELLS[key](run) for key in shown if key in _CELLS},
    )


def _removed(column: str, run: RunSummary, zone: tzinfo) -> Text | None:
    """What stands for a text that was removed for its age."""
    text = run.input if column == "input" else run.output if column == "output" else "not a payload"
    if text or not run.payload_removed_on_us:
        return None
    return Text("removed", removal(run.executed_on_us, run.payload_removed_on_us, zone), unknown=True)


def _place(address: Address, page: Page | None, total: int | None) -> int:
    """How many runs stand before the first of the page; -1 when it is not known."""
    if page is None or page.previous_cursor is None:
        return 0
    if not address.after or (total is not None and address.after + len(page.runs) > total):
        return -1
    return address.after


def _page_href(address: Address, cursor: str | None, place: int) -> str:
    return address.changed(cursor=cursor, after=max(0, place)).url if cursor else ""


def _range_text(rows: int, place: int, total: int | None) -> str:
    """From which run to which, of how many, as far as it is known."""
    if not rows:
        return ""
    part = f"{count(place + 1)}\N{EN DASH}{count(place + rows)}" if place >= 0 else count(rows)
    return part if total is None else f"{part} of {count(total)}"


def table(
    address: Address,
    page: Page | None,
    total: int | None,
    zone: tzinfo,
    *,
    now_us: int,
    open_id: str = "",
    several: bool = False,
    empty: Empty | None = None,
    trouble: Trouble | None = None,
) -> RunsTable:
    """`page` None: it could not be had, `trouble` says why. `empty`: what to say when nothing matches."""
    rows: Sequence[RunSummary] = page.runs if page else ()
    shown = chosen(address, several)
    place = _place(address, page, total)
    return RunsTable(
        columns=columns(address, several),
        chosen=bool(address.columns),
        wide=len(shown) > _MOST_COLUMNS,
        rows=tuple(row_of(run, address, zone, now_us, open_id, several) for run in rows),
        count_text="" if total is None or trouble else "1 run" if total == 1 else f"{count(total)} runs",
        previous_href=_page_href(address, page.previous_cursor, place - PAGE_ROWS) if page else "",
        next_href=_page_href(address, page.next_cursor, place + len(rows) if place >= 0 else -1) if page else "",
        range_text=_range_text(len(rows), place, total),
        chooser=tuple(Option(label_of(key), "", key in shown, value=key) for key in COLUMNS if key != "request_id"),
        chooser_reset=address.changed(columns=(), cursor=address.cursor).url,
        empty=empty if page is not None and not rows else None,
        trouble=trouble,
    )
