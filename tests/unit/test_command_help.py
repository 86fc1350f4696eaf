"""What `--help` says of each command."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from modeltraces import cli
from modeltraces.settings import DEMO_DATA_DIR, Settings

WIDE = {"COLUMNS": "300", "TERMINAL_WIDTH": "300"}


def commands(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, inner in getattr(node, "commands", {}).items():
        yield from commands(inner, (*path, name))
    if not hasattr(node, "commands"):
        yield path, node


ALL = dict(commands(get_command(cli.with_all_commands())))


def help_of(*path: str) -> str:
    result = CliRunner().invoke(cli.with_all_commands(), [*path, "--help"], env=WIDE)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_default_that_is_written_is_shown(path: tuple[str, ...]) -> None:
    written = [found for option in ALL[path].params for found in re.findall(r"\[default: .+?\]", option.help or "")]
    shown = help_of(*path)
    assert [default for default in written if default not in shown] == []
    assert "\\[" not in shown
    if any(option.name == "data_dir" for option in ALL[path].params):
        assert (
            f"[default: ./{DEMO_DATA_DIR if path == ('demo',) else Settings.model_fields['data_dir'].default}]" in shown
        )


@pytest.mark.parametrize("name", ["host", "port", "otlp_grpc_port"])
def test_what_serve_takes_is_shown_with_the_settings_default(name: str) -> None:
    option = "--" + name.replace("_", "-")
    (line,) = [line for line in help_of("serve").splitlines() if option + " " in line]
    assert f"[default: {Settings.model_fields[name].default}]" in line
