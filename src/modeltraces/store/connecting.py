"""How a client of the engine is made: what the driver is told, what the engine may use, and what holds for every query."""

import math
from dataclasses import dataclass
from typing import Any, Final

from clickhouse_connect.driver.httputil import get_pool_manager

from modeltraces.store.address import Embedded, Remote

GRACE_SECONDS: Final = 3.0
"""How much longer than a query's own limit a server may be silent: it is to say itself that the time is up."""
_SETTINGS: Final[dict[str, Any]] = {
    # The partition is a function of the sort key, so duplicates never lie in different partitions.
    "do_not_merge_across_partitions_select_final": 1,
    # A batch may hold runs of any months (imports).
    "max_partitions_per_insert_block": 0,
    "output_format_json_quote_64bit_integers": 0,
}
_SERVER_SETTINGS: Final[dict[str, Any]] = {
    # Commits are groups already. A server that collects them once more, as some do by default, adds its wait to ours.
    "async_insert": 0,
}
_CLUSTER_SETTINGS: Final[dict[str, Any]] = {
    # An insert into a distributed table is otherwise acknowledged before any shard has it.
    "distributed_foreground_insert": 1,
    # All processes read and write the same replica of a shard, the first that lives: what is written is read.
    "load_balancing": "in_order",
    "prefer_localhost_replica": 0,
    "optimize_skip_unused_shards": 1,
}


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """What queries may use; see `settings.py` for each number's reason."""

    query_timeout_seconds: float = 20
    query_memory_bytes: int = 600 << 20
    insert_timeout_seconds: float = 60
    connect_timeout_seconds: float = 5
    read_waits: tuple[float, ...] = (0.1, 0.4)
    write_waits: tuple[float, ...] = (0.2, 0.6, 1.2)
    """Seconds before what a server refused or cut off is tried again: a restart behind a load balancer passes unseen, and
    whoever waits is told of the rest before exporters lose their patience (10 s)."""
    engine_memory_bytes: int = 1800 << 20
    threads: int = 0
    clients: int = 8


def connect_options(address: Embedded | Remote, limits: EngineLimits) -> dict[str, Any]:
    """What the driver's `get_client` takes."""
    if isinstance(address, Embedded):
        options = {
            "max_server_memory_usage": limits.engine_memory_bytes,
            "mark_cache_size": 64 << 20,
            "primary_index_cache_size": 64 << 20,
            "index_mark_cache_size": 64 << 20,
            "text_index_postings_cache_size": 64 << 20,
            "query_condition_cache_size": 32 << 20,
            # Of a change to many parts the engine does as many at once as it has threads, then looks for the next ones after
            # 0.1 to 1.1 s, by chance: of a second's wait for one a tenth was work. It looks again ever later while it finds nothing.
            "background_processing_pool_thread_sleep_seconds_if_nothing_to_do": 0.02,
            "background_processing_pool_task_sleep_seconds_when_no_work_random_part": 0.05,
        }
        return {"interface": "chdb", "path": str(address.path), "chdb_options": options}
    return {
        "interface": "https" if address.secure else "http",
        "host": address.host,
        "port": address.port,
        "username": address.user,
        "password": address.password,
        "database": address.database,
        "autogenerate_session_id": False,
        # Parameters in the body: proxies take addresses of some kilobytes.
        "form_encode_query_params": True,
        # For the questions by which a client is made; those that it is asked have limits of their own.
        "connect_timeout": math.ceil(limits.connect_timeout_seconds),
        "send_receive_timeout": math.ceil(limits.query_timeout_seconds + GRACE_SECONDS),
        # The driver's own keeps 8 connections for all, and asks the environment for a proxy.
        "pool_mgr": get_pool_manager(maxsize=limits.clients, verify=address.verify, ca_cert=address.ca_cert or None),
    }


def client_settings(limits: EngineLimits, embedded: bool, cluster: str) -> dict[str, Any]:
    """ClickHouse's settings of every query of a client."""
    return {
        "max_execution_time": limits.query_timeout_seconds,
        "max_memory_usage": limits.query_memory_bytes,
        **_SETTINGS,
        **({} if embedded else _SERVER_SETTINGS),
        **(_CLUSTER_SETTINGS if cluster else {}),
        **({"max_threads": limits.threads} if limits.threads else {}),
    }
