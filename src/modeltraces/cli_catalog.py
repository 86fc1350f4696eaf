"""The command `catalog`: an account's catalog as a file, also while the server runs."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from modeltraces.catalog.accounts import DEFAULT_NAME
from modeltraces.cli_access import AccountOption, address_of, existing_account, open_catalog
from modeltraces.cli_options import DataDirOption

catalog = typer.Typer(help="Write the catalog out as a file, and apply one.", no_args_is_help=True)

_ACTOR = "cli"
FileArgument = Annotated[Path, typer.Argument(help="The file; - for standard input.", metavar="FILE.toml")]
OutputOption = Annotated[Path, typer.Option("--output", "-o", help="The file to write; - for standard output.")]


@catalog.command("export")
def export_catalog(
    account: AccountOption = DEFAULT_NAME, output: OutputOption = Path("-"), data_dir: DataDirOption = None
) -> None:
    """Write out the account's hardware, connections, models, deployments and rules. Credentials are never among them."""
    from modeltraces.catalog.file.writing import export_text

    with open_catalog(data_dir) as opened:
        account_id = existing_account(opened, account).id
        with opened.session() as session:
            text = export_text(session, account_id)
        if str(output) == "-":
            sys.stdout.buffer.write(text.encode())
            sys.stdout.flush()
        else:
            _write(output, text)


@catalog.command("apply")
def apply_catalog(
    file: FileArgument,
    account: AccountOption = DEFAULT_NAME,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    allow_removal: Annotated[
        bool,
        typer.Option("--allow-removal", help="Remove what the file lacks, where it has neither runs nor hosting."),
    ] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Make the account's catalog what the file says: all of it or nothing. Applied again, it changes nothing."""
    from modeltraces.catalog.file.applying import apply
    from modeltraces.catalog.file.credentials import Credentials
    from modeltraces.catalog.file.problems import BadFile
    from modeltraces.catalog.file.reading import decode
    from modeltraces.catalog.vault import Vault
    from modeltraces.secret_key import SecretKeyUnavailable, secret_key
    from modeltraces.settings import load_settings

    name = "standard input" if str(file) == "-" else str(file)
    with open_catalog(data_dir) as opened:
        settings = load_settings(data_dir=data_dir)
        content = _content(file)
        try:
            applied = apply(
                opened, existing_account(opened, account).id, decode(content),
                Credentials(Path() if str(file) == "-" else file.parent, lambda: Vault(secret_key(settings))),
                actor=_ACTOR, dry_run=dry_run, allow_removal=allow_removal, allow_link_local=settings.allow_link_local,
            )  # fmt: skip
        except BadFile as error:
            for problem in error.problems:
                _say(f"{name}, {problem}" if problem.line else f"{name}: {problem}")
            raise typer.Exit(1) from None
        except SecretKeyUnavailable as error:
            _say(str(error))
            raise typer.Exit(1) from None
    for line in applied.changes:
        print(line)
    if not applied.changes:
        print("nothing to change")
    elif dry_run:
        print("dry run: nothing was changed")
    for left in applied.left:
        print(f"not in the file, left alone: {left}")
    for warning in applied.warnings:
        _say(warning)


@catalog.command("copy")
def copy_catalog(
    source: Annotated[
        str,
        typer.Option(
            "--from", help="sqlite:///path, postgresql://user:password@host:5432/database, or @FILE that holds it"
        ),
    ],
    target: Annotated[str, typer.Option("--to", help="As --from: an empty database. Its tables are made.")],
    while_running: Annotated[
        bool,
        typer.Option(
            "--while-running",
            help="Also while a server uses the source. What changes afterwards is missing in the copy.",
        ),
    ] = False,
) -> None:
    """Copy everything but the runs to another database: all of it or nothing, and compared. Stop the servers first."""
    from contextlib import closing

    from modeltraces.catalog.copying import check_addresses, copy
    from modeltraces.catalog.db import Catalog
    from modeltraces.catalog.errors import CatalogError

    source, target = address_of(source), address_of(target)
    try:
        check_addresses(source, target)
        with closing(Catalog(source)) as there, closing(Catalog(target)) as here:
            copied = copy(there, here, while_running=while_running)
    except CatalogError as error:
        _say(str(error))
        raise typer.Exit(1) from None
    held = ", ".join(f"{rows:,} {name.replace('_', ' ')}" for name, rows in copied.items() if rows)
    print(f"Both hold the same: {held or 'nothing'}.")


@catalog.command("forget-key")
def forget_key(data_dir: DataDirOption = None) -> None:
    """After the secret key was lost: let the servers start with another one. Stored credentials must be entered again."""
    from modeltraces.catalog.shared_key import forget

    with open_catalog(data_dir) as opened:
        forget(opened)


@catalog.command("forget-store")
def forget_store(data_dir: DataDirOption = None) -> None:
    """After the runs were moved to another store, or given up: let the servers start with another one."""
    from modeltraces.catalog.shared_store import forget

    with open_catalog(data_dir) as opened:
        forget(opened)


def _say(line: str) -> None:
    print(f"modeltraces: {line}", file=sys.stderr)


def _content(path: Path) -> bytes:
    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        _say(f"{path} cannot be read: {error.strerror}.")
        raise typer.Exit(1) from None


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        _say(f"{path} cannot be written: {error.strerror}.")
        raise typer.Exit(1) from None
