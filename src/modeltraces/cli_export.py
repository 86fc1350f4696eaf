"""The command `export`. What it does is in `exporting.py`, which is imported only when it runs: it needs the engine."""

from pathlib import Path
from typing import Annotated

import typer

from modeltraces.cli_options import DataDirOption, shown_default


def export(
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write; - for standard output.")],
    model: Annotated[
        list[str] | None, typer.Option(help="A model's name; repeat it for several. Default: all.")
    ] = None,
    period: Annotated[str | None, typer.Option(help=f"24h, 7d, 30d, 90d or all. {shown_default('all')}")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="RFC 3339 with an offset; inclusive.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="RFC 3339 with an offset; exclusive.")] = None,
    filter: Annotated[str | None, typer.Option(help="A filter, as on the page.")] = None,
    sort: Annotated[str | None, typer.Option(help=f"The field to sort by. {shown_default('executed_on')}")] = None,
    order: Annotated[str | None, typer.Option(help=f"asc or desc. {shown_default('desc')}")] = None,
    format: Annotated[str, typer.Option(help="csv, jsonl or parquet.")] = "csv",
    tz: Annotated[
        str | None, typer.Option(help=f"Time zone of the times in a CSV, such as Europe/Berlin. {shown_default('UTC')}")
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="Leave cells that a spreadsheet would run as formulas as they are.")
    ] = False,
    account: Annotated[str, typer.Option(help="The account's name.")] = "default",
    data_dir: DataDirOption = None,
) -> None:
    """Write the runs of a selection to a file: the same runs, in the same order, as the page shows."""
    from modeltraces.cli import fail, settings_of
    from modeltraces.exporting import CannotExport, export_to

    settings = settings_of(data_dir=data_dir)
    if not from_ and not to:
        period = period or "all"
    named = {"period": period, "from": from_, "to": to, "filter": filter, "sort": sort, "order": order}
    pairs = [("model", name) for name in model or ()] + [(name, value) for name, value in named.items() if value]
    try:
        export_to(output, settings, account, pairs, format=format, tz=tz, raw=raw)
    except CannotExport as error:
        fail(str(error))
