"""The command `users`: what an operator does at the machine, also while the server runs."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from modeltraces.catalog import accounts, links
from modeltraces.catalog import users as members
from modeltraces.catalog.accounts import DEFAULT_NAME
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import NotFound
from modeltraces.catalog.text import clean_email
from modeltraces.cli_access import (
    ACTOR,
    AccountOption,
    day,
    ensured_account,
    existing_account,
    open_catalog,
    print_table,
    say,
)
from modeltraces.cli_options import DataDirOption

users = typer.Typer(help="Add users and sign them in.", no_args_is_help=True)

EmailOption = Annotated[str, typer.Option("--email", help="The user's email.")]


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
        account_id = ensured_account(catalog, account).id
        user = members.create(catalog, account_id, cleaned, parsed, actor=ACTOR, password=password)
        if password is None and not user.has_password:
            _print_link(links.create(catalog, account_id, user.id, valid_hours=72), data_dir)
        else:
            say(f"{user.email} is {parsed} of {account!r} and signs in with a password.")


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
            raise _no_user(catalog, account_id, email, data_dir)
        _print_link(links.create(catalog, account_id, user.id, valid_hours=24), data_dir)


@users.command("password")
def set_password(email: EmailOption, data_dir: DataDirOption = None) -> None:
    """Set the user's password to the line read from stdin, and end their sessions."""
    password = sys.stdin.readline().rstrip("\r\n")
    with open_catalog(data_dir) as catalog:
        if (user := members.find(catalog, email)) is None:
            raise _no_user(catalog, accounts.ensure_default(catalog).id, email, data_dir)
        members.change_password(catalog, user.id, password, actor=ACTOR)
        say(f"The password of {user.email} was set.")


@users.command("list")
def list_users(account: AccountOption = DEFAULT_NAME, data_dir: DataDirOption = None) -> None:
    """List the account's members."""
    with open_catalog(data_dir) as catalog:
        table = Table("Email", "Role", "Joined", "State")
        for member in members.list_members(catalog, existing_account(catalog, account).id):
            state = "disabled" if member.user.disabled else "" if member.user.has_password else "has no password yet"
            table.add_row(member.user.email, member.role, day(member.joined_on_us), state)
        print_table(table)


def _no_user(catalog: Catalog, account_id: str, email: str, data_dir: Path | None) -> NotFound:
    place = f" --data-dir {shlex.quote(str(data_dir))}" if data_dir else ""
    if members.list_members(catalog, account_id):
        return NotFound(f"There is no user {email!r}. See: modeltraces users list{place}")
    return NotFound(
        f"There is no user {email!r}. The account has no members yet: the server prints a link for the first owner when it "
        f"starts, and so does: modeltraces users create --email {shlex.quote(email)} --role owner{place}"
    )


def _print_link(token: str, data_dir: Path | None) -> None:
    from modeltraces.installation import running_address
    from modeltraces.settings import load_settings

    address = running_address(load_settings(data_dir=data_dir))
    print(address + links.path_of(token))
    say("It works once." if address else "Open this path at the server's address. It works once.")
