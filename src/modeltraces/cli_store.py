"""The command `store`: what is done to the runs' store as a whole."""

from contextlib import closing
from typing import Annotated

import typer

store = typer.Typer(help="Move the runs from one store to another.", no_args_is_help=True)

_QUERY_SECONDS = 3600
"""A slice is counted and read in seconds, and the first look at a large store in minutes."""


@store.callback()
def store_options() -> None:
    """Keeps `copy` a command of its own name, though it is the only one."""


@store.command("copy")
def copy_store(
    source: Annotated[
        str,
        typer.Option("--from", help="chdb:///path, clickhouse://user:pw@host:8123/db, or @FILE that holds it"),
    ],
    target: Annotated[str, typer.Option("--to", help="As --from. Its tables are made when they are missing.")],
    source_cluster: Annotated[
        str, typer.Option("--from-cluster", help="The cluster whose shards hold the source.")
    ] = "",
    target_cluster: Annotated[str, typer.Option("--to-cluster", help="The same of the target.")] = "",
) -> None:
    """Copy all runs to another store, verified by counts and checksums. Started again after a break, it goes on where it was.

    One of the two is a ClickHouse server: to move an embedded store to another directory, stop the server and move its directory.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from modeltraces.cli import configure_logs, fail, settings_of
    from modeltraces.cli_access import address_of
    from modeltraces.store.copying import CannotCopy, check_addresses, copy
    from modeltraces.store.engine import EngineLimits, StoreError, open_store

    configure_logs(settings_of())
    limits = EngineLimits(query_timeout_seconds=_QUERY_SECONDS, clients=3)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        source, target = address_of(source), address_of(target)
        check_addresses(source, target)
        with (
            closing(open_store(source, limits, cluster=source_cluster)) as there,
            closing(open_store(target, limits, cluster=target_cluster)) as here,
            Progress(*columns, console=Console(stderr=True)) as progress,
        ):
            bar = progress.add_task("Rows", total=None)
            copied = copy(there, here, lambda done, total: progress.update(bar, completed=done, total=total))
    except (CannotCopy, StoreError) as error:
        fail(str(error))
    held = ", ".join(f"{rows:,} {name.replace('_', ' ')}" for name, rows in copied.rows.items())
    typer.echo(f"Both hold the same: {held}. Written now: {copied.written:,} rows.")
