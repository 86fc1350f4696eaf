"""Rules asked again of stored runs: how many change, and that the change is what new runs would get."""

import dataclasses
import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modeltraces.catalog.matching.past import apply_to_weeks, differences, weeks
from modeltraces.catalog.matching.rules import Rule, RuleSet, apply, unmatch
from modeltraces.run import Run
from modeltraces.store.engine import Params, Store, StoreError
from modeltraces.store.rows import fetch_runs, insert_runs
from tests.query.runs import DAY_US, NOON_US, run

_words = st.sampled_from(["", "gpt-4o", "llama", "GPT-4o", "v1", "azure", "host:8000", "a'b\\c"])
_patterns = st.lists(
    st.sampled_from(["", "*", "gpt-4o", "gpt*", "*o", "llama", "v*", "host:*", "a'b\\c"]), min_size=1, max_size=2
)
_facts = st.sampled_from(
    ["model", "base_model", "provider", "server_address", "deployment_version", "connection_name", "key"]
)
_instants = st.none() | st.integers(-6, 6).map(lambda days: NOON_US + days * DAY_US)
rules_of = st.lists(
    st.builds(
        Rule,
        st.text("abc", min_size=1, max_size=3),
        st.dictionaries(_facts, _patterns.map(tuple), min_size=1, max_size=2).map(lambda found: tuple(found.items())),
        st.dictionaries(
            st.sampled_from(["model", "deployment_version", "connection_name"]),
            _words.filter(bool),
            min_size=1,
            max_size=2,
        ).map(lambda found: tuple(found.items())),
        st.booleans(),
        _instants,
        _instants,
    ),
    max_size=5,
).map(lambda rules: RuleSet(tuple(rules)))
runs_of: st.SearchStrategy[list[dict[str, object]]] = st.lists(
    st.builds(
        dict,
        model=_words.filter(bool), base_model=_words, provider=_words, server_address=_words, deployment_version=_words,
        connection_name=_words, key_name=_words, executed_on_us=st.integers(-6, 6).map(lambda d: NOON_US + d * DAY_US),
    ),
    min_size=1,
    max_size=12,
)  # fmt: skip


def stored(store: Store, account_id: str, runs: list[Run]) -> list[Run]:
    found = fetch_runs(store, {(account_id, one.executed_on_us) for one in runs})
    return sorted(found, key=lambda one: one.request_id)


def rematch(store: Store, account_id: str, rules: RuleSet) -> int:
    found = differences(store, account_id, rules)
    progress = list(apply_to_weeks(store, account_id, rules, found.groups, weeks(store, account_id)))
    assert progress[-1] == found.total
    return found.changed


_number = iter(range(10**6))


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs_of, rules_of, rules_of)
def test_past_runs_become_what_new_ones_would(
    store: Store, account_id: str, values: list[dict[str, object]], first: RuleSet, second: RuleSet
) -> None:
    account = f"{account_id} {next(_number)}"
    runs = [run(account, number, **fields) for number, fields in enumerate(values)]
    sent = [dataclasses.replace(one) for one in runs]
    for one in runs:
        apply(first, one)
    insert_runs(store, runs)
    found = differences(store, account, second)
    assert found.total == len(runs)
    rematch(store, account, second)
    expected = [dataclasses.replace(one) for one in sent]
    for one in expected:
        apply(second, one)
    assert stored(store, account, runs) == expected
    changed = sum(
        (one.model, one.deployment_version, one.connection_name, one.matched_by)
        != (other.model, other.deployment_version, other.connection_name, other.matched_by)
        for one, other in zip(runs, expected, strict=True)
    )
    assert found.changed == changed
    assert differences(store, account, second).groups == ()
    for one in expected:
        unmatch(one)
    assert expected == sent


def test_another_accounts_runs_are_left_alone(store: Store, account_id: str) -> None:
    other = f"{account_id} other"
    insert_runs(store, [run(account_id, 1), run(other, 1)])
    rules = RuleSet((Rule("all", (("model", ("*",)),), (("model", "mine"),)),))
    assert rematch(store, account_id, rules) == 1
    assert [one.model for one in stored(store, other, [run(other, 1)])] == ["gpt-4o"]


def test_a_run_that_was_sent_twice_counts_once(store: Store, account_id: str) -> None:
    for _ in range(3):
        insert_runs(store, [run(account_id, 1)])
    rules = RuleSet((Rule("all", (("model", ("gpt*",)),), (("deployment_version", "v1"),)),))
    found = differences(store, account_id, rules)
    assert (found.total, found.changed) == (1, 1)


@pytest.mark.parametrize("week", [-300, 0])
def test_weeks_are_those_of_the_accounts_runs(store: Store, account_id: str, week: int) -> None:
    insert_runs(store, [run(account_id, 1, executed_on_us=NOON_US + week * 7 * DAY_US)])
    assert [count for _, count in weeks(store, account_id)] == [1]


class Breaking:
    """A store in which a change breaks off, having been asked for."""

    cluster = "main"

    def __init__(self) -> None:
        self.commands: list[str] = []

    def local(self, table: str) -> str:
        return f"{table}_local"

    def command(self, sql: str, params: Params | None = None) -> None:
        self.commands.append(sql)
        if sql.startswith("ALTER"):
            raise StoreError("broken off")


def test_a_week_is_waited_for_however_long_and_its_sums_are_made_anew_when_that_breaks_off() -> None:
    breaking = Breaking()
    rules = RuleSet(())
    with pytest.raises(StoreError):
        list(apply_to_weeks(breaking, "a", rules, [], [(datetime.date(2026, 11, 23), 1)]))  # type: ignore[arg-type]
    *before, change, hours, changed = breaking.commands
    assert change.endswith("SETTINGS mutations_sync = 2, max_execution_time = 0, distributed_ddl_task_timeout = -1")
    for forgotten in (before, [hours, changed]):
        assert [sql.split(" (")[0] for sql in forgotten] == ["INSERT INTO summary_hours", "INSERT INTO changed_hours"]
