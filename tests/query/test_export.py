"""Exports: every run of the selection, whole, in its order, in three formats; and never a short file that looks whole."""

import csv
import io
import json
import queue
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast
from zoneinfo import ZoneInfo

import pyarrow.parquet as parquet
import pytest

from modeltraces.query.export import FORMATS, export
from modeltraces.query.export_columns import CSV_HEADER
from modeltraces.query.filters import FilterContext, parse
from modeltraces.query.selection import Selection
from modeltraces.run import Run
from modeltraces.store.engine import ClickHouseStore, QueryLimitExceeded, Store, StoreError
from modeltraces.store.rows import insert_runs
from tests.query.runs import NOON_US, run

csv.field_size_limit(10_000_000)
CONTEXT = FilterContext({"open_source": ["llama-3"], "external": ["gpt-4o"]}, {"llama-3": "meta/llama-3-8b"})


def exported(store: Store, selection: Selection, format: str, **options: Any) -> bytes:
    with export(store, selection, CONTEXT, format=format, **options) as pieces:
        return b"".join(pieces)


def cells(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))


def some_runs(account_id: str) -> list[Run]:
    return [
        run(
            account_id, 1, model="llama-3", deployment_version="v2", response_time_ms=1234.5, source_type="Agent",
            source="billing", input='He said "退款", then\nleft\r\n', output="x" * 5000, input_tokens=7, output_tokens=9,
            request='{"messages": [\n  {"role": "user"}\n]}', response="not json\n{", attributes={"env": "prod", "é": "/"},
            finish_reasons=["stop"], session_id="s", trace_id="t",
        ),
        run(
            account_id, 2, connection_name="azure-eu", base_model="gpt-4o-2024", status="failed", error_type="RateLimit",
            error_message="slow down", error_code="429", streaming=True, time_to_first_token_ms=0.5,
        ),
    ]  # fmt: skip


def test_csv_has_the_contracts_header_and_whole_cells(store: Store, account_id: str) -> None:
    insert_runs(store, some_runs(account_id))
    data = exported(store, Selection(account_id, order="asc"), "csv")
    header, first, second = cells(data)
    assert ",".join(header) == CSV_HEADER
    assert data.startswith(CSV_HEADER.encode() + b"\r\n")
    assert first == [
        "success", "run-00001", "1234.5", "v2", "Agent", "billing", "2026-11-01T12:00:01.000000Z",
        'He said "退款", then\nleft\r\n', "x" * 5000, "meta/llama-3-8b", "", "7", "9", "",
    ]  # fmt: skip
    assert second == [
        "failed", "run-00002", "", "", "", "", "2026-11-01T12:00:02.000000Z", "", "", "gpt-4o-2024", "azure-eu", "", "",
        "RateLimit: slow down",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("Europe/Berlin", "2026-11-01T13:00:01.000000+01:00"),
        ("America/St_Johns", "2026-11-01T08:30:01.000000-03:30"),
        ("Asia/Kathmandu", "2026-11-01T17:45:01.000000+05:45"),
        ("UTC", "2026-11-01T12:00:01.000000+00:00"),
    ],
)
def test_csv_times_are_of_the_zone_asked_for(store: Store, account_id: str, zone: str, said: str) -> None:
    insert_runs(store, [run(account_id, 1)])
    assert cells(exported(store, Selection(account_id), "csv", zone=ZoneInfo(zone)))[1][6] == said


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＠"])
def test_a_cell_that_would_run_as_a_formula_is_made_harmless(store: Store, account_id: str, start: str) -> None:
    evil = f"{start}HYPERLINK(1)"
    one = run(
        account_id, request_id=evil, input=evil, output=f"a{evil}", source=evil, source_type=evil, error_message=evil,
        deployment_version=evil, connection_name=evil, base_model=evil, response_time_ms=0.25,
    )  # fmt: skip
    insert_runs(store, [one])
    harmless = cells(exported(store, Selection(account_id), "csv"))[1]
    for place in (1, 3, 4, 5, 7, 9, 10, 13):
        assert harmless[place] == f"'{evil}"
    assert harmless[8] == f"a{evil}"
    assert harmless[2] == "0.25"
    assert cells(exported(store, Selection(account_id), "csv", raw=True))[1][7] == evil


