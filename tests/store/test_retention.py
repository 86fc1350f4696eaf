"""What a sweep leaves: checked against a naive model of it, for rows that were sent twice, folded, and of any model."""

import os
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from uuid import uuid4

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modeltraces.query.filters import FilterContext
from modeltraces.query.metrics import metrics
from modeltraces.query.runs import get_run, list_runs
from modeltraces.query.selection import parse_selection
from modeltraces.run import Run, new_request_id
from modeltraces.store.engine import ClickHouseStore, Params, Rows
from modeltraces.store.errors import explained
from modeltraces.store.retention import Swept, oldest, sweep, wait_until_gone, would_remove
from modeltraces.store.retention_limits import NEVER, Keep, Limits
from modeltraces.store.rows import insert_runs

pytestmark = pytest.mark.whole_store
DAY = 86_400_000_000
NOW = 1_795_000_000_000_000
"""In November 2026."""
TODAY = NOW - NOW % DAY
later = count(NOW)
"""Instants of sweeps, none twice."""
MODELS = ("large", "small", "unknown")


@pytest.fixture(scope="module", autouse=True)
def _old_parts_go_at_once(store: ClickHouseStore) -> Iterator[None]:
    for table in ("runs", "span_contents"):
        store.command(f"ALTER TABLE {table} MODIFY SETTING old_parts_lifetime = 0")
    yield
    for table in ("runs", "span_contents"):
        store.command(f"ALTER TABLE {table} MODIFY SETTING old_parts_lifetime = 1")


def run(account_id: str, days: float, model: str = "large", text: str = "hello", **more: object) -> Run:
    at = TODAY - int(days * DAY)
    made = Run(account_id, new_request_id(at), at, model, received_on_us=at, response_time_ms=5.0)
    made = replace(made, input=text, output=text, request='{"a":1}', response="{}", input_size=5, output_size=5)
    return replace(made, **more)  # type: ignore[arg-type]


def limits(account_id: str, days: int | None, models: dict[str, int] | None = None) -> Limits:
    return Limits(
        {account_id: NEVER if days is None else TODAY - days * DAY},
        {(account_id, model): TODAY - own * DAY for model, own in (models or {}).items()},
    )


def keep(account_id: str, runs: int | None, payloads: int | None = None) -> Keep:
    return Keep(limits(account_id, runs), limits(account_id, payloads if payloads is not None else runs))


def shown(store: ClickHouseStore, account_id: str) -> dict[str, str]:
    """Request ID → input, of the runs that a page lists."""
    selection = parse_selection({"period": "all"}, account_id=account_id, now_us=NOW)
    page = list_runs(store, selection, FilterContext(), limit=1000, cursor=None, secret=b"x")
    return {one.request_id: one.input for one in page.runs}


def rows_with_text(store: ClickHouseStore, account_id: str) -> set[str]:
    found = store.query(
        "SELECT request_id FROM runs WHERE account_id = {a:String} AND (input != '' OR output != '' OR request != '' "
        "OR response != '' OR input_preview != '' OR output_preview != '')",
        {"a": account_id},
    )
    return {row[0] for row in found}


def test_runs_and_payloads_go_at_their_limits_and_metrics_only_with_the_runs(
    store: ClickHouseStore, account_id: str
) -> None:
    gone, emptied, whole = run(account_id, 31), run(account_id, 20), run(account_id, 3)
    insert_runs(store, [gone, emptied, whole])
    thirty_and_ten = keep(account_id, 30, 10)
    selection = parse_selection({"period": "all"}, account_id=account_id, now_us=NOW)

    would = would_remove(store, account_id, thirty_and_ten)
    assert (would.runs, would.payloads, would.text_bytes) == (1, 1, 20)
    # First the payloads alone: no number changes.
    before = metrics(store, selection, FilterContext())
    swept = sweep(store, keep(account_id, None, 10), next(later))
    assert metrics(store, selection, FilterContext()) == before
    assert (swept.accounts[account_id].runs, swept.accounts[account_id].payloads) == (0, 2)
    assert shown(store, account_id) == {gone.request_id: "", emptied.request_id: "", whole.request_id: "hello"}

    swept = sweep(store, thirty_and_ten, next(later))
    assert (swept.accounts[account_id].runs, swept.accounts[account_id].payloads) == (1, 0)
    assert shown(store, account_id) == {emptied.request_id: "", whole.request_id: "hello"}
    assert metrics(store, selection, FilterContext()).total_requests == 2
    left = get_run(store, account_id, emptied.request_id)
    assert left is not None
    assert left.payload_removed_on_us >= NOW
    assert (left.request, left.response, left.input_size) == ("", "", 5)
    assert oldest(store, account_id) == (emptied.executed_on_us, whole.executed_on_us)

    assert sweep(store, thirty_and_ten, next(later)) == Swept(), "done again it does nothing"
    assert would_remove(store, account_id, thirty_and_ten).runs == 0

    # Sent again, they go again.
    insert_runs(store, [gone, emptied])
    assert len(shown(store, account_id)) == 3
    sweep(store, thirty_and_ten, next(later))
    assert shown(store, account_id) == {emptied.request_id: "", whole.request_id: "hello"}
    assert rows_with_text(store, account_id) == {whole.request_id}


