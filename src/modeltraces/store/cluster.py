"""The tables of a cluster, made from the very statements of a single server.

Each table `t` is `t_local` on every shard, replicated there, and `t` on every server, distributed over the shards. All
copies of a row go to one shard: a table's sharding key is a function of its sort key, so that FINAL, which each shard
does for itself, sees them together.
"""

import re
from typing import Final

_SHARDED_BY: Final = {
    "runs": "cityHash64(account_id, request_id)",
    "span_contents": "cityHash64(account_id, trace_id, span_id)",
    # Of the whole cluster there is one of each, on every server: they are small, and of no account.
    "migrations": "",
    "readiness": "",
}
_SHARDED_BY_DEFAULT: Final = "cityHash64(account_id)"
_CREATE: Final = re.compile(r"^CREATE TABLE IF NOT EXISTS (\w+)\s+(?=\()")
_ALTER: Final = re.compile(r"^ALTER TABLE (\w+) (.*)$", re.DOTALL)
_INSERT: Final = re.compile(r"^INSERT INTO \w+ SELECT ")
_ENGINE: Final = re.compile(r"\bENGINE = ((?:Replacing)?MergeTree)(?:\(([^()]*)\))?")
_COLUMNS: Final = re.compile(r"^(ADD|DROP|MODIFY|RENAME|COMMENT|CLEAR) COLUMN\b")


def on_cluster(table: str, cluster: str) -> str:
    """The parts of a table, on every shard, as ALTER TABLE and DELETE FROM name them."""
    return f"{_part_of(table)} ON CLUSTER {_quoted(cluster)}"


def patiently(cluster: str) -> str:
    """The settings of a change that is waited for until it is done, however long: nobody waits for the one who made it."""
    # A cluster's servers are otherwise waited for three minutes, and the change then taken for failed.
    more = ", distributed_ddl_task_timeout = -1" if cluster else ""
    return f"SETTINGS mutations_sync = 2, max_execution_time = 0{more}"


def for_cluster(statement: str, cluster: str) -> list[str]:
    """The statements that do on a cluster what one does on a single server. Raises ValueError for one of another kind."""
    if created := _CREATE.match(statement):
        return _create(created[1], statement[created.end() :], cluster)
    if altered := _ALTER.match(statement):
        table, change = altered.groups()
        statements = [f"ALTER TABLE {on_cluster(table, cluster)} {change}"]
        if _COLUMNS.match(change) and _part_of(table) != table:
            statements.append(f"ALTER TABLE {table} ON CLUSTER {_quoted(cluster)} {_without_codec(change)}")
        return statements
    if _INSERT.match(statement):
        return [statement]
    raise ValueError(f"no statement for a cluster can be made from: {statement[:80]}")


def _create(table: str, rest: str, cluster: str) -> list[str]:
    key = _SHARDED_BY.get(table, _SHARDED_BY_DEFAULT)
    part = _part_of(table)
    # What is not sharded has one path for the whole cluster, and each server is a replica of it.
    path, replica = ("{shard}", "{replica}") if key else ("all", "{shard}-{replica}")

    def replicated(engine: re.Match[str]) -> str:
        arguments = f", {engine[2]}" if engine[2] else ""
        return (
            f"ENGINE = Replicated{engine[1]}('/clickhouse/tables/{path}/{{database}}/{part}', '{replica}'{arguments})"
        )

    statements = [
        f"CREATE TABLE IF NOT EXISTS {part} ON CLUSTER {_quoted(cluster)}\n{_ENGINE.sub(replicated, rest, count=1)}"
    ]
    if key:
        statements.append(
            f"CREATE TABLE IF NOT EXISTS {table} ON CLUSTER {_quoted(cluster)} AS {part} "
            f"ENGINE = Distributed({_quoted(cluster)}, currentDatabase(), {part}, {key})"
        )
    return statements


def _part_of(table: str) -> str:
    return f"{table}_local" if _SHARDED_BY.get(table, _SHARDED_BY_DEFAULT) else table


def _without_codec(change: str) -> str:
    # A distributed table stores nothing, and takes no codec.
    return re.sub(r"\s+CODEC\((?:[^()]|\([^()]*\))*\)", "", change)


def _quoted(name: str) -> str:
    return "'" + name.replace("\\", "\\\\").replace("'", "\\'") + "'"
