"""The command `keys`, and how commands open the catalog: what an operator does at the machine, also while the server runs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from modeltraces.catalog import accounts
from modeltraces.catalog import keys as api_keys
from modeltraces.catalog.accounts import DEFAULT_NAME, Account
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import CatalogError, Invalid, NotFound
from modeltraces.catalog.key_limits import check_limits
from modeltraces.catalog.key_models import doubts_about
from modeltraces.catalog.models import ModelRegistry
from modeltraces.cli_options import DataDirOption

keys = typer.Typer(help="Make, list, change and revoke API keys.", no_args_is_help=True)

AccountOption = Annotated[str, typer.Option("--account", help="The account's name.")]
WhichKey = Annotated[str, typer.Argument(help="The key's id, name, or first characters (mt_abcd).", metavar="KEY")]
RequestsOption = Annotated[
    int | None,
    typer.Option("--requests-per-minute", min=0, help="Most calls a minute through the gateway; 0: no limit."),
]
TokensOption = Annotated[
    int | None,
    typer.Option("--tokens-per-day", min=0, help="Most tokens a day (UTC) through the gateway; 0: no limit."),
]
ModelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        help="A model it may call: name, name@version, name@connection, or gpt-*; repeatable. '*': every one.",
    ),
]
RecordingOption = Annotated[
    str | None, typer.Option("--recording", help="What is recorded of its calls: full (default), metadata or off.")
]

ACTOR = "cli"


@contextmanager
def open_catalog(data_dir: Path | None = None) -> Iterator[Catalog]:
    """The catalog of the installation, up to date. Ends the command with one line for whatever is refused."""
    from modeltraces.installation import NoInstallation, existing_catalog
    from modeltraces.settings import BadSettings, load_settings

    try:
        catalog = existing_catalog(load_settings(data_dir=data_dir))
        try:
            yield catalog
        finally:
            catalog.close()
    except (CatalogError, BadSettings, NoInstallation, OSError) as error:
        say(str(error))
        raise typer.Exit(1) from None


def address_of(given: str) -> str:
    """An address, or what the file holds that is named by `@FILE`: a password in a command is seen by all who list processes."""
    if not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        say(f"the address cannot be read from {given[1:]}: {getattr(error, 'strerror', None) or 'it is no text'}")
        raise typer.Exit(1) from None


def say(text: str) -> None:
    """To the person at the terminal; stdout is kept for what a program reads."""
    print(text, file=sys.stderr)


def existing_account(catalog: Catalog, name: str) -> Account:
    """Raises NotFound, saying which there are. The account of a fresh installation is made."""
    if name == DEFAULT_NAME:
        return accounts.ensure_default(catalog)
    if (account := accounts.find(catalog, name)) is None:
        names = ", ".join(repr(account.name) for account in accounts.list_accounts(catalog)) or "none yet"
        raise NotFound(f"There is no account {name!r}. There are: {names}.")
    return account


def ensured_account(catalog: Catalog, name: str) -> Account:
    """The account, made if need be: it is by its first key or user that an account comes to be."""
    account, made = accounts.ensure(catalog, name, actor=ACTOR)
    if made and name != DEFAULT_NAME:
        say(f"There was no account {account.name!r}: it was made.")
    return account


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Option("--name", help="What the key is for.")],
    account: AccountOption = DEFAULT_NAME,
    source_type: Annotated[
        str, typer.Option("--source-type", help="Source type of runs that name none: Agent, Workflow, …")
    ] = "",
    source: Annotated[str, typer.Option("--source", help="Source of runs that name none.")] = "",
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="ingest, gateway, read or admin; repeatable. Default: ingest, gateway and read."),
    ] = None,
    expires_in_days: Annotated[
        int | None, typer.Option("--expires-in-days", min=1, max=36500, help="Days until it stops working.")
    ] = None,
    requests_per_minute: RequestsOption = None,
    tokens_per_day: TokensOption = None,
    model: ModelOption = None,
    recording: RecordingOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Make a key and print it, alone, on stdout. It is shown this once."""
    with open_catalog(data_dir) as catalog:
        expires_on_us = None if expires_in_days is None else catalog.clock() + expires_in_days * 86_400_000_000
        # Checked before an account is made for it.
        scopes = api_keys.parse_scopes(scope or api_keys.DEFAULT_SCOPES)
        limits = _limits(requests_per_minute, tokens_per_day, model, recording)
        check_limits(limits)
        account_id = ensured_account(catalog, account).id
        plain, made = api_keys.create_key(
            catalog,
            account_id,
            name,
            actor=ACTOR,
            scopes=scopes,
            default_source_type=source_type,
            default_source=source,
            expires_on_us=expires_on_us,
            limits=limits,
        )
        _say_doubts(catalog, account_id, made)
        print(plain)