def test_attributes_that_hold_text_go_with_the_payload_and_who_has_none_loses_none(
    store: ClickHouseStore, account_id: str
) -> None:
    attributes = {
        "env": "prod", "gen_ai.prompt": "tell me", "llm.output_tokens": "12", "notes": "x" * 300,
        "gateway.attempts": '[{"text": "' + "y" * 300 + '"}]',
    }  # fmt: skip
    bare = replace(run(account_id, 20, text=""), request="", response="", input_size=0, output_size=0)
    telling = replace(run(account_id, 20, text="", attributes=attributes), request="", response="", input_size=0)
    insert_runs(store, [bare, telling])
    assert sweep(store, keep(account_id, None, 10), next(later)).accounts[account_id].payloads == 1
    left = get_run(store, account_id, telling.request_id)
    assert left is not None
    assert set(left.attributes) == {"env", "llm.output_tokens", "gateway.attempts"}
    assert left.payload_removed_on_us >= NOW
    left = get_run(store, account_id, bare.request_id)
    assert left is not None
    assert left.payload_removed_on_us == 0


def test_a_week_that_is_past_for_everybody_is_dropped_and_for_all_but_one_is_not(
    store: ClickHouseStore, account_id: str
) -> None:
    mine, other = run(account_id, 5000), run(account_id + " other", 5000)
    insert_runs(store, [mine, other])
    limit = replace(keep(account_id, 30), everybody=TODAY - 30 * DAY)
    sweep(store, limit, next(later))
    assert shown(store, account_id) == {}
    assert list(shown(store, account_id + " other")) == [other.request_id]

    insert_runs(store, [mine])
    both = Limits({account_id: TODAY - 30 * DAY, account_id + " other": TODAY - 30 * DAY})
    swept = sweep(store, Keep(both, both, everybody=TODAY - 30 * DAY), next(later))
    assert {one: removed.runs for one, removed in swept.accounts.items()} == {account_id: 1, account_id + " other": 1}
    assert shown(store, account_id + " other") == {}
    parts = store.query(
        "SELECT count() FROM system.parts WHERE active AND table = 'runs' AND rows > 0 AND partition = "
        "toString(toMonday(fromUnixTimestamp64Micro({at:Int64}, 'UTC')))",
        {"at": mine.executed_on_us},
    )
    assert parts == [(0,)]


def test_what_was_removed_is_gone_from_the_disk(store: ClickHouseStore, account_id: str) -> None:
    directory = Path(store.url.removeprefix("chdb://"))
    # Bytes that no codec can make shorter stand in the files as they are.
    marks = {name: os.urandom(4096) for name in ("run", "payload", "attribute", "record", "kept")}
    texts = {
        name: run(account_id, days) for name, days in (("run", 31), ("payload", 20), ("attribute", 20), ("kept", 1))
    }
    for name, one in texts.items():
        store.command(
            "INSERT INTO runs (account_id, executed_on, request_id, model, status, input, response, attributes) "
            "SELECT {a:String}, fromUnixTimestamp64Micro({at:Int64}, 'UTC'), {id:String}, 'm', 'success', "
            "if({name:String} = 'attribute', '', unhex({mark:String})), '{}', "
            "if({name:String} = 'attribute', map('prompt', unhex({mark:String})), map('env', 'prod'))",
            {"a": account_id, "at": one.executed_on_us, "id": one.request_id, "name": name, "mark": marks[name].hex()},
        )
    store.command(
        "INSERT INTO span_contents (account_id, trace_id, at, received_on, body) SELECT {a:String}, 't', "
        "fromUnixTimestamp64Micro({at:Int64}, 'UTC'), now64(6), unhex({mark:String})",
        {"a": account_id, "at": TODAY - 20 * DAY, "mark": marks["record"].hex()},
    )
    assert on_disk(directory, marks) == set(marks)
    swept = sweep(store, keep(account_id, 30, 10), next(later))
    assert wait_until_gone(store, swept.old_parts, 30, lambda: True) == 0
    latest = time.monotonic() + 30
    while (left := on_disk(directory, marks)) != {"kept"} and time.monotonic() < latest:
        time.sleep(0.1)
    assert left == {"kept"}


