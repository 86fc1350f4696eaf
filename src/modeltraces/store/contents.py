"""Log records that carry a span's content, kept until the span can have come; and what was refused, and why."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from modeltraces.store.engine import Store


@dataclass(frozen=True, slots=True)
class ContentPart:
    """One log record or span event that carries content of the model call of a span."""

    account_id: str
    trace_id: str
    span_id: str
    part_id: str
    """A digest of what was sent: a record that is sent again is the same part."""
    at_us: int
    name: str
    body: str
    """JSON text of the record's body and attributes."""


@dataclass(frozen=True, slots=True)
class RejectionRow:
    account_id: str
    rejected_on_us: int
    signal: str
    reason: str
    subject: str
    key_name: str


def insert_contents(store: Store, parts: Sequence[ContentPart], received_on_us: int, writer: str = "") -> None:
    store.insert(
        "span_contents",
        {
            "account_id": ("LowCardinality(String)", [part.account_id for part in parts]),
            "trace_id": ("String", [part.trace_id for part in parts]),
            "span_id": ("String", [part.span_id for part in parts]),
            "part_id": ("String", [part.part_id for part in parts]),
            "at": ("DateTime64(6, 'UTC')", [part.at_us for part in parts]),
            "name": ("LowCardinality(String)", [part.name for part in parts]),
            "body": ("String", [part.body for part in parts]),
            "received_on": ("DateTime64(6, 'UTC')", [received_on_us] * len(parts)),
            "writer": ("LowCardinality(String)", [writer] * len(parts)),
        },
    )


def fetch_contents(store: Store, spans: Iterable[tuple[str, str, str]]) -> list[ContentPart]:
    """The parts of (account_id, trace_id, span_id)."""
    grouped: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for account_id, trace_id, span_id in spans:
        grouped[account_id].append((trace_id, span_id))
    parts: list[ContentPart] = []
    for account_id, keys in grouped.items():
        rows = store.query(
            "SELECT account_id, trace_id, span_id, part_id, toUnixTimestamp64Micro(at), name, body FROM span_contents FINAL "
            "WHERE account_id = {account_id:String} AND trace_id IN {traces:Array(String)} "
            "AND (trace_id, span_id) IN (SELECT arrayJoin(arrayZip({traces:Array(String)}, {spans:Array(String)})))",
            {"account_id": account_id, "traces": [trace for trace, _ in keys], "spans": [span for _, span in keys]},
            surface="ingest.contents",
        )
        parts += [ContentPart(*row) for row in rows]
    return parts


def insert_rejections(store: Store, rows: Sequence[RejectionRow]) -> None:
    store.insert(
        "rejections",
        {
            "account_id": ("LowCardinality(String)", [row.account_id for row in rows]),
            "rejected_on": ("DateTime64(6, 'UTC')", [row.rejected_on_us for row in rows]),
            "signal": ("LowCardinality(String)", [row.signal for row in rows]),
            "reason": ("String", [row.reason for row in rows]),
            "subject": ("String", [row.subject for row in rows]),
            "key_name": ("LowCardinality(String)", [row.key_name for row in rows]),
        },
    )


def list_rejections(store: Store, account_id: str, limit: int = 200) -> list[RejectionRow]:
    """The account's last rejections, newest first."""
    rows = store.query(
        "SELECT account_id, toUnixTimestamp64Micro(rejected_on), signal, reason, subject, key_name FROM rejections "
        "WHERE account_id = {account_id:String} ORDER BY rejected_on DESC LIMIT {limit:UInt64}",
        {"account_id": account_id, "limit": limit},
        surface="page.rejected",
    )
    return [RejectionRow(*row) for row in rows]
