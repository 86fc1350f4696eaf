"""Runs as columns of the `runs` table, and back."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from modeltraces.run import PREVIEW_CHARACTERS, Run, now_us
from modeltraces.store.coverage import forget_hours
from modeltraces.store.engine import Rows, Store

_TEXT: Final = "String"
_WORD: Final = "LowCardinality(String)"
_INSTANT: Final = "DateTime64(6, 'UTC')"
_COUNT: Final = "Nullable(UInt64)"
_DURATION: Final = "Nullable(Float64)"

# column → (ClickHouse type, attribute of Run)
_PLAIN: Final[dict[str, tuple[str, str]]] = {
    "account_id": (_WORD, "account_id"),
    "executed_on": (_INSTANT, "executed_on_us"),
    "request_id": (_TEXT, "request_id"),
    "version": ("UInt32", "version"),
    "superseded_by": (_TEXT, "superseded_by"),
    "received_on": (_INSTANT, "received_on_us"),
    "model": (_WORD, "model"),
    "base_model": (_WORD, "base_model"),
    "provider": (_WORD, "provider"),
    "deployment_version": (_WORD, "deployment_version"),
    "connection_name": (_WORD, "connection_name"),
    "operation": (_WORD, "operation"),
    "status": ("Enum8('success' = 1, 'failed' = 2)", "status"),
    "response_time_ms": (_DURATION, "response_time_ms"),
    "response_time_clamped": ("Bool", "response_time_clamped"),
    "time_to_first_token_ms": (_DURATION, "time_to_first_token_ms"),
    "streaming": ("Bool", "streaming"),
    "source_type": (_WORD, "source_type"),
    "source": (_WORD, "source"),
    "input": (_TEXT, "input"),
    "output": (_TEXT, "output"),
    "input_size": ("UInt64", "input_size"),
    "output_size": ("UInt64", "output_size"),
    "input_tokens": (_COUNT, "input_tokens"),
    "output_tokens": (_COUNT, "output_tokens"),
    "cached_input_tokens": (_COUNT, "cached_input_tokens"),
    "cache_write_input_tokens": (_COUNT, "cache_write_input_tokens"),
    "reasoning_tokens": (_COUNT, "reasoning_tokens"),
    "finish_reasons": (f"Array({_WORD})", "finish_reasons"),
    "error_type": (_WORD, "error_type"),
    "error_message": (_TEXT, "error_message"),
    "error_code": (_WORD, "error_code"),
    "request": (_TEXT, "request"),
    "response": (_TEXT, "response"),
    "payload_cut": ("Bool", "payload_cut"),
    "trace_id": (_TEXT, "trace_id"),
    "span_id": (_TEXT, "span_id"),
    "parent_span_id": (_TEXT, "parent_span_id"),
    "response_id": (_TEXT, "response_id"),
    "session_id": (_TEXT, "session_id"),
    "user_id": (_TEXT, "user_id"),
    "instrumentation": (_WORD, "instrumentation"),
    "attributes": ("Map(LowCardinality(String), String)", "attributes"),
    "borrowed": (f"Array({_WORD})", "borrowed"),
    "server_address": (_WORD, "server_address"),
    "key_name": (_WORD, "key_name"),
    "matched_by": (_WORD, "matched_by"),
    "recorded_model": (_WORD, "recorded_model"),
    "recorded_deployment_version": (_WORD, "recorded_deployment_version"),
    "recorded_connection_name": (_WORD, "recorded_connection_name"),
    "payload_removed_on": (_INSTANT, "payload_removed_on_us"),
}
_PREVIEWS: Final = {"input_preview": "input", "output_preview": "output"}
_INSTANTS: Final = frozenset(column for column, (type_name, _) in _PLAIN.items() if type_name == _INSTANT)

READ_COLUMNS: Final = ", ".join(
    f"toUnixTimestamp64Micro({column})" if column in _INSTANTS else column for column in _PLAIN
)
"""What to select, in the order that `run_of_row` expects."""


def columns_of_runs(runs: Sequence[Run]) -> dict[str, tuple[str, list[Any]]]:
    """The runs as columns for `Store.insert`."""
    columns: dict[str, tuple[str, list[Any]]] = {
        column: (type_name, [getattr(run, attribute) for run in runs])
        for column, (type_name, attribute) in _PLAIN.items()
    }
    for column, attribute in _PREVIEWS.items():
        columns[column] = (_TEXT, [text[:PREVIEW_CHARACTERS] for text in columns[attribute][1]])
    return columns


def run_of_row(row: Sequence[Any]) -> Run:
    """The run of a row that was selected with `READ_COLUMNS`."""
    return Run(**{attribute: value for (_, attribute), value in zip(_PLAIN.values(), row, strict=True)})


def insert_runs(store: Store, runs: Sequence[Run], writer: str = "") -> None:
    """`writer`: the name of the process, where there are several."""
    columns = columns_of_runs(runs)
    if writer:
        columns["writer"] = (_WORD, [writer] * len(runs))
    store.insert("runs", columns)


def fetch_runs(store: Store, starts: Iterable[tuple[str, int]]) -> list[Run]:
    """The stored recordings of (account_id, executed_on_us), as they are, superseded ones too."""
    rows: list[Run] = []
    for account_id, instants in _by_account(starts).items():
        found: Rows = store.query(
            f"SELECT {READ_COLUMNS} FROM runs FINAL WHERE account_id = {{account_id:String}} "
            "AND executed_on IN (SELECT fromUnixTimestamp64Micro(arrayJoin({starts:Array(Int64)})))",
            {"account_id": account_id, "starts": instants},
            surface="ingest.linked",
        )
        rows += [run_of_row(row) for row in found]
    return rows


def starts_of_requests(store: Store, account_id: str, request_ids: Sequence[str]) -> dict[str, int]:
    """Request ID → executed_on_us, of those that are stored."""
    rows = store.query(
        "SELECT request_id, min(toUnixTimestamp64Micro(executed_on)) FROM runs "
        "WHERE account_id = {account_id:String} AND request_id IN {ids:Array(String)} GROUP BY request_id",
        {"account_id": account_id, "ids": list(request_ids)},
        surface="ingest.given_ids",
    )
    return {row[0]: row[1] for row in rows}


def remove_twins(store: Store, account_id: str, request_ids: Collection[str]) -> dict[str, int]:
    """Of runs that stand there under several starts, keep the first: two processes took them in at the same time, and
    neither knew which start the other gave. Returns Request ID → start as they stand now."""
    if not request_ids:
        return {}
    twins = store.query(
        "SELECT request_id, arraySort(groupUniqArray(toUnixTimestamp64Micro(executed_on))) AS starts FROM runs "
        "WHERE account_id = {account_id:String} AND request_id IN {ids:Array(String)} GROUP BY request_id",
        {"account_id": account_id, "ids": list(request_ids)},
        surface="ingest.twins",
    )
    late = [(request_id, start) for request_id, starts in twins for start in starts[1:]]
    if late:
        hours = [(account_id, start) for _, start in late]
        # Before, too: whatever breaks off after the removal, sums that counted them are not taken for what is there.
        forget_hours(store, hours, now_us())
        store.command(
            f"DELETE FROM {store.local('runs')} WHERE account_id = {{account_id:String}} AND "
            "has(arrayZip({ids:Array(String)}, {starts:Array(Int64)}), (request_id, toUnixTimestamp64Micro(executed_on)))",
            {"account_id": account_id, "ids": [one for one, _ in late], "starts": [start for _, start in late]},
        )
        forget_hours(store, hours, now_us())
    return {request_id: starts[0] for request_id, starts in twins}


def _by_account(starts: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    grouped: dict[str, list[int]] = {}
    for account_id, start in starts:
        grouped.setdefault(account_id, []).append(start)
    return grouped