def on_disk(directory: Path, marks: dict[str, bytes]) -> set[str]:
    found = set()
    for folder, _, names in os.walk(directory):
        for name in names:
            try:
                data = Path(folder, name).read_bytes()
            except FileNotFoundError:
                continue
            found |= {what for what, mark in marks.items() if mark[1024:1100] in data}
    return found


@dataclass(frozen=True)
class Call:
    """A run and the rows beside it that do not count."""

    days: int
    model: str
    earlier_model: str | None
    """Of a row of the same run with a lower version."""
    other_model: str | None
    """Of another recording, folded into this one."""


calls = st.builds(
    Call,
    st.sampled_from((0, 2, 3, 4, 7, 8, 9, 12)),
    st.sampled_from(MODELS),
    st.none() | st.sampled_from(MODELS),
    st.none() | st.sampled_from(MODELS),
)
days = st.none() | st.sampled_from((2, 3, 8))
own_days = st.dictionaries(st.sampled_from(MODELS), st.sampled_from((2, 3, 8)), max_size=2)


@dataclass(frozen=True)
class Account:
    calls: list[Call]
    runs: int | None
    payloads: int | None
    runs_own: dict[str, int]
    payloads_own: dict[str, int]


accounts = st.builds(Account, st.lists(calls, min_size=1, max_size=6), days, days, own_days, own_days)


def rows_of(account_id: str, calls: list[Call]) -> tuple[list[Run], list[Run], list[Run]]:
    """The runs, rows that are older than one of them, and recordings that were folded into one."""
    winners, older, folded = [], [], []
    for call in calls:
        winner = replace(run(account_id, call.days, call.model), version=3)
        winners.append(winner)
        if call.earlier_model is not None:
            older.append(replace(winner, version=1, model=call.earlier_model))
        if call.other_model is not None:
            other = run(account_id, call.days + 0.01, call.other_model, superseded_by=winner.request_id, version=3)
            folded.append(other)
            # As it was before it was folded.
            older.append(replace(other, version=1, superseded_by="", model=call.model))
    return winners, older, folded


def check_random_accounts(store: ClickHouseStore, examples: int) -> None:
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(accounts, min_size=12, max_size=12))
    def check(made: list[Account]) -> None:
        named = {f"random {uuid4()}": account for account in made}
        rows = {account_id: rows_of(account_id, account.calls) for account_id, account in named.items()}
        for batch in range(3):
            insert_runs(store, [one for of_account in rows.values() for one in of_account[batch]])
        limit = Keep(
            together(limits(name, one.runs, one.runs_own) for name, one in named.items()),
            together(limits(name, one.payloads, one.payloads_own) for name, one in named.items()),
        )
        sweep(store, limit, next(later))
        for account_id, account in named.items():
            winners, _, folded = rows[account_id]
            kept = [one for one in winners if not past(one, account.runs, account.runs_own)]
            expected = {
                one.request_id: "" if past(one, account.payloads, account.payloads_own) else "hello" for one in kept
            }
            assert shown(store, account_id) == expected
            silent = {one.request_id for one in winners} - {name for name, text in expected.items() if text}
            silent |= {one.request_id for one in folded if one.superseded_by in silent}
            assert not rows_with_text(store, account_id) & silent, "of rows that do not count, too"

    check()


def together(every: Iterable[Limits]) -> Limits:
    listed = list(every)
    return Limits(
        {key: at for one in listed for key, at in one.accounts.items()},
        {key: at for one in listed for key, at in one.models.items()},
    )


def past(one: Run, default: int | None, own: dict[str, int]) -> bool:
    limit = own.get(one.model, default)
    return limit is not None and one.executed_on_us < TODAY - limit * DAY


