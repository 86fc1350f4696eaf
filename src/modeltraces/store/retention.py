"""Removing what is past its limit of age: runs, and the payloads of runs that stay.

Rows say by themselves whether they are past (account, model, start), so a sweep is a few statements a week of runs, whatever
the number of accounts. A week that is past for everybody is dropped whole. In others a mutation deletes rows and empties
texts: it writes the parts anew, and with the old part the text leaves the disk. What comes meanwhile is left to the next sweep.

A row is not always a run: of one that was sent twice, or folded, there are rows that do not count, and these may bear another
model, with another limit. They go first (`_remove_dependants`): with the row that counts gone, they would count instead.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

import structlog

from modeltraces.days import start_of
from modeltraces.run import now_us as clock_us
from modeltraces.store.cluster import patiently
from modeltraces.store.coverage import forget
from modeltraces.store.engine import Store
from modeltraces.store.errors import RightMissing
from modeltraces.store.retention_limits import Keep, Limits, inside
from modeltraces.store.texts import remove_texts

log = structlog.get_logger(__name__)

_DAY: Final = timedelta(days=1)
_WEEK: Final = 7 * _DAY
_OLD_SECONDS: Final = 2.5
"""After which a part that counts no more may be deleted (`old_parts_lifetime`, and whole seconds)."""
_LOOK_SECONDS: Final = 60.0
_DEPENDANTS_AT_ONCE: Final = 20_000
_TEXTS: Final = ("input", "output", "input_preview", "output_preview", "request", "response")
_HAS_TEXT: Final = " OR ".join(f"{name} != ''" for name in _TEXTS)
# As recordings without content leave them out: long ones, and texts of a telling name. What the gateway, linking and we
# ourselves wrote stays.
_HOLDS_CONTENT: Final = (
    "NOT match(k, '^(gateway|modeltraces|otel)\\\\.') AND (length(v) > 256 OR "
    "match(lower(k), '(input|output|prompt|completion|message|content|text|query|document)[^.]*$') "
    "AND isNull(toFloat64OrNull(v)) AND v NOT IN ('true', 'false'))"
)
_EMPTIED: Final = ", ".join(
    [
        f"payload_removed_on = if({_HAS_TEXT} OR "
        f"arrayExists((k, v) -> {_HOLDS_CONTENT}, mapKeys(attributes), mapValues(attributes)), "
        "fromUnixTimestamp64Micro({now:Int64}, 'UTC'), payload_removed_on)",
        "payload_swept = true",
        f"attributes = mapFilter((k, v) -> NOT ({_HOLDS_CONTENT}), attributes)",
        *(f"{name} = ''" for name in _TEXTS),
    ]
)
# By the narrow columns: texts are not read to count them.
_UNSWEPT_TEXT: Final = "(NOT payload_swept AND input_size + output_size > 0)"
_TABLES: Final = ("runs", "span_contents", "text_grams", "text_runs", "text_words")
"""That hold runs' texts, or what was made of them."""
_OLD_PARTS: Final = (
    "FROM system.parts WHERE NOT active AND rows > 0 AND database = currentDatabase() "
    f"AND replaceOne(table, '_local', '') IN {_TABLES}"
)


@dataclass(slots=True)
class Removed:
    """Of one account."""

    runs: int = 0
    payloads: int = 0
    """Of runs that stay."""
    text_bytes: int = 0
    """Of inputs and outputs, as long as they were before any cut."""


@dataclass(slots=True)
class Swept:
    accounts: dict[str, Removed] = field(default_factory=dict)
    freed_bytes: int = 0
    """On disk."""
    old_parts: frozenset[str] = frozenset()
    """What holds the removed rows until the engine has deleted it."""

    def add(self, account_id: str, runs: int, payloads: int, text_bytes: int) -> None:
        one = self.accounts.setdefault(account_id, Removed())
        one.runs, one.payloads, one.text_bytes = one.runs + runs, one.payloads + payloads, one.text_bytes + text_bytes


