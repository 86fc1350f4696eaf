"""Recordings as emitters make them, and commits as the writer does them, without its thread."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from modeltraces.ingest.linking import Linker
from modeltraces.ingest.links import LinkIndex
from modeltraces.ingest.recordings import ContentPart
from modeltraces.run import Run, now_us, request_id_of_span
from modeltraces.store.contents import insert_contents
from modeltraces.store.engine import ClickHouseStore, Rows
from modeltraces.store.rows import READ_COLUMNS, insert_runs, run_of_row

START: Final = 1_790_000_000_000_000


def span(
    name: str, parent: str = "", *, trace: str = "t", start_ms: float = 0, ms: float = 100, **fields: object
) -> Run:
    start = START + round(start_ms * 1000)
    span_id, parent_id = name.ljust(16, "0"), parent.ljust(16, "0") if parent else ""
    values: dict[str, object] = {
        "trace_id": trace, "span_id": span_id, "parent_span_id": parent_id, "response_time_ms": ms, "operation": "chat",
        "instrumentation": name, "source_type": "Application", "source": "app", "model": "gpt-4o", **fields,
    }  # fmt: skip
    return Run("", request_id_of_span(trace, span_id, start), start, **values)  # type: ignore[arg-type]


@dataclass
class Watched:
    """The real store; knows how often recordings were read back from it."""

    store: ClickHouseStore
    read_back: int = 0
    embedded: bool = True

    def query(self, sql: str, params: Mapping[str, Any] | None = None, *, surface: str = "") -> Rows:
        self.read_back += surface == "ingest.linked"
        return self.store.query(sql, params, surface=surface)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


class Commits:
    """Commits as the writer does, without its thread."""

    def __init__(self, store: ClickHouseStore, account_id: str) -> None:
        self.store = Watched(store)
        self.account_id = account_id
        self.linker = Linker(self.store, LinkIndex())
        self.began = self.received = now_us()

    def restart(self) -> None:
        self.linker = Linker(self.store, LinkIndex())
        # What other tests stored since is read back, too: all of a whole run's would take seconds each time.
        self.linker.recall(self.began)

    def commit(self, *recordings: Run, parts: tuple[ContentPart, ...] = ()) -> None:
        self.received += 1
        mine = [replace(part, account_id=self.account_id) for part in parts]
        runs = [replace(run, account_id=self.account_id, received_on_us=self.received) for run in recordings]
        if mine:
            insert_contents(self.store, mine, self.received)
        rows = self.linker.settle(runs, mine)
        for row in rows:
            row.received_on_us = self.received
        if rows:
            insert_runs(self.store, rows)

    def rows(self, superseded: bool = False) -> list[Run]:
        found = self.store.query(
            f"SELECT {READ_COLUMNS} FROM runs FINAL WHERE account_id = {{a:String}} AND (superseded_by != '') = {{s:Bool}} "
            "ORDER BY executed_on, request_id",
            {"a": self.account_id, "s": superseded},
        )
        return [replace(run_of_row(row), account_id="", received_on_us=0, version=0) for row in found]