def test_what_remains_equals_a_naive_model(store: ClickHouseStore, thorough: bool) -> None:
    check_random_accounts(store, 25 if thorough else 2)


def test_numbers_that_are_read_during_a_sweep_are_of_whole_runs(store: ClickHouseStore, account_id: str) -> None:
    old = [run(account_id, 8 + number % 4, input_tokens=1) for number in range(300)]
    new = [run(account_id, 1, input_tokens=1) for _ in range(300)]
    for _ in range(2):
        # Twice, so that most runs have two rows in two parts.
        insert_runs(store, [*old, *new])
    selection = parse_selection({"period": "all"}, account_id=account_id, now_us=NOW)
    for limit, numbers in ((keep(account_id, None, 5), {600}), (keep(account_id, 5), {600, 300})):
        seen, ended = [], threading.Event()

        def sweep_it(limit: Keep = limit, ended: threading.Event = ended) -> None:
            sweep(store, limit, next(later))
            ended.set()

        sweeping = threading.Thread(target=sweep_it)
        sweeping.start()
        while not ended.is_set():
            found = metrics(store, selection, FilterContext())
            seen.append((found.total_requests, found.input_tokens))
        sweeping.join()
        # Weeks go one after the other, and each at once.
        weeks = {300 + sum(1 for one in old if _week(one) in left) for left in _left_after_each_week(old)}
        assert {total for total, _ in seen} <= numbers | weeks
        assert all(total == tokens for total, tokens in seen)
        assert seen == sorted(seen, reverse=True), "it only ever goes down"


def _week(one: Run) -> int:
    # The epoch was a Thursday.
    return (one.executed_on_us // DAY + 3) // 7


def _left_after_each_week(runs: list[Run]) -> list[set[int]]:
    weeks = sorted({_week(one) for one in runs})
    return [set(weeks[place:]) for place in range(len(weeks) + 1)]


class NoRights:
    """A server whose user may not read `system.parts`."""

    cluster = ""

    def __init__(self, store: ClickHouseStore) -> None:
        self._store = store
        self.local, self.command, self.insert = store.local, store.command, store.insert

    def query(self, sql: str, params: Params | None = None, *, surface: str = "") -> Rows:
        if "system.parts" in sql:
            error = DatabaseError("Not enough privileges")
            error.code = 497
            raise explained(error, embedded=False)
        return self._store.query(sql, params, surface=surface)


def test_who_may_not_see_the_parts_sweeps_all_the_same(store: ClickHouseStore, account_id: str) -> None:
    insert_runs(store, [run(account_id, 31), run(account_id, 3)])
    swept = sweep(NoRights(store), keep(account_id, 30), next(later))  # type: ignore[arg-type]
    assert (swept.accounts[account_id].runs, swept.freed_bytes, swept.old_parts) == (1, 0, frozenset())
    error = DatabaseError("Not enough privileges")
    error.code = 497
    assert "SELECT on system.parts and system.mutations" in str(explained(error, embedded=False))


def test_a_sweep_after_one_that_broke_off_looks_after_what_that_left(store: ClickHouseStore, account_id: str) -> None:
    store.command("ALTER TABLE runs MODIFY SETTING old_parts_lifetime = 600")
    try:
        insert_runs(store, [run(account_id, 31 + hours / 24) for hours in range(3)])
        assert sweep(store, keep(account_id, 30), next(later)).old_parts
        again = sweep(store, keep(account_id, 30), next(later), is_again=True)
        assert again.accounts == {}
        assert again.old_parts
    finally:
        store.command("ALTER TABLE runs MODIFY SETTING old_parts_lifetime = 0")


def test_who_is_to_stop_removes_no_contents_either(store: ClickHouseStore, account_id: str) -> None:
    store.command(
        "INSERT INTO span_contents (account_id, trace_id, at, received_on, body) SELECT {a:String}, 't', "
        "fromUnixTimestamp64Micro({t:Int64}, 'UTC'), now64(6), 'text'",
        {"a": account_id, "t": TODAY - 20 * DAY},
    )

    def left() -> int:
        sql = "SELECT count() FROM span_contents WHERE account_id = {a:String}"
        return int(store.query(sql, {"a": account_id})[0][0])

    sweep(store, keep(account_id, 10), next(later), lambda: False)
    assert left() == 1
    sweep(store, keep(account_id, 10), next(later))
    assert left() == 0
