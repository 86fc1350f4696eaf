"""What several commands' options have in common: how their defaults are shown, and the data directory."""

from pathlib import Path
from typing import Annotated, Any

import typer

from modeltraces.settings import Settings


def shown_default(value: Any) -> str:
    """As Typer shows defaults. Said in the help's text, for the options themselves have none: the environment's value counts
    where they are not given. Escaped, or it would be taken for markup and left out."""
    return rf"\[default: {value}]"


def setting_default(name: str) -> str:
    return shown_default(Settings.model_fields[name].default)


def data_dir_help(default: Any = Settings.model_fields["data_dir"].default) -> str:
    return f"Directory of everything that is kept. {shown_default(f'./{default}')}"


DataDirOption = Annotated[Path | None, typer.Option("--data-dir", help=data_dir_help())]