def would_remove(store: Store, account_id: str, keep: Keep) -> Removed:
    """What the next sweep would take from the account, were these its limits. Payloads: those with an input or output."""
    past, params = keep.runs.only(account_id).sql("r")
    stale, more = keep.payloads.only(account_id).sql("p")
    ((runs, payloads, size),) = store.query(
        f"SELECT countIf({past}), countIf(NOT {past} AND {stale} AND {_UNSWEPT_TEXT}), "
        f"sumIf(input_size + output_size, ({past} OR {stale}) AND {_UNSWEPT_TEXT}) "
        "FROM runs FINAL WHERE account_id = {account_id:String} AND superseded_by = '' "
        "AND executed_on < fromUnixTimestamp64Micro({before:Int64}, 'UTC')",
        {"account_id": account_id, "before": inside(keep.latest), **params, **more},
        surface="retention.preview",
    )
    return Removed(int(runs), int(payloads), int(size))


def oldest(store: Store, account_id: str) -> tuple[int | None, int | None]:
    """When the account's oldest run was executed, and the oldest that has its input or output."""
    found = []
    for more in ("true", _UNSWEPT_TEXT):
        rows = store.query(
            "SELECT toUnixTimestamp64Micro(executed_on) FROM runs WHERE account_id = {account_id:String} "
            f"AND superseded_by = '' AND {more} ORDER BY account_id, executed_on LIMIT 1",
            {"account_id": account_id},
            surface="retention.oldest",
        )
        found.append(int(rows[0][0]) if rows else None)
    return found[0], found[1]


def sweep(
    store: Store,
    keep: Keep,
    now_us: int,
    go_on: Callable[[], bool] = lambda: True,
    *,
    newest: Callable[[], Keep] | None = None,
    is_again: bool = False,
) -> Swept:
    """Remove what is past, week by week, for as long as `go_on` says. Done again it does the rest, and nothing twice.

    `newest`: what is to be kept, asked before each week, so that more is kept from the moment an owner says so. `is_again`:
    after one that did not end well, whose old parts may still be there.
    """
    swept = Swept()
    weeks = list(_weeks(store, keep))
    if keep.has_own and weeks:
        every = [week for week, _, _ in weeks]
        _forget_sums(store, every)
        _remove_dependants(store, keep, every, now_us)
        _forget_sums(store, every)
    counts = {week: (past, stale) for week, past, stale in weeks}
    for week, _, _ in weeks:
        if not go_on():
            break
        if newest is not None and (longer := keep.longer_of(newest())) != keep:
            keep = longer
            counts = {week: (past, stale) for week, past, stale in _weeks(store, keep)}
        past, stale = counts.get(week, (0, 0))
        if not past and not stale:
            continue
        before = _bytes_of(store, week)
        if past:
            _count_runs(store, keep, week, swept)
        _forget_sums(store, [week])
        if past and _is_past_for_everybody(store, keep, week):
            store.command(f"ALTER TABLE {store.local('runs')} DROP PARTITION '{week.isoformat()}'")
        else:
            _rewrite(store, keep, week, now_us, deletes=past > 0, empties=stale > 0)
            if stale:
                _count_payloads(store, week, now_us, swept)
        # What is known of texts is made of them: it goes with them, and is made anew of what stays.
        remove_texts(store, *_around([week]))
        _forget_sums(store, [week])
        swept.freed_bytes += max(0, before - _bytes_of(store, week))
    contents = go_on() and _remove_contents(store, keep)
    if contents or weeks or is_again:
        swept.old_parts = frozenset(_old_parts(store))
    return swept


def _old_parts(store: Store) -> list[str]:
    try:
        return [row[0] for row in store.query(f"SELECT name {_OLD_PARTS}")]
    except RightMissing as error:
        log.warning("whether what was removed has left the disk cannot be seen", error=str(error))
        return []


def _forget_sums(store: Store, weeks: Sequence[date]) -> None:
    """Before runs go, and after it. Those of a call that began before midnight may go with a week, too."""
    start_us, end_us = _around(weeks)
    forget(store, from_us=start_us, to_us=end_us, now_us=clock_us())