@keys.command("change")
def change_key(
    which: WhichKey,
    account: AccountOption = DEFAULT_NAME,
    name: Annotated[str | None, typer.Option("--name", help="What the key is for.")] = None,
    source_type: Annotated[
        str | None, typer.Option("--source-type", help="Source type of runs that name none.")
    ] = None,
    source: Annotated[str | None, typer.Option("--source", help="Source of runs that name none.")] = None,
    requests_per_minute: RequestsOption = None,
    tokens_per_day: TokensOption = None,
    model: ModelOption = None,
    recording: RecordingOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Change what is said here of a key, and nothing else of it. A running server follows within seconds."""
    texts = {"name": name, "default_source_type": source_type, "default_source": source}
    values = {part: text for part, text in texts.items() if text is not None}
    values |= _limits(requests_per_minute, tokens_per_day, model, recording)
    with open_catalog(data_dir) as catalog:
        account_id = existing_account(catalog, account).id
        key = api_keys.find_key(catalog, account_id, which)
        if not values:
            raise Invalid("Say what to change, for example --requests-per-minute 60.")
        changed = api_keys.change_key(catalog, account_id, key.id, values, actor=ACTOR)
        if model:
            _say_doubts(catalog, account_id, changed)
        say(f"Changed {changed.name!r} ({changed.prefix}): {_limit_words(changed)}.")


def _limits(
    requests: int | None, tokens: int | None, models: list[str] | None, recording: str | None
) -> dict[str, Any]:
    """The limits that were given; on the command line 0 is no limit."""
    given = {
        "requests_per_minute": requests, "tokens_per_day": tokens, "allowed_models": models or None, "recording": recording,
    }  # fmt: skip
    return {name: value or None for name, value in given.items() if value is not None}


def _say_doubts(catalog: Catalog, account_id: str, key: api_keys.ApiKey) -> None:
    for doubt in doubts_about(catalog, ModelRegistry(catalog), account_id, key.limits):
        say(doubt)


def _limit_words(key: api_keys.ApiKey) -> str:
    limits = key.limits
    words = [
        f"{limits.requests_per_minute:,} requests a minute" if limits.requests_per_minute else "",
        f"{limits.tokens_per_day:,} tokens a day" if limits.tokens_per_day else "",
        f"models {' '.join(limits.allowed_models)}" if limits.allowed_models else "",
        {"full": "", "metadata": "records metadata only", "off": "records nothing"}[limits.recording],
    ]
    return "; ".join(word for word in words if word) or "no limits"


@keys.command("list")
def list_keys(
    account: AccountOption = DEFAULT_NAME,
    show_revoked: Annotated[bool, typer.Option("--all", help="Revoked ones, too.")] = False,
    data_dir: DataDirOption = None,
) -> None:
    """List the account's keys."""
    with open_catalog(data_dir) as catalog:
        found = api_keys.list_keys(catalog, existing_account(catalog, account).id, include_revoked=show_revoked)
        table = Table("Name", "Key", "Scopes", "Source", "Limits", "Created", "Expires", "Last used", "Revoked", "Id")
        for key in found:
            source = " / ".join(part for part in (key.default_source_type, key.default_source) if part)
            table.add_row(
                key.name,
                key.prefix,
                " ".join(key.scopes),
                source,
                _limit_words(key),
                *map(day, (key.created_on_us, key.expires_on_us, key.last_used_on_us, key.revoked_on_us)),
                key.id,
            )
        print_table(table)


@keys.command("revoke")
def revoke_key(
    which: WhichKey,
    account: AccountOption = DEFAULT_NAME,
    data_dir: DataDirOption = None,
) -> None:
    """End a key. A running server refuses it within seconds."""
    with open_catalog(data_dir) as catalog:
        account_id = existing_account(catalog, account).id
        key = api_keys.find_key(catalog, account_id, which)
        api_keys.revoke_key(catalog, account_id, key.id, actor=ACTOR)
        say(f"Revoked {key.name!r} ({key.prefix}).")


def print_table(table: Table) -> None:
    # A program that reads the list must find whole ids, however narrow its terminal claims to be.
    console = Console() if sys.stdout.isatty() else Console(width=300)
    console.print(table)


def day(at_us: int | None) -> str:
    if at_us is None:
        return "-"
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)).strftime("%Y-%m-%d %H:%M")
