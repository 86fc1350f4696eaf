"""Rules asked again of runs that are stored: how many would change, and the change, a week at a time.

Runs say few different things. What they say is read once, grouped; the very function that matches new runs says what
becomes of each group; and a mutation gives the groups that differ their new values, rewriting three narrow columns and
no text. Asked again it changes nothing.
"""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from modeltraces.catalog.matching.rules import FACTS, Matched, RuleSet
from modeltraces.days import US_PER_DAY, start_of
from modeltraces.run import now_us
from modeltraces.store.cluster import patiently
from modeltraces.store.coverage import forget
from modeltraces.store.engine import Store

MOST_GROUPS: Final = 20_000
"""Different things that an account's runs may say for this to be done; with more, somebody puts ids into models' names."""

# What the recording itself says, whatever rules made of it.
_SAID: Final = {
    "model": "if(matched_by = '', toString(model), toString(recorded_model))",
    "base_model": "toString(base_model)",
    "provider": "toString(provider)",
    "server_address": "toString(server_address)",
    "deployment_version": "if(matched_by = '', toString(deployment_version), toString(recorded_deployment_version))",
    "connection_name": "if(matched_by = '', toString(connection_name), toString(recorded_connection_name))",
    "key": "toString(key_name)",
}
# The last of the instants, in order, that lies before. Asked one by one, some thousand of them take gigabytes.
_SEGMENT: Final = (
    "toString(roundDown(toUnixTimestamp64Micro(executed_on), CAST({bounds:Array(Int64)}, 'Array(Int64)')))"
)
_BEFORE_ALL: Final = -(2**63)
_GROUP: Final = "arrayStringConcat([" + ", ".join([*_SAID.values(), _SEGMENT]) + "], '\\0')"


_WEEK: Final = "0000-00-00"


class TooManyGroups(Exception):
    """The account's runs say more different things than can be matched again."""


@dataclass(frozen=True, slots=True)
class Group:
    """Runs that say the same, and what the rules make of them now."""

    key: str
    said: tuple[str, ...]
    """Values of FACTS."""
    now: Matched
    then: Matched
    runs: int
    first_run_on_us: int


@dataclass(frozen=True, slots=True)
class Differences:
    total: int
    """All runs of the account."""
    groups: tuple[Group, ...]
    """Those that would change."""

    @property
    def changed(self) -> int:
        return sum(group.runs for group in self.groups)


def differences(store: Store, account_id: str, rules: RuleSet) -> Differences:
    """What applying the rules to all stored runs would change. Raises TooManyGroups, and what a query raises."""
    said = ", ".join(_SAID.values())
    rows = store.query(
        f"SELECT {_GROUP} AS said, {said}, toString(model), toString(deployment_version), toString(connection_name), "
        "toString(matched_by), min(toUnixTimestamp64Micro(executed_on)), count() FROM runs FINAL "
        f"WHERE account_id = {{account_id:String}} AND superseded_by = '' GROUP BY ALL LIMIT {MOST_GROUPS + 1}",
        {"account_id": account_id, "bounds": [_BEFORE_ALL, *rules.bounds]},
        surface="matching.differences",
    )
    if len(rows) > MOST_GROUPS:
        raise TooManyGroups
    found = []
    for key, *values in rows:
        facts, (model, version, connection, by, first_us, runs) = values[: len(FACTS)], values[len(FACTS) :]
        now = Matched(model, version, connection, by)
        then = rules.match(dict(zip(FACTS, facts, strict=True)), first_us)
        if then != now:
            found.append(Group(key, tuple(facts), now, then, runs, first_us))
    return Differences(sum(int(row[-1]) for row in rows), tuple(found))


def weeks(store: Store, account_id: str) -> list[tuple[date, int]]:
    """The partitions that hold runs of the account, newest first, and how many there are in each."""
    rows = store.query(
        "SELECT toMonday(executed_on) AS week, count() FROM runs WHERE account_id = {account_id:String} "
        "GROUP BY week ORDER BY week DESC",
        {"account_id": account_id},
        surface="matching.weeks",
    )
    return [(week, int(count)) for week, count in rows]


def connections_in_use(store: Store, account_id: str, pairs: Set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Which of these (model, as runs bear it, and connection) runs bear."""
    rows = store.query(
        "SELECT DISTINCT toString(model), toString(connection_name) FROM runs FINAL "
        "WHERE account_id = {account_id:String} AND superseded_by = '' "
        "AND (model, connection_name) IN (SELECT arrayJoin(arrayZip({models:Array(String)}, {connections:Array(String)})))",
        {
            "account_id": account_id,
            "models": [model for model, _ in pairs],
            "connections": [connection for _, connection in pairs],
        },
        surface="matching.connections",
    )
    return {(model, connection) for model, connection in rows}


def apply_to_weeks(
    store: Store, account_id: str, rules: RuleSet, groups: Sequence[Group], among: Sequence[tuple[date, int]]
) -> Iterator[int]:
    """Give the runs of these groups their new values, week by week; yields how many runs of the account are behind it."""
    done = 0
    sql, params = _update(store, account_id, rules, groups)
    for week, count in among:
        # Sums of before must not be taken for those of now; nor those that are made while a week is half done.
        _forget_week(store, account_id, week)
        try:
            store.command(sql.replace(_WEEK, week.isoformat()), params)
        finally:
            # What fails here may be done by the engine all the same.
            _forget_week(store, account_id, week)
        done += count
        yield done


def _forget_week(store: Store, account_id: str, week: date) -> None:
    start_us = start_of(week)
    forget(store, account_id=account_id, from_us=start_us, to_us=start_us + 7 * US_PER_DAY, now_us=now_us())


def _update(store: Store, account_id: str, rules: RuleSet, groups: Sequence[Group]) -> tuple[str, dict[str, Any]]:
    unmatched = {group.key for group in groups if not group.then.by}
    params: dict[str, Any] = {
        "account_id": account_id,
        "bounds": [_BEFORE_ALL, *rules.bounds],
        "keys": [group.key for group in groups],
        "models": [group.then.model for group in groups],
        "versions": [group.then.deployment_version for group in groups],
        "connections": [group.then.connection_name for group in groups],
        "by": [group.then.by for group in groups],
    }
    for fact in ("model", "deployment_version", "connection_name"):
        place = FACTS.index(fact)
        params[f"own_{fact}"] = ["" if group.key in unmatched else group.said[place] for group in groups]

    def new(name: str) -> str:
        return f"transform({_GROUP}, {{keys:Array(String)}}, {{{name}:Array(String)}}, '')"

    # The partition is a date of ours, the rest are parameters.
    return (
        f"ALTER TABLE {store.local('runs')} UPDATE model = {new('models')}, deployment_version = {new('versions')}, "
        f"connection_name = {new('connections')}, matched_by = {new('by')}, recorded_model = {new('own_model')}, "
        f"recorded_deployment_version = {new('own_deployment_version')}, "
        f"recorded_connection_name = {new('own_connection_name')} "
        f"IN PARTITION '{_WEEK}' WHERE account_id = {{account_id:String}} AND {_GROUP} IN {{keys:Array(String)}} "
        f"{patiently(store.cluster)}"
    ), params