def test_json_lines_hold_whole_runs_with_their_payloads(store: Store, account_id: str) -> None:
    insert_runs(store, some_runs(account_id))
    data = exported(store, Selection(account_id, order="asc"), "jsonl")
    assert data.endswith(b"\n")
    first, second = (json.loads(line) for line in data.decode().removesuffix("\n").split("\n"))
    assert first["request"] == {"messages": [{"role": "user"}]}
    assert first["response"] == "not json\n{"
    assert (first["input"], first["output"]) == ('He said "退款", then\nleft\r\n', "x" * 5000)
    assert (first["model_kind"], first["base_model"], first["deployment_version"]) == (
        "open_source", "meta/llama-3-8b", "v2",
    )  # fmt: skip
    assert (first["error"], first["connection_name"], first["cached_input_tokens"]) == (None, None, None)
    assert (first["attributes"], first["finish_reasons"], first["streaming"]) == (
        {"env": "prod", "é": "/"}, ["stop"], False,
    )  # fmt: skip
    assert (first["response_time_ms"], first["input_tokens"]) == (1234.5, 7)
    assert first["executed_on"] == "2026-11-01T12:00:01.000000Z"
    assert second["error"] == {"type": "RateLimit", "message": "slow down", "code": "429"}
    assert (second["request"], second["time_to_first_token_ms"], second["model_kind"]) == (None, 0.5, "external")


def test_parquet_has_typed_columns(store: Store, account_id: str) -> None:
    insert_runs(store, some_runs(account_id))
    data = exported(store, Selection(account_id, order="asc"), "parquet")
    first, second = parquet.read_table(io.BytesIO(data)).to_pylist()
    assert (first["request_id"], first["response_time_ms"], first["input_tokens"]) == ("run-00001", 1234.5, 7)
    assert first["executed_on"].timestamp() * 1e6 == NOON_US + 1_000_000
    assert (first["input"], first["error_type"]) == ('He said "退款", then\nleft\r\n', None)
    assert dict(first["attributes"]) == {"env": "prod", "é": "/"}
    assert (second["status"], second["streaming"], second["connection_name"]) == ("failed", True, "azure-eu")


def request_ids(data: bytes, format: str) -> list[str]:
    if format == "csv":
        return [row[1] for row in cells(data)[1:]]
    if format == "jsonl":
        return [json.loads(line)["request_id"] for line in data.splitlines()]
    return cast(list[str], parquet.read_table(io.BytesIO(data)).column("request_id").to_pylist())


@pytest.mark.parametrize("format", list(FORMATS))
def test_an_export_holds_all_runs_of_the_selection_in_its_order(store: Store, account_id: str, format: str) -> None:
    times = [None, 3.0, 1.0, 2.0]
    runs = [
        run(account_id, n, source=f"s{n % 2}", source_type="Agent", response_time_ms=times[n % 4], input="x" * 2000)
        for n in range(3000)
    ]
    runs += [run(account_id, 5000, superseded_by="run-00001"), run("another account", 5001, source="s1")]
    insert_runs(store, runs)
    insert_runs(store, runs[:100])
    selection = Selection(account_id, filter=parse("source:s1 source_type:agent"), sort="response_time", order="desc")
    wanted = sorted(
        (one for one in runs[:3000] if one.source == "s1"),
        key=lambda one: (one.response_time_ms or 0, one.executed_on_us),
        reverse=True,
    )
    found = request_ids(exported(store, selection, format), format)
    assert found == [one.request_id for one in wanted]


@pytest.mark.parametrize(("format", "empty"), [("csv", CSV_HEADER.encode() + b"\r\n"), ("jsonl", b"")])
def test_an_export_of_nothing_is_empty_and_whole(store: Store, account_id: str, format: str, empty: bytes) -> None:
    assert exported(store, Selection(account_id), format) == empty


def test_a_parquet_export_of_nothing_has_its_columns(store: Store, account_id: str) -> None:
    table = parquet.read_table(io.BytesIO(exported(store, Selection(account_id), "parquet")))
    assert table.num_rows == 0
    assert "response_time_ms" in table.column_names


