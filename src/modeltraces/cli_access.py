"""The commands `keys` and `users`: what an operator does at the machine, also while the server runs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from modeltraces.catalog import accounts, links
from modeltraces.catalog import keys as api_keys
from modeltraces.catalog import users as members
from modeltraces.catalog.accounts import DEFAULT_NAME, Account
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import CatalogError, Invalid, NotFound
from modeltraces.catalog.key_limits import check_limits
from modeltraces.catalog.text import clean_email

keys = typer.Typer(help="Make, list, change and revoke API keys.", no_args_is_help=True)
users = typer.Typer(help="Add users and sign them in.", no_args_is_help=True)

AccountOption = Annotated[str, typer.Option("--account", help="The account's name.")]
DataDirOption = Annotated[Path | None, typer.Option("--data-dir", help="Directory of everything that is kept.")]
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
EmailOption = Annotated[str, typer.Option("--email", help="The user's email.")]

_ACTOR = "cli"


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
        _say(str(error))
        raise typer.Exit(1) from None


def address_of(given: str) -> str:
    """An address, or what the file holds that is named by `@FILE`: a password in a command is seen by all who list processes."""
    if not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        _say(f"the address cannot be read from {given[1:]}: {getattr(error, 'strerror', None) or 'it is no text'}")
        raise typer.Exit(1) from None


def _say(text: str) -> None:
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


def _ensured(catalog: Catalog, name: str) -> Account:
    """The account, made if need be: it is by its first key or user that an account comes to be."""
    account, made = accounts.ensure(catalog, name, actor=_ACTOR)
    if made and name != DEFAULT_NAME:
        _say(f"There was no account {account.name!r}: it was made.")
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
        plain, _ = api_keys.create_key(
            catalog,
            _ensured(catalog, account).id,
            name,
            actor=_ACTOR,
            scopes=scopes,
            default_source_type=source_type,
            default_source=source,
            expires_on_us=expires_on_us,
            limits=limits,
        )
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
        changed = api_keys.change_key(catalog, account_id, key.id, values, actor=_ACTOR)
        _say(f"Changed {changed.name!r} ({changed.prefix}): {_limit_words(changed)}.")


def _limits(
    requests: int | None, tokens: int | None, models: list[str] | None, recording: str | None
) -> dict[str, Any]:
    """The limits that were given; on the command line 0 is no limit."""
    given = {
        "requests_per_minute": requests, "tokens_per_day": tokens, "allowed_models": models or None, "recording": recording,
    }  # fmt: skip
    return {name: value or None for name, value in given.items() if value is not None}


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
                *map(_day, (key.created_on_us, key.expires_on_us, key.last_used_on_us, key.revoked_on_us)),
                key.id,
            )
        _print(table)


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
        api_keys.revoke_key(catalog, account_id, key.id, actor=_ACTOR)
        _say(f"Revoked {key.name!r} ({key.prefix}).")


@users.command("create")
def create_user(
    email: EmailOption,
    role: Annotated[str, typer.Option("--role", help="owner, admin, member or viewer.")],
    account: AccountOption = DEFAULT_NAME,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin; else a sign-in link is printed.")
    ] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Add a user to an account. Without --password-stdin, prints a one-time sign-in link."""
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    with open_catalog(data_dir) as catalog:
        # Checked before an account is made for it.
        parsed, cleaned = members.parse_role(role), clean_email(email)
        account_id = _ensured(catalog, account).id
        user = members.create(catalog, account_id, cleaned, parsed, actor=_ACTOR, password=password)
        if password is None and not user.has_password:
            _print_link(links.create(catalog, account_id, user.id, valid_hours=72), data_dir)
        else:
            _say(f"{user.email} is {parsed} of {account!r} and signs in with a password.")


@users.command("link")
def link_user(
    email: EmailOption,
    account: AccountOption = DEFAULT_NAME,
    data_dir: DataDirOption = None,
) -> None:
    """Print a one-time link that signs the user in: its whole address while the server runs, else its path."""
    with open_catalog(data_dir) as catalog:
        account_id = existing_account(catalog, account).id
        if (user := members.find(catalog, email)) is None:
            raise NotFound(f"There is no user {email!r}.")
        _print_link(links.create(catalog, account_id, user.id, valid_hours=24), data_dir)


@users.command("password")
def set_password(email: EmailOption, data_dir: DataDirOption = None) -> None:
    """Set the user's password to the line read from stdin, and end their sessions."""
    password = sys.stdin.readline().rstrip("\r\n")
    with open_catalog(data_dir) as catalog:
        if (user := members.find(catalog, email)) is None:
            raise NotFound(f"There is no user {email!r}.")
        members.change_password(catalog, user.id, password, actor=_ACTOR)
        _say(f"The password of {user.email} was set.")


@users.command("list")
def list_users(account: AccountOption = DEFAULT_NAME, data_dir: DataDirOption = None) -> None:
    """List the account's members."""
    with open_catalog(data_dir) as catalog:
        table = Table("Email", "Role", "Joined", "State")
        for member in members.list_members(catalog, existing_account(catalog, account).id):
            state = "disabled" if member.user.disabled else "" if member.user.has_password else "has no password yet"
            table.add_row(member.user.email, member.role, _day(member.joined_on_us), state)
        _print(table)


def _print_link(token: str, data_dir: Path | None) -> None:
    from modeltraces.installation import running_address
    from modeltraces.settings import load_settings

    address = running_address(load_settings(data_dir=data_dir))
    print(address + links.path_of(token))
    _say("It works once." if address else "Open this path at the server's address. It works once.")


def _print(table: Table) -> None:
    # A program that reads the list must find whole ids, however narrow its terminal claims to be.
    console = Console() if sys.stdout.isatty() else Console(width=300)
    console.print(table)


def _day(at_us: int | None) -> str:
    if at_us is None:
        return "-"
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)).strftime("%Y-%m-%d %H:%M")