def _around(weeks: Sequence[date]) -> tuple[int, int]:
    start, end = min(weeks) - _DAY, max(weeks) + _WEEK + _DAY
    return start_of(start), start_of(end)


def wait_until_gone(store: Store, parts: frozenset[str], seconds: float, go_on: Callable[[], bool]) -> int:
    """How many of these parts are still on disk, after so long at most: who reads from one holds it."""
    began = time.monotonic()
    looked = -_LOOK_SECONDS
    while True:
        left = sum(name in parts for name in _old_parts(store))
        waited = time.monotonic() - began
        if not left or waited > seconds or not go_on():
            return left
        if waited > _OLD_SECONDS and waited - looked > _LOOK_SECONDS:
            # Of a quiet table the engine looks after old parts ever less often, up to every ten minutes. Dropping something,
            # it does so at once; but it begins its merges anew, so this is not done again and again.
            looked = waited
            for table in _TABLES:
                store.command(f"ALTER TABLE {store.local(table)} DROP PARTITION ID 'none'")
        time.sleep(0.5)


def _weeks(store: Store, keep: Keep) -> Iterator[tuple[date, int, int]]:
    """The weeks that there is something to do in: how many rows are past, and how many stay but for their payload."""
    past, params = keep.runs.sql("r")
    stale, more = keep.payloads.sql("p")
    if not params and not more:
        return
    rows = store.query(
        f"SELECT toMonday(executed_on) AS week, countIf({past}) AS gone, "
        f"countIf(NOT {past} AND NOT payload_swept AND {stale}) AS emptied FROM runs "
        "WHERE executed_on < fromUnixTimestamp64Micro({before:Int64}, 'UTC') "
        "GROUP BY week HAVING gone > 0 OR emptied > 0 ORDER BY week SETTINGS max_execution_time = 0",
        {"before": inside(keep.latest), **params, **more},
        surface="retention.weeks",
    )
    yield from ((week, int(gone), int(emptied)) for week, gone, emptied in rows)


def _is_past_for_everybody(store: Store, keep: Keep, week: date) -> bool:
    """Also for an account that has no run there yet: what it sends meanwhile must not go with the week."""
    if start_of(week + _WEEK) > keep.everybody:
        return False
    past, params = keep.runs.sql("r")
    # The engine's weeks end in 2149, and what is later is in a week of long ago.
    rows = store.query(f"SELECT 1 FROM runs WHERE {_in(week)} AND NOT {past} LIMIT 1", params)
    return not rows


def _rewrite(store: Store, keep: Keep, week: date, now_us: int, *, deletes: bool, empties: bool) -> None:
    past, params = keep.runs.sql("r")
    stale, more = keep.payloads.sql("p")
    place = f"IN PARTITION '{week.isoformat()}'"
    steps = [f"DELETE {place} WHERE {past}"] if deletes else []
    if empties:
        steps.append(f"UPDATE {_EMPTIED} {place} WHERE NOT {past} AND NOT payload_swept AND {stale}")
    store.command(
        f"ALTER TABLE {store.local('runs')} {', '.join(steps)} {patiently(store.cluster)}",
        {"now": now_us, **params, **more},
    )