class BrokenStore:
    """The real store, whose streams give so many pieces and then fail, or end inside a run."""

    embedded = False

    def __init__(self, store: Store, *, fail: bool) -> None:
        self._store, self._fail = store, fail

    def query(self, sql: str, params: Any = None, *, surface: str = "") -> Any:
        return self._store.query(sql, params, surface=surface)

    @contextmanager
    def stream(self, sql: str, params: Any = None, *, format: str, mark: str = "") -> Iterator[Iterator[bytes]]:
        with self._store.stream(sql, params, format=format, mark=mark) as pieces:
            yield self._broken(pieces)

    def _broken(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        yield next(pieces)[:-1]
        if self._fail:
            raise StoreError("the store went away")


@pytest.mark.parametrize(("format", "fail"), [("csv", True), ("jsonl", True), ("jsonl", False), ("parquet", True)])
def test_a_stream_that_breaks_raises_and_does_not_end(store: Store, account_id: str, format: str, fail: bool) -> None:
    insert_runs(store, [run(account_id, n, input="x" * 100) for n in range(50)])
    broken = cast(Store, BrokenStore(store, fail=fail))
    with (
        export(broken, Selection(account_id), CONTEXT, format=format) as pieces,
        pytest.raises(StoreError),
    ):
        b"".join(pieces)


@pytest.mark.parametrize("format", list(FORMATS))
def test_runs_of_megabytes_are_exported_whole(store: Store, account_id: str, format: str) -> None:
    payload = json.dumps({"text": "x" * 4_000_000})
    for number in range(20):
        insert_runs(store, [run(account_id, number, input="y" * 1_000_000, request=payload)])
    data = exported(store, Selection(account_id), format)
    assert request_ids(data, format) == [f"run-{number:05d}" for number in reversed(range(20))]
    if format != "parquet":
        assert len(data) > 20 * 1_000_000


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_an_export_may_be_longer_than_the_engine_counts(store: Store, account_id: str, format: str) -> None:
    """Of what the embedded engine hands over its count of the query's memory keeps some 30 MB a GB: after 10 GB an export
    broke off, though no more memory was in use than at its beginning."""
    insert_runs(store, [run(account_id, n, input=random.randbytes(10_000).hex()) for n in range(1000)])
    whole = exported(store, Selection(account_id), format)
    assert isinstance(store, ClickHouseStore)
    tight = replace(store, limits=replace(store.limits, query_memory_bytes=16 << 20), _idle=queue.LifoQueue())
    with pytest.raises(QueryLimitExceeded):
        tight.query("SELECT length(groupArray(input)) FROM runs WHERE account_id = {a:String}", {"a": account_id})
    assert exported(tight, Selection(account_id), format) == whole


def at_work(store: Store) -> int:
    asked = "SELECT count() FROM system.processes WHERE startsWith(Settings['log_comment'], 'export-')"
    return int(store.query(asked)[0][0])


def test_an_export_that_is_given_up_frees_what_it_held(store: Store, account_id: str) -> None:
    insert_runs(store, [run(account_id, n, input=random.randbytes(1000).hex()) for n in range(5000)])
    for format in FORMATS:
        for _ in range(12):
            with export(store, Selection(account_id), CONTEXT, format=format) as pieces:
                next(pieces)
                assert at_work(store) == 1, "the first piece is there when the last one is"
            assert at_work(store) == 0
    assert store.query("SELECT 1") == [(1,)]


def test_an_export_that_fails_at_once_says_so(store: Store, account_id: str) -> None:
    for format in FORMATS:
        broken = Selection(account_id, filter=parse("model:m"))
        with (
            pytest.raises(StoreError),
            export(cast(Store, Misspelt(store)), broken, CONTEXT, format=format) as pieces,
        ):
            b"".join(pieces)


class Misspelt:
    """The real store, asked for what it does not have."""

    embedded = True

    def __init__(self, store: Store) -> None:
        self.query, self._store = store.query, store

    def stream(self, sql: str, params: Any = None, *, format: str, mark: str = "") -> Any:
        return self._store.stream(sql.replace(" FROM runs ", " FROM no_runs "), params, format=format, mark=mark)
