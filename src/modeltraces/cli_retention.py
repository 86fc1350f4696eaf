"""The command `retention`: how long runs and their payloads are kept, said at the machine, also while the server runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modeltraces.catalog.accounts import DEFAULT_NAME
from modeltraces.catalog.errors import Conflict, Invalid
from modeltraces.cli_access import AccountOption, existing_account, open_catalog
from modeltraces.cli_options import DataDirOption

if TYPE_CHECKING:
    from modeltraces.catalog.retention.policy import Days

retention = typer.Typer(help="Say how long runs and their payloads are kept.", no_args_is_help=True)

_DEFAULT = "default"
_FOR_EVER = "for-ever"
_HELP = f"Days; {_FOR_EVER}, or 0, which is the same; or {_DEFAULT}: as the account, or else the server, says."
RunsOption = Annotated[str | None, typer.Option("--keep-runs", help=_HELP)]
PayloadsOption = Annotated[str | None, typer.Option("--keep-payloads", help=_HELP)]


@retention.command("show")
def show(account: AccountOption = DEFAULT_NAME, data_dir: DataDirOption = None) -> None:
    """Show how long the account and its models keep what."""
    from modeltraces.catalog.retention.policy import read_policy

    with open_catalog(data_dir) as catalog:
        policy = read_policy(catalog, existing_account(catalog, account).id, _server(data_dir))

    _say_days("the account", policy.days)
    for name in policy.models:
        _say_days(name, policy.days_of(name))


@retention.command("set")
def set_days(
    keep_runs: RunsOption = None,
    keep_payloads: PayloadsOption = None,
    model: Annotated[str | None, typer.Option("--model", help="Of one model; without it, of the account.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Also when the next sweep then removes more.")] = False,
    account: AccountOption = DEFAULT_NAME,
    data_dir: DataDirOption = None,
) -> None:
    """Change how long runs and their payloads are kept. A shorter time wants --yes: what is removed does not come back."""
    from modeltraces.catalog.retention.policy import change_policy, preview_policy, read_policy

    given = {"keep_runs_days": keep_runs, "keep_payloads_days": keep_payloads}
    with open_catalog(data_dir) as catalog:
        account_id = existing_account(catalog, account).id
        values = {name: _days(text) for name, text in given.items() if text is not None}
        if not values:
            raise Invalid("Say what to change, for example --keep-runs 90.")
        server = _server(data_dir)
        before = read_policy(catalog, account_id, server)
        after = preview_policy(catalog, account_id, values, server=server, model=model)
        if not yes and after.is_shorter_than(before):
            raise Conflict(
                "This is a shorter time, and what is past it does not come back after the next sweep: to change it, add --yes. "
                "How many runs that is, is told under Settings, Retention, and by PATCH /api/v1/retention?dry_run=true."
            )
        change_policy(catalog, account_id, values, server=server, actor="cli", model=model)
        _say_days(model or "the account", after.days if model is None else after.days_of(model))


def _say_days(of: str, days: "Days") -> None:
    from modeltraces.web.retention_words import days_words, payload_words

    print(f"{of}: runs {days_words(days.runs)}, payloads {payload_words(days)}")


def _days(text: str) -> int | None:
    """Raises Invalid."""
    if text == _DEFAULT:
        return None
    if text == _FOR_EVER:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= 36_500):
        raise Invalid(
            f"Days must be a whole number from 1 to 36,500, {_FOR_EVER} (or 0, which is the same) or {_DEFAULT}; "
            f"{text[:40]!r} is none of them."
        )
    return int(text)


def _server(data_dir: Path | None) -> "Days":
    """What the server says of every account, if it was started with the same settings."""
    from modeltraces.catalog.retention.policy import Days
    from modeltraces.settings import load_settings

    settings = load_settings(data_dir=data_dir)
    return Days(settings.keep_runs_days, settings.keep_payloads_days)