def _remove_dependants(store: Store, keep: Keep, weeks: Sequence[date], now_us: int) -> None:
    """Rows that are not past, or not stale, and belong to a run that is."""
    past, params = keep.runs.sql("r")
    stale, more = keep.payloads.sql("p")
    # (limits, of which run, which of its rows, what becomes of them)
    kinds = (
        (keep.runs, past, f"NOT {past}", "DELETE"),
        (keep.payloads, f"(NOT {past} AND {stale})", f"NOT {stale} AND NOT payload_swept", f"UPDATE {_EMPTIED}"),
    )
    for limits, run_is, row_stays, action in kinds:
        accounts = sorted({account_id for account_id, _ in limits.models})
        if not accounts:
            continue
        everything = {"accounts": accounts, "now": now_us, **params, **more}
        waiting: list[str] = []
        for week in weeks:
            mine = "account_id IN {accounts:Array(String)}"
            # A call's other recordings begin when it does, but may do so before midnight.
            near = f"{mine} AND {_between(week - _DAY, week + _WEEK + _DAY)} AND {row_stays}"
            runs = f"SELECT account_id, request_id FROM runs FINAL WHERE {mine} AND {_in(week)} AND {run_is}"
            waiting += [
                row[0]
                for row in store.query(
                    f"SELECT DISTINCT concat(account_id, '\\0', request_id) FROM runs WHERE {near} "
                    f"AND ((account_id, request_id) GLOBAL IN ({runs}) OR (account_id, superseded_by) GLOBAL IN ({runs})) "
                    "SETTINGS max_execution_time = 0, use_index_for_in_with_subqueries = 0",
                    everything,
                    surface="retention.dependants",
                )
            ]
            while len(waiting) > _DEPENDANTS_AT_ONCE or (waiting and week == weeks[-1]):
                keys, waiting = waiting[:_DEPENDANTS_AT_ONCE], waiting[_DEPENDANTS_AT_ONCE:]
                store.command(
                    f"ALTER TABLE {store.local('runs')} {action} WHERE {mine} AND {_between(weeks[0] - _DAY, weeks[-1] + _WEEK + _DAY)} "
                    f"AND {row_stays} AND concat(account_id, '\\0', request_id) IN {{keys:Array(String)}} {patiently(store.cluster)}",
                    {"keys": keys, **everything},
                )


def _remove_contents(store: Store, keep: Keep) -> bool:
    """Log records bear texts, and do not say of which model: they go when the first of the account's payloads go."""
    limits = keep.payloads.of_account()
    if not limits:
        return False
    condition, params = Limits(limits).sql("c", "least(at, received_on)")
    if not store.query(f"SELECT 1 FROM span_contents WHERE {condition} LIMIT 1", params, surface="retention.contents"):
        return False
    store.command(
        f"ALTER TABLE {store.local('span_contents')} DELETE WHERE {condition} {patiently(store.cluster)}", params
    )
    return True


def _count_runs(store: Store, keep: Keep, week: date, swept: Swept) -> None:
    past, params = keep.runs.sql("r")
    for account_id, runs, size in store.query(
        f"SELECT account_id, count(), sumIf(input_size + output_size, {_UNSWEPT_TEXT}) FROM runs FINAL "
        f"WHERE {_in(week)} AND superseded_by = '' AND {past} GROUP BY account_id SETTINGS max_execution_time = 0",
        params,
        surface="retention.count",
    ):
        swept.add(account_id, int(runs), 0, int(size))


def _count_payloads(store: Store, week: date, now_us: int, swept: Swept) -> None:
    for account_id, payloads, size in store.query(
        f"SELECT account_id, count(), sum(input_size + output_size) FROM runs FINAL WHERE {_in(week)} "
        "AND superseded_by = '' AND payload_removed_on = fromUnixTimestamp64Micro({now:Int64}, 'UTC') "
        "GROUP BY account_id SETTINGS max_execution_time = 0",
        {"now": now_us},
        surface="retention.count",
    ):
        swept.add(account_id, 0, int(payloads), int(size))


def _bytes_of(store: Store, week: date) -> int:
    try:
        ((size,),) = store.query(
            "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase() "
            "AND table IN ('runs', 'runs_local') AND partition = {week:String}",
            {"week": week.isoformat()},
        )
    except RightMissing as error:
        log.warning("how many bytes a sweep frees cannot be seen", error=str(error))
        return 0
    return int(size)


def _between(start: date, end: date) -> str:
    return f"executed_on >= toDateTime64('{start}', 6, 'UTC') AND executed_on < toDateTime64('{end}', 6, 'UTC')"


def _in(week: date) -> str:
    # The partition is a date of the engine's; everything else is a parameter.
    return f"toMonday(executed_on) = '{week.isoformat()}'"
